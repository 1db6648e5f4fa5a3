//! The shortest way to a file: one statement, for contents of few segments. Downloads of small files
//! cost little else.

use std::sync::LazyLock;

use filestore::backend::StoredFile;
use filestore::{FileKey, RangeSpec, Tenant};
use rusqlite::{Connection, ToSql, params};

use super::load::{checked, missing};
use crate::contents::{INLINE, SEGMENT, read_segment_at};
use crate::error::DbResult;
use crate::row::{self, COLUMN_COUNT, COLUMNS, CONTENT};
use crate::sql::int;

/// Segments that are read whatever the range.
const FEW: u32 = 64;

/// Loads a file whose content has few segments; `None` when it has more. One statement sees one
/// snapshot without a transaction.
pub(super) fn load(
    db: &Connection,
    tenant: &Tenant,
    key: &FileKey,
) -> DbResult<Option<StoredFile>> {
    static BY_ID: LazyLock<String> = LazyLock::new(|| whole("id"));
    static BY_NUMBER: LazyLock<String> = LazyLock::new(|| whole("number"));
    static BY_EXTERNAL_ID: LazyLock<String> = LazyLock::new(|| whole("external_id"));
    let (sql, key): (&str, &dyn ToSql) = match key {
        FileKey::Id(id) => (&BY_ID, id.as_bytes()),
        FileKey::Number(number) => (&BY_NUMBER, &int(number.get())?),
        FileKey::External(text) => (&BY_EXTERNAL_ID, text),
    };
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params![tenant.as_str(), key])?;
    let Some(row) = rows.next()? else { return Err(missing()) };
    let file = checked(row::read(row)?)?;
    if file.segments > FEW {
        return Ok(None);
    }
    let mut loaded = StoredFile { record: file.record, segments: Vec::new(), offset: 0 };
    // A content without bytes has no segments, and is one row all the same.
    let mut next = (file.segments > 0).then_some(row);
    while let Some(row) = next {
        loaded.segments.push(read_segment_at(row, COLUMN_COUNT)?);
        next = rows.next()?;
    }
    Ok(Some(loaded))
}

/// A whole file with no segments but those that hold the range.
pub(super) fn within(mut loaded: StoredFile, range: Option<RangeSpec>) -> StoredFile {
    let Some(range) = range else { return loaded };
    let size = loaded.record.content.as_ref().map_or(0, |content| content.size);
    let range = range.resolve(size).unwrap_or(0..0);
    let mut end = 0;
    let mut offset = None;
    loaded.segments.retain(|segment| {
        let start = end;
        end = start + segment.size;
        let is_needed = start < range.end && end > range.start;
        offset = offset.or(is_needed.then_some(start));
        is_needed
    });
    loaded.offset = offset.unwrap_or_default();
    loaded
}

/// A file with all of its segments.
fn whole(column: &str) -> String {
    format!(
        "SELECT {COLUMNS}, {SEGMENT} FROM tenant t CROSS JOIN file f {CONTENT} \
         LEFT JOIN segment s ON s.content = c.id AND c.segments <= {FEW} {INLINE} \
         WHERE t.name = ? AND f.tenant = t.number AND f.{column} = ? ORDER BY s.n"
    )
}
