//! [`ContentRepository`].

use async_trait::async_trait;
use filestore::backend::{Content, ContentRepository, Segment};
use filestore::{ContentId, Digest, Result, Timestamp};
use rusqlite::{Connection, Row, params};

use crate::SqliteRepository;
use crate::contents;
use crate::error::DbResult;
use crate::landmarks;
use crate::sql::{all, change, exists, int, past, uint};

#[async_trait]
impl ContentRepository for SqliteRepository {
    async fn contents(&self, after: Option<ContentId>, limit: u32) -> Result<Vec<Content>> {
        self.scan(move |db| {
            let after = past(after.as_ref().map(ContentId::as_bytes));
            all(
                db,
                "SELECT id, size, tag, sha256, segments, damaged FROM content \
                 WHERE id > ? ORDER BY id LIMIT ?",
                params![after, limit],
                content,
            )
        })
        .await
    }

    async fn segments(&self, id: ContentId) -> Result<Vec<Segment>> {
        self.scan(move |db| contents::segments(db, id)).await
    }

    async fn fragmented(&self, segments: u32, average: u64, limit: u32) -> Result<Vec<Content>> {
        let average = i64::try_from(average).unwrap_or(i64::MAX);
        self.scan(move |db| {
            // The quotient is rounded down, which does not matter to a comparison with a whole
            // number.
            all(
                db,
                "SELECT id, size, tag, sha256, segments, damaged FROM content \
                 WHERE segments > ? AND size / segments < ? AND damaged = 0 LIMIT ?",
                params![segments, average, limit],
                content,
            )
        })
        .await
    }

    async fn replace_segments(
        &self,
        id: ContentId,
        expected: u32,
        segments: Vec<Segment>,
    ) -> Result<bool> {
        self.commit(move |work| replace(work.db, id, expected, &segments, work.now)).await
    }

    async fn quarantine(&self, id: ContentId, damaged: bool) -> Result<()> {
        self.free(move |work| {
            change(
                work.db,
                "UPDATE content SET damaged = ? WHERE id = ?",
                params![damaged, id.as_bytes()],
            )?;
            Ok(())
        })
        .await
    }
}

fn content(row: &Row<'_>) -> DbResult<Content> {
    Ok(Content {
        id: ContentId::from_bytes(row.get(0)?),
        size: uint(row.get(1)?)?,
        tag: row.get(2)?,
        sha256: row.get::<_, Option<_>>(3)?.map(Digest::from_bytes),
        segments: row.get(4)?,
        damaged: row.get(5)?,
    })
}

fn replace(
    db: &Connection,
    id: ContentId,
    expected: u32,
    segments: &[Segment],
    now: Timestamp,
) -> DbResult<bool> {
    let is_expected = exists(
        db,
        "SELECT 1 FROM content WHERE id = ? AND segments = ?",
        params![id.as_bytes(), expected],
    )?;
    if !is_expected {
        return Ok(false);
    }
    contents::clear(db, id, now)?;
    contents::put_segments(db, id, segments)?;
    change(
        db,
        "UPDATE content SET segments = ?, landmarks = NULL WHERE id = ?",
        params![int(segments.len() as u64)?, id.as_bytes()],
    )?;
    landmarks::note(db, id, segments.len())?;
    Ok(true)
}
