//! Batches of changes.

use filestore::backend::{Change, ContentSource};
use filestore::{
    Attributes, ContentId, ContentInfo, Error, ErrorKind, FileId, FileKey, FileRecord, ItemError,
    Revision, Tenant, Timestamp,
};
use rusqlite::params;

use crate::contents;
use crate::error::{DbResult, SqliteError};
use crate::index::{self, Indexed};
use crate::row::{self, FileRow};
use crate::sql::{self, change, int};
use crate::uploads;
use crate::writer::Work;

/// Carries out all changes, or names every one that cannot be.
///
/// It is the outcome that must be free of conflicts, not the way there: what removals and updates
/// give up can be taken by any element. So those give it up first, and contents that lose a user go
/// last.
pub(crate) fn apply(
    work: &mut Work<'_>,
    tenant: &Tenant,
    changes: Vec<Change>,
) -> DbResult<Vec<FileRecord>> {
    let tenant = sql::make_tenant(work.db, tenant)?;
    let mut batch = Batch { work, tenant, unused: Vec::new() };
    let given_up: Vec<_> = changes.iter().map(|change| batch.give_up(change)).collect();
    let mut records = Vec::with_capacity(changes.len());
    let mut refused = Vec::new();
    let mut message = None;
    for (index, (change, given_up)) in changes.into_iter().zip(given_up).enumerate() {
        match given_up.and_then(|file| batch.carry_out(change, file)) {
            Ok(record) => records.push(record),
            Err(SqliteError::Refused(error)) => {
                refused.push(ItemError { index, kind: error.kind() });
                message.get_or_insert_with(|| error.to_string());
            }
            Err(error) => return Err(error),
        }
    }
    if let Some(message) = message {
        return Err(Error::of_items(refused, message).into());
    }
    for content in batch.unused {
        contents::release(batch.work.db, content, batch.work.now)?;
    }
    Ok(records)
}

struct Batch<'b, 'w> {
    work: &'b mut Work<'w>,
    tenant: i64,
    /// A user less for each of these.
    unused: Vec<ContentId>,
}

impl Batch<'_, '_> {
    /// Finds the file that a change is of, removes it or takes its external id when the change does
    /// that, and hands on what it was. None for an insert.
    fn give_up(&mut self, change: &Change) -> DbResult<Option<FileRow>> {
        match change {
            Change::Insert { .. } => Ok(None),
            Change::Update { id, expected, attributes, .. } => {
                let file = self.find(*id)?;
                check_revision(&file.record, *expected)?;
                self.free_external_id(&file, attributes)?;
                Ok(Some(file))
            }
            Change::Replace { id, expected, .. } => {
                let file = self.find(*id)?;
                check_content(&file.record, *expected)?;
                Ok(Some(file))
            }
            Change::Remove { id, expected } => {
                let file = self.find(*id)?;
                if let Some(expected) = expected {
                    check_revision(&file.record, *expected)?;
                }
                self.remove(&file)?;
                Ok(Some(file))
            }
        }
    }

    fn carry_out(&mut self, change: Change, file: Option<FileRow>) -> DbResult<FileRecord> {
        match (change, file) {
            (Change::Insert { record, content }, None) => {
                insert(self.work, self.tenant, record, content.as_ref())
            }
            (Change::Update { attributes, updated, .. }, Some(file)) => {
                self.update(file, attributes, updated)
            }
            (Change::Replace { content, .. }, Some(file)) => {
                let content = contents::acquire(self.work.db, self.tenant, &content)?;
                self.unused.extend(file.record.content.as_ref().map(|old| old.id));
                swap(self.work, file, content)
            }
            (Change::Remove { .. }, Some(file)) => Ok(file.record),
            _ => Err(Error::internal("a change lost its file").into()),
        }
    }

    fn find(&self, id: FileId) -> DbResult<FileRow> {
        row::find(self.work.db, self.tenant, &FileKey::Id(id))?
            .ok_or_else(|| Error::not_found("there is no such file").into())
    }

    fn free_external_id(&self, file: &FileRow, wanted: &Attributes) -> DbResult<()> {
        if file.record.attributes.external_id != wanted.external_id {
            change(
                self.work.db,
                "UPDATE file SET external_id = NULL WHERE row = ?",
                params![file.row],
            )?;
        }
        Ok(())
    }

    fn remove(&mut self, file: &FileRow) -> DbResult<()> {
        let Work { db, now, names } = self.work;
        change(db, "DELETE FROM file WHERE row = ?", params![file.row])?;
        index::unindex(db, names, &indexed(self.tenant, file.row, &file.record)?)?;
        uploads::file_is_gone(db, self.tenant, file.record.id, *now)?;
        self.unused.extend(file.record.content.as_ref().map(|content| content.id));
        Ok(())
    }

    fn update(
        &mut self,
        file: FileRow,
        attributes: Attributes,
        updated: Timestamp,
    ) -> DbResult<FileRecord> {
        let mut record = file.record;
        let was = std::mem::replace(&mut record.attributes, attributes);
        record.revision = record.revision.next();
        record.updated = updated;
        let Work { db, names, .. } = self.work;
        if !row::update(db, file.row, &record)? {
            return Err(Error::new(ErrorKind::AlreadyExists, "the external id is taken").into());
        }
        index::reindex(db, names, &indexed(self.tenant, file.row, &record)?, Some(&was))?;
        Ok(record)
    }
}

/// Inserts a file with its content.
fn insert(
    work: &mut Work<'_>,
    tenant: i64,
    mut record: FileRecord,
    content: Option<&ContentSource>,
) -> DbResult<FileRecord> {
    record.content =
        content.map(|content| contents::acquire(work.db, tenant, content)).transpose()?;
    insert_row(work, tenant, record)
}

/// Inserts a file whose content is there already and counts it.
pub(crate) fn insert_row(
    work: &mut Work<'_>,
    tenant: i64,
    record: FileRecord,
) -> DbResult<FileRecord> {
    let Some(row) = row::insert(work.db, tenant, &record)? else {
        let taken = "the id, the number or the external id is taken";
        return Err(Error::new(ErrorKind::AlreadyExists, taken).into());
    };
    index::reindex(work.db, work.names, &indexed(tenant, row, &record)?, None)?;
    Ok(record)
}

/// Swaps the content of a file for one that counts it already, and releases the old one.
pub(crate) fn replace_content(
    work: &mut Work<'_>,
    file: FileRow,
    content: ContentInfo,
) -> DbResult<FileRecord> {
    let old = file.record.content.as_ref().map(|old| old.id);
    let record = swap(work, file, content)?;
    if let Some(old) = old {
        contents::release(work.db, old, work.now)?;
    }
    Ok(record)
}

fn swap(work: &Work<'_>, file: FileRow, content: ContentInfo) -> DbResult<FileRecord> {
    row::set_content(work.db, file.row, &content)?;
    let mut record = file.record;
    record.content = Some(content);
    Ok(record)
}

fn check_revision(record: &FileRecord, expected: Revision) -> DbResult<()> {
    if record.revision != expected {
        return Err(Error::new(ErrorKind::PreconditionFailed, "the file has changed").into());
    }
    Ok(())
}

fn check_content(record: &FileRecord, expected: Option<ContentId>) -> DbResult<()> {
    let own = record.content.as_ref().map(|content| content.id);
    if expected.is_some() && expected != own {
        return Err(Error::conflict("the file has other content").into());
    }
    Ok(())
}

fn indexed(tenant: i64, row: i64, record: &FileRecord) -> DbResult<Indexed<'_>> {
    Ok(Indexed { row, tenant, number: int(record.number.get())?, attributes: &record.attributes })
}
