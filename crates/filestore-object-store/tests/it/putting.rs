//! What is asked of the service when a blob is stored, and what becomes of uploads that do not end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use filestore::backend::BlobStore;
use filestore::{BlobKey, ByteStream, Error, ErrorKind, Result};
use filestore_object_store::{ObjectBlobs, ObjectOptions};
use futures::channel::mpsc;
use futures::stream::{self, StreamExt};
use object_store::memory::InMemory;
use tokio::sync::Semaphore;

use crate::noise;
use crate::s3::{Asked, Fault, MIB, S3};

fn whats(asked: &[Asked]) -> Vec<String> {
    asked.iter().map(Asked::what).collect()
}

fn count(asked: &[Asked], what: &str) -> usize {
    asked.iter().filter(|asked| asked.what() == what).count()
}

async fn assert_stored(blobs: &ObjectBlobs, key: BlobKey, bytes: &[u8]) {
    let stored = blobs.get(key, 0..bytes.len() as u64).await.unwrap().collect().await.unwrap();
    assert!(stored == bytes, "{} bytes", bytes.len());
}

#[tokio::test]
async fn what_fits_into_a_part_is_one_request() {
    let (server, key) = (S3::start(), BlobKey::mint().unwrap());
    let blobs = server.blobs();
    let bytes = noise(5 * MIB - 1);
    blobs.put(key, bytes.clone().into()).await.unwrap();
    assert_eq!(whats(&server.asked()), ["PUT"]);
    assert_stored(&blobs, key, &bytes).await;
}

#[tokio::test]
async fn what_is_longer_is_sent_in_parts_of_one_size() {
    let server = S3::start();
    let blobs = server.blobs();
    for (size, parts) in [(5 * MIB, 1), (5 * MIB + 1, 2), (10 * MIB, 2), (17 * MIB, 4)] {
        let (key, bytes, before) = (BlobKey::mint().unwrap(), noise(size), server.asked().len());
        let frames: Vec<_> = bytes.chunks(300_007).map(|it| Ok(bytes.slice_ref(it))).collect();
        let put = blobs.put(key, ByteStream::from_results(stream::iter(frames))).await.unwrap();
        assert_eq!(put, size as u64);
        let asked = &server.asked()[before..];
        assert_eq!(count(asked, "PUT part"), parts);
        assert_eq!(asked.len(), parts + 2, "{:?}", whats(asked));
        let sizes = asked
            .iter()
            .filter(|asked| asked.what() == "PUT part")
            .filter(|asked| asked.header("content-length") == Some(&(5 * MIB).to_string()));
        assert!(sizes.count() >= parts - 1);
        assert_stored(&blobs, key, &bytes).await;
    }
    assert_eq!(server.unfinished(), [""; 0]);
}

#[tokio::test]
async fn the_service_is_told_what_to_verify() {
    let server = S3::start();
    let blobs =
        ObjectBlobs::connect("s3://bucket/blobs", server.settings(), ObjectOptions::default())
            .unwrap();
    for size in [100, 9 * MIB] {
        blobs.put(BlobKey::mint().unwrap(), noise(size).into()).await.unwrap();
    }
    let asked = server.asked();
    let sent: Vec<_> = asked.iter().filter(|asked| asked.method == http::Method::PUT).collect();
    assert_eq!(sent.len(), 3);
    for asked in sent {
        assert!(asked.header("x-amz-checksum-sha256").is_some(), "{asked:?}");
        assert_eq!(asked.header("x-amz-content-sha256").unwrap().len(), 64);
    }
}

/// `size` bytes, and then nothing more until the sender is used or dropped.
fn stalling(size: usize) -> (mpsc::Sender<Result<bytes::Bytes>>, ByteStream<'static>) {
    let (feed, rest) = mpsc::channel(0);
    let first = stream::iter([Ok(noise(size))]);
    (feed, ByteStream::from_results(first.chain(rest)))
}

#[tokio::test]
async fn an_upload_whose_stream_fails_is_aborted() {
    let (server, key) = (S3::start(), BlobKey::mint().unwrap());
    let blobs = server.blobs();
    let failure = Error::new(ErrorKind::DigestMismatch, "the stream's own");
    let content = stream::iter([Ok(noise(11 * MIB)), Err(failure)]);
    let error = blobs.put(key, ByteStream::from_results(content)).await.unwrap_err();
    assert_eq!(error.to_string(), "the stream's own");
    server.until(|asked| count(asked, "DELETE upload") == 1).await;
    assert_eq!(count(&server.asked(), "POST complete"), 0);
    let missing = blobs.get(key, 0..1).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn an_upload_that_is_dropped_is_aborted() {
    let (server, key) = (S3::start(), BlobKey::mint().unwrap());
    let blobs = server.blobs();
    let (feed, content) = stalling(6 * MIB);
    let put = tokio::spawn(async move { blobs.put(key, content).await });
    server.until(|asked| count(asked, "PUT part") == 1).await;
    put.abort();
    server.until(|asked| count(asked, "DELETE upload") == 1).await;
    assert!(put.await.unwrap_err().is_cancelled());
    drop(feed);
}

#[tokio::test]
async fn an_upload_that_is_dropped_while_it_begins_is_aborted() {
    let (server, key) = (S3::start(), BlobKey::mint().unwrap());
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    server.fault(move |asked| match asked.what().as_str() {
        "POST begin" => Fault::Hold(Arc::clone(&held)),
        _ => Fault::None,
    });
    let blobs = server.blobs();
    let put = tokio::spawn(async move { blobs.put(key, noise(6 * MIB).into()).await });
    server.until(|asked| count(asked, "POST begin") == 1).await;
    put.abort();
    assert!(put.await.unwrap_err().is_cancelled());
    gate.add_permits(1);
    server.until(|asked| count(asked, "DELETE upload") == 1).await;
    assert_eq!(count(&server.asked(), "PUT part"), 0);
}

#[tokio::test]
async fn a_part_that_cannot_be_sent_ends_the_upload() {
    let (server, key) = (S3::start(), BlobKey::mint().unwrap());
    server.fault(|asked| match asked.query.contains("partNumber=2&") {
        true => Fault::Status(503),
        false => Fault::None,
    });
    let blobs = server.blobs();
    let error = blobs.put(key, noise(40 * MIB).into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    server.until(|asked| count(asked, "DELETE upload") == 1).await;
    assert!(count(&server.asked(), "PUT part") < 8, "it is given up when it is known");
    assert_eq!(blobs.get(key, 0..1).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn what_fails_for_a_moment_is_sent_again() {
    let (server, key) = (S3::start(), BlobKey::mint().unwrap());
    let failing: Vec<_> = ["POST begin", "PUT part", "POST complete"].into();
    let mut failed = Vec::new();
    server.fault(move |asked| {
        let what = asked.what();
        if failing.contains(&what.as_str()) && !failed.contains(&what) {
            failed.push(what);
            return Fault::Status(503);
        }
        Fault::None
    });
    let blobs = server.blobs_of(server.client(3));
    let bytes = noise(6 * MIB);
    blobs.put(key, bytes.clone().into()).await.unwrap();
    assert_stored(&blobs, key, &bytes).await;
}

#[tokio::test]
async fn no_more_is_taken_than_is_on_its_way() {
    let (server, key) = (S3::start(), BlobKey::mint().unwrap());
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    server.fault(move |asked| match asked.what().as_str() {
        "PUT part" => Fault::Hold(Arc::clone(&held)),
        _ => Fault::None,
    });
    let blobs = server.blobs();
    let taken = Arc::new(AtomicUsize::new(0));
    let count_taken = Arc::clone(&taken);
    let content = stream::iter(0..40).map(move |_| {
        count_taken.fetch_add(1, Ordering::SeqCst);
        Ok(noise(MIB))
    });
    let put = tokio::spawn(async move { blobs.put(key, ByteStream::from_results(content)).await });
    server.until(|asked| count(asked, "PUT part") == 2).await;
    // The third is being gathered, or waits; the frame that fills it may be cut.
    gate.add_permits(1);
    server.until(|asked| count(asked, "PUT part") == 3).await;
    assert!(taken.load(Ordering::SeqCst) <= 4 * 5 + 1);
    gate.add_permits(100);
    assert_eq!(put.await.unwrap().unwrap(), 40 * MIB as u64);
}

#[tokio::test]
async fn there_are_only_so_many_parts() {
    let mut options = ObjectOptions::default();
    options.part_size = 1;
    let bucket = Arc::new(InMemory::new());
    let blobs = ObjectBlobs::new(bucket, "", options).unwrap();
    let (most, more) = (BlobKey::mint().unwrap(), BlobKey::mint().unwrap());
    blobs.put(most, noise(10_000).into()).await.unwrap();
    let error = blobs.put(more, noise(10_001).into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(blobs.get(more, 0..1).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_full_service_is_told_from_a_broken_one() {
    let server = S3::start();
    let blobs = server.blobs();
    for (status, kind) in [
        (507, ErrorKind::StorageFull),
        (500, ErrorKind::Unavailable),
        (403, ErrorKind::Unavailable),
        (404, ErrorKind::Unavailable),
    ] {
        server.fault(move |_| Fault::Status(status));
        let key = BlobKey::mint().unwrap();
        let error = blobs.put(key, noise(10).into()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status}");
        assert!(std::error::Error::source(&error).is_some());
    }
}
