//! core
pub mod backend;
mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
mod durability;
mod error;
#[cfg(feature = "fs")]
mod fs;
mod hash;
mod id;
mod memory;
mod other;
mod query;
mod range;
mod record;
mod store;
mod stream;
mod upload;

pub use clock::{Clock, ManualClock, SystemClock};
pub use durability::Durability;
pub use error::{BoxError, Error, ErrorKind, ItemError, Result};
#[cfg(feature = "fs")]
pub use fs::FsBlobs;
pub use hash::{Digest, HashState, Hasher};
pub use id::{
    BlobKey, ContentId, FileId, FileNumber, Revision, StoreId, Subject, Tenant, Timestamp,
};
pub use memory::{MemoryBlobs, MemoryRepository};
pub use other::{Expected, OtherRecord, RecordChange};
pub use query::{
    Cond, Cursor, FileQuery, NameMatch, Page, SetField, TextField, TimeField, fold, prefix_bound,
    trigrams,
};
pub use range::RangeSpec;
pub use record::{Attributes, ContentInfo, Expect, Extent, FileKey, FileRecord, NewFile, Term};
pub use store::{
    Completion, FileStore, FileStoreBuilder, Files, Fsck, FsckReport, Limits, OpenFile, Orphans,
    Records, Sweep, SweepReport, Uploads,
};
pub use stream::{ByteStream, Peeked};
pub use upload::{NewUpload, PartInfo, PartNumber, UploadSession, UploadState, UploadTarget};
