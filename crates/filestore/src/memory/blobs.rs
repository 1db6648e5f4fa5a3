//! [`MemoryBlobs`]: immutable bytes by key.

use std::collections::BTreeMap;
use std::fmt;
use std::iter;
use std::ops::{Bound, Range};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};

use crate::backend::{BlobInfo, BlobStore};
use crate::clock::{Clock, SystemClock};
use crate::error::{Error, Result};
use crate::id::{BlobKey, Timestamp};
use crate::stream::ByteStream;

/// Blobs in memory, gone with the process.
///
/// A blob is held in memory while it comes in, too: for tests and small content.
pub struct MemoryBlobs {
    clock: Arc<dyn Clock>,
    blobs: Mutex<BTreeMap<BlobKey, (Bytes, Timestamp)>>,
}

impl MemoryBlobs {
    /// An empty store that goes by the system's clock.
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock))
    }

    /// An empty store that goes by `clock`.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self { clock, blobs: Mutex::default() }
    }

    /// The blob with the least key greater than `after`.
    fn next(&self, after: Option<BlobKey>) -> Option<BlobInfo> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let blobs = self.lock();
        let (key, (bytes, stored)) = blobs.range((start, Bound::Unbounded)).next()?;
        Some(BlobInfo { key: *key, size: bytes.len() as u64, stored: *stored })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<BlobKey, (Bytes, Timestamp)>> {
        // Every change is a single call on the map, so a panic elsewhere cannot leave half of one.
        self.blobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl BlobStore for MemoryBlobs {
    async fn put(&self, key: BlobKey, content: ByteStream<'_>) -> Result<u64> {
        let bytes = content.collect().await?;
        let size = bytes.len() as u64;
        let stored = self.clock.now();
        self.lock().insert(key, (bytes, stored));
        Ok(size)
    }

    async fn get(&self, key: BlobKey, range: Range<u64>) -> Result<ByteStream<'static>> {
        let blob = self.lock().get(&key).map(|(bytes, _)| bytes.clone());
        let bytes = blob.ok_or_else(|| Error::not_found("there is no such blob"))?;
        if range.start > range.end || range.end > bytes.len() as u64 {
            return Err(Error::internal("the blob is shorter than its range"));
        }
        // Both ends are within the length of bytes in memory, which is a `usize`.
        Ok(bytes.slice(range.start as usize..range.end as usize).into())
    }

    async fn delete(&self, key: BlobKey) -> Result<()> {
        self.lock().remove(&key);
        Ok(())
    }

    fn list(&self, after: Option<BlobKey>) -> BoxStream<'_, Result<BlobInfo>> {
        let mut after = after;
        let blobs = iter::from_fn(move || {
            let blob = self.next(after)?;
            after = Some(blob.key);
            Some(Ok(blob))
        });
        stream::iter(blobs).boxed()
    }

    async fn ready(&self) -> Result<()> {
        Ok(())
    }
}

impl Default for MemoryBlobs {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryBlobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryBlobs").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use futures::executor::{block_on, block_on_stream};

    fn key(n: u8) -> BlobKey {
        BlobKey::from_bytes([n; 16])
    }

    #[test]
    fn a_list_goes_on_while_blobs_come_and_go() {
        let blobs = MemoryBlobs::new();
        for n in [1, 2, 4] {
            block_on(blobs.put(key(n), "abc".into())).unwrap();
        }
        let mut list = block_on_stream(blobs.list(None)).map(|blob| blob.unwrap().key);
        assert_eq!(list.next(), Some(key(1)));
        block_on(blobs.delete(key(1))).unwrap();
        block_on(blobs.delete(key(2))).unwrap();
        block_on(blobs.put(key(3), "abc".into())).unwrap();
        assert_eq!(list.collect::<Vec<_>>(), [key(3), key(4)]);
    }

    #[test]
    fn a_blob_shorter_than_its_range_is_an_error() {
        let blobs = MemoryBlobs::new();
        block_on(blobs.put(key(1), "abc".into())).unwrap();
        let whole = block_on(blobs.get(key(1), 0..3)).unwrap();
        assert_eq!(block_on(whole.collect()).unwrap(), "abc");
        let short = block_on(blobs.get(key(1), 2..4)).unwrap_err();
        assert_eq!(short.kind(), ErrorKind::Internal);
    }
}
