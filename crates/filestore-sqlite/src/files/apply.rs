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

/// Carries out changes in order, each seeing what those before it did, or names every one that
/// cannot be.
pub(crate) fn apply(
    work: &mut Work<'_>,
    tenant: &Tenant,
    changes: Vec<Change>,
) -> DbResult<Vec<FileRecord>> {
    let tenant = sql::make_tenant(work.db, tenant)?;
    let mut records = Vec::with_capacity(changes.len());
    let mut refused = Vec::new();
    let mut first_reason = None;
    for (index, change) in changes.into_iter().enumerate() {
        match apply_one(work, tenant, change) {
            Ok(record) => records.push(record),
            Err(SqliteError::Refused(error)) => {
                refused.push(ItemError { index, kind: error.kind() });
                first_reason.get_or_insert_with(|| error.to_string());
            }
            Err(error) => return Err(error),
        }
    }
    match first_reason {
        Some(reason) => Err(Error::of_items(refused, reason).into()),
        None => Ok(records),
    }
}

/// What can be refused comes before what is written, so that a refused change does not stand in the
/// way of those after it.
fn apply_one(work: &mut Work<'_>, tenant: i64, change: Change) -> DbResult<FileRecord> {
    match change {
        Change::Insert { record, content } => insert(work, tenant, record, content.as_ref()),
        Change::Update { id, expected, attributes, updated } => {
            let file = find(work, tenant, id)?;
            check_revision(&file.record, expected)?;
            update(work, tenant, file, attributes, updated)
        }
        Change::Replace { id, expected, content } => {
            let file = find(work, tenant, id)?;
            check_content(&file.record, expected)?;
            let content = contents::acquire(work.db, tenant, &content)?;
            replace_content(work, file, content)
        }
        Change::Remove { id, expected } => {
            let file = find(work, tenant, id)?;
            if let Some(expected) = expected {
                check_revision(&file.record, expected)?;
            }
            remove(work, tenant, file)
        }
    }
}

fn find(work: &Work<'_>, tenant: i64, id: FileId) -> DbResult<FileRow> {
    row::find(work.db, tenant, &FileKey::Id(id))?
        .ok_or_else(|| Error::not_found("there is no such file").into())
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

fn insert(
    work: &mut Work<'_>,
    tenant: i64,
    mut record: FileRecord,
    content: Option<&ContentSource>,
) -> DbResult<FileRecord> {
    record.content =
        content.map(|content| contents::acquire(work.db, tenant, content)).transpose()?;
    insert_file(work, tenant, record)
}

/// Inserts a file; its content, if any, is there already and counts it.
pub(crate) fn insert_file(
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

fn update(
    work: &mut Work<'_>,
    tenant: i64,
    file: FileRow,
    attributes: Attributes,
    updated: Timestamp,
) -> DbResult<FileRecord> {
    let mut record = file.record;
    let was = std::mem::replace(&mut record.attributes, attributes);
    record.revision = record.revision.next();
    record.updated = updated;
    if !row::update(work.db, file.row, &record)? {
        return Err(Error::new(ErrorKind::AlreadyExists, "the external id is taken").into());
    }
    index::reindex(work.db, work.names, &indexed(tenant, file.row, &record)?, Some(&was))?;
    Ok(record)
}

/// Points a file at content that counts it already, and releases what it had. In this order a file
/// may be given the content that it alone has.
pub(crate) fn replace_content(
    work: &Work<'_>,
    file: FileRow,
    content: ContentInfo,
) -> DbResult<FileRecord> {
    row::set_content(work.db, file.row, &content)?;
    let mut record = file.record;
    if let Some(old) = record.content.replace(content) {
        contents::release(work.db, old.id, work.now)?;
    }
    Ok(record)
}

fn remove(work: &mut Work<'_>, tenant: i64, file: FileRow) -> DbResult<FileRecord> {
    change(work.db, "DELETE FROM file WHERE row = ?", params![file.row])?;
    index::unindex(work.db, work.names, &indexed(tenant, file.row, &file.record)?)?;
    uploads::file_is_gone(work.db, tenant, file.record.id, work.now)?;
    if let Some(content) = &file.record.content {
        contents::release(work.db, content.id, work.now)?;
    }
    Ok(file.record)
}

fn indexed(tenant: i64, row: i64, record: &FileRecord) -> DbResult<Indexed<'_>> {
    let number = int(record.number.get())?;
    Ok(Indexed { row, tenant, number, attributes: &record.attributes })
}
