//! What backend authors implement: one trait for bytes, six for metadata.
//!
//! ```text
//!                    FileStore
//!           ┌────────────┴────────────┐
//!       BlobStore                Repository =
//!   immutable bytes by key       FileRepository    files, by query
//!                                UploadRepository  sessions and their parts
//!                                RecordRepository  other systems' records
//!                                LedgerRepository  which blobs are whose
//!                                ContentRepository versions of bytes, for upkeep
//!                                TransferRepository all of it, for moving house
//! ```
//!
//! Every method is required and says what callers may rely on; nothing is left to the
//! implementation. The suite in `conformance` (feature `conformance`) turns each promise into a
//! test; joining it takes one line for a trait.
//!
//! One metadata backend implements all six traits over one transactional database: a change to
//! several of files, sessions and blobs' keys is one commit. Whoever waits for a commit must see
//! one of two outcomes or an error of unknown outcome; a call whose future is dropped may still
//! commit. All deadlines are given as durations and kept by the backend's own clock, so that nodes
//! need not agree on the time.

mod blob;
mod content;
#[cfg(feature = "serde")]
mod details;
mod extent;
mod file;
mod ledger;
mod record;
mod term;
mod transfer;
mod upload;

pub use blob::{BlobInfo, BlobStore, SignBlobs, SignedGet};
pub use content::{
    Content, ContentRepository, ContentSource, NewContent, Place, Segment, content_tag,
};
#[cfg(feature = "serde")]
pub use details::Details;
pub use extent::{clamped_edges, extent_edges};
pub use file::{Change, FileRepository, StoredFile};
pub use ledger::{BlobState, KnownBlob, LedgerRepository};
pub use record::RecordRepository;
pub use term::TermHash;
pub use transfer::{Kept, TransferRepository};
pub use upload::{
    Admission, Announcement, BeginUpload, Chain, Ending, Finished, Hashed, Part, PartChain,
    Publication, Sealed, UploadRepository, check_parts,
};

/// A complete metadata backend.
pub trait Repository:
    FileRepository
    + UploadRepository
    + RecordRepository
    + LedgerRepository
    + ContentRepository
    + TransferRepository
{
}

impl<T> Repository for T where
    T: FileRepository
        + UploadRepository
        + RecordRepository
        + LedgerRepository
        + ContentRepository
        + TransferRepository
{
}
