//! Blobs and metadata of one store find each other, and no others.

use std::sync::Arc;

use filestore::backend::{BlobStore, LedgerRepository, Repository};
use filestore::{BlobKey, ErrorKind, FileStore, MemoryBlobs, MemoryRepository, Result};

use super::rig::{BIG, Rig, noise, refused};
use super::spy::{SpyBlobs, SpyRepository};

super::cases! {
    new_blobs_take_the_id_of_the_store
    a_store_is_opened_again
    foreign_blobs_are_refused
    foreign_metadata_are_refused
    lost_blobs_are_noticed
    two_may_open_a_new_store_at_once
    a_store_is_ready_or_says_why_not
}

fn blobs(inner: impl BlobStore) -> SpyBlobs {
    SpyBlobs { inner: Arc::new(inner), hooks: Arc::default(), reads: Arc::default() }
}

fn repository(inner: impl Repository) -> SpyRepository {
    SpyRepository { inner: Arc::new(inner), hooks: Arc::default() }
}

async fn open(blobs: &SpyBlobs, repository: &SpyRepository) -> Result<FileStore> {
    FileStore::builder(blobs.clone(), repository.clone()).open().await
}

async fn new_blobs_take_the_id_of_the_store(rig: Rig) {
    let bytes = rig.blobs.inner.get(BlobKey::STORE_ID, 0..16).await.unwrap();
    let id = rig.repository.store_id().await.unwrap();
    assert_eq!(bytes.collect().await.unwrap(), &id.as_bytes()[..]);
}

async fn a_store_is_opened_again(rig: Rig) {
    let file = rig.file("file", &noise(BIG)).await;
    let again = open(&rig.blobs, &rig.repository).await.unwrap();
    assert_eq!(super::rig::read(&super::rig::files_of(&again), file.id).await, noise(BIG));
}

async fn foreign_blobs_are_refused(rig: Rig) {
    let strangers = blobs(MemoryBlobs::new());
    open(&strangers, &repository(MemoryRepository::new())).await.unwrap();
    refused(open(&strangers, &rig.repository).await, ErrorKind::Conflict);
}

async fn foreign_metadata_are_refused(rig: Rig) {
    refused(open(&rig.blobs, &repository(MemoryRepository::new())).await, ErrorKind::Conflict);
}

async fn lost_blobs_are_noticed(rig: Rig) {
    rig.file("file", &noise(BIG)).await;
    let none = blobs(MemoryBlobs::new());
    refused(open(&none, &rig.repository).await, ErrorKind::Conflict);
    assert_eq!(rig.blobs.inner.get(BlobKey::STORE_ID, 0..16).await.map(drop).ok(), Some(()));
    // Nothing was made that would let them pass the next time.
    refused(none.inner.get(BlobKey::STORE_ID, 0..16).await, ErrorKind::NotFound);
}

async fn two_may_open_a_new_store_at_once(rig: Rig) {
    rig.blobs.inner.delete(BlobKey::STORE_ID).await.unwrap();
    let (other, metadata) = (rig.blobs.clone(), rig.repository.clone());
    rig.hooks.at("put", async move { open(&other, &metadata).await.map(drop) });
    let first = open(&rig.blobs, &rig.repository).await.unwrap();
    first.ready().await.unwrap();
    new_blobs_take_the_id_of_the_store(rig).await;
}

async fn a_store_is_ready_or_says_why_not(rig: Rig) {
    rig.store.ready().await.unwrap();
    for place in ["ready", "get"] {
        rig.hooks.at(place, async { Err(filestore::Error::unavailable("the disk is away")) });
        refused(rig.store.ready().await, ErrorKind::Unavailable);
    }
    rig.store.ready().await.unwrap();
}
