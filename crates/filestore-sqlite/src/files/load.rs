//! A record and the segments of a range of its content, from one snapshot.

use std::ops::Range;

use filestore::backend::StoredFile;
use filestore::{ContentId, Error, FileKey, RangeSpec, Tenant};
use rusqlite::{Connection, params};

use crate::contents::{INLINE, SEGMENT, read_segment};
use crate::error::DbResult;
use crate::row::{self, FileRow};
use crate::sql::{self, all, uint};

/// Segments that are read on the caller's thread at most.
const SHORT: u32 = 64;

/// Loads a file whose content has few segments; `None` when it has more.
pub(crate) fn short(
    db: &Connection,
    tenant: &Tenant,
    key: &FileKey,
    range: Option<RangeSpec>,
) -> DbResult<Option<StoredFile>> {
    let file = find(db, tenant, key)?;
    if file.segments > SHORT {
        return Ok(None);
    }
    with_segments(db, file, range).map(Some)
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
    let file = file.ok_or_else(|| Error::not_found("there is no such file"))?;
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
