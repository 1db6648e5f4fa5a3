//! What is asked of the service when a blob is read, and what becomes of answers that fail.

use filestore::backend::BlobStore;
use filestore::{BlobKey, ErrorKind};
use filestore_object_store::{ObjectBlobs, ObjectOptions};
use futures::StreamExt;

use crate::noise;
use crate::s3::{Fault, MIB, S3};

fn ranges(server: &S3) -> Vec<String> {
    let asked = server.asked();
    let gets = asked.iter().filter(|asked| asked.what() == "GET");
    gets.map(|asked| asked.header("range").unwrap_or("all").to_owned()).collect()
}

#[tokio::test]
async fn a_range_is_one_request() {
    let (server, key) = (S3::start(), BlobKey::mint().unwrap());
    let blobs = server.blobs();
    let bytes = noise(3 * MIB);
    blobs.put(key, bytes.clone().into()).await.unwrap();
    for range in [0..1, 1000..2_000_000, 0..3 * MIB] {
        let content = blobs.get(key, range.start as u64..range.end as u64).await.unwrap();
        assert!(content.collect().await.unwrap() == bytes[range]);
    }
    assert_eq!(ranges(&server), ["bytes=0-0", "bytes=1000-1999999", "bytes=0-3145727"]);
    assert_eq!(server.asked().len(), 4, "nothing else");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_gone_on_with() {
    let (server, key) = (S3::start(), BlobKey::mint().unwrap());
    let blobs = server.blobs();
    let bytes = noise(3 * MIB);
    blobs.put(key, bytes.clone().into()).await.unwrap();
    server.fault(|_| Fault::Cut(MIB));
    let content = blobs.get(key, 5..3 * MIB as u64).await.unwrap();
    assert!(content.collect().await.unwrap() == bytes[5..]);
    let ranges = ranges(&server);
    assert!((3..10).contains(&ranges.len()), "{ranges:?}");
    assert_eq!(ranges[0], "bytes=5-3145727");
    assert!(ranges.iter().all(|range| range.ends_with("-3145727")), "{ranges:?}");
}

#[tokio::test]
async fn an_answer_that_brings_nothing_is_an_error() {
    let (server, key) = (S3::start(), BlobKey::mint().unwrap());
    let blobs = server.blobs();
    blobs.put(key, noise(MIB).into()).await.unwrap();
    server.fault(|_| Fault::Cut(0));
    let error = blobs.get(key, 0..MIB as u64).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);

    let mut answers = 0;
    server.fault(move |_| {
        answers += 1;
        if answers == 1 { Fault::Cut(1000) } else { Fault::Cut(0) }
    });
    let mut content = blobs.get(key, 0..MIB as u64).await.unwrap();
    let mut got = 0;
    let error = loop {
        match content.next().await.expect("no end without an error") {
            Ok(frame) => got += frame.len(),
            Err(error) => break error,
        }
    };
    assert_eq!((error.kind(), got), (ErrorKind::Unavailable, 1000));
}

/// Else a typing error in the bucket's name would look like the loss of every blob.
#[tokio::test]
async fn a_missing_bucket_is_no_missing_blob() {
    let (server, key) = (S3::start(), BlobKey::mint().unwrap());
    let blobs = server.blobs();
    blobs.put(key, noise(10).into()).await.unwrap();
    std::fs::rename(server.folder.path().join("bucket"), server.folder.path().join("elsewhere"))
        .unwrap();
    assert_eq!(blobs.get(key, 0..10).await.unwrap_err().kind(), ErrorKind::Unavailable);
    // Most services say this of what is deleted already.
    server.fault(|asked| match asked.method == http::Method::DELETE {
        true => Fault::Status(404),
        false => Fault::None,
    });
    assert_eq!(blobs.delete(key).await.unwrap_err().kind(), ErrorKind::Unavailable);
    std::fs::create_dir(server.folder.path().join("bucket")).unwrap();
    blobs.delete(key).await.unwrap();
    assert_eq!(blobs.get(key, 0..10).await.unwrap_err().kind(), ErrorKind::NotFound);
}

/// To ask on would be to wait for nothing.
#[tokio::test]
async fn who_is_not_let_in_asks_once() {
    let (server, key) = (S3::start(), BlobKey::mint().unwrap());
    let blobs = server.blobs_of(server.client(3));
    server.fault(|_| Fault::Status(403));
    assert_eq!(blobs.get(key, 0..10).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_service_that_fails_is_unavailable() {
    let (server, key) = (S3::start(), BlobKey::mint().unwrap());
    let blobs = server.blobs();
    blobs.put(key, noise(10).into()).await.unwrap();
    for status in [400, 403, 416, 500, 503] {
        server.fault(move |_| Fault::Status(status));
        let error = blobs.get(key, 0..10).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{status}");
        let error = blobs.delete(key).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{status}");
        let error = blobs.list(None).next().await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{status}");
    }
}

#[tokio::test]
async fn a_service_that_is_not_there_is_unavailable() {
    let server = S3::start();
    let client = server.client(0);
    // Its port is free again, and nobody listens there.
    drop(server);
    let options = ObjectOptions::default();
    let blobs = ObjectBlobs::new(std::sync::Arc::new(client), "", options).unwrap();
    let key = BlobKey::mint().unwrap();
    tokio::task::yield_now().await;
    assert_eq!(blobs.get(key, 0..1).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(blobs.put(key, "a".into()).await.unwrap_err().kind(), ErrorKind::Unavailable);
}
