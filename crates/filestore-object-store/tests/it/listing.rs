//! Which objects are blobs.

use std::sync::Arc;

use filestore::BlobKey;
use filestore::backend::BlobStore;
use filestore_object_store::{ObjectBlobs, ObjectOptions};
use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

fn blobs(bucket: &Arc<InMemory>, prefix: &str) -> ObjectBlobs {
    ObjectBlobs::new(Arc::clone(bucket) as Arc<dyn ObjectStore>, prefix, ObjectOptions::default())
        .unwrap()
}

async fn keys(blobs: &ObjectBlobs) -> Vec<BlobKey> {
    blobs.list(None).map_ok(|blob| blob.key).try_collect().await.unwrap()
}

#[tokio::test]
async fn stores_of_one_bucket_do_not_meet() {
    let bucket = Arc::new(InMemory::new());
    let stores = ["", "a", "a/b", "ab"].map(|prefix| blobs(&bucket, prefix));
    let key = BlobKey::mint().unwrap();
    for store in &stores {
        store.put(key, "its own".into()).await.unwrap();
    }
    for store in &stores {
        assert_eq!(keys(store).await, [key]);
        store.delete(key).await.unwrap();
        assert_eq!(keys(store).await, []);
    }
}

#[tokio::test]
async fn what_is_no_blob_is_passed_over() {
    let bucket = Arc::new(InMemory::new());
    let store = blobs(&bucket, "files");
    let key = BlobKey::from_bytes([0xab; 16]);
    store.put(key, "kept".into()).await.unwrap();
    for other in [
        "files/readme.txt".to_owned(),
        format!("files/{}", key.to_string().to_uppercase()),
        format!("files/{key}0"),
        format!("files/{key}/{key}"),
        format!("other/{key}"),
    ] {
        bucket.put(&Path::from(other), "not ours".into()).await.unwrap();
    }
    assert_eq!(keys(&store).await, [key]);
}

#[test]
fn a_prefix_is_a_path_and_parts_are_some() {
    let new = |prefix: &str, part_size, parts_at_once| {
        let mut options = ObjectOptions::default();
        (options.part_size, options.parts_at_once) = (part_size, parts_at_once);
        ObjectBlobs::new(Arc::new(InMemory::new()), prefix, options)
    };
    new("a/b", 1, 1).unwrap();
    for refused in [new("a//b", 1, 1), new("a/../b", 1, 1), new("", 0, 1), new("", 1, 0)] {
        assert_eq!(refused.unwrap_err().kind(), filestore::ErrorKind::InvalidArgument);
    }
}

#[cfg(feature = "aws")]
#[tokio::test]
async fn a_list_of_many_pages_is_whole() {
    let server = crate::s3::S3::start();
    let blobs = server.blobs();
    // Beside the server, which would take its time: a blob is a file of its folder.
    let folder = server.folder.path().join("bucket/blobs");
    std::fs::create_dir(&folder).unwrap();
    let mut made: Vec<_> = (0..2500).map(|_| BlobKey::mint().unwrap()).collect();
    for key in &made {
        std::fs::write(folder.join(key.to_string()), "x").unwrap();
    }
    made.sort_unstable();
    assert_eq!(keys(&blobs).await, made);
    let pages = server.asked().iter().filter(|asked| asked.what() == "GET list").count();
    assert_eq!(pages, 3);
}
