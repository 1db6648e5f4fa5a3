//! Contents and their segments: versions of files' bytes.

use std::fmt::Debug;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::Result;
use crate::hash::{Digest, Hasher};
use crate::id::{BlobKey, ContentId, Timestamp};
use crate::record::ContentInfo;

/// A run of a content's bytes, immutable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Size in bytes.
    pub size: u64,
    /// SHA-256 of its bytes.
    pub sha256: Digest,
    /// Where they are.
    pub place: Place,
}

/// Where the bytes of a segment are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a blob of exactly the segment's size.
    Blob(BlobKey),
    /// In the repository itself, not more than its
    /// [`inline_limit`](crate::backend::FileRepository::inline_limit).
    Inline(Bytes),
}

impl Segment {
    /// The key of the blob that holds it.
    pub fn key(&self) -> Option<BlobKey> {
        match self.place {
            Place::Blob(key) => Some(key),
            Place::Inline(_) => None,
        }
    }

    /// The only segment of empty content.
    pub fn empty() -> Self {
        Self { size: 0, sha256: Digest::of(b""), place: Place::Inline(Bytes::new()) }
    }
}

/// A content to be stored. Sizes of its segments add up to its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewContent {
    /// Identity, minted by the service.
    pub id: ContentId,
    /// Size in bytes.
    pub size: u64,
    /// See [`ContentInfo::tag`](crate::ContentInfo::tag).
    pub tag: String,
    /// SHA-256 of all bytes, where it is known.
    pub sha256: Option<Digest>,
    /// When it is published.
    pub stored: Timestamp,
    /// Its bytes, in order. Empty content has one empty inline segment.
    pub segments: Vec<Segment>,
}

impl NewContent {
    /// What records that use it say of it.
    pub fn info(&self) -> ContentInfo {
        ContentInfo {
            id: self.id,
            size: self.size,
            tag: self.tag.clone(),
            sha256: self.sha256,
            stored: self.stored,
        }
    }
}

/// Where a record's content comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContentSource {
    /// Bytes that were just stored.
    New(NewContent),
    /// Content that a record of the same tenant has.
    Shared(ContentId),
}

/// A published content, as upkeep sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Identity.
    pub id: ContentId,
    /// Size in bytes.
    pub size: u64,
    /// See [`ContentInfo::tag`](crate::ContentInfo::tag).
    pub tag: String,
    /// SHA-256 of all bytes, where it is known.
    pub sha256: Option<Digest>,
    /// How many segments hold it.
    pub segments: u32,
    /// Whether it was found damaged and is refused to readers.
    pub damaged: bool,
}

/// Looks after published contents, across tenants. Drafts of open sessions are not seen here.
#[async_trait]
pub trait ContentRepository: Debug + Send + Sync + 'static {
    /// Contents with ids greater than `after`, in ascending order, at most `limit`.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable).
    async fn contents(&self, after: Option<ContentId>, limit: u32) -> Result<Vec<Content>>;

    /// All segments of a content, in order; none when it is gone.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable).
    async fn segments(&self, id: ContentId) -> Result<Vec<Segment>>;

    /// Contents of more than `segments` segments that hold fewer than `average` bytes each on
    /// average; at most `limit`. Damaged ones are left out.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable).
    async fn fragmented(&self, segments: u32, average: u64, limit: u32) -> Result<Vec<Content>>;

    /// Puts other segments with the same bytes in place of all of a content's, and answers whether
    /// that happened: it does only while the content exists and has `expected` segments. Identity,
    /// size and tag stay. Keys move as in [`FileRepository::apply`]: those of `segments` out of
    /// pending, those replaced into garbage.
    ///
    /// # Errors
    /// [`Conflict`](crate::ErrorKind::Conflict) when a key of `segments` is not pending;
    /// [`Unavailable`](crate::ErrorKind::Unavailable).
    ///
    /// [`FileRepository::apply`]: crate::backend::FileRepository::apply
    async fn replace_segments(
        &self,
        id: ContentId,
        expected: u32,
        segments: Vec<Segment>,
    ) -> Result<bool>;

    /// Marks a content damaged or sound again. That it is gone is success.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable).
    async fn quarantine(&self, id: ContentId, damaged: bool) -> Result<()>;
}

/// The tag of a content: its digest when one segment holds it, else
/// `<SHA-256 over (size, digest) of every segment>-<count>`.
///
/// Sizes go in as eight bytes, big-endian. The tag is computed once, at publication; merging
/// segments later leaves it as it is.
pub fn content_tag(segments: impl ExactSizeIterator<Item = (u64, Digest)>) -> String {
    let count = segments.len();
    let mut all = Hasher::default();
    let mut only = None;
    for (size, sha256) in segments {
        all.update(&size.to_be_bytes());
        all.update(sha256.as_bytes());
        only = Some(sha256);
    }
    match only {
        Some(sha256) if count == 1 => sha256.to_string(),
        _ => format!("{}-{count}", all.digest()),
    }
}
