//! [`ObjectBlobs`]: what it is made of, and its verbs.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use filestore::backend::{BlobInfo, BlobStore};
use filestore::{BlobKey, ByteStream, Error, Result};
use futures::stream::{BoxStream, StreamExt};
use object_store::path::Path;
#[cfg(feature = "cloud")]
use object_store::signer::Signer;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::error::ObjectError;
#[cfg(feature = "cloud")]
use crate::sign::ObjectSigner;
use crate::{get, list, put};

/// Keeps each blob in an object of its own, named by the blob's key, below a prefix.
///
/// Any number of processes may use it at once. A second `put` of a key replaces the first.
///
/// Needs a tokio runtime, for the client's connections and because parts are sent by tasks of their
/// own. What a request may cost in time, and how often it is repeated, is the client's to say.
pub struct ObjectBlobs {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) prefix: Path,
    pub(crate) options: ObjectOptions,
    #[cfg(feature = "cloud")]
    pub(crate) signer: Option<Arc<dyn Signer>>,
}

/// How blobs are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectOptions {
    /// What fits into this many bytes is sent in one request, anything longer in parts of this size.
    /// 8 MiB by default; S3 takes no parts below 5 MiB. A blob has [`MAX_PARTS`](Self::MAX_PARTS)
    /// parts at most: 78 GiB by default.
    pub part_size: usize,
    /// Parts of one blob that are on their way at the same time; 3 by default.
    pub parts_at_once: usize,
}

impl ObjectOptions {
    /// Most parts of a blob, a limit of S3.
    pub const MAX_PARTS: u64 = 10_000;
}

impl Default for ObjectOptions {
    fn default() -> Self {
        Self { part_size: 8 << 20, parts_at_once: 3 }
    }
}

impl ObjectBlobs {
    /// Blobs below `prefix` of what `store` reaches. An empty prefix is all of it; the bucket may
    /// hold other things, too, which are never touched.
    ///
    /// The client should answer a deletion of one object by one request (`with_disable_bulk_delete`
    /// of the one for S3), and set no deadline for a whole answer, which may be gigabytes; deadlines
    /// for connecting and reading are good to have. `connect` sets all of these.
    ///
    /// # Errors
    /// [`InvalidArgument`](filestore::ErrorKind::InvalidArgument) for a prefix that is no path, or
    /// options of zero.
    pub fn new(store: Arc<dyn ObjectStore>, prefix: &str, options: ObjectOptions) -> Result<Self> {
        let prefix = parse_prefix(prefix)?;
        if options.part_size == 0 || options.parts_at_once == 0 {
            return Err(Error::invalid("parts have a size and are sent one by one at least"));
        }
        Ok(Self {
            store,
            prefix,
            options,
            #[cfg(feature = "cloud")]
            signer: None,
        })
    }

    /// Signs URLs of these blobs, where they were [connected](Self::connect) to; one for a client
    /// that was made elsewhere is [made](ObjectSigner::new) with that.
    #[cfg(feature = "cloud")]
    pub fn signer(&self) -> Option<ObjectSigner> {
        let signer = Arc::clone(self.signer.as_ref()?);
        Some(ObjectSigner { signer, prefix: self.prefix.clone() })
    }

    pub(crate) fn path(&self, key: BlobKey) -> Path {
        blob_path(&self.prefix, key)
    }
}

pub(crate) fn blob_path(prefix: &Path, key: BlobKey) -> Path {
    prefix.clone().join(key.to_string())
}

/// Whether there is a bucket. What is said of an object that is not there is also said of a bucket that
/// is not there; a list tells them apart.
pub(crate) async fn bucket_answers(store: &dyn ObjectStore, prefix: &Path) -> bool {
    !matches!(store.list(below(prefix)).next().await, Some(Err(_)))
}

/// `prefix` as lists want it.
pub(crate) fn below(prefix: &Path) -> Option<&Path> {
    (!prefix.is_root()).then_some(prefix)
}

pub(crate) fn parse_prefix(prefix: &str) -> Result<Path> {
    Path::parse(prefix).map_err(|error| Error::invalid("the prefix is no path").with_source(error))
}

#[async_trait]
impl BlobStore for ObjectBlobs {
    async fn put(&self, key: BlobKey, content: ByteStream<'_>) -> Result<u64> {
        Ok(put::put(self, key, content).await?)
    }

    async fn get(&self, key: BlobKey, range: Range<u64>) -> Result<ByteStream<'static>> {
        Ok(get::get(self, key, range).await?)
    }

    async fn delete(&self, key: BlobKey) -> Result<()> {
        match self.store.delete(&self.path(key)).await {
            // Some services say so when there is nothing to delete.
            Err(object_store::Error::NotFound { .. })
                if bucket_answers(self.store.as_ref(), &self.prefix).await =>
            {
                Ok(())
            }
            deleted => Ok(deleted.map_err(ObjectError::from)?),
        }
    }

    fn list(&self, after: Option<BlobKey>) -> BoxStream<'_, Result<BlobInfo>> {
        list::list(self, after).boxed()
    }

    /// Whether the service can be reached is not known without trying.
    async fn ready(&self) -> Result<()> {
        Ok(())
    }
}

impl fmt::Debug for ObjectBlobs {
    /// What the client prints of itself may hold its credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectBlobs")
            .field("store", &self.store.to_string())
            .field("prefix", &self.prefix.as_ref())
            .field("options", &self.options)
            .finish()
    }
}
