//! Bytes on their way out.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt, TryStreamExt};

use crate::backend::{BlobStore, Place, Segment, StoredFile};
use crate::error::{Error, ErrorKind, Result};
use crate::hash::Hasher;
use crate::range::RangeSpec;
use crate::record::{ContentInfo, FileRecord};
use crate::stream::ByteStream;

/// A file that was opened: its record, and its bytes as they were at that moment, whatever happens
/// to the file afterwards. Nothing is held open until bytes are read.
#[derive(Clone, Debug)]
pub struct OpenFile {
    /// The record.
    pub record: FileRecord,
    content: ContentInfo,
    segments: Vec<Segment>,
    offset: u64,
    blobs: Arc<dyn BlobStore>,
}

impl OpenFile {
    pub(super) fn new(blobs: Arc<dyn BlobStore>, stored: StoredFile) -> Result<Self> {
        let StoredFile { record, segments, offset } = stored;
        let Some(content) = record.content.clone() else {
            return Err(Error::not_found("the file has no content yet"));
        };
        Ok(Self { record, content, segments, offset, blobs })
    }

    /// What is known of the content.
    pub fn content(&self) -> &ContentInfo {
        &self.content
    }

    /// Streams all of the content.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn read_all(&self) -> Result<ByteStream<'static>> {
        self.read(0..self.content.size).await
    }

    /// Streams what a client asked for.
    ///
    /// # Errors
    /// [`RangeNotSatisfiable`](ErrorKind::RangeNotSatisfiable); else as [`read`](Self::read).
    pub async fn read_range(&self, range: RangeSpec) -> Result<ByteStream<'static>> {
        self.read(range.resolve(self.content.size)?).await
    }

    /// Streams a range of the content. The first bytes are at hand when this returns, so that
    /// missing bytes are an error here and not in the middle of an answer.
    ///
    /// # Errors
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) for a range outside of the content, or of what
    /// the file was opened for; [`Internal`](ErrorKind::Internal) when bytes are missing;
    /// [`Unavailable`](ErrorKind::Unavailable).
    pub async fn read(&self, range: Range<u64>) -> Result<ByteStream<'static>> {
        let mut pieces = self.pieces(&range)?;
        let Some(first) = pieces.pop_front() else { return Ok(ByteStream::empty()) };
        let first = open_piece(self.blobs.as_ref(), first).await?;
        if pieces.is_empty() {
            return Ok(first);
        }
        let rest = joined(Arc::clone(&self.blobs), pieces);
        Ok(ByteStream::from_results(first.chain(rest)))
    }

    /// The parts of segments that make up `range`.
    fn pieces(&self, range: &Range<u64>) -> Result<VecDeque<Piece>> {
        let mut pieces = VecDeque::new();
        let mut start = self.offset;
        let mut covered = range.start;
        for segment in &self.segments {
            let end = start + segment.size;
            let (from, to) = (range.start.max(start), range.end.min(end));
            if from < to && from == covered {
                covered = to;
                pieces.push_back(Piece {
                    place: segment.place.clone(),
                    range: from - start..to - start,
                });
            }
            start = end;
        }
        if covered != range.end && !range.is_empty() {
            return Err(Error::invalid("the range is not part of what was opened"));
        }
        Ok(pieces)
    }
}

/// All bytes of these segments, for upkeep.
pub(super) fn read_segments(
    blobs: Arc<dyn BlobStore>,
    segments: impl IntoIterator<Item = Segment>,
) -> ByteStream<'static> {
    let whole = |segment: Segment| Piece { range: 0..segment.size, place: segment.place };
    ByteStream::from_results(joined(blobs, segments.into_iter().map(whole).collect()))
}

/// As [`read_segments`], and ends in an error after a segment that is not what was recorded, so
/// that bytes which were damaged are never taken for sound ones.
pub(super) fn read_verified(
    blobs: Arc<dyn BlobStore>,
    segments: impl IntoIterator<Item = Segment, IntoIter: Send + 'static>,
) -> ByteStream<'static> {
    let segments = stream::iter(segments);
    ByteStream::from_results(segments.flat_map(move |segment| {
        let expected = segment.sha256;
        let bytes = read_segments(Arc::clone(&blobs), [segment]);
        stream::try_unfold((bytes, Hasher::default()), move |(mut bytes, mut hasher)| async move {
            match bytes.try_next().await? {
                Some(frame) => {
                    hasher.update(&frame);
                    Ok(Some((frame, (bytes, hasher))))
                }
                None if hasher.digest() == expected => Ok(None),
                None => Err(Error::internal("a segment is damaged")),
            }
        })
    }))
}

/// One piece after the other, each opened when it is its turn.
fn joined(
    blobs: Arc<dyn BlobStore>,
    pieces: VecDeque<Piece>,
) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
    stream::iter(pieces)
        .then(move |piece| {
            let blobs = Arc::clone(&blobs);
            async move { open_piece(blobs.as_ref(), piece).await }
        })
        .try_flatten()
}

#[derive(Debug)]
struct Piece {
    place: Place,
    range: Range<u64>,
}

async fn open_piece(blobs: &dyn BlobStore, piece: Piece) -> Result<ByteStream<'static>> {
    match piece.place {
        Place::Inline(bytes) => slice(&bytes, &piece.range).map(ByteStream::from),
        Place::Blob(key) => blobs.get(key, piece.range).await.map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                Error::internal("bytes of a file are missing").with_source(error)
            }
            _ => error,
        }),
    }
}

fn slice(bytes: &Bytes, range: &Range<u64>) -> Result<Bytes> {
    let start = usize::try_from(range.start).ok();
    let end = usize::try_from(range.end).ok();
    match (start, end) {
        (Some(start), Some(end)) if start <= end && end <= bytes.len() => {
            Ok(bytes.slice(start..end))
        }
        _ => Err(Error::internal("an inline segment is shorter than recorded")),
    }
}
