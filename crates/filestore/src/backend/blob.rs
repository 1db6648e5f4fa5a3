//! [`BlobStore`]: immutable bytes by key.

use std::fmt::Debug;
use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;

use crate::error::Result;
use crate::id::{BlobKey, Timestamp};
use crate::stream::ByteStream;

/// Keeps immutable blobs by key. Four verbs, and the question whether they can be used; the service
/// does the rest.
///
/// Keys are minted by the service and used for one `put` that succeeds. A backend need not check
/// that: it is what allows a put to be repeated over a network. [`BlobKey::STORE_ID`] is the one
/// fixed key; the service keeps the store's id there.
#[async_trait]
pub trait BlobStore: Debug + Send + Sync + 'static {
    /// Stores all of `content` under `key` and answers how many bytes that were.
    ///
    /// The blob is whole or absent. When the stream yields an error or this future is dropped
    /// before the stream has ended, nothing appears; when it is dropped later, a whole blob may
    /// still appear. Once it returns, the bytes survive the loss of power, as far as the backend's
    /// durability setting says so. A write that failed is never retried on the same file.
    ///
    /// Memory is bounded whatever the size: the stream is polled no faster than bytes are stored.
    ///
    /// # Errors
    /// The stream's own, unchanged; [`TooLarge`](crate::ErrorKind::TooLarge) when the backend has a
    /// limit of its own; [`StorageFull`](crate::ErrorKind::StorageFull);
    /// [`Unavailable`](crate::ErrorKind::Unavailable).
    async fn put(&self, key: BlobKey, content: ByteStream<'_>) -> Result<u64>;

    /// Opens a range of a blob. `range` is not empty and lies within the blob.
    ///
    /// Exactly the bytes of the range come out, or an error item: a blob that is shorter than the
    /// range asks for is an error and never a short answer. A blob that is deleted while it is read
    /// is read to its end or broken off with an error.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) before the first byte when there is no such blob;
    /// [`Internal`](crate::ErrorKind::Internal) when it is shorter than the range: it is damaged;
    /// [`Unavailable`](crate::ErrorKind::Unavailable) for every failure that says nothing of what is
    /// stored.
    async fn get(&self, key: BlobKey, range: Range<u64>) -> Result<ByteStream<'static>>;

    /// Removes a blob. That it is absent already is success.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable).
    async fn delete(&self, key: BlobKey) -> Result<()>;

    /// All blobs whose keys are greater than `after`, in ascending order of their keys.
    ///
    /// Blobs that come or go meanwhile may be listed or not; every other is listed once. Uploads
    /// that never became blobs are not listed.
    fn list(&self, after: Option<BlobKey>) -> BoxStream<'_, Result<BlobInfo>>;

    /// Whether blobs can be stored and removed now, as far as it is known without trying.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) with the reason.
    async fn ready(&self) -> Result<()>;
}

/// Makes URLs by which a blob is read straight from where it is kept, past the store: for blob stores
/// that clients can reach by themselves. It is handed to the store beside the blobs
/// ([`FileStoreBuilder::sign_blobs`](crate::FileStoreBuilder::sign_blobs)), since most have none.
#[async_trait]
pub trait SignBlobs: Debug + Send + Sync + 'static {
    /// A URL that answers GET with the blob's bytes, ranges included, to whoever holds it, as `get`
    /// says, and nothing else. Nothing takes it back before its time. It is not looked at whether
    /// there is such a blob.
    ///
    /// `None` when the service has no URLs whose answers say what `get` wants them to.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) when the service grants no such
    /// lifetime; [`Unavailable`](crate::ErrorKind::Unavailable).
    async fn sign(&self, key: BlobKey, get: &SignedGet) -> Result<Option<String>>;
}

/// What a URL of a blob is good for, and what its answers say of the bytes. Whoever holds the URL
/// can change none of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedGet {
    /// How long it is answered, from now on, in whole seconds.
    pub lifetime: Duration,
    /// The media type; what the blob store makes of it when there is none.
    pub content_type: Option<String>,
    /// Whether it is to be shown or saved, and under which name, in the words of RFC 6266.
    pub content_disposition: Option<String>,
}

impl SignedGet {
    /// Answers for so long, and says nothing of the bytes.
    pub fn lasting(lifetime: Duration) -> Self {
        Self { lifetime, content_type: None, content_disposition: None }
    }
}

/// A blob in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobInfo {
    /// Its key.
    pub key: BlobKey,
    /// Its size in bytes.
    pub size: u64,
    /// When it was stored, by the backend's clock.
    pub stored: Timestamp,
}
