//! The store itself: every rule lives here, once, over any backend.

mod busy;
mod chain;
mod complete;
mod files;
mod fsck;
mod ingest;
mod join;
mod limits;
mod migrate;
mod open;
mod records;
mod search;
mod sweep;
mod uploads;

use std::sync::Arc;

use futures::StreamExt;

pub use complete::Completion;
pub use files::Files;
pub use fsck::{Fsck, FsckReport, Orphans};
pub use limits::Limits;
pub use migrate::{Migrate, MigrateProgress, MigrateReport};
pub use open::OpenFile;
pub use records::Records;
pub use sweep::{Sweep, SweepReport};
pub use uploads::Uploads;

use crate::backend::{BlobStore, Repository, SignBlobs};
use crate::clock::{Clock, SystemClock};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{BlobKey, StoreId, Subject, Tenant};
use crate::memory::{MemoryBlobs, MemoryRepository};
use crate::store::busy::Busy;
use crate::store::open::Trust;
use crate::stream::ByteStream;

/// A file store: bytes in a [`BlobStore`], everything else in a [`Repository`].
///
/// Cheap to clone; all clones are one store. It starts no tasks of its own: call
/// [`sweep`](Self::sweep) now and then. Every future of it may be dropped at any await without a
/// half-result that anybody could see.
#[derive(Clone, Debug)]
pub struct FileStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    blobs: Arc<dyn BlobStore>,
    repository: Arc<dyn Repository>,
    limits: Limits,
    clock: Arc<dyn Clock>,
    trust: Trust,
    signer: Option<Arc<dyn SignBlobs>>,
    /// Sessions whose completion runs in this process, so that whoever merely asks for their
    /// status does not start it a second time.
    completing: Busy,
    /// Sessions whose parts are being caught up with in this process.
    hashing: Busy,
}

/// Puts a [`FileStore`] together.
#[derive(Debug)]
pub struct FileStoreBuilder {
    blobs: Arc<dyn BlobStore>,
    repository: Arc<dyn Repository>,
    limits: Limits,
    clock: Arc<dyn Clock>,
    trust: Trust,
    signer: Option<Arc<dyn SignBlobs>>,
}

impl FileStore {
    /// A store over these backends.
    pub fn builder(blobs: impl BlobStore, repository: impl Repository) -> FileStoreBuilder {
        FileStoreBuilder::new(Arc::new(blobs), Arc::new(repository))
    }

    /// A store that keeps everything in memory and forgets it at the end.
    pub fn in_memory() -> Self {
        Self::builder(MemoryBlobs::new(), MemoryRepository::new()).finish()
    }

    /// The files of `tenant`, on behalf of `subject`, who owns what it makes.
    pub fn files(&self, tenant: &Tenant, subject: &Subject) -> Files {
        let (store, tenant, owner) = (self.clone(), tenant.clone(), subject.clone());
        Files { store, tenant, owner, sight: None }
    }

    /// The limits it enforces.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Whether changes can be stored now.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) with the reason.
    pub async fn ready(&self) -> Result<()> {
        self.0.repository.ready().await?;
        self.0.blobs.ready().await?;
        read_store_id(self.0.blobs.as_ref()).await.map(drop)
    }
}

impl FileStoreBuilder {
    /// A store over backends that are chosen while the program runs.
    pub fn new(blobs: Arc<dyn BlobStore>, repository: Arc<dyn Repository>) -> Self {
        Self {
            blobs,
            repository,
            limits: Limits::default(),
            clock: Arc::new(SystemClock),
            trust: Trust::default(),
            signer: None,
        }
    }

    /// Other limits than the defaults.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Another clock than the system's.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Has what is read hashed, and compared with what was stored: bytes that were damaged since are
    /// an error before the last of them is handed out. Reading then takes about as much processor
    /// time as storing. A range that is only a part of a segment has no digest of its own, and is
    /// read as it is.
    #[must_use]
    pub fn verify_reads(mut self) -> Self {
        self.trust = Trust::Digest;
        self
    }

    /// Lets [`OpenFile::signed_url`] hand out URLs of the blobs, which `signer` makes.
    #[must_use]
    pub fn sign_blobs(mut self, signer: impl SignBlobs) -> Self {
        self.signer = Some(Arc::new(signer));
        self
    }

    /// Opens the store, after making sure that blobs and metadata belong together: both carry the
    /// store's id, and blobs without one take it when the metadata know of no blobs yet.
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict) when they are of two stores, or the blobs are lost.
    pub async fn open(self) -> Result<FileStore> {
        let id = self.repository.store_id().await?;
        let found = match read_store_id(self.blobs.as_ref()).await? {
            Some(found) => found,
            None if self.repository.known(None, 1).await?.is_empty() => {
                claim_blobs(self.blobs.as_ref(), id).await?
            }
            None => return Err(Error::conflict("the metadata know of blobs and none are here")),
        };
        if found != id {
            return Err(Error::conflict(format!("metadata of store {id}, blobs of store {found}")));
        }
        Ok(self.finish())
    }

    fn finish(self) -> FileStore {
        let Self { blobs, repository, limits, clock, trust, signer } = self;
        FileStore(Arc::new(Inner {
            blobs,
            repository,
            limits,
            clock,
            trust,
            signer,
            completing: Busy::default(),
            hashing: Busy::default(),
        }))
    }
}

async fn read_store_id(blobs: &dyn BlobStore) -> Result<Option<StoreId>> {
    let bytes = match blobs.get(BlobKey::STORE_ID, 0..16).await {
        Ok(content) => content.collect().await?,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let bytes = bytes.as_ref().try_into().map_err(|_| Error::internal("damaged store id"))?;
    Ok(Some(StoreId::from_bytes(bytes)))
}

/// Gives blobs without an id this one. Another node may do the same at this moment, with the same
/// id when it opens the same store: what is there afterwards counts.
async fn claim_blobs(blobs: &dyn BlobStore, id: StoreId) -> Result<StoreId> {
    match blobs.put(BlobKey::STORE_ID, id.as_bytes().to_vec().into()).await {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    read_store_id(blobs).await?.ok_or_else(|| Error::internal("the store id did not stay"))
}

/// Reads `content` to its end and passes each frame to `each`.
async fn for_each_frame(
    mut content: ByteStream<'_>,
    mut each: impl FnMut(&[u8]) + Send,
) -> Result<()> {
    while let Some(frame) = content.next().await {
        each(&frame?);
    }
    Ok(())
}
