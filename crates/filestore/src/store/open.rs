//! Bytes on their way out.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};

use crate::backend::{BlobStore, Place, Segment, SignBlobs, SignedGet, StoredFile};
use crate::error::{Error, ErrorKind, Result};
use crate::hash::{Digest, Hasher};
use crate::range::RangeSpec;
use crate::record::{ContentInfo, FileRecord};
use crate::store::Inner;
use crate::store::join::Joined;
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
    trust: Trust,
    signer: Option<Arc<dyn SignBlobs>>,
}

impl OpenFile {
    pub(super) fn new(store: &Inner, stored: StoredFile) -> Result<Self> {
        let StoredFile { record, segments, offset } = stored;
        let Some(content) = record.content.clone() else {
            return Err(Error::not_found("the file has no content yet"));
        };
        let (blobs, trust, signer) = (Arc::clone(&store.blobs), store.trust, store.signer.clone());
        Ok(Self { record, content, segments, offset, blobs, trust, signer })
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
    /// missing bytes are an error here and not in the middle of an answer. Where reads are
    /// [verified](crate::FileStoreBuilder::verify_reads), a segment that is read whole and was
    /// damaged ends in an error before its last bytes.
    ///
    /// # Errors
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) for a range outside of the content, or of what
    /// the file was opened for; [`Internal`](ErrorKind::Internal) when bytes are missing
    /// or known to be damaged; [`Unavailable`](ErrorKind::Unavailable).
    pub async fn read(&self, range: Range<u64>) -> Result<ByteStream<'static>> {
        let mut pieces = self.pieces(&range)?;
        let Some(first) = pieces.pop_front() else { return Ok(ByteStream::empty()) };
        let size = first.size();
        let first = open_piece(self.blobs.as_ref(), first).await?;
        if pieces.is_empty() {
            return Ok(first);
        }
        let joined = Joined::new(Arc::clone(&self.blobs), pieces).after(first, size);
        Ok(ByteStream::from_results(joined))
    }

    /// A URL by which whoever holds it reads the content straight from the blob store, as `get` says,
    /// also when the file is deleted meanwhile or may be seen no more.
    ///
    /// `None` where there is no such URL, and the content must be [read](Self::read) here: the store
    /// was not [told](crate::FileStoreBuilder::sign_blobs) how to make any, or
    /// [verifies](crate::FileStoreBuilder::verify_reads) what is read; the content is not a single
    /// blob, but inline, empty, or in parts; or the blob store's answers cannot say what `get` wants.
    ///
    /// # Errors
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) when there are no URLs for so long;
    /// [`Unavailable`](ErrorKind::Unavailable).
    pub async fn signed_url(&self, get: &SignedGet) -> Result<Option<String>> {
        let (Some(signer), Trust::Length) = (&self.signer, self.trust) else { return Ok(None) };
        match self.segments.as_slice() {
            &[Segment { size, place: Place::Blob(key), .. }] if size == self.content.size => {
                signer.sign(key, get).await
            }
            _ => Ok(None),
        }
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
                pieces.push_back(Piece::of(segment, from - start..to - start, self.trust));
            }
            start = end;
        }
        if covered != range.end && !range.is_empty() {
            return Err(Error::invalid("the range is not part of what was opened"));
        }
        Ok(pieces)
    }
}

/// Whether stored bytes are taken for what was stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Trust {
    /// As long as there are as many of them.
    #[default]
    Length,
    /// When they have the digest that was recorded.
    Digest,
}

/// All bytes of these segments, for upkeep.
pub(super) fn read_segments(
    blobs: Arc<dyn BlobStore>,
    segments: impl IntoIterator<Item = Segment>,
    trust: Trust,
) -> ByteStream<'static> {
    let whole = |segment: Segment| Piece::of(&segment, 0..segment.size, trust);
    ByteStream::from_results(Joined::new(blobs, segments.into_iter().map(whole).collect()))
}

/// A part of a segment.
#[derive(Debug)]
pub(super) struct Piece {
    place: Place,
    range: Range<u64>,
    /// What its bytes must hash to. Only the digest of a whole segment is known.
    expected: Option<Digest>,
}

impl Piece {
    fn of(segment: &Segment, range: Range<u64>, trust: Trust) -> Self {
        let is_known = trust == Trust::Digest && range == (0..segment.size);
        let expected = is_known.then_some(segment.sha256);
        Self { place: segment.place.clone(), range, expected }
    }

    pub(super) fn size(&self) -> u64 {
        self.range.end - self.range.start
    }
}

pub(super) async fn open_piece(blobs: &dyn BlobStore, piece: Piece) -> Result<ByteStream<'static>> {
    let bytes = match piece.place {
        Place::Inline(bytes) => ByteStream::from(slice(&bytes, &piece.range)?),
        Place::Blob(key) => {
            blobs.get(key, piece.range).await.map_err(|error| match error.kind() {
                ErrorKind::NotFound => {
                    Error::internal("bytes of a file are missing").with_source(error)
                }
                _ => error,
            })?
        }
    };
    match piece.expected {
        Some(expected) => verified(bytes, expected).await,
        None => Ok(bytes),
    }
}

/// Holds back one frame, so that the last one is seen only when all of them are sound. What is one
/// frame, as small content is, is refused here.
async fn verified(bytes: ByteStream<'static>, expected: Digest) -> Result<ByteStream<'static>> {
    let frames =
        stream::try_unfold(Some((bytes, Hasher::default(), None)), move |state| async move {
            let Some((mut bytes, mut hasher, mut held)) = state else { return Ok(None) };
            while let Some(frame) = bytes.try_next().await? {
                hasher.update(&frame);
                if let Some(sound) = held.replace(frame) {
                    return Ok(Some((sound, Some((bytes, hasher, held)))));
                }
            }
            if hasher.digest() != expected {
                return Err(Error::internal("stored bytes are not what they were"));
            }
            Ok(held.map(|last| (last, None)))
        });
    let mut frames = Box::pin(frames);
    let first = frames.try_next().await?;
    Ok(ByteStream::from_results(stream::iter(first.map(Ok)).chain(frames)))
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
