//! A blob store of one's own: five methods, and one line that runs the whole conformance suite.
//!
//! This one keeps blobs gathered in one `HashMap` behind a lock; what matters is what its methods
//! promise, which is written on each method of [`BlobStore`].
//!
//! ```text
//! cargo run --example custom_backend
//! cargo test --example custom_backend
//! ```

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use filestore::backend::{BlobInfo, BlobStore};
use filestore::{
    BlobKey, ByteStream, Clock, Error, FileStore, MemoryRepository, Result, Subject, SystemClock,
    Tenant, Timestamp,
};
use futures::stream::{self, BoxStream, StreamExt};

/// Blobs in a map.
#[derive(Debug, Default)]
struct MapBlobs(Arc<Mutex<HashMap<BlobKey, (Bytes, Timestamp)>>>);

impl MapBlobs {
    fn map(&self) -> MutexGuard<'_, HashMap<BlobKey, (Bytes, Timestamp)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl BlobStore for MapBlobs {
    /// Whole or absent: nothing is in the map before the stream has ended well. (A store for large
    /// blobs would write as it goes, and publish at the end.)
    async fn put(&self, key: BlobKey, content: ByteStream<'_>) -> Result<u64> {
        let bytes = content.collect().await?;
        let size = bytes.len() as u64;
        self.map().insert(key, (bytes, SystemClock.now()));
        Ok(size)
    }

    async fn get(&self, key: BlobKey, range: Range<u64>) -> Result<ByteStream<'static>> {
        let (bytes, _) =
            self.map().get(&key).cloned().ok_or_else(|| Error::not_found("no such blob"))?;
        let (start, end) = (usize::try_from(range.start), usize::try_from(range.end));
        match (start, end) {
            (Ok(start), Ok(end)) if start <= end && end <= bytes.len() => {
                Ok(bytes.slice(start..end).into())
            }
            // Never a short answer.
            _ => Err(Error::internal("the blob is shorter than the range asks for")),
        }
    }

    /// That it is absent already is success.
    async fn delete(&self, key: BlobKey) -> Result<()> {
        self.map().remove(&key);
        Ok(())
    }

    /// In the order of the keys, from any of them on.
    fn list(&self, after: Option<BlobKey>) -> BoxStream<'_, Result<BlobInfo>> {
        let mut blobs: Vec<BlobInfo> = self
            .map()
            .iter()
            .map(|(key, (bytes, stored))| BlobInfo {
                key: *key,
                size: bytes.len() as u64,
                stored: *stored,
            })
            .filter(|blob| after.is_none_or(|after| blob.key > after))
            .collect();
        blobs.sort_by_key(|blob| blob.key);
        stream::iter(blobs).map(Ok).boxed()
    }

    /// A map takes blobs at any time.
    async fn ready(&self) -> Result<()> {
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let store = FileStore::builder(MapBlobs::default(), MemoryRepository::new()).open().await?;
    let files = store.files(&Tenant::new("acme")?, &Subject::new("ann")?);
    let file = files.create("large.bin", vec![7; 1 << 20]).await?;
    println!("{:?}", files.open(file.id, None).await?.content());
    Ok(())
}

#[cfg(test)]
mod conformance {
    // The whole suite, one test for each promise.
    filestore::blob_store_conformance!(|| super::MapBlobs::default().into());
}
