//! A store over a simulated disk, an account of what it promised, and the comparison of the two.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use filestore::backend::{BlobState, Repository};
use filestore::simulation::{Faults, SimDisk};
use filestore::{
    Attributes, BlobKey, ByteStream, Durability, Error, ErrorKind, FileId, FileKey, FileStore,
    Files, Fsck, ManualClock, MemoryRepository, NewUpload, Orphans, PartNumber, Result, Sweep,
    Timestamp, UploadState,
};
use filestore_sqlite::{SqliteOptions, SqliteRepository};
use futures::{FutureExt, stream};
use tempfile::TempDir;

use crate::store::rig::{HOUR, NOTHING, digest_of, files_of};
use crate::store::spy::{Hooks, SpyRepository};

/// Where the metadata are. What was committed to them survives everything.
#[derive(Clone)]
enum Metadata {
    Memory(Arc<MemoryRepository>),
    Sqlite(Arc<TempDir>),
}

impl Metadata {
    fn open(&self, clock: &Arc<ManualClock>) -> Arc<dyn Repository> {
        match self {
            Self::Memory(repository) => repository.clone(),
            Self::Sqlite(folder) => {
                let options = SqliteOptions {
                    durability: Durability::Relaxed,
                    clock: clock.clone(),
                    ..SqliteOptions::default()
                };
                Arc::new(SqliteRepository::open(folder.path().join("db"), options).unwrap())
            }
        }
    }
}

pub(crate) struct Bench {
    pub(crate) disk: SimDisk,
    pub(crate) faults: Faults,
    pub(crate) errors: Mutex<Vec<Error>>,
    metadata: Metadata,
    repository: SpyRepository,
    clock: Arc<ManualClock>,
    store: FileStore,
    account: Mutex<Account>,
}

/// What may be there, by all that was said so far.
#[derive(Clone, Default)]
struct Account {
    /// By name: what the file may hold, or `None` for no file. More than one while a call is under
    /// way, and for good when its outcome was not told.
    files: BTreeMap<&'static str, Vec<Option<Bytes>>>,
    sessions: Vec<Session>,
    /// All bytes that were to become a blob.
    offered: Vec<Bytes>,
}

#[derive(Clone)]
struct Session {
    id: FileId,
    name: &'static str,
    parts: BTreeMap<PartNumber, Bytes>,
    acknowledged: Vec<PartNumber>,
    completed: bool,
}

impl Bench {
    pub(crate) async fn over_memory(disk: SimDisk) -> Self {
        let clock = start();
        let repository = Arc::new(MemoryRepository::with_clock(clock.clone()));
        Self::open(disk, Metadata::Memory(repository), clock, Account::default()).await
    }

    pub(crate) async fn over_sqlite(disk: SimDisk) -> Self {
        let folder = Metadata::Sqlite(Arc::new(tempfile::tempdir().unwrap()));
        Self::open(disk, folder, start(), Account::default()).await
    }

    /// What comes before the story is not part of it: nothing fails, all is durable.
    async fn open(
        disk: SimDisk,
        metadata: Metadata,
        clock: Arc<ManualClock>,
        account: Account,
    ) -> Self {
        let hooks = Arc::new(Hooks::default());
        let faults = hooks.faults.clone();
        let blobs = disk.open(Durability::Full, &faults).unwrap();
        let repository = SpyRepository { inner: metadata.open(&clock), hooks };
        let builder = FileStore::builder(blobs, repository.clone()).clock(clock.clone());
        let store = builder.open().await.unwrap();
        disk.sync();
        let (errors, account) = (Mutex::default(), Mutex::new(account));
        Self { disk, faults, errors, metadata, repository, clock, store, account }
    }

    /// The same store on another disk, in a new process.
    pub(crate) async fn reopened(self, disk: SimDisk) -> Self {
        let Self { metadata, clock, account, store, repository, .. } = self;
        drop((store, repository));
        Self::open(disk, metadata, clock, account.into_inner().unwrap()).await
    }

    /// As [`reopened`](Self::reopened), when the first process was killed: nothing of it was closed.
    pub(crate) async fn reopened_after_a_kill(self, disk: SimDisk) -> Self {
        let Self { metadata, clock, account, store, repository, .. } = self;
        std::mem::forget((store, repository));
        Self::open(disk, metadata, clock, account.into_inner().unwrap()).await
    }

    /// Lets the next call that passes this place of the metadata fail there.
    pub(crate) fn fail_metadata_at(&self, place: &'static str) {
        let lost = async { Err(Error::unavailable("the disk of the metadata failed")) };
        self.repository.hooks.at(place, lost);
    }

    pub(crate) fn has_errors(&self) -> bool {
        !self.errors.lock().unwrap().is_empty()
    }

    /// Tells a story until its end, or until the power is cut: from then on nothing happens.
    pub(crate) async fn tell(&self, story: impl AsyncFn(&Self)) {
        let mut told = pin!(story(self));
        std::future::poll_fn(|cx| match self.faults.is_off() {
            true => Poll::Ready(()),
            false => told.poll_unpin(cx),
        })
        .await;
    }

    // -- what stories are made of: calls that may fail, and are entered into the account ----------

    pub(crate) async fn create(&self, name: &'static str, content: &Bytes) {
        let files = self.files();
        let create = files.create(named(name), framed(content, 30));
        self.change(name, Some(content.clone()), create).await;
    }

    pub(crate) async fn write(&self, name: &'static str, content: &Bytes) {
        let files = self.files();
        let write = files.write(key(name), framed(content, 6000), NOTHING);
        self.change(name, Some(content.clone()), write).await;
    }

    pub(crate) async fn copy(&self, from: &'static str, to: &'static str) {
        let (files, content) = (self.files(), self.account().held(from));
        self.change(to, content, Box::pin(files.copy(key(from), named(to)))).await;
    }

    pub(crate) async fn delete(&self, name: &'static str) {
        let files = self.files();
        self.change(name, None, files.delete(key(name))).await;
    }

    /// Brings `name` to hold `content`, or not.
    async fn change<T>(
        &self,
        name: &'static str,
        content: Option<Bytes>,
        call: impl Future<Output = Result<T>>,
    ) {
        let before = self.account().may_be(name).to_vec();
        self.account().offered.extend(content.clone());
        self.account().files.entry(name).or_insert(vec![None]).push(content.clone());
        match call.await {
            Ok(_) => self.account().settle(name, content),
            Err(error) => {
                // What the disk refused has not happened. What the metadata refused may have.
                let refused = self.faults.struck().is_some_and(|struck| struck.on_disk);
                if refused && !self.faults.is_off() {
                    self.account().files.insert(name, before);
                }
                self.note(error);
            }
        }
    }

    /// Sends parts in the order given, and completes.
    pub(crate) async fn upload(&self, name: &'static str, parts: &[(PartNumber, Bytes)]) {
        let uploads = self.files().uploads();
        let numbered: BTreeMap<_, _> = parts.iter().cloned().collect();
        let whole: Bytes = numbered.values().flatten().copied().collect();
        let mut new = NewUpload::new(name);
        (new.attributes, new.expect) = (named(name), digest_of(&whole));
        let Some(session) = self.noted(uploads.begin(new).await) else { return };
        let mut mine = Session {
            id: session.id,
            name,
            parts: numbered,
            acknowledged: Vec::new(),
            completed: false,
        };
        self.account().files.insert(name, vec![None]);
        self.account().sessions.push(mine.clone());
        self.account().offered.extend(mine.parts.values().cloned().chain([whole.clone()]));
        for (number, content) in parts {
            let put = uploads.put_part(mine.id, *number, None, framed(content, 7000), NOTHING);
            if self.noted(put.await).is_some() {
                mine.acknowledged.push(*number);
                self.account().replace(&mine);
            }
        }
        if mine.acknowledged.len() < parts.len() {
            return;
        }
        self.account().files.insert(name, vec![None, Some(whole.clone())]);
        if self.noted(uploads.complete(mine.id).await).is_some() {
            mine.completed = true;
            self.account().replace(&mine);
            self.account().settle(name, Some(whole));
        }
    }

    pub(crate) async fn read(&self, name: &'static str) {
        if let Some(found) = self.noted(self.found(name).await) {
            assert!(self.account().may_be(name).contains(&found), "{name} holds something else");
        }
    }

    /// After all that was deleted may go; merges whatever it can.
    pub(crate) async fn sweep(&self) {
        self.clock.advance(2 * HOUR);
        let mut options = Sweep::default();
        (options.merge_above, options.merge_below) = (1, u64::MAX);
        self.noted(self.store.sweep(&options).await);
    }

    /// A check may fail; what it finds is never damage.
    pub(crate) async fn check(&self) {
        let mut options = Fsck::default();
        (options.read_data, options.quarantine) = (true, true);
        options.orphans = Orphans::Collect;
        if let Some(mut report) = self.noted(self.store.fsck(&options).await) {
            if !report.unreadable.is_empty() {
                self.note(Error::unavailable("something could not be read"));
            }
            report.unreadable.clear();
            assert!(report.is_clean(), "{report:?}");
        }
    }

    // -- the comparison ---------------------------------------------------------------------------

    /// What was promised is there, and the rest is absent or whole.
    pub(crate) async fn assert_as_told(&self) {
        let files = self.account().files.clone();
        for (name, may_be) in files {
            let found = self.found(name).await.unwrap();
            let len = found.as_ref().map(Bytes::len);
            assert!(may_be.contains(&found), "{name} holds something else, of {len:?} bytes");
        }
    }

    pub(crate) async fn ready(&self) -> Result<()> {
        self.store.ready().await
    }

    /// What was promised is there, every session can be brought to its end, the store works, and
    /// after a sweep nothing is there but what is needed.
    pub(crate) async fn assert_recovers(&self) {
        self.ready().await.unwrap();
        self.assert_whole();
        self.assert_as_told().await;
        let sessions = self.account().sessions.clone();
        for session in sessions {
            self.finish(session).await;
        }
        self.create("afterwards", &Bytes::from(vec![7; 20_000])).await;
        self.clock.advance(7 * HOUR);
        self.noted(self.store.sweep(&Sweep::default()).await);
        let errors = std::mem::take(&mut *self.errors.lock().unwrap());
        assert!(errors.is_empty(), "{errors:?}");
        self.assert_as_told().await;
        self.assert_nothing_leaks().await;
    }

    /// Whatever has the name of a blob is all of what was to be stored, whether it is needed or not.
    fn assert_whole(&self) {
        let account = self.account();
        let is_blob = |path: &String| !path.ends_with(&BlobKey::STORE_ID.to_string());
        for path in self.disk.files().into_iter().filter(is_blob) {
            let bytes = self.disk.bytes(&path).unwrap();
            let known = account.offered.iter().any(|offered| *offered == bytes);
            assert!(known || path.starts_with("/blobs/tmp/"), "{path} is not whole");
        }
    }

    async fn finish(&self, session: Session) {
        let uploads = self.files().uploads();
        let mut state = uploads.status(session.id).await.unwrap().state;
        assert!(!session.completed || state == UploadState::Completed, "{state:?}");
        if state == UploadState::Open {
            let there = uploads.parts(session.id).await.unwrap();
            for part in &there {
                assert_eq!(part.size, session.parts[&part.number].len() as u64);
            }
            let there: Vec<_> = there.iter().map(|part| part.number).collect();
            for number in &session.acknowledged {
                assert!(there.contains(number), "part {number} was lost");
            }
            for (number, content) in &session.parts {
                if !there.contains(number) {
                    let content = framed(content, 7000);
                    uploads.put_part(session.id, *number, None, content, NOTHING).await.unwrap();
                }
            }
            state = uploads.complete(session.id).await.unwrap().session.state;
        }
        assert_eq!(state, UploadState::Completed);
        // Unless it was completed, and something else became of the file.
        if !session.completed {
            let whole = session.parts.values().flatten().copied().collect();
            self.account().settle(session.name, Some(whole));
        }
    }

    async fn assert_nothing_leaks(&self) {
        let known = self.repository.inner.known(None, 1000).await.unwrap();
        let live = known.iter().filter(|blob| matches!(blob.state, BlobState::Live { .. }));
        let mut wanted: Vec<_> = live.map(|blob| blob.key.to_string()).collect();
        assert_eq!(wanted.len(), known.len(), "{known:?}");
        wanted.insert(0, BlobKey::STORE_ID.to_string());
        let wanted: Vec<_> =
            wanted.iter().map(|key| format!("/blobs/{}/{key}", &key[..2])).collect();
        assert_eq!(self.disk.files(), wanted);
    }

    pub(crate) async fn found(&self, name: &'static str) -> Result<Option<Bytes>> {
        match self.files().open(key(name), None).await {
            Ok(file) => file.read_all().await?.collect().await.map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn files(&self) -> Files {
        files_of(&self.store)
    }

    fn noted<T>(&self, outcome: Result<T>) -> Option<T> {
        outcome.map_err(|error| self.note(error)).ok()
    }

    fn note(&self, error: Error) {
        self.errors.lock().unwrap().push(error);
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap()
    }
}

impl Account {
    fn may_be(&self, name: &str) -> &[Option<Bytes>] {
        self.files.get(name).map_or(&[None], Vec::as_slice)
    }

    fn held(&self, name: &str) -> Option<Bytes> {
        self.may_be(name).last().cloned().flatten()
    }

    fn settle(&mut self, name: &'static str, content: Option<Bytes>) {
        self.files.insert(name, vec![content]);
    }

    fn replace(&mut self, session: &Session) {
        let mine = self.sessions.iter_mut().find(|it| it.id == session.id);
        *mine.unwrap() = session.clone();
    }
}

fn named(name: &str) -> Attributes {
    Attributes { external_id: Some(name.to_owned()), ..Attributes::named(name) }
}

fn key(name: &str) -> FileKey {
    FileKey::External(name.to_owned())
}

/// Content whose frames are all there at once: those of 30 bytes are more than one batch.
fn framed(content: &Bytes, len: usize) -> ByteStream<'static> {
    let content = content.clone();
    let starts = (0..content.len()).step_by(len);
    let frames = starts.map(move |start| Ok(content.slice(start..content.len().min(start + len))));
    ByteStream::from_results(stream::iter(frames))
}

fn start() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::from_millis(1_790_000_000_000)))
}

/// Runs a test on one thread beside those of the disk, so that its calls always come in one order.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        tokio::time::timeout(Duration::from_secs(300), Box::pin(test)).await.unwrap();
    });
}
