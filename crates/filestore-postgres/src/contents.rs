//! Segments, and the states of blobs' keys.

use bytes::Bytes;
use filestore::backend::{Place, Segment};
use filestore::{BlobKey, ContentId, Error};
use tokio_postgres::Row;

use crate::error::DbResult;
use crate::sql::{Id, Sql, digest, get, optional, uint};

/// Largest inline segment.
pub(crate) const INLINE_LIMIT: usize = 8 << 10;

/// A key is announced; its blob may be there or not.
pub(crate) const PENDING: i16 = 0;

/// So many segments are between one landmark and the next. The schema says it too.
pub(crate) const LANDMARKS: i64 = 32;

/// Notes the landmarks of a content whose segments are all there and will not change.
pub(crate) fn note_landmarks(content: ContentId) -> Sql {
    let note = format!(
        "UPDATE filestore.content SET landmarks = ( \
             SELECT array_agg(m.stop ORDER BY m.n) FROM ( \
                 SELECT n, (sum(size) OVER (ORDER BY n))::bigint AS stop \
                 FROM filestore.segment WHERE content = $1) m WHERE m.n % {LANDMARKS} = 0) \
         WHERE id = $1"
    );
    Sql::new(note).bind(Id::from(content))
}

/// What [`read_segment`] reads, of `segment s`.
pub(crate) const SEGMENT: &str = "s.size, s.sha256, s.key, s.data";

/// Reads a row of [`SEGMENT`].
pub(crate) fn read_segment(row: &Row) -> DbResult<Segment> {
    let key = optional(row, 2, |id: Id| Ok(BlobKey::from(id)))?;
    segment(get(row, 0)?, get(row, 1)?, key, get(row, 3)?)
}

/// A segment from its columns.
pub(crate) fn segment(
    size: i64,
    sha256: Vec<u8>,
    key: Option<BlobKey>,
    data: Option<Vec<u8>>,
) -> DbResult<Segment> {
    let place = match key {
        Some(key) => Place::Blob(key),
        None => Place::Inline(Bytes::from(data.unwrap_or_default())),
    };
    Ok(Segment { size: uint(size)?, sha256: digest(sha256)?, place })
}

/// The bytes of a segment that has them inline.
pub(crate) fn inline_bytes(segment: &Segment) -> DbResult<Option<Vec<u8>>> {
    match &segment.place {
        Place::Blob(_) => Ok(None),
        Place::Inline(bytes) if bytes.len() > INLINE_LIMIT => {
            Err(Error::invalid("a segment is too large to be inline").into())
        }
        Place::Inline(bytes) => Ok(Some(bytes.to_vec())),
    }
}
