//! A record and the segments of a range of its content, from one snapshot.

use std::ops::Range;

use filestore::backend::StoredFile;
use filestore::{ContentId, Error, FileKey, RangeSpec, Tenant};
use rusqlite::{Connection, params};

use crate::contents::{INLINE, SEGMENT, read_segment};
use crate::error::{DbResult, SqliteError};
use crate::landmarks;
use crate::row::{self, FileRow};
use crate::sql::{self, all, uint};

/// Segments that are looked at on the caller's thread at most.
const SHORT: u32 = 64;

/// Loads a file when few segments have to be looked at; `None` when there are more.
pub(crate) fn short(
    db: &Connection,
    tenant: &Tenant,
    key: &FileKey,
    range: Option<RangeSpec>,
) -> DbResult<Option<StoredFile>> {
    let file = find(db, tenant, key)?;
    let Some(span) = span(db, &file, range, SHORT)? else { return Ok(None) };
    with_segments(db, file, &span).map(Some)
}

/// Loads a file.
pub(crate) fn any(
    db: &Connection,
    tenant: &Tenant,
    key: &FileKey,
    range: Option<RangeSpec>,
) -> DbResult<StoredFile> {
    let file = find(db, tenant, key)?;
    let span = span(db, &file, range, u32::MAX)?.unwrap_or(Span::ALL);
    with_segments(db, file, &span)
}

fn find(db: &Connection, tenant: &Tenant, key: &FileKey) -> DbResult<FileRow> {
    let file = match sql::tenant(db, tenant)? {
        Some(tenant) => row::find(db, tenant, key)?,
        None => None,
    };
    checked(file.ok_or_else(missing)?)
}

pub(super) fn missing() -> SqliteError {
    Error::not_found("there is no such file").into()
}

pub(super) fn checked(file: FileRow) -> DbResult<FileRow> {
    if file.damaged {
        return Err(Error::unavailable("the content is damaged and in quarantine").into());
    }
    Ok(file)
}

fn with_segments(db: &Connection, file: FileRow, span: &Span) -> DbResult<StoredFile> {
    let mut loaded = StoredFile { record: file.record, segments: Vec::new(), offset: span.offset };
    let Some(content) = &loaded.record.content else {
        return Ok(loaded);
    };
    loaded.segments = all(
        db,
        &format!(
            "SELECT {SEGMENT} FROM segment s {INLINE} \
             WHERE s.content = ? AND s.n BETWEEN ? AND ? ORDER BY s.n"
        ),
        params![content.id.as_bytes(), span.first, span.last],
        read_segment,
    )?;
    Ok(loaded)
}

/// Neighbouring segments.
#[derive(Debug, PartialEq, Eq)]
struct Span {
    first: u32,
    last: u32,
    /// Where in the content the first of them starts.
    offset: u64,
}

impl Span {
    const ALL: Self = Self { first: 1, last: u32::MAX, offset: 0 };
    const NONE: Self = Self { first: 1, last: 0, offset: 0 };
}

/// The segments that hold a range, or all. `None` when more than `most` would have to be looked at.
fn span(
    db: &Connection,
    file: &FileRow,
    range: Option<RangeSpec>,
    most: u32,
) -> DbResult<Option<Span>> {
    let Some(content) = &file.record.content else { return Ok(Some(Span::NONE)) };
    match range.map(|range| range.resolve(content.size)) {
        None => Ok((file.segments <= most).then_some(Span::ALL)),
        Some(Err(_)) => Ok(Some(Span::NONE)),
        Some(Ok(range)) => span_of(db, content.id, file.segments, &range, most),
    }
}

/// The segments that hold a range, found by their sizes alone.
fn span_of(
    db: &Connection,
    content: ContentId,
    segments: u32,
    range: &Range<u64>,
    most: u32,
) -> DbResult<Option<Span>> {
    let start = landmarks::before(db, content, segments, range.start)?;
    let mut statement =
        db.prepare_cached("SELECT n, size FROM segment WHERE content = ? AND n >= ? ORDER BY n")?;
    let mut rows = statement.query(params![content.as_bytes(), start.n])?;
    let mut span = Span::NONE;
    let mut end = start.offset;
    let mut found = false;
    let mut seen = 0;
    while let Some(row) = rows.next()? {
        seen += 1;
        if seen > most {
            return Ok(None);
        }
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
    Ok(Some(span))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use filestore::Digest;
    use filestore::backend::{Place, Segment};

    use super::*;
    use crate::sql::change;
    use crate::{contents, schema};

    const SEGMENTS: u32 = 1000;

    /// Sizes of segments, some of them empty, as a client may send them.
    fn sizes() -> Vec<u64> {
        (0..SEGMENTS.into()).map(|n: u64| n * 7 % 5).collect()
    }

    fn database() -> (Connection, ContentId) {
        let mut db = Connection::open_in_memory().unwrap();
        schema::migrate(&mut db).unwrap();
        let content = ContentId::from_bytes([7; 16]);
        let segments: Vec<_> = sizes()
            .into_iter()
            .map(|size| {
                let bytes = Bytes::from(vec![0; size as usize]);
                Segment { size, sha256: Digest::of(&bytes), place: Place::Inline(bytes) }
            })
            .collect();
        change(
            &db,
            "INSERT INTO content (id, tenant, size, tag, stored, uses, segments) \
             VALUES (?, 1, ?, '', 0, 1, ?)",
            params![content.as_bytes(), sizes().iter().sum::<u64>().cast_signed(), SEGMENTS],
        )
        .unwrap();
        contents::put_segments(&db, content, &segments).unwrap();
        landmarks::note(&db, content, segments.len()).unwrap();
        (db, content)
    }

    /// Found by looking at each.
    fn slowly(range: &Range<u64>) -> Span {
        let ends = sizes().into_iter().scan(0, |end, size| {
            *end += size;
            Some((*end - size, *end))
        });
        let ends: Vec<_> = ends.collect();
        let first = ends.iter().position(|(_, end)| *end > range.start).unwrap();
        let last = ends.iter().position(|(_, end)| *end >= range.end).unwrap();
        let (offset, _) = ends[first];
        Span { first: first as u32 + 1, last: last as u32 + 1, offset }
    }

    #[test]
    fn a_short_range_is_found_by_few_of_many_segments() {
        let (db, content) = database();
        let size: u64 = sizes().iter().sum();
        for start in 0..size {
            let range = start..(start + 9).min(size);
            let found = span_of(&db, content, SEGMENTS, &range, SHORT).unwrap();
            assert_eq!(found, Some(slowly(&range)), "{range:?}");
        }
    }

    #[test]
    fn a_content_without_landmarks_is_looked_at_from_its_start() {
        let (db, content) = database();
        change(&db, "UPDATE content SET landmarks = NULL", []).unwrap();
        let range = 1500..1501;
        assert_eq!(span_of(&db, content, SEGMENTS, &range, SHORT).unwrap(), None);
        assert_eq!(
            span_of(&db, content, SEGMENTS, &range, u32::MAX).unwrap(),
            Some(slowly(&range))
        );
    }
}
