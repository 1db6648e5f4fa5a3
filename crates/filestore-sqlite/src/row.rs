//! Rows of files and the records they are.

use filestore::backend::{Details, extent_edges};
use filestore::{
    Attributes, ContentId, ContentInfo, Digest, Error, Extent, FileId, FileKey, FileNumber,
    FileRecord, Revision, Subject, fold,
};
use rusqlite::{Connection, Row, params};

use crate::error::{DbResult, SqliteError};
use crate::index::key_of;
use crate::sql::{change, first, int, millis, time, uint};

/// What [`read`] reads, of `file f` and the content joined by [`CONTENT`].
pub(crate) const COLUMNS: &str = "f.row, f.id, f.number, f.revision, f.owner, f.created, f.updated, \
     f.name, f.external_id, f.directory, f.source, f.content_type, f.source_created, \
     f.source_modified, f.min_x, f.max_x, f.min_y, f.max_y, f.details, \
     c.id, c.size, c.tag, c.sha256, c.stored, c.segments, c.damaged";

/// How many that are.
pub(crate) const COLUMN_COUNT: usize = 26;

/// Joins a file's content.
pub(crate) const CONTENT: &str = "LEFT JOIN content c ON c.id = f.content";

/// A file's row.
pub(crate) struct FileRow {
    pub(crate) row: i64,
    pub(crate) record: FileRecord,
    /// Segments of its content.
    pub(crate) segments: u32,
    /// Whether its content is in quarantine.
    pub(crate) damaged: bool,
}

/// The file of a tenant that `key` names.
pub(crate) fn find(db: &Connection, tenant: i64, key: &FileKey) -> DbResult<Option<FileRow>> {
    /// One statement for each way to name a file.
    macro_rules! by {
        ($column:literal, $value:expr) => {
            first(
                db,
                &format!(
                    "SELECT {COLUMNS} FROM file f {CONTENT} WHERE f.tenant = ? AND f.{} = ?",
                    $column
                ),
                params![tenant, $value],
                read,
            )
        };
    }
    match key {
        FileKey::Id(id) => by!("id", id.as_bytes()),
        FileKey::Number(number) => by!("number", int(number.get())?),
        FileKey::External(text) => by!("external_id", text),
    }
}

/// Reads a row of [`COLUMNS`].
pub(crate) fn read(row: &Row<'_>) -> DbResult<FileRow> {
    let owner: String = row.get(4)?;
    let record = FileRecord {
        id: FileId::from_bytes(row.get(1)?),
        number: FileNumber::new(uint(row.get(2)?)?).ok_or(SqliteError::Damaged("a number"))?,
        revision: Revision::new(uint(row.get(3)?)?),
        owner: Subject::new(&owner).map_err(|_| SqliteError::Damaged("an owner"))?,
        created: time(row.get(5)?)?,
        updated: time(row.get(6)?)?,
        content: content(row)?,
        attributes: attributes(row)?,
    };
    Ok(FileRow {
        row: row.get(0)?,
        record,
        segments: row.get::<_, Option<u32>>(24)?.unwrap_or_default(),
        damaged: row.get::<_, Option<bool>>(25)?.unwrap_or_default(),
    })
}

fn attributes(row: &Row<'_>) -> DbResult<Attributes> {
    let details: Option<String> = row.get(18)?;
    let details: Attributes = match &details {
        Some(text) => {
            serde_json::from_str(text).map_err(|_| SqliteError::Damaged("the details of a file"))?
        }
        None => Attributes::default(),
    };
    let extent = match row.get(14)? {
        Some(min_x) => {
            Some(Extent { min_x, max_x: row.get(15)?, min_y: row.get(16)?, max_y: row.get(17)? })
        }
        None => None,
    };
    Ok(Attributes {
        name: row.get(7)?,
        external_id: row.get(8)?,
        directory: row.get(9)?,
        source: row.get(10)?,
        content_type: row.get(11)?,
        source_created: row.get::<_, Option<i64>>(12)?.map(time).transpose()?,
        source_modified: row.get::<_, Option<i64>>(13)?.map(time).transpose()?,
        extent,
        ..details
    })
}

fn content(row: &Row<'_>) -> DbResult<Option<ContentInfo>> {
    let Some(id) = row.get(19)? else {
        return Ok(None);
    };
    Ok(Some(ContentInfo {
        id: ContentId::from_bytes(id),
        size: uint(row.get(20)?)?,
        tag: row.get(21)?,
        sha256: row.get::<_, Option<_>>(22)?.map(Digest::from_bytes),
        stored: time(row.get(23)?)?,
    }))
}

/// Writes a new row and answers with its number; `None` when the id, number or external id is taken.
pub(crate) fn insert(db: &Connection, tenant: i64, record: &FileRecord) -> DbResult<Option<i64>> {
    let a = &record.attributes;
    let [min_x, max_x, min_y, max_y] = extent_edges(a.extent)?;
    let details = details(a)?;
    first(
        db,
        "INSERT INTO file (row, tenant, id, number, revision, owner, created, updated, content, \
             stored, name, name_key, external_id, directory, source, content_type, source_created, \
             source_modified, min_x, max_x, min_y, max_y, details) \
         VALUES ((SELECT coalesce(max(row), ?1 << 40) + 1 FROM file \
             WHERE row BETWEEN ?1 << 40 AND ((?1 + 1) << 40) - 1), ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, \
             ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22) \
         ON CONFLICT DO NOTHING RETURNING row",
        params![
            tenant,
            record.id.as_bytes(),
            int(record.number.get())?,
            int(record.revision.get())?,
            record.owner.as_str(),
            millis(record.created),
            millis(record.updated),
            record.content.as_ref().map(|content| content.id.as_bytes()),
            record.content.as_ref().map(|content| millis(content.stored)),
            a.name,
            key_of(&fold(&a.name)),
            a.external_id,
            a.directory,
            a.source,
            a.content_type,
            a.source_created.map(millis),
            a.source_modified.map(millis),
            min_x,
            max_x,
            min_y,
            max_y,
            details,
        ],
        |row| Ok(row.get(0)?),
    )
}

/// Writes what clients say of a file, with its revision and `updated`. Whether that happened: it
/// does not when the external id is taken.
pub(crate) fn update(db: &Connection, row: i64, record: &FileRecord) -> DbResult<bool> {
    let a = &record.attributes;
    let [min_x, max_x, min_y, max_y] = extent_edges(a.extent)?;
    let details = details(a)?;
    let changed = change(
        db,
        "UPDATE OR IGNORE file SET revision = ?2, updated = ?3, name = ?4, name_key = ?5, \
             external_id = ?6, directory = ?7, source = ?8, content_type = ?9, \
             source_created = ?10, source_modified = ?11, min_x = ?12, max_x = ?13, min_y = ?14, \
             max_y = ?15, details = ?16 WHERE row = ?1",
        params![
            row,
            int(record.revision.get())?,
            millis(record.updated),
            a.name,
            key_of(&fold(&a.name)),
            a.external_id,
            a.directory,
            a.source,
            a.content_type,
            a.source_created.map(millis),
            a.source_modified.map(millis),
            min_x,
            max_x,
            min_y,
            max_y,
            details,
        ],
    )?;
    Ok(changed > 0)
}

/// Points a file at content.
pub(crate) fn set_content(db: &Connection, row: i64, content: &ContentInfo) -> DbResult<()> {
    change(
        db,
        "UPDATE file SET content = ?, stored = ? WHERE row = ?",
        params![content.id.as_bytes(), millis(content.stored), row],
    )?;
    Ok(())
}

/// The text for the column of details; none when there is nothing to say.
fn details(attributes: &Attributes) -> DbResult<Option<String>> {
    let text = Details::of(attributes).map(|details| serde_json::to_string(&details)).transpose();
    Ok(text.map_err(|error| Error::internal("details cannot be written").with_source(error))?)
}
