//! A file store whose blobs are objects.

use std::sync::Arc;
use std::time::Duration;

use filestore::backend::BlobStore;
use filestore::{
    Digest, Expect, FileStore, Fsck, Limits, MemoryRepository, NewUpload, Subject, Sweep, Tenant,
};
use filestore_object_store::{ObjectBlobs, ObjectOptions};
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::memory::InMemory;

use crate::noise;

#[tokio::test]
async fn what_is_uploaded_is_read_checked_and_swept() {
    let bucket: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let open = || ObjectBlobs::new(Arc::clone(&bucket), "", ObjectOptions::default()).unwrap();
    let mut limits = Limits::default();
    limits.keep_deleted = Duration::ZERO;
    let repository = MemoryRepository::new().with_inline_limit(0);
    let store = FileStore::builder(open(), repository).limits(limits).open().await.unwrap();
    let files = store.files(&Tenant::new("acme").unwrap(), &Subject::new("ann").unwrap());
    let uploads = files.uploads();

    let bytes = noise(12 * 90_000);
    let mut upload = NewUpload::new("parts");
    upload.expect.sha256 = Some(Digest::of(&bytes));
    let id = uploads.begin(upload).await.unwrap().id;
    for (n, part) in (1..=12).rev().zip(bytes.rchunks(90_000)) {
        let part = bytes.slice_ref(part);
        uploads.put_part(id, n, None, part, Expect::default()).await.unwrap();
    }
    uploads.complete(id).await.unwrap();
    let whole = files.open(id, None).await.unwrap().read_all().await.unwrap();
    assert!(whole.collect().await.unwrap() == bytes);

    let mut fsck = Fsck::default();
    fsck.read_data = true;
    let report = store.fsck(&fsck).await.unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(report.blobs, 12);

    files.delete(id).await.unwrap();
    store.sweep(&Sweep::default()).await.unwrap();
    let left: Vec<_> = open().list(None).try_collect().await.unwrap();
    assert_eq!(left.len(), 1, "the store's id");
}
