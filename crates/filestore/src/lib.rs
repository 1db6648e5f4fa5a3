//! An embeddable file store: streaming uploads and downloads, verified content, searchable metadata,
//! and chunked upload sessions that survive what interrupts them.
//!
//! A [`FileStore`] keeps bytes in a [`BlobStore`](backend::BlobStore) and everything else in a
//! [`Repository`](backend::Repository). It knows no protocol: link it into a service of your own, or
//! put HTTP in front of it with the crate `filestore-http`.
//!
//! ```
//! use filestore::{Digest, ErrorKind, Expect, FileStore, NewUpload, RangeSpec, Subject, Tenant};
//!
//! # #[tokio::main]
//! # async fn main() -> filestore::Result<()> {
//! // With the crate filestore-sqlite: `filestore_sqlite::open("./data").await?`.
//! let store = FileStore::in_memory();
//! let files = store.files(&Tenant::new("acme")?, &Subject::new("ann")?);
//!
//! // One call, one file: whole, verified and durable when it returns.
//! let file = files.create("hello.txt", "hello world").await?;
//! let opened = files.open(file.id, None).await?;
//! let hello = opened.read_range(RangeSpec::FromTo(0, 4)).await?;
//! assert_eq!(hello.collect().await?, "hello");
//!
//! // Or in parts, in any order, in parallel, and again: nothing is copied to put them together.
//! let uploads = files.uploads();
//! let mut upload = NewUpload::new("parts.txt");
//! upload.expect.sha256 = Some(Digest::of(b"first, second"));
//! let id = uploads.begin(upload).await?.id;
//! uploads.put_part(id, 2, None, "second", Expect::default()).await?;
//! uploads.put_part(id, 1, None, "first, ", Expect::default()).await?;
//! let parts = uploads.complete(id).await?.record.expect("nobody deleted it");
//! assert_eq!(parts.id, id);
//!
//! files.delete(file.id).await?;
//! assert_eq!(files.stat(file.id).await.unwrap_err().kind(), ErrorKind::NotFound);
//! # Ok(())
//! # }
//! ```
//!
//! # How bytes flow
//!
//! ```text
//!  create, write, put_part                                      open, then read
//!          │ ByteStream                                               ▲ ByteStream
//!          v                                                          │
//!  limits ─> hashes ─> declared size and digest                 segments of the range
//!          │                                                          ▲
//!          ├─ small ───────────────┐                                  │
//!          v                       v                                  │
//!  1. key announced         3. record, content and segments ──────────┤
//!  2. blob durable ───────> committed in one transaction              │
//!          │                       │                                  │
//!      BlobStore              Repository ─────> 4. acknowledged       │
//!          └───────────────────────┴──────────────────────────────────┘
//! ```
//!
//! A file's record points at its *content*, and content is a list of *segments*: immutable blobs, or
//! small bytes held inline. The parts of an upload are the segments of its draft, so that completing
//! it changes one row. A copy points at the same content; an overwrite points elsewhere. Blobs never
//! change: that is what lets readers go on, uploads start over and nodes share a store without locks,
//! and it costs a sweep that removes what nothing points at any more.
//!
//! # What may be relied on
//!
//! - What is acknowledged is whole, verified and, with [`Durability::Full`], survives the loss of
//!   power.
//! - Content that differs from what was declared of it is never published.
//! - Any future may be dropped at any await: nobody sees half of a result.
//! - Nothing crosses tenants.
//! - What an [`OpenFile`] reads is the content as it was when it was opened.
//! - Any number of processes may use one store, as far as its backends allow.
//!
//! The store starts no tasks. Call [`FileStore::sweep`] every few minutes, from one node or from
//! all, and [`FileStore::fsck`] when in doubt.
//!
//! # Writing a backend
//!
//! [`backend`] has the traits: five methods for bytes, six traits for metadata. Each method's
//! documentation is a contract, and the suite in `conformance` (feature `conformance`) has a test for
//! each of its promises. The memory backends, [`MemoryBlobs`] and [`MemoryRepository`], are the
//! smallest examples.
//!
//! # What it is not
//!
//! - No file system: names are data and never paths, there are no folders to rename, and bytes
//!   cannot be changed in place.
//! - No HTTP server: `filestore-http` is one, on top of this.
//! - No access control within a tenant: all of its subjects see its files. Only upload sessions
//!   belong to one subject.
//! - No deduplication: equal bytes that are sent twice are stored twice. A [copy](Files::copy) is
//!   free.
//! - No encryption: leave it to the disk or to the blob store.
//!
//! # Features
//!
//! - `fs` (default): `FsBlobs`, blobs on a local disk. Needs a runtime of tokio.
//! - `serde`: `Serialize` and `Deserialize` for records, for backends that store them as text.
//! - `conformance`: the suite that every backend must pass.
//! - `simulation`: disks for `FsBlobs` that fail and lose power when a test tells them to.
//!
//! Without any, the crate needs no runtime.

#![forbid(unsafe_code)]

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
#[cfg(feature = "simulation")]
pub use fs::simulation;
pub use hash::{Digest, HashState, Hasher};
pub use id::{
    BlobKey, ContentId, FileId, FileNumber, Revision, StoreId, Subject, Tenant, Timestamp,
};
pub use memory::{MemoryBlobs, MemoryRepository};
pub use other::{Expected, OtherRecord, RecordChange};
pub use query::{
    Cond, Cursor, FileQuery, NameMatch, Page, SetField, TextField, TimeField, fold, prefix_bound,
    runs, trigrams,
};
pub use range::RangeSpec;
pub use record::{Attributes, ContentInfo, Expect, Extent, FileKey, FileRecord, NewFile, Term};
pub use store::{
    Completion, FileStore, FileStoreBuilder, Files, Fsck, FsckReport, Limits, Migrate,
    MigrateProgress, MigrateReport, OpenFile, Orphans, Records, Sweep, SweepReport, Uploads,
};
pub use stream::{ByteStream, Peeked};
pub use upload::{NewUpload, PartInfo, PartNumber, UploadSession, UploadState, UploadTarget};
