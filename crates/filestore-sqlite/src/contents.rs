//! Contents and segments: how they come, are shared and go. Every move of a blob's key between the
//! ledger and a segment is here.

use bytes::Bytes;
use filestore::backend::{Chain, ContentSource, NewContent, Place, Segment};
use filestore::{BlobKey, ContentId, ContentInfo, Digest, Error, ErrorKind, Timestamp};
use rusqlite::{Connection, Row, params};

use crate::error::DbResult;
use crate::landmarks;
use crate::sql::{all, change, exists, first, int, millis, time, uint};

/// Largest inline segment: four pages of the database.
pub(crate) const INLINE_LIMIT: usize = 16 << 10;

/// A key is announced; its blob may be there or not.
pub(crate) const PENDING: u8 = 0;
/// A key is no longer used.
pub(crate) const GARBAGE: u8 = 1;
/// A sweep holds a key to delete its blob.
pub(crate) const CLAIMED: u8 = 2;

/// What [`read_segment`] reads, of `segment s` and the bytes joined by [`INLINE`].
pub(crate) const SEGMENT: &str = "s.size, s.sha256, s.key, b.data";

/// Joins a segment's inline bytes.
pub(crate) const INLINE: &str = "LEFT JOIN inline_bytes b ON b.id = s.inline";

/// Reads a row of [`SEGMENT`].
pub(crate) fn read_segment(row: &Row<'_>) -> DbResult<Segment> {
    read_segment_at(row, 0)
}

/// Reads [`SEGMENT`] from where it begins in a row.
pub(crate) fn read_segment_at(row: &Row<'_>, at: usize) -> DbResult<Segment> {
    let place = match row.get(at + 2)? {
        Some(key) => Place::Blob(BlobKey::from_bytes(key)),
        None => Place::Inline(Bytes::from(row.get::<_, Vec<u8>>(at + 3)?)),
    };
    Ok(Segment { size: uint(row.get(at)?)?, sha256: Digest::from_bytes(row.get(at + 1)?), place })
}

/// Gives a record its content, new or shared.
pub(crate) fn acquire(
    db: &Connection,
    tenant: i64,
    source: &ContentSource,
) -> DbResult<ContentInfo> {
    match source {
        ContentSource::New(content) => publish(db, tenant, content),
        ContentSource::Shared(id) => share(db, tenant, *id),
    }
}

fn publish(db: &Connection, tenant: i64, content: &NewContent) -> DbResult<ContentInfo> {
    let info = content.info();
    insert(db, tenant, &info, content.segments.len())?;
    put_segments(db, content.id, &content.segments)?;
    landmarks::note(db, content.id, content.segments.len())?;
    Ok(info)
}

/// Writes the row of a content that one record uses.
pub(crate) fn insert(
    db: &Connection,
    tenant: i64,
    info: &ContentInfo,
    segments: usize,
) -> DbResult<()> {
    let inserted = change(
        db,
        "INSERT INTO content (id, tenant, size, tag, sha256, stored, uses, segments) \
         VALUES (?, ?, ?, ?, ?, ?, 1, ?) ON CONFLICT DO NOTHING",
        params![
            info.id.as_bytes(),
            tenant,
            int(info.size)?,
            info.tag,
            info.sha256.as_ref().map(Digest::as_bytes),
            millis(info.stored),
            int(segments as u64)?,
        ],
    )?;
    if inserted == 0 {
        return Err(Error::new(ErrorKind::AlreadyExists, "the content is there already").into());
    }
    Ok(())
}

/// Counts one more record that uses a content of the same tenant.
fn share(db: &Connection, tenant: i64, id: ContentId) -> DbResult<ContentInfo> {
    first(
        db,
        "UPDATE content SET uses = uses + 1 WHERE id = ? AND tenant = ? \
         RETURNING size, tag, sha256, stored",
        params![id.as_bytes(), tenant],
        |row| {
            Ok(ContentInfo {
                id,
                size: uint(row.get(0)?)?,
                tag: row.get(1)?,
                sha256: row.get::<_, Option<_>>(2)?.map(Digest::from_bytes),
                stored: time(row.get(3)?)?,
            })
        },
    )?
    .ok_or_else(|| Error::conflict("the content to be shared is gone").into())
}

/// Counts one record less; with the last one the content goes.
pub(crate) fn release(db: &Connection, id: ContentId, now: Timestamp) -> DbResult<()> {
    let uses: Option<i64> = first(
        db,
        "UPDATE content SET uses = uses - 1 WHERE id = ? RETURNING uses",
        params![id.as_bytes()],
        |row| Ok(row.get(0)?),
    )?;
    if uses == Some(0) {
        change(db, "DELETE FROM content WHERE id = ?", params![id.as_bytes()])?;
        clear(db, id, now)?;
    }
    Ok(())
}

/// Writes all segments of a content that has none, numbered from 1.
pub(crate) fn put_segments(db: &Connection, id: ContentId, segments: &[Segment]) -> DbResult<()> {
    for (n, segment) in (1..).zip(segments) {
        put_segment(db, id, n, segment, None, None)?;
    }
    Ok(())
}

/// Writes a segment. Its blob's key moves out of pending.
pub(crate) fn put_segment(
    db: &Connection,
    content: ContentId,
    n: u32,
    segment: &Segment,
    ticket: Option<u64>,
    chain: Option<&Chain>,
) -> DbResult<()> {
    let inline = match &segment.place {
        Place::Blob(key) => {
            adopt(db, *key)?;
            None
        }
        Place::Inline(bytes) => Some(put_inline(db, bytes)?),
    };
    change(
        db,
        "INSERT INTO segment (content, n, size, sha256, key, inline, ticket, chain_before, \
             chain_after) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            content.as_bytes(),
            n,
            int(segment.size)?,
            segment.sha256.as_bytes(),
            segment.key().as_ref().map(BlobKey::as_bytes),
            inline,
            ticket.map(int).transpose()?,
            chain.map(|chain| chain.before.as_bytes()),
            chain.map(|chain| chain.after.as_bytes()),
        ],
    )?;
    Ok(())
}

fn put_inline(db: &Connection, bytes: &Bytes) -> DbResult<i64> {
    if bytes.len() > INLINE_LIMIT {
        return Err(Error::invalid("a segment is too large to be inline").into());
    }
    change(db, "INSERT INTO inline_bytes (data) VALUES (?)", params![bytes.as_ref()])?;
    Ok(db.last_insert_rowid())
}

/// Takes a key out of pending for a segment that is about to have it.
fn adopt(db: &Connection, key: BlobKey) -> DbResult<()> {
    let adopted = change(
        db,
        "DELETE FROM ledger WHERE key = ? AND state = ?",
        params![key.as_bytes(), PENDING],
    )?;
    if adopted == 0 {
        return Err(not_pending());
    }
    Ok(())
}

/// Makes garbage of a pending key that no segment will have.
pub(crate) fn reject(db: &Connection, key: BlobKey, now: Timestamp) -> DbResult<()> {
    let rejected = change(
        db,
        "UPDATE ledger SET state = ?, at = ? WHERE key = ? AND state = ?",
        params![GARBAGE, millis(now), key.as_bytes(), PENDING],
    )?;
    if rejected == 0 {
        return Err(not_pending());
    }
    Ok(())
}

fn not_pending() -> crate::error::SqliteError {
    Error::conflict("a blob's key is not pending any more").into()
}

/// Removes all segments of a content; their blobs' keys become garbage.
pub(crate) fn clear(db: &Connection, content: ContentId, now: Timestamp) -> DbResult<()> {
    drop_segments(db, content, 1..=u32::MAX, now)
}

/// Removes one segment; its blob's key becomes garbage.
pub(crate) fn drop_segment(
    db: &Connection,
    content: ContentId,
    n: u32,
    now: Timestamp,
) -> DbResult<()> {
    drop_segments(db, content, n..=n, now)
}

fn drop_segments(
    db: &Connection,
    content: ContentId,
    range: std::ops::RangeInclusive<u32>,
    now: Timestamp,
) -> DbResult<()> {
    let (id, from, to) = (content.as_bytes(), range.start(), range.end());
    change(
        db,
        "INSERT INTO ledger (key, state, at) SELECT key, ?, ? FROM segment \
         WHERE content = ? AND n BETWEEN ? AND ? AND key IS NOT NULL",
        params![GARBAGE, millis(now), id, from, to],
    )?;
    change(
        db,
        "DELETE FROM inline_bytes WHERE id IN (SELECT inline FROM segment \
         WHERE content = ? AND n BETWEEN ? AND ? AND inline IS NOT NULL)",
        params![id, from, to],
    )?;
    change(
        db,
        "DELETE FROM segment WHERE content = ? AND n BETWEEN ? AND ?",
        params![id, from, to],
    )?;
    Ok(())
}

/// All segments of a published content, in order.
pub(crate) fn segments(db: &Connection, id: ContentId) -> DbResult<Vec<Segment>> {
    if !exists(db, "SELECT 1 FROM content WHERE id = ?", params![id.as_bytes()])? {
        return Ok(Vec::new());
    }
    all(
        db,
        &format!("SELECT {SEGMENT} FROM segment s {INLINE} WHERE s.content = ? ORDER BY s.n"),
        params![id.as_bytes()],
        read_segment,
    )
}
