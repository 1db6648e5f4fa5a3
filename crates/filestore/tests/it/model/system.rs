//! The store under test, over backends that outlive it.

use std::sync::{Arc, Mutex};

use filestore::backend::{BlobState, BlobStore};
use filestore::{
    BlobKey, Durability, Error, ErrorKind, FileKey, FileQuery, FileRecord, FileStore, Files,
    FsBlobs, Fsck, ManualClock, MemoryBlobs, MemoryRepository, OpenFile, RecordChange, Result,
    UploadState,
};
use filestore_postgres::{PostgresOptions, PostgresRepository};
use filestore_sqlite::{SqliteOptions, SqliteRepository};
use filestore_test_postgres::Database;
use futures::TryStreamExt;
use tempfile::TempDir;

use super::answer::{Answer, Outcome, Swept, without_words};
use super::content::Received;
use super::generate::limits;
use super::names::Names;
use super::op::{Edit, Key, Op, Said, Who, WriteRecord};
use super::reference::{Backend, Model, subject, sweep_options, tenant};
use crate::store::rig::start;
use crate::store::spy::{Hooks, SpyBlobs, SpyRepository};

/// The backends of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    Memory,
    Sqlite,
    Postgres,
}

pub(crate) struct System {
    clock: Arc<ManualClock>,
    pub(crate) node: Node,
    // Dropped last.
    kept: Kept,
}

/// What outlives the store.
enum Kept {
    Memory,
    Folder(TempDir),
    Database(TempDir, Database),
}

/// The store, opened.
#[derive(Clone)]
pub(crate) struct Node {
    store: FileStore,
    blobs: SpyBlobs,
    repository: SpyRepository,
    hooks: Arc<Hooks>,
    clock: Arc<ManualClock>,
    held: Arc<Mutex<Vec<OpenFile>>>,
}

impl System {
    pub(crate) async fn new(over: Over) -> Self {
        let clock = Arc::new(ManualClock::new(start()));
        let folder = || tempfile::tempdir().unwrap();
        let kept = match over {
            Over::Memory => Kept::Memory,
            Over::Sqlite => Kept::Folder(folder()),
            Over::Postgres => Kept::Database(folder(), Database::new()),
        };
        let (blobs, repository) = match kept.open(&clock).await {
            Some(kept) => kept,
            None => spied(MemoryBlobs::new(), MemoryRepository::with_clock(clock.clone())),
        };
        let node = Node::open(blobs, repository, &clock).await;
        Self { clock, node, kept }
    }

    /// Takes a step; `&mut`, since whoever restarts must be alone.
    pub(crate) async fn step(&mut self, names: &Names, who: Who, op: &Op) -> Outcome {
        if !matches!(op, Op::Restart) {
            return self.node.ask(names, who, op).await;
        }
        let Node { blobs, repository, .. } = self.node.clone();
        let (blobs, repository) = match self.kept {
            Kept::Memory => (blobs, repository),
            _ => {
                drop((blobs, repository));
                // Nothing has the files open when they are opened again.
                let away = spied(MemoryBlobs::new(), MemoryRepository::new());
                self.node = Node::open(away.0, away.1, &self.clock).await;
                self.kept.open(&self.clock).await.unwrap()
            }
        };
        self.node = Node::open(blobs, repository, &self.clock).await;
        Ok(Answer::Done)
    }
}

impl Kept {
    /// Opens what is kept, where anything is.
    async fn open(&self, clock: &Arc<ManualClock>) -> Option<(SpyBlobs, SpyRepository)> {
        let durability = Durability::Relaxed;
        let blobs = |folder: &TempDir| FsBlobs::open(folder.path(), durability).unwrap();
        match self {
            Self::Memory => None,
            Self::Folder(folder) => {
                let clock = clock.clone();
                let options = SqliteOptions { durability, clock, ..SqliteOptions::default() };
                let path = folder.path().join("db");
                let repository = SqliteRepository::open(path, options).unwrap();
                Some(spied(blobs(folder), repository))
            }
            Self::Database(folder, database) => {
                let clock = Some(clock.clone() as _);
                let options = PostgresOptions { durability, clock, ..PostgresOptions::default() };
                let repository = PostgresRepository::connect(&database.url(), options).await;
                Some(spied(blobs(folder), repository.unwrap()))
            }
        }
    }
}

fn spied(
    blobs: impl BlobStore,
    repository: impl filestore::backend::Repository,
) -> (SpyBlobs, SpyRepository) {
    let hooks = Arc::new(Hooks::default());
    let blobs = SpyBlobs { inner: Arc::new(blobs), hooks: hooks.clone(), reads: Arc::default() };
    (blobs, SpyRepository { inner: Arc::new(repository), hooks })
}

impl Node {
    async fn open(blobs: SpyBlobs, repository: SpyRepository, clock: &Arc<ManualClock>) -> Self {
        let builder = FileStore::builder(blobs.clone(), repository.clone());
        let store = builder.clock(clock.clone()).limits(limits()).open().await.unwrap();
        let hooks = blobs.hooks.clone();
        Self { store, blobs, repository, hooks, clock: clock.clone(), held: Arc::default() }
    }

    pub(crate) fn files(&self, who: Who) -> Files {
        self.store.files(&tenant(who.tenant), &subject(who.subject))
    }

    /// From now on calls stop wherever they can, and others go on.
    pub(crate) fn yield_everywhere(&self) {
        self.hooks.yield_everywhere();
    }

    /// Makes a call.
    pub(crate) async fn ask(&self, names: &Names, who: Who, op: &Op) -> Outcome {
        if matches!(op, Op::Advance(_) | Op::Sweep) {
            // What was begun for a call that failed may still have its turn: it has it before this.
            let _ = self.repository.inner.ready().await;
        }
        let outcome = self.call(names, who, op).await;
        super::tally::TALLY.count(op, &outcome);
        outcome
    }

    async fn call(&self, names: &Names, who: Who, op: &Op) -> Outcome {
        Ok(match op {
            Op::Sweep => Answer::Swept(Box::pin(self.sweep()).await?),
            Op::Check => Answer::Checked(self.check().await?),
            Op::Advance(by) => {
                self.clock.advance(*by);
                Answer::Done
            }
            Op::Restart => unreachable!("whoever restarts must be alone"),
            Op::Begin(_)
            | Op::PutPart { .. }
            | Op::Status { .. }
            | Op::Parts { .. }
            | Op::Uploads { .. }
            | Op::Complete { .. }
            | Op::Abort { .. } => Box::pin(self.ask_uploads(names, who, op)).await?,
            Op::WriteRecords(_) | Op::LoadRecord { .. } | Op::Records { .. } => {
                self.ask_records(who, op).await?
            }
            Op::NextNumber { counter } => {
                Answer::Number(self.files(who).records().next_number(counter).await?)
            }
            _ => Box::pin(self.ask_files(names, who, op)).await?,
        })
    }

    async fn ask_files(&self, names: &Names, who: Who, op: &Op) -> Result<Answer> {
        let files = self.files(who);
        let new = |id: &Option<u8>, said: &Said, expect| filestore::NewFile {
            id: id.map(|id| names.id(id)),
            attributes: said.attributes(),
            expect,
        };
        let by = |edit: &Edit| {
            let edit = edit.clone();
            move |attributes: &mut _| edit.apply(attributes)
        };
        Ok(match op {
            Op::Create { id, attributes, content } => {
                let new = new(id, attributes, content.expect());
                Answer::File(files.create(new, content.stream()).await?)
            }
            Op::Reserve { id, attributes } => {
                Answer::File(files.reserve(new(id, attributes, Default::default())).await?)
            }
            Op::Copy { from, id, attributes } => {
                let new = new(id, attributes, Default::default());
                Answer::File(files.copy(names.key(from), new).await?)
            }
            Op::Write { key, content } => {
                let write = files.write(names.key(key), content.stream(), content.expect());
                Answer::File(write.await?)
            }
            Op::Open { key, range } => {
                let opened = files.open(names.key(key), *range).await?;
                let read = match range {
                    Some(range) => opened.read_range(*range).await,
                    None => opened.read_all().await,
                };
                Answer::Read(opened.record, received(read).await)
            }
            Op::Hold { key } => {
                let opened = files.open(names.key(key), None).await?;
                self.held.lock().unwrap().push(opened.clone());
                Answer::File(opened.record)
            }
            Op::ReadHeld { held } => {
                let held = {
                    let all = self.held.lock().unwrap();
                    (*held as usize).checked_rem(all.len()).map(|index| all[index].clone())
                };
                let Some(opened) = held else { return Ok(Answer::Done) };
                let read = received(opened.read_all().await).await;
                Answer::Read(opened.record, read)
            }
            Op::Stat { keys } => Answer::Found(files.stat_many(&names.keys(keys)).await?),
            Op::Update { keys, edit } => {
                let (keys, edit) = (names.keys(keys), by(edit));
                let updated = files.update_many(&keys, |_, attributes| edit(attributes));
                Answer::Files(updated.await?)
            }
            Op::UpdateAt { key, revision, edit } => {
                let revision = filestore::Revision::new(*revision);
                Answer::File(files.update_at(names.key(key), revision, by(edit)).await?)
            }
            Op::Delete { keys } => {
                files.delete_many(&names.keys(keys)).await?;
                Answer::Done
            }
            Op::List { all, limit } => Answer::Files(list(&files, all, *limit).await?),
            Op::Count { all } => Answer::Count(files.count(all).await?),
            Op::Search { text, all, limit } => {
                Answer::Files(files.search(text, all, *limit).await?)
            }
            _ => unreachable!("asked elsewhere"),
        })
    }

    async fn ask_uploads(&self, names: &Names, who: Who, op: &Op) -> Result<Answer> {
        let uploads = self.files(who).uploads();
        Ok(match op {
            Op::Begin(begin) => Answer::Session(uploads.begin(names.begin(begin)).await?),
            Op::PutPart { upload, number, total, content } => {
                let sent = Names::part(*number, content);
                let (id, expect) = (names.upload(*upload), sent.expect());
                let put = uploads.put_part(id, *number, *total, sent.stream(), expect);
                Answer::Session(put.await?)
            }
            Op::Status { upload } => {
                Answer::Session(without_words(uploads.status(names.upload(*upload)).await?))
            }
            Op::Parts { upload } => Answer::Parts(uploads.parts(names.upload(*upload)).await?),
            Op::Uploads { after, limit } => {
                let after = after.map(|after| names.upload(after));
                let sessions = uploads.list(after, *limit).await?;
                Answer::Sessions(sessions.into_iter().map(without_words).collect())
            }
            Op::Complete { upload, is_cut_off } => {
                if *is_cut_off {
                    let lost = async { Err(Error::unavailable("it went down")) };
                    self.hooks.at("seal done", lost);
                }
                let completed = uploads.complete(names.upload(*upload)).await;
                self.hooks.clear("seal done");
                Answer::Completed(completed?)
            }
            Op::Abort { upload } => {
                Answer::Session(without_words(uploads.abort(names.upload(*upload)).await?))
            }
            _ => unreachable!("asked elsewhere"),
        })
    }

    async fn ask_records(&self, who: Who, op: &Op) -> Result<Answer> {
        let records = self.files(who).records();
        let change = |change: &WriteRecord| RecordChange {
            kind: change.kind.to_owned(),
            key: change.key.to_owned(),
            expected: change.expected,
            body: change.body.map(str::to_owned),
        };
        Ok(match op {
            Op::WriteRecords(changes) => {
                let changes = changes.iter().map(change).collect();
                Answer::Records(records.write(changes).await?)
            }
            Op::LoadRecord { kind, key } => Answer::Record(records.load(kind, key).await?),
            Op::Records { kind, after, limit } => {
                Answer::Records(records.list(kind, *after, *limit).await?)
            }
            _ => unreachable!("asked elsewhere"),
        })
    }

    async fn sweep(&self) -> Result<Swept> {
        let report = self.store.sweep(&sweep_options()).await?;
        Ok(Swept {
            blobs_deleted: report.blobs_deleted,
            sessions_expired: report.sessions_expired,
            sessions_resumed: report.sessions_resumed,
            sessions_forgotten: report.sessions_forgotten,
            merged: report.merged,
        })
    }

    async fn check(&self) -> Result<Option<u64>> {
        let mut options = Fsck::default();
        options.read_data = true;
        let report = self.store.fsck(&options).await?;
        Ok(report.is_clean().then_some(report.contents_read))
    }

    /// Files of the sessions of the model that `which` chooses, as far as they are there.
    pub(crate) async fn files_of_sessions(
        &self,
        model: &Model,
        which: impl Fn(&UploadState) -> bool,
    ) -> Vec<FileRecord> {
        let mut found = Vec::new();
        for (number, tenant) in model.tenants.iter().enumerate() {
            let chosen = tenant.sessions.values().filter(|session| which(&session.is.state));
            let keys: Vec<_> = chosen.map(|session| FileKey::Id(session.file())).collect();
            let files = self.files(Who { tenant: number, subject: 0 });
            found.extend(files.stat_many(&keys).await.unwrap().into_iter().flatten());
        }
        found
    }

    pub(crate) fn backend(&self, over: Over) -> Backend {
        let inline = self.repository.inner.inline_limit();
        Backend { inline, announces: over == Over::Postgres }
    }

    /// Compares what is left with what the model has left: no key that is not live, no blob that
    /// no key names, and of the sizes that the model says.
    pub(crate) async fn assert_nothing_leaks(&self, model: &Model) {
        let known = self.repository.inner.known(None, 10_000).await.unwrap();
        let mut live = Vec::new();
        for blob in &known {
            let BlobState::Live { size, .. } = blob.state else { panic!("left: {blob:?}") };
            live.push((blob.key, size));
        }
        let stored: Vec<_> = self.blobs.inner.list(None).try_collect().await.unwrap();
        let stored = stored.iter().filter(|blob| blob.key != BlobKey::STORE_ID);
        assert_eq!(stored.map(|blob| (blob.key, blob.size)).collect::<Vec<_>>(), live, "blobs");
        let mut sizes: Vec<_> = live.into_iter().map(|(_, size)| size).collect();
        sizes.sort_unstable();
        assert_eq!(sizes, model.ledger.live(), "sizes of blobs");
    }
}

/// What a read brought.
async fn received(
    stream: Result<filestore::ByteStream<'static>>,
) -> std::result::Result<Received, ErrorKind> {
    let read = async { stream?.collect().await };
    read.await.map(Received).map_err(|error: Error| error.kind())
}

/// All pages of a list. Where the order is the store's own, they are put in that of the numbers.
async fn list(files: &Files, all: &[filestore::Cond], limit: u32) -> Result<Vec<FileRecord>> {
    let mut query = FileQuery { all: all.to_vec(), after: None, limit };
    let mut found = Vec::new();
    loop {
        let page = files.list(&query).await?;
        assert!(page.items.len() <= limit as usize, "a page of {}", page.items.len());
        found.extend(page.items);
        assert!(found.len() < 10_000, "a list without end");
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    if !all.iter().all(|cond| matches!(cond, filestore::Cond::Is(..))) {
        found.sort_by_key(|file| file.number);
    }
    Ok(found)
}

/// Questions that leave nothing out.
pub(crate) fn looks(names: &Names) -> Vec<(Who, Op)> {
    let mut looks = Vec::new();
    for who in Who::ALL {
        looks.push((who, Op::Uploads { after: None, limit: 1000 }));
        looks.extend((0..names.uploads()).map(|upload| (who, Op::Parts { upload })));
    }
    for who in [Who::ALL[0], Who::ALL[2]] {
        looks.push((who, Op::List { all: Vec::new(), limit: 7 }));
        for kind in ["image", "product"] {
            looks.push((who, Op::Records { kind, after: None, limit: 1000 }));
        }
        for counter in ["x", "y"] {
            looks.push((who, Op::NextNumber { counter }));
        }
        let files = (0..names.files()).map(|pick| Op::Open { key: Key::Id(pick), range: None });
        looks.extend(files.map(|open| (who, open)));
    }
    looks
}
