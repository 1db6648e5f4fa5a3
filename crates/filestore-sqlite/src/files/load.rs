//! A record and the segments of a range of its content, from one snapshot.

use std::ops::Range;
use std::sync::LazyLock;

use filestore::backend::StoredFile;
use filestore::{ContentId, Error, FileKey, RangeSpec, Tenant};
use rusqlite::{Connection, ToSql, params};

use crate::contents::{INLINE, SEGMENT, read_segment, read_segment_at};
use crate::error::{DbResult, SqliteError};
use crate::row::{self, COLUMN_COUNT, COLUMNS, CONTENT, FileRow};
use crate::sql::{self, all, int, uint};

/// Segments that are read on the caller's thread at most.
const SHORT: u32 = 64;

/// Loads a file whose content has few segments; `None` when it has more. One statement, so that it
/// needs no transaction: downloads of small files cost little else.
pub(crate) fn short(
    db: &Connection,
    tenant: &Tenant,
    key: &FileKey,
    range: Option<RangeSpec>,
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
    if file.segments > SHORT {
        return Ok(None);
    }
    let mut loaded = StoredFile { record: file.record, segments: Vec::new(), offset: 0 };
    // A content without bytes has no segments, and is one row all the same.
    let mut next = (file.segments > 0).then_some(row);
    while let Some(row) = next {
        loaded.segments.push(read_segment_at(row, COLUMN_COUNT)?);
        next = rows.next()?;
    }
    if let Some(range) = range {
        trim(&mut loaded, range);
    }
    Ok(Some(loaded))
}

/// Leaves the segments that hold a range.
fn trim(loaded: &mut StoredFile, range: RangeSpec) {
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
}

/// A file with all of its segments.
fn whole(column: &str) -> String {
    format!(
        "SELECT {COLUMNS}, {SEGMENT} FROM tenant t CROSS JOIN file f {CONTENT} \
         LEFT JOIN segment s ON s.content = c.id AND c.segments <= {SHORT} {INLINE} \
         WHERE t.name = ? AND f.tenant = t.number AND f.{column} = ? ORDER BY s.n"
    )
}

/// Loads a file.
pub(crate) fn any(
    db: &Connection,
    tenant: &Tenant,
    key: &FileKey,
    range: Option<RangeSpec>,
) -> DbResult<StoredFile> {
    let file = find(db, tenant, key)?;
    with_segments(db, file, range)
}

fn find(db: &Connection, tenant: &Tenant, key: &FileKey) -> DbResult<FileRow> {
    let file = match sql::tenant(db, tenant)? {
        Some(tenant) => row::find(db, tenant, key)?,
        None => None,
    };
    checked(file.ok_or_else(missing)?)
}

fn missing() -> SqliteError {
    Error::not_found("there is no such file").into()
}

fn checked(file: FileRow) -> DbResult<FileRow> {
    if file.damaged {
        return Err(Error::unavailable("the content is damaged and in quarantine").into());
    }
    Ok(file)
}

fn with_segments(db: &Connection, file: FileRow, range: Option<RangeSpec>) -> DbResult<StoredFile> {
    let record = file.record;
    let mut loaded = StoredFile { record, segments: Vec::new(), offset: 0 };
    let Some(content) = &loaded.record.content else {
        return Ok(loaded);
    };
    let (first, last) = match range.map(|range| range.resolve(content.size)) {
        None => (0, u32::MAX),
        Some(Err(_)) => return Ok(loaded),
        Some(Ok(range)) => {
            let span = span(db, content.id, &range)?;
            loaded.offset = span.offset;
            (span.first, span.last)
        }
    };
    loaded.segments = all(
        db,
        &format!(
            "SELECT {SEGMENT} FROM segment s {INLINE} \
             WHERE s.content = ? AND s.n BETWEEN ? AND ? ORDER BY s.n"
        ),
        params![content.id.as_bytes(), first, last],
        read_segment,
    )?;
    Ok(loaded)
}

/// Neighbouring segments.
struct Span {
    first: u32,
    last: u32,
    /// Where in the content the first of them starts.
    offset: u64,
}

/// The segments that hold a range, found by their sizes alone.
fn span(db: &Connection, content: ContentId, range: &Range<u64>) -> DbResult<Span> {
    let mut statement =
        db.prepare_cached("SELECT n, size FROM segment WHERE content = ? ORDER BY n")?;
    let mut rows = statement.query(params![content.as_bytes()])?;
    let mut span = Span { first: 1, last: 0, offset: 0 };
    let mut end = 0;
    let mut found = false;
    while let Some(row) = rows.next()? {
        let (n, start) = (row.get(0)?, end);
        end = start + uint(row.get(1)?)?;
        if !found && end > range.start {
            found = true;
            span.first = n;
            span.offset = start;
        }
        span.last = n;
        if end >= range.end {
            break;
        }
    }
    Ok(span)
}
