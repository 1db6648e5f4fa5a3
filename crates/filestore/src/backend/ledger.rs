//! [`LedgerRepository`]: which blobs are whose. Garbage is recorded here, never inferred.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;

use crate::error::Result;
use crate::hash::Digest;
use crate::id::{BlobKey, ContentId, StoreId};

/// Keeps account of blobs' keys.
///
/// ```text
///   pend ──> pending ──(commit that first references it)──> live
///               │ deadline past                              │ (commit that un-references it)
///               v                                            v
///            claimed <──────── keep_deleted past ───────── garbage
///               │ blob deleted, settle
///               v
///             gone
/// ```
///
/// A key is pending before its blob can appear, and live, pending, garbage or claimed as long as
/// the blob may be there: whatever is in none of these states is nobody's.
#[async_trait]
pub trait LedgerRepository: Debug + Send + Sync + 'static {
    /// The id of this store: minted when the repository is made, then always the same.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable).
    async fn store_id(&self) -> Result<StoreId>;

    /// Whether changes can be committed now.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) with the reason.
    async fn ready(&self) -> Result<()>;

    /// Announces a blob that is about to be stored; the key is new.
    ///
    /// # Errors
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists);
    /// [`Unavailable`](crate::ErrorKind::Unavailable).
    async fn pend(&self, key: BlobKey, ttl: Duration) -> Result<()>;

    /// Gives a pending key `ttl` from now.
    ///
    /// # Errors
    /// [`Conflict`](crate::ErrorKind::Conflict) when it is not pending any more.
    async fn renew(&self, key: BlobKey, ttl: Duration) -> Result<()>;

    /// Claims keys whose blobs are to be deleted, at most `limit`: pending past their deadline,
    /// garbage for longer than `keep_deleted`, and claimed before by whoever has not settled them
    /// within its `lease`. No two callers hold one key at a time, and no commit can reference it
    /// from now on.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable).
    async fn claim(
        &self,
        keep_deleted: Duration,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<BlobKey>>;

    /// Forgets claimed keys whose blobs are deleted. Others are left alone.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable).
    async fn settle(&self, keys: &[BlobKey]) -> Result<()>;

    /// All keys greater than `after` that are in some state, in ascending order, at most `limit`.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable).
    async fn known(&self, after: Option<BlobKey>, limit: u32) -> Result<Vec<KnownBlob>>;

    /// Makes garbage of keys that are in no state. Others are left alone.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable).
    async fn collect(&self, keys: &[BlobKey]) -> Result<()>;
}

/// A key and its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownBlob {
    /// The key.
    pub key: BlobKey,
    /// Its state.
    pub state: BlobState,
}

/// What the ledger knows of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobState {
    /// A segment of content, published or draft.
    Live {
        /// Its size in bytes.
        size: u64,
        /// SHA-256 of its bytes.
        sha256: Digest,
        /// Whose segment it is.
        content: ContentId,
    },
    /// Announced; it may be there or not.
    Pending,
    /// No longer used, or claimed by a sweep; it may be there or not.
    Garbage,
}
