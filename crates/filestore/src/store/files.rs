//! Files: made, read, changed, removed, found.

use std::collections::HashSet;
use std::sync::Arc;

use crate::backend::{Change, ContentSource, NewContent, content_tag};
use crate::error::{Error, ErrorKind, ItemError, Result};
use crate::id::{ContentId, FileId, FileNumber, Revision, Subject, Tenant};
use crate::query::{Cond, FileQuery, Page, SetField};
use crate::range::RangeSpec;
use crate::record::{Attributes, Expect, FileKey, FileRecord, NewFile, Term};
use crate::store::ingest::Intake;
use crate::store::{FileStore, OpenFile, Records, Uploads};
use crate::stream::ByteStream;

/// How often a change is repeated that somebody else's change got ahead of.
const TRIES: usize = 16;
/// Most files that are changed at once.
const BATCH: usize = 1000;

/// The files of one tenant, on behalf of one subject.
#[derive(Clone, Debug)]
pub struct Files {
    pub(super) store: FileStore,
    pub(super) tenant: Tenant,
    pub(super) owner: Subject,
    /// What may be seen: files with no others than these values.
    pub(super) sight: Option<Arc<(SetField, Vec<Term>)>>,
}

impl Files {
    /// Of these files those that have no others than these values in `field`. The rest are as good
    /// as not there, sessions that bring content for them included, and no file is made or changed
    /// so that it would be one of them: that is [`Forbidden`](ErrorKind::Forbidden).
    #[must_use]
    pub fn limited(self, field: SetField, allowed: Vec<Term>) -> Self {
        Self { sight: Some(Arc::new((field, allowed))), ..self }
    }

    /// Whose files these are.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// On whose behalf.
    pub fn subject(&self) -> &Subject {
        &self.owner
    }

    /// The store they are in.
    pub fn store(&self) -> &FileStore {
        &self.store
    }

    /// Chunked uploads.
    pub fn uploads(&self) -> Uploads {
        Uploads { files: self.clone() }
    }

    /// Records of other systems that hold files.
    pub fn records(&self) -> Records {
        Records { files: self.clone() }
    }

    /// A fresh id for [`NewFile::id`], for callers that show it inside the attributes.
    ///
    /// # Errors
    /// [`Internal`](ErrorKind::Internal) when the system has no randomness to give.
    pub fn new_id(&self) -> Result<FileId> {
        FileId::mint(self.store.0.clock.now())
    }

    /// Makes a file of all of `content`. It is there, whole and verified, when this returns.
    ///
    /// # Errors
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) or [`TooLarge`](ErrorKind::TooLarge) by the
    /// limits; [`DigestMismatch`](ErrorKind::DigestMismatch) when content is not what `new` expects;
    /// [`AlreadyExists`](ErrorKind::AlreadyExists) when the external id or id is taken;
    /// [`Conflict`](ErrorKind::Conflict) when content took so long that a sweep gave it up; the
    /// content's own. In every case nothing is published.
    pub async fn create(
        &self,
        new: impl Into<NewFile>,
        content: impl Into<ByteStream<'_>>,
    ) -> Result<FileRecord> {
        self.create_file(new.into(), content.into()).await
    }

    async fn create_file(&self, new: NewFile, content: ByteStream<'_>) -> Result<FileRecord> {
        self.check(&new.attributes)?;
        let content = self.store_content(content, new.expect).await?;
        self.insert(new, Some(ContentSource::New(content))).await
    }

    /// Makes a file that has no content yet. It cannot be opened until [`write`](Self::write), or
    /// an upload session with it as target, brings some.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub async fn reserve(&self, new: impl Into<NewFile>) -> Result<FileRecord> {
        let new = new.into();
        self.check(&new.attributes)?;
        self.insert(new, None).await
    }

    /// Makes a file that shares the content of another, as it is now. Nothing is copied, and
    /// neither file knows of the other afterwards. Where sight is [`limited`](Self::limited), who
    /// may not see the file may not see the copy either.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound), also when there is no content; else as
    /// [`create`](Self::create).
    pub async fn copy(
        &self,
        from: impl Into<FileKey>,
        new: impl Into<NewFile>,
    ) -> Result<FileRecord> {
        let (from, new) = (from.into(), new.into());
        self.check(&new.attributes)?;
        let mut last = None;
        for _ in 0..TRIES {
            let source = self.stat(from.clone()).await?;
            let Some(content) = source.content else {
                return Err(Error::not_found("the file has no content yet"));
            };
            let mut new = new.clone();
            if let Some((field, _)) = self.sight.as_deref() {
                field.carry(&source.attributes, &mut new.attributes);
            }
            match self.insert(new, Some(ContentSource::Shared(content.id))).await {
                // The content was replaced and dropped between the two calls.
                Err(error) if error.kind() == ErrorKind::Conflict => last = Some(error),
                outcome => return outcome,
            }
        }
        Err(last.unwrap_or_else(|| Error::conflict("the file keeps changing")))
    }

    /// Replaces a file's content, or brings the first. Readers see the old content until the new
    /// is whole and durable.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound), before content is read or when the file goes meanwhile;
    /// else as [`create`](Self::create).
    pub async fn write(
        &self,
        key: impl Into<FileKey>,
        content: impl Into<ByteStream<'_>>,
        expect: Expect,
    ) -> Result<FileRecord> {
        let id = self.stat(key).await?.id;
        let content = ContentSource::New(self.store_content(content.into(), expect).await?);
        self.apply_one(Change::Replace { id, expected: None, content }).await
    }

    /// Opens a file for reading `range` of it, or all.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound), also when there is no content yet;
    /// [`Unavailable`](ErrorKind::Unavailable). A range that cannot be satisfied is found out when
    /// it is read, since the record is good all the same.
    pub async fn open(
        &self,
        key: impl Into<FileKey>,
        range: impl Into<Option<RangeSpec>>,
    ) -> Result<OpenFile> {
        let (key, range) = (key.into(), range.into());
        let stored = self.store.0.repository.load(&self.tenant, &key, range).await?;
        if !self.sees(&stored.record.attributes) {
            return Err(Error::not_found("no such file"));
        }
        OpenFile::new(&self.store.0, stored)
    }

    /// A file's record.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound).
    pub async fn stat(&self, key: impl Into<FileKey>) -> Result<FileRecord> {
        let mut found = self.stat_many(&[key.into()]).await?;
        found.pop().flatten().ok_or_else(|| Error::not_found("no such file"))
    }

    /// One answer for each key, in order. An unknown key is `None` and no error.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable).
    pub async fn stat_many(&self, keys: &[FileKey]) -> Result<Vec<Option<FileRecord>>> {
        let mut found = self.store.0.repository.find(&self.tenant, keys).await?;
        for hidden in
            found.iter_mut().filter(|it| it.as_ref().is_some_and(|it| !self.sees(&it.attributes)))
        {
            *hidden = None;
        }
        Ok(found)
    }

    /// Changes a file's attributes. `edit` may run several times, each time on what is there then.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound); [`AlreadyExists`](ErrorKind::AlreadyExists) when the new
    /// external id is taken; those of `edit`.
    pub async fn update(
        &self,
        key: impl Into<FileKey>,
        edit: impl Fn(&mut Attributes) -> Result<()> + Send + Sync,
    ) -> Result<FileRecord> {
        let mut updated = self.update_many(&[key.into()], |_, attributes| edit(attributes)).await?;
        updated.pop().ok_or_else(|| Error::internal("an update answered nothing"))
    }

    /// Changes a file's attributes if they are still those of `revision`.
    ///
    /// # Errors
    /// [`PreconditionFailed`](ErrorKind::PreconditionFailed) when they are not; else as
    /// [`update`](Self::update).
    pub async fn update_at(
        &self,
        key: impl Into<FileKey>,
        revision: Revision,
        edit: impl Fn(&mut Attributes) -> Result<()> + Send + Sync,
    ) -> Result<FileRecord> {
        let record = self.stat(key).await?;
        if record.revision != revision {
            return Err(Error::new(
                ErrorKind::PreconditionFailed,
                format!("the file is at revision {}", record.revision.get()),
            ));
        }
        self.apply_one(self.edited(record, edit)?).await
    }

    /// Changes the attributes of 1 to 1000 different files, all or none. `edit` is told the
    /// position of the key.
    ///
    /// # Errors
    /// As [`update`](Self::update), naming the refused elements;
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) for another number of files, or one twice.
    pub async fn update_many(
        &self,
        keys: &[FileKey],
        edit: impl Fn(usize, &mut Attributes) -> Result<()> + Send + Sync,
    ) -> Result<Vec<FileRecord>> {
        let mut last = None;
        for _ in 0..TRIES {
            let mut changes = Vec::with_capacity(keys.len());
            for (index, record) in self.stat_all(keys).await?.into_iter().enumerate() {
                changes.push(self.edited(record, |attributes| edit(index, attributes))?);
            }
            match self.store.0.repository.apply(&self.tenant, changes).await {
                Err(error) if error.kind() == ErrorKind::PreconditionFailed => last = Some(error),
                outcome => return outcome,
            }
        }
        Err(last.unwrap_or_else(|| Error::conflict("the files keep changing")))
    }

    /// Removes a file. Its bytes go when no other file has them and running downloads had time to
    /// end.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound).
    pub async fn delete(&self, key: impl Into<FileKey>) -> Result<()> {
        self.delete_many(&[key.into()]).await
    }

    /// Removes 1 to 1000 different files, all or none.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound), naming the unknown ones;
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) for another number of files, or one twice.
    pub async fn delete_many(&self, keys: &[FileKey]) -> Result<()> {
        let removal = |record: FileRecord| Change::Remove { id: record.id, expected: None };
        let changes = self.stat_all(keys).await?.into_iter().map(removal).collect();
        self.store.0.repository.apply(&self.tenant, changes).await.map(drop)
    }

    /// A page of the files for which all conditions hold.
    ///
    /// # Errors
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) for a limit or cursor that cannot be.
    pub async fn list(&self, query: &FileQuery) -> Result<Page<FileRecord>> {
        let query = FileQuery { all: self.seen(&query.all), ..query.clone() };
        self.store.0.repository.list(&self.tenant, &query).await
    }

    /// How many files there are for which all conditions hold.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable).
    pub async fn count(&self, all: &[Cond]) -> Result<u64> {
        self.store.0.repository.count(&self.tenant, &self.seen(all)).await
    }

    /// The conditions, and that a file is seen.
    fn seen(&self, all: &[Cond]) -> Vec<Cond> {
        let sight = self.sight.as_deref().cloned();
        let sight = sight.map(|(field, allowed)| Cond::NoneBut(field, allowed));
        all.iter().cloned().chain(sight).collect()
    }

    pub(super) fn sees(&self, attributes: &Attributes) -> bool {
        let sight = self.sight.as_deref();
        sight.is_none_or(|(field, allowed)| field.is_within(attributes, allowed))
    }

    /// Refuses attributes that cannot be, or that would put a file out of sight.
    pub(super) fn check(&self, attributes: &Attributes) -> Result<()> {
        attributes.check(self.store.limits().max_attributes)?;
        if !self.sees(attributes) {
            let message = "nobody puts a file where they may not see it";
            return Err(Error::new(ErrorKind::Forbidden, message));
        }
        Ok(())
    }

    async fn store_content(&self, content: ByteStream<'_>, expect: Expect) -> Result<NewContent> {
        let limit = self.store.limits().max_file;
        let intake = Intake { expect, limit, inline_limit: usize::MAX, ..Intake::default() };
        let segment = self.store.ingest(content, intake).await?.segment;
        let stored = self.store.0.clock.now();
        Ok(NewContent {
            id: ContentId::mint(stored)?,
            size: segment.size,
            tag: content_tag([(segment.size, segment.sha256)].into_iter()),
            sha256: Some(segment.sha256),
            stored,
            segments: vec![segment],
        })
    }

    /// Inserts a record. A number that the tenant has already is drawn again.
    async fn insert(&self, new: NewFile, content: Option<ContentSource>) -> Result<FileRecord> {
        // Nothing is published before it is made.
        let now = match &content {
            Some(ContentSource::New(content)) => content.stored,
            _ => self.store.0.clock.now(),
        };
        let mut record = FileRecord {
            id: new.id.map_or_else(|| FileId::mint(now), Ok)?,
            number: FileNumber::mint(now)?,
            revision: Revision::FIRST,
            owner: self.owner.clone(),
            created: now,
            updated: now,
            content: None,
            attributes: new.attributes,
        };
        for _ in 0..TRIES {
            let change = Change::Insert { record: record.clone(), content: content.clone() };
            match self.apply_one(change).await {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    if self.is_taken(record.id, record.attributes.external_id.as_ref()).await? {
                        return Err(error);
                    }
                    record.number = FileNumber::mint(now)?;
                }
                outcome => return outcome,
            }
        }
        Err(Error::unavailable("no free number was found"))
    }

    /// Whether it was the id or external id, and not just the number, that is taken.
    pub(super) async fn is_taken(&self, id: FileId, external: Option<&String>) -> Result<bool> {
        let mut keys = vec![FileKey::Id(id)];
        keys.extend(external.cloned().map(FileKey::External));
        // Whether or not it may be seen.
        let found = self.store.0.repository.find(&self.tenant, &keys).await?;
        Ok(found.iter().any(Option::is_some))
    }

    /// The records of a batch of keys; an error that names the unknown ones, or those that name a
    /// file again, otherwise.
    async fn stat_all(&self, keys: &[FileKey]) -> Result<Vec<FileRecord>> {
        if !(1..=BATCH).contains(&keys.len()) {
            return Err(Error::invalid(format!("a batch holds 1 to {BATCH} files")));
        }
        let found = self.stat_many(keys).await?;
        let missing = |(index, record): (usize, &Option<FileRecord>)| {
            record.is_none().then_some(ItemError { index, kind: ErrorKind::NotFound })
        };
        let missing: Vec<_> = found.iter().enumerate().filter_map(missing).collect();
        if !missing.is_empty() {
            return Err(Error::of_items(missing, "no such file"));
        }
        let found: Vec<_> = found.into_iter().flatten().collect();
        let mut seen = HashSet::new();
        let again = |(index, record): (usize, &FileRecord)| {
            let repeated = !seen.insert(record.id);
            repeated.then_some(ItemError { index, kind: ErrorKind::InvalidArgument })
        };
        let again: Vec<_> = found.iter().enumerate().filter_map(again).collect();
        if !again.is_empty() {
            return Err(Error::of_items(again, "a file is named twice"));
        }
        Ok(found)
    }

    fn edited(
        &self,
        record: FileRecord,
        edit: impl FnOnce(&mut Attributes) -> Result<()>,
    ) -> Result<Change> {
        let mut attributes = record.attributes;
        edit(&mut attributes)?;
        self.check(&attributes)?;
        Ok(Change::Update {
            id: record.id,
            expected: record.revision,
            attributes,
            updated: self.store.0.clock.now(),
        })
    }

    async fn apply_one(&self, change: Change) -> Result<FileRecord> {
        let mut records = self.store.0.repository.apply(&self.tenant, vec![change]).await?;
        records.pop().ok_or_else(|| Error::internal("a change answered nothing"))
    }
}
