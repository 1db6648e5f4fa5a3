//! Files, their three names, and queries over them.

use std::ops::Bound;

use async_trait::async_trait;

use crate::backend::{Change, FileRepository, StoredFile};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{FileId, FileNumber, Tenant, Timestamp};
use crate::memory::MemoryRepository;
use crate::memory::state::State;
use crate::query::{Cond, Cursor, FileQuery, Page};
use crate::range::RangeSpec;
use crate::record::{ContentInfo, FileKey, FileRecord};

#[async_trait]
impl FileRepository for MemoryRepository {
    fn inline_limit(&self) -> usize {
        self.inline_limit
    }

    async fn find(&self, tenant: &Tenant, keys: &[FileKey]) -> Result<Vec<Option<FileRecord>>> {
        let found = self.read(|state| {
            let records = keys.iter().map(|key| state.file(tenant, key));
            records.map(Option::<&FileRecord>::cloned).collect()
        });
        Ok(found)
    }

    async fn load(
        &self,
        tenant: &Tenant,
        key: &FileKey,
        range: Option<RangeSpec>,
    ) -> Result<StoredFile> {
        self.read(|state| {
            let record = state.file(tenant, key).ok_or_else(no_file)?.clone();
            let (offset, segments) = match &record.content {
                None => (0, Vec::new()),
                Some(content) if state.is_damaged(content) => {
                    return Err(Error::unavailable("the content is damaged"));
                }
                Some(content) => state.segments_in(content, range),
            };
            Ok(StoredFile { record, segments, offset })
        })
    }

    async fn apply(&self, tenant: &Tenant, changes: Vec<Change>) -> Result<Vec<FileRecord>> {
        self.transact(|state, now| {
            state.attempt_each(changes, |state, change| state.change_file(tenant, change, now))
        })
    }

    async fn list(&self, tenant: &Tenant, query: &FileQuery) -> Result<Page<FileRecord>> {
        if !(1..=FileQuery::MAX_LIMIT).contains(&query.limit) {
            return Err(Error::invalid("a page has 1 to 1000 records"));
        }
        let after = query.after.as_ref().map_or(Ok(0), number_before)?;
        let limit = query.limit as usize;
        let mut items: Vec<FileRecord> = self.read(|state| {
            // One more than the page holds tells whether another page follows.
            let matching = state.matching(tenant, after, &query.all);
            matching.take(limit + 1).cloned().collect()
        });
        let more = items.len() > limit;
        items.truncate(limit);
        let next = match items.last() {
            Some(last) if more => Some(Cursor::new(last.number.get().to_string())?),
            _ => None,
        };
        Ok(Page { items, next })
    }

    async fn count(&self, tenant: &Tenant, all: &[Cond]) -> Result<u64> {
        Ok(self.read(|state| state.matching(tenant, 0, all).count() as u64))
    }
}

/// Reads a cursor: the last number of the page before.
fn number_before(cursor: &Cursor) -> Result<u64> {
    let number = cursor.as_str().parse().ok().and_then(FileNumber::new);
    let number = number.ok_or_else(|| Error::invalid("the cursor is not from this list"))?;
    Ok(number.get())
}

impl State {
    pub(super) fn file(&self, tenant: &Tenant, key: &FileKey) -> Option<&FileRecord> {
        let number = match key {
            FileKey::Id(id) => *self.ids.get(&(tenant.clone(), *id))?,
            FileKey::Number(number) => *number,
            FileKey::External(text) => *self.external_ids.get(&(tenant.clone(), text.clone()))?,
        };
        self.files.get(&(tenant.clone(), number.get()))
    }

    /// Records after a number for which all conditions hold, by number.
    fn matching(
        &self,
        tenant: &Tenant,
        after: u64,
        all: &[Cond],
    ) -> impl Iterator<Item = &FileRecord> {
        let records = self.files.under(tenant, Bound::Excluded(after)).map(|(_, record)| record);
        records.filter(|record| all.iter().all(|cond| cond.matches(record)))
    }

    fn is_damaged(&self, content: &ContentInfo) -> bool {
        let row = self.contents.get(&content.id);
        row.is_some_and(|row| row.damaged)
    }

    fn change_file(
        &mut self,
        tenant: &Tenant,
        change: Change,
        now: Timestamp,
    ) -> Result<FileRecord> {
        match change {
            Change::Insert { record, content } => {
                let record = self.insert_file(tenant, record)?;
                let Some(source) = content else {
                    return Ok(record);
                };
                let content = self.content_from(tenant, source)?;
                Ok(self.swap_content(tenant, record, content, now))
            }
            Change::Update { id, expected, attributes, updated } => {
                let before = self.file_by_id(tenant, id)?;
                if before.revision != expected {
                    return Err(stale_revision());
                }
                let after =
                    FileRecord { revision: expected.next(), updated, attributes, ..before.clone() };
                self.rename_file(tenant, &before, &after)?;
                self.put_file(tenant, after.clone());
                Ok(after)
            }
            Change::Replace { id, expected, content } => {
                let record = self.file_by_id(tenant, id)?;
                let present = record.content.as_ref().map(|content| content.id);
                if expected.is_some() && expected != present {
                    return Err(Error::conflict("the file has other content by now"));
                }
                let content = self.content_from(tenant, content)?;
                Ok(self.swap_content(tenant, record, content, now))
            }
            Change::Remove { id, expected } => {
                let record = self.file_by_id(tenant, id)?;
                if expected.is_some_and(|expected| expected != record.revision) {
                    return Err(stale_revision());
                }
                self.remove_file(tenant, &record, now);
                Ok(record)
            }
        }
    }

    fn file_by_id(&self, tenant: &Tenant, id: FileId) -> Result<FileRecord> {
        self.file(tenant, &id.into()).cloned().ok_or_else(no_file)
    }

    /// Adds a file, as yet without content.
    pub(super) fn insert_file(
        &mut self,
        tenant: &Tenant,
        record: FileRecord,
    ) -> Result<FileRecord> {
        let record = FileRecord { content: None, ..record };
        let id = (tenant.clone(), record.id);
        if self.ids.contains(&id) {
            return Err(taken("id"));
        }
        if self.files.contains(&(tenant.clone(), record.number.get())) {
            return Err(taken("number"));
        }
        if let Some(text) = &record.attributes.external_id {
            self.take_external_id(tenant, text, record.number)?;
        }
        self.ids.put(id, record.number);
        self.put_file(tenant, record.clone());
        Ok(record)
    }

    /// Moves a file's external id from what it was to what it will be.
    fn rename_file(
        &mut self,
        tenant: &Tenant,
        before: &FileRecord,
        after: &FileRecord,
    ) -> Result<()> {
        self.free_external_id(tenant, before);
        match &after.attributes.external_id {
            Some(text) => self.take_external_id(tenant, text, after.number),
            None => Ok(()),
        }
    }

    /// Points a record at content, and away from what it had before.
    pub(super) fn swap_content(
        &mut self,
        tenant: &Tenant,
        mut record: FileRecord,
        content: ContentInfo,
        now: Timestamp,
    ) -> FileRecord {
        // In this order a record may be given the content that it alone has.
        self.use_content(content.id);
        if let Some(before) = record.content.replace(content) {
            self.release_content(before.id, now);
        }
        self.put_file(tenant, record.clone());
        record
    }

    fn remove_file(&mut self, tenant: &Tenant, record: &FileRecord, now: Timestamp) {
        self.fail_sessions_of(tenant, record.id, now);
        if let Some(content) = &record.content {
            self.release_content(content.id, now);
        }
        self.free_external_id(tenant, record);
        self.ids.remove(&(tenant.clone(), record.id));
        self.files.remove(&(tenant.clone(), record.number.get()));
    }

    fn put_file(&mut self, tenant: &Tenant, record: FileRecord) {
        self.files.put((tenant.clone(), record.number.get()), record);
    }

    fn take_external_id(&mut self, tenant: &Tenant, text: &str, number: FileNumber) -> Result<()> {
        let key = (tenant.clone(), text.to_owned());
        if self.external_ids.contains(&key) {
            return Err(taken("external id"));
        }
        self.external_ids.put(key, number);
        Ok(())
    }

    fn free_external_id(&mut self, tenant: &Tenant, record: &FileRecord) {
        if let Some(text) = &record.attributes.external_id {
            self.external_ids.remove(&(tenant.clone(), text.clone()));
        }
    }
}

pub(super) fn no_file() -> Error {
    Error::not_found("there is no such file")
}

fn taken(what: &str) -> Error {
    Error::new(ErrorKind::AlreadyExists, format!("another file has this {what}"))
}

fn stale_revision() -> Error {
    Error::new(ErrorKind::PreconditionFailed, "the file has another revision by now")
}
