//! Where in a content some of its segments start, so that a range near the end of ten thousand
//! segments is found without adding up the sizes of all before it.

use filestore::ContentId;
use rusqlite::{Connection, params};

use crate::error::DbResult;
use crate::sql::{all, change, first, uint};

/// So many segments are between one landmark and the next.
const EVERY: u32 = 32;

/// A segment, and how many bytes are before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Landmark {
    /// Its position, from 1.
    pub(crate) n: u32,
    /// Where in the content it starts.
    pub(crate) offset: u64,
}

/// Notes the landmarks of a content whose segments are all there and will not change. One of few
/// segments has none.
pub(crate) fn note(db: &Connection, content: ContentId, segments: usize) -> DbResult<()> {
    if segments <= EVERY as usize {
        return Ok(());
    }
    let sizes = all(
        db,
        "SELECT size FROM segment WHERE content = ? ORDER BY n",
        params![content.as_bytes()],
        |row| uint(row.get(0)?),
    )?;
    let ends = sizes.chunks_exact(EVERY as usize).scan(0, |end, group| {
        *end += group.iter().sum::<u64>();
        Some(*end)
    });
    let landmarks: Vec<u8> = ends.flat_map(u64::to_le_bytes).collect();
    change(
        db,
        "UPDATE content SET landmarks = ? WHERE id = ?",
        params![landmarks, content.as_bytes()],
    )?;
    Ok(())
}

/// The last landmark at or before an offset of a content of so many segments; else the start.
pub(crate) fn before(
    db: &Connection,
    content: ContentId,
    segments: u32,
    offset: u64,
) -> DbResult<Landmark> {
    let start = Landmark { n: 1, offset: 0 };
    if segments <= EVERY {
        return Ok(start);
    }
    let landmarks: Option<Vec<u8>> = first(
        db,
        "SELECT landmarks FROM content WHERE id = ?",
        params![content.as_bytes()],
        |row| Ok(row.get(0)?),
    )?
    .flatten();
    let landmarks = landmarks.unwrap_or_default();
    let (landmarks, _) = landmarks.as_chunks();
    let passed = landmarks.partition_point(|it| u64::from_le_bytes(*it) <= offset);
    let last = passed.checked_sub(1).and_then(|last| landmarks.get(last));
    Ok(last.map_or(start, |last| Landmark {
        n: passed as u32 * EVERY + 1,
        offset: u64::from_le_bytes(*last),
    }))
}
