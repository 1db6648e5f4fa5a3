//! Blobs of a [`filestore`] in Amazon S3 and what speaks its protocol, in Google Cloud Storage, in
//! Azure, or in anything else that [`object_store`] has an implementation for.
//!
//! [`ObjectBlobs::connect`] takes a URL and settings; [`ObjectBlobs::new`] takes a client that was
//! made elsewhere. Here it is one that keeps its objects in memory:
//!
//! ```
//! use std::sync::Arc;
//!
//! use filestore::{FileStore, MemoryRepository, RangeSpec, Subject, Tenant};
//! use filestore_object_store::{ObjectBlobs, ObjectOptions};
//! use object_store::memory::InMemory;
//!
//! # #[tokio::main]
//! # async fn main() -> filestore::Result<()> {
//! let bucket = Arc::new(InMemory::new());
//! let blobs = ObjectBlobs::new(bucket, "my/files", ObjectOptions::default())?;
//! let store = FileStore::builder(blobs, MemoryRepository::new()).open().await?;
//!
//! let files = store.files(&Tenant::new("acme")?, &Subject::new("ann")?);
//! let file = files.create("hello.txt", "hello world ".repeat(10_000)).await?;
//! let opened = files.open(file.id, None).await?;
//! let world = opened.read_range(RangeSpec::FromTo(6, 10)).await?.collect().await?;
//! assert_eq!(world, "world");
//! # Ok(())
//! # }
//! ```
//!
//! # How bytes flow
//!
//! ```text
//! put   gather a part ─┬─ that was all ───────────────────────────> one PUT
//!                      └─ begin ─> parts, a few at a time ─> complete           `put`
//! get   one GET of the range ─> frames; what breaks off is gone on with         `get`
//! list  pages ─> keys, ascending                                                `list`
//! ```
//!
//! A blob's object is named by the blob's key, below the prefix. It appears whole when the PUT or
//! the completion was taken, and object stores answer only when it is durable.
//!
//! Clients that can reach the bucket may be sent there: [`ObjectBlobs::signer`] makes what
//! [`FileStoreBuilder::sign_blobs`](filestore::FileStoreBuilder::sign_blobs) takes.
//!
//! # What the bucket needs
//!
//! - Permission to get, put, delete and list objects, and to abort multipart uploads. Without the
//!   one to list, S3 answers 403 for what is not there.
//! - A rule of its life cycle that removes multipart uploads which are older than a day or more
//!   (`AbortIncompleteMultipartUpload` of S3 and Google; Azure has it built in). Uploads that fail,
//!   or whose future is dropped, are aborted here; those of a process that was killed are not, and
//!   cost what their parts weigh.
//! - No versioning, or a rule that removes old versions: blobs are written once, and what is deleted
//!   should be gone.
//! - Lists in the order of the keys, as all of these have, S3 Express One Zone excepted; there
//!   `fsck` is refused.
//!
//! # What a transfer takes
//!
//! An upload holds the part that is gathered and those that are on their way:
//! [`part_size`](ObjectOptions::part_size) × ([`parts_at_once`](ObjectOptions::parts_at_once) + 1),
//! 32 MiB by default, and less for what is smaller than that. A download holds what the connection
//! has in its buffers.
//!
//! # Features
//!
//! `aws` (default), `gcp` and `azure`: the service of that name. Without any, a client must be handed
//! to [`ObjectBlobs::new`].

#![forbid(unsafe_code)]

mod blobs;
#[cfg(feature = "cloud")]
mod connect;
mod error;
mod get;
mod list;
mod put;
#[cfg(feature = "cloud")]
mod sign;

pub use blobs::{ObjectBlobs, ObjectOptions};
#[cfg(feature = "cloud")]
pub use sign::ObjectSigner;
