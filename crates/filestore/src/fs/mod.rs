//! [`FsBlobs`]: blobs on a local disk.
//!
//! ```text
//! put   gather ─> write ─> fdatasync ─> link ─> fsync of the folder     `write`
//! get   open ─> page cache, else another thread ─> frames                `read`
//!                                                     names on disk      `layout`
//!                                               what may go wrong        `volume`
//!                                                     system calls       `disk`
//! ```

mod disk;
mod error;
mod layout;
mod pool;
mod read;
#[cfg(feature = "simulation")]
pub mod simulation;
#[cfg(test)]
mod tests;
mod volume;
mod write;

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use tokio::runtime::Handle;

use self::disk::Disk;
use self::disk::local::LocalDisk;
use self::error::FsError;
use self::pool::Pool;
use self::volume::Volume;
use crate::backend::{BlobInfo, BlobStore};
use crate::durability::Durability;
use crate::error::Result;
use crate::id::BlobKey;
use crate::stream::ByteStream;

/// Keeps each blob in a file of its own, in one of 256 folders.
///
/// Files have the blobs' keys for names and nobody else may read them. A blob gets its name when
/// all of it is written: no process sees half a blob, and one that is killed leaves nothing where
/// the file system has nameless files (`O_TMPFILE`; ext4, XFS, Btrfs and tmpfs have them). The
/// folder must be on one file system, which must have hard links. Several processes may use it
/// at once.
///
/// A sync that failed is the last one: what it left behind is not known. From then on blobs are
/// read, and neither stored nor removed, and [`ready`](BlobStore::ready) says why, until the store
/// is opened again. Have the disk looked at first. (A file that cannot be synced for want of room
/// is given up, and that is all.)
///
/// A second `put` of a key is refused with [`AlreadyExists`](crate::ErrorKind::AlreadyExists), and
/// the first blob stays as it is.
///
/// Needs a tokio runtime: what may wait for the disk runs on its blocking threads. Without one
/// every method answers [`Internal`](crate::ErrorKind::Internal) as soon as it would have to wait.
#[derive(Debug)]
pub struct FsBlobs {
    volume: Arc<Volume>,
    durability: Durability,
    pool: Arc<Pool>,
    /// Every running put holds a clone.
    running: Arc<()>,
    cores: usize,
}

impl FsBlobs {
    /// Opens the store in the folder `root`, or makes one there, which only its owner may enter.
    /// Half-written files that a killed process left more than a day ago are removed.
    ///
    /// Blocks while it works; a new store takes some hundred syncs unless
    /// [`Relaxed`](Durability::Relaxed).
    ///
    /// # Errors
    /// [`Internal`](crate::ErrorKind::Internal) when one of the folders is missing: blobs were
    /// lost. [`StorageFull`](crate::ErrorKind::StorageFull);
    /// [`Unavailable`](crate::ErrorKind::Unavailable).
    pub fn open(root: impl AsRef<Path>, durability: Durability) -> Result<Self> {
        Self::open_on(&LocalDisk::default(), root.as_ref(), durability)
    }

    fn open_on(disk: &dyn Disk, root: &Path, durability: Durability) -> Result<Self> {
        let volume = layout::open(disk, root, durability == Durability::Full)?;
        Ok(Self {
            volume: Arc::new(volume),
            durability,
            pool: Arc::default(),
            running: Arc::default(),
            cores: thread::available_parallelism().map_or(1, Into::into),
        })
    }

    fn running_puts(&self) -> usize {
        Arc::strong_count(&self.running) - 1
    }
}

#[async_trait]
impl BlobStore for FsBlobs {
    async fn put(&self, key: BlobKey, content: ByteStream<'_>) -> Result<u64> {
        write::write(self, key, content).await
    }

    async fn get(&self, key: BlobKey, range: Range<u64>) -> Result<ByteStream<'static>> {
        let (file, size) =
            self.volume.open_read(&layout::path(key)).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => FsError::Missing(key),
                _ => FsError::from(error),
            })?;
        if size < range.end {
            return Err(FsError::Short { wanted: range.end }.into());
        }
        read::read(file, range, &self.pool).await
    }

    /// Whoever is told that a blob is gone may forget its key: the removal is made durable even
    /// when an earlier call, whose sync failed, has made it.
    async fn delete(&self, key: BlobKey) -> Result<()> {
        self.volume.check()?;
        let (volume, durability) = (Arc::clone(&self.volume), self.durability);
        blocking(move || {
            match volume.unlink(&layout::path(key)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
            if durability == Durability::Full {
                volume.sync_folder(&layout::folder(key))?;
            }
            Ok(())
        })
        .await
    }

    /// Holds the names of one folder at a time in memory.
    fn list(&self, after: Option<BlobKey>) -> BoxStream<'_, Result<BlobInfo>> {
        let first = after.map_or(0, |key| {
            let [first, ..] = *key.as_bytes();
            first
        });
        stream::iter(first..=u8::MAX)
            .then(move |folder| {
                let volume = Arc::clone(&self.volume);
                blocking(move || list_folder(&volume, folder, after))
            })
            .map_ok(|blobs| stream::iter(blobs).map(Ok))
            .try_flatten()
            .boxed()
    }

    async fn ready(&self) -> Result<()> {
        Ok(self.volume.check()?)
    }
}

fn list_folder(
    volume: &Volume,
    folder: u8,
    after: Option<BlobKey>,
) -> Result<Vec<BlobInfo>, FsError> {
    let wanted = |name: &str| layout::key(folder, name).filter(|key| Some(*key) > after);
    let mut blobs: Vec<_> = volume
        .list(&layout::folder_of(folder), |name| wanted(name).is_some())?
        .into_iter()
        .filter_map(|entry| {
            Some(BlobInfo { key: wanted(&entry.name)?, size: entry.size, stored: entry.modified })
        })
        .collect();
    blobs.sort_unstable_by_key(|blob| blob.key);
    Ok(blobs)
}

/// Runs what may wait for the disk where waiting is allowed. Once begun it runs to its end, also
/// when this future is dropped.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FsError> + Send + 'static,
) -> Result<T> {
    let runtime = Handle::try_current().map_err(|_| FsError::NoRuntime)?;
    let done = runtime.spawn_blocking(work).await;
    Ok(done.map_err(FsError::Aborted)??)
}
