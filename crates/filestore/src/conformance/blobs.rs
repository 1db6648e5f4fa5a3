//! Cases of [`BlobStore`]. Each ends with an empty list: nothing is left behind.

use bytes::Bytes;
use futures::channel::{mpsc, oneshot};
use futures::future::{self, Either};
use futures::sink::SinkExt;
use futures::stream::{self, StreamExt, TryStreamExt};

use super::Fixture;
use super::samples::{Random, key, noise, refused, together};
use crate::backend::{BlobInfo, BlobStore};
use crate::error::{Error, ErrorKind, Result};
use crate::id::BlobKey;
use crate::stream::ByteStream;

const KIB: usize = 1024;
const SIZES: [usize; 12] = [
    0,
    1,
    2,
    64 * KIB - 1,
    64 * KIB,
    64 * KIB + 1,
    256 * KIB - 1,
    256 * KIB,
    256 * KIB + 1,
    1024 * KIB - 1,
    1024 * KIB,
    1024 * KIB + 1,
];
/// Sizes of frames, over and over; empty frames are no end.
const FRAMES: [&[usize]; 4] =
    [&[usize::MAX], &[4096], &[1, 0, 65_535, 3, 0, 100_003], &[300_000, 7]];

/// Bytes come out as they went in, whatever their number and the frames they came in.
pub async fn a_blob_is_read_back_whole<B: BlobStore>(fixture: Fixture<B>) {
    let store = &*fixture.store;
    let mut keys = Vec::new();
    for size in SIZES {
        let bytes = noise(size);
        for frames in FRAMES {
            let key = key();
            keys.push(key);
            let stored = store.put(key, framed(&bytes, frames)).await.unwrap();
            assert_eq!(stored, size as u64, "put answers the size");
            if size > 0 {
                assert!(read(store, key, 0, size).await.unwrap() == bytes, "{size} bytes");
            }
            assert_eq!(info(store, key).await.unwrap().size, size as u64);
        }
    }
    clear(store, &keys).await;
}

/// Whole content that needs no polling is stored like a stream.
pub async fn whole_content_is_stored_like_a_stream<B: BlobStore>(fixture: Fixture<B>) {
    let store = &*fixture.store;
    let key = key();
    assert_eq!(store.put(key, "hello world".into()).await.unwrap(), 11);
    assert_eq!(read(store, key, 0, 11).await.unwrap(), "hello world");
    clear(store, &[key]).await;
}

/// When the stream yields an error, that error comes back unchanged and nothing appears.
pub async fn a_failing_stream_leaves_nothing<B: BlobStore>(fixture: Fixture<B>) {
    let store = &*fixture.store;
    for size in [0, 1, 64 * KIB, 300 * KIB, 2048 * KIB + 1] {
        let key = key();
        let error = store.put(key, failing(size)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DigestMismatch);
        assert_eq!(error.to_string(), "the stream's own");
        assert_absent(store, key).await;
    }
    clear(store, &[]).await;
}

/// When the future is dropped before the stream has ended, nothing appears.
pub async fn a_dropped_put_leaves_nothing<B: BlobStore>(fixture: Fixture<B>) {
    let store = &*fixture.store;
    let mut dropped = Vec::new();
    for size in [0, 1, 300 * KIB, 2048 * KIB + 1] {
        let key = key();
        drop_while_stalled(store, key, size).await;
        assert_absent(store, key).await;
        dropped.push(key);
    }
    // What might come late has had time by now.
    let late = key();
    store.put(late, noise(1024 * KIB).into()).await.unwrap();
    for key in dropped {
        assert_absent(store, key).await;
    }
    clear(store, &[late]).await;
}

/// A key whose put failed or was dropped can be put again.
pub async fn a_failed_put_may_be_repeated<B: BlobStore>(fixture: Fixture<B>) {
    let store = &*fixture.store;
    let key = key();
    store.put(key, failing(300 * KIB)).await.unwrap_err();
    drop_while_stalled(store, key, 70 * KIB).await;
    let bytes = noise(1000);
    assert_eq!(store.put(key, bytes.clone().into()).await.unwrap(), 1000);
    assert!(read(store, key, 0, 1000).await.unwrap() == bytes);
    clear(store, &[key]).await;
}

/// Nothing is seen of a blob while it is put, and the put waits for a slow stream.
pub async fn a_blob_is_not_seen_before_its_end<B: BlobStore>(fixture: Fixture<B>) {
    let store = &fixture.store;
    let key = key();
    // Without a buffer: each frame has been polled for when it is sent.
    let (mut feed, frames) = mpsc::channel(0);
    let put = tokio::spawn({
        let store = store.clone();
        async move { store.put(key, ByteStream::from_results(frames)).await }
    });
    for _ in 0..4 {
        feed.send(Ok(noise(100 * KIB))).await.unwrap();
        assert_absent(&**store, key).await;
    }
    drop(feed);
    assert_eq!(put.await.unwrap().unwrap(), 400 * KIB as u64);
    assert_eq!(read(&**store, key, 0, 100 * KIB).await.unwrap(), noise(100 * KIB));
    clear(&**store, &[key]).await;
}

/// Exactly the bytes of a range come out.
pub async fn any_range_comes_out_exactly<B: BlobStore>(fixture: Fixture<B>) {
    let store = &*fixture.store;
    let size = 1024 * KIB + 17;
    let bytes = noise(size);
    let key = key();
    store.put(key, framed(&bytes, &[100_003])).await.unwrap();
    let mut ranges = vec![(0, size), (0, 1), (size - 1, size), (64 * KIB, 128 * KIB)];
    let mut random = Random(1);
    for _ in 0..200 {
        let start = random.below(size as u64) as usize;
        let longest = [100, 70_000, size as u64][random.below(3) as usize];
        let end = size.min(start + 1 + random.below(longest) as usize);
        ranges.push((start, end));
    }
    for (start, end) in ranges {
        let got = read(store, key, start, end).await.unwrap();
        assert!(got == bytes[start..end], "{start}..{end}");
    }
    clear(store, &[key]).await;
}

/// A blob that is shorter than the range asks for is `Internal`, never a short answer.
pub async fn a_range_past_the_end_is_an_error<B: BlobStore>(fixture: Fixture<B>) {
    let store = &*fixture.store;
    for size in [10, 300 * KIB] {
        let key = key();
        store.put(key, noise(size).into()).await.unwrap();
        for (start, end) in [(0, size + 1), (size - 1, size + 1), (size, size + 5)] {
            let error = refused(read(store, key, start, end).await);
            assert_eq!(error, ErrorKind::Internal, "{start}..{end} of {size}");
        }
        store.delete(key).await.unwrap();
    }
    clear(store, &[]).await;
}

/// An unknown key is `NotFound` before the first byte.
pub async fn an_unknown_key_is_not_found<B: BlobStore>(fixture: Fixture<B>) {
    let store = &*fixture.store;
    let (deleted, kept) = (key(), key());
    store.put(kept, "kept".into()).await.unwrap();
    store.put(deleted, "deleted".into()).await.unwrap();
    store.delete(deleted).await.unwrap();
    for unknown in [deleted, key(), BlobKey::STORE_ID] {
        assert_eq!(refused(store.get(unknown, 0..1).await), ErrorKind::NotFound);
    }
    clear(store, &[kept]).await;
}

/// That a blob is absent already is success.
pub async fn a_deletion_may_be_repeated<B: BlobStore>(fixture: Fixture<B>) {
    let store = &*fixture.store;
    let (deleted, kept) = (key(), key());
    store.delete(deleted).await.unwrap();
    store.put(deleted, "deleted".into()).await.unwrap();
    store.put(kept, "kept".into()).await.unwrap();
    for _ in 0..3 {
        store.delete(deleted).await.unwrap();
        assert_absent(store, deleted).await;
    }
    assert_eq!(read(store, kept, 0, 4).await.unwrap(), "kept");
    clear(store, &[kept]).await;
}

/// A list ascends, misses nothing, says the sizes, and goes on after any key.
pub async fn a_list_is_complete_and_resumable<B: BlobStore>(fixture: Fixture<B>) {
    let store = &*fixture.store;
    let mut blobs: Vec<(BlobKey, u64)> = (0..150).map(|size| (key(), size)).collect();
    for (key, size) in &blobs {
        store.put(*key, noise(*size as usize).into()).await.unwrap();
    }
    blobs.sort_unstable();
    let all = list(store, None).await;
    let listed: Vec<_> = all.iter().map(|info| (info.key, info.size)).collect();
    assert_eq!(listed, blobs);
    assert_eq!(list(store, None).await, all, "a list says the same again");

    for (n, info) in all.iter().enumerate().step_by(7) {
        assert_eq!(list(store, Some(info.key)).await, all[n + 1..]);
    }
    assert!(list(store, all.last().map(|info| info.key)).await.is_empty());
    assert!(list(store, Some(BlobKey::from_bytes([255; 16]))).await.is_empty());
    let between = key();
    let after = all.partition_point(|info| info.key <= between);
    assert_eq!(list(store, Some(between)).await, all[after..], "after a key that is not there");

    let keys: Vec<_> = blobs.iter().map(|(key, _)| *key).collect();
    clear(store, &keys).await;
}

/// While blobs come and go, every other is listed once.
pub async fn a_list_bears_changes<B: BlobStore>(fixture: Fixture<B>) {
    let store = &*fixture.store;
    let mut kept: Vec<_> = (0..60).map(|_| key()).collect();
    let gone: Vec<_> = (0..60).map(|_| key()).collect();
    for key in kept.iter().chain(&gone) {
        store.put(*key, "x".into()).await.unwrap();
    }
    kept.sort_unstable();

    let mut listing = store.list(None);
    let mut seen = vec![listing.next().await.unwrap().unwrap().key];
    let mut came = Vec::new();
    for key in &gone {
        store.delete(*key).await.unwrap();
        let new = super::samples::key();
        store.put(new, "new".into()).await.unwrap();
        came.push(new);
    }
    while let Some(info) = listing.try_next().await.unwrap() {
        seen.push(info.key);
    }
    drop(listing);
    assert!(seen.is_sorted_by(|a, b| a < b), "ascending, none twice");
    seen.retain(|key| kept.contains(key));
    assert_eq!(seen, kept);

    kept.extend(came);
    clear(store, &kept).await;
}

/// The key that the service keeps the store's id under is a key like any other, and the least.
pub async fn the_fixed_key_is_a_key<B: BlobStore>(fixture: Fixture<B>) {
    let store = &*fixture.store;
    let other = key();
    store.put(other, "other".into()).await.unwrap();
    store.put(BlobKey::STORE_ID, "0123456789abcdef".into()).await.unwrap();
    assert_eq!(read(store, BlobKey::STORE_ID, 0, 16).await.unwrap(), "0123456789abcdef");
    let listed: Vec<_> = list(store, None).await.iter().map(|info| info.key).collect();
    assert_eq!(listed, [BlobKey::STORE_ID, other]);
    assert_eq!(list(store, Some(BlobKey::STORE_ID)).await.len(), 1);
    clear(store, &[BlobKey::STORE_ID, other]).await;
}

/// A blob that is deleted while it is read comes to its end or breaks off with an error.
pub async fn a_blob_deleted_under_its_reader_is_never_short<B: BlobStore>(fixture: Fixture<B>) {
    let store = &fixture.store;
    let bytes = noise(3 * 1024 * KIB);
    for wait_for in [0, 1, 2] {
        let key = key();
        store.put(key, bytes.clone().into()).await.unwrap();
        let mut reading = store.get(key, 0..bytes.len() as u64).await.unwrap();
        let mut got = Vec::new();
        for _ in 0..wait_for {
            if let Some(chunk) = reading.try_next().await.unwrap() {
                got.extend_from_slice(&chunk);
            }
        }
        let deletion = store.clone();
        together([async move { deletion.delete(key).await.unwrap() }]).await;
        let broken_off = loop {
            match reading.next().await {
                Some(Ok(chunk)) => got.extend_from_slice(&chunk),
                Some(Err(_)) => break true,
                None => break false,
            }
        };
        assert!(broken_off || got == bytes, "a short answer without an error");
        assert!(bytes.starts_with(&got), "other bytes than were stored");
        assert_absent(&**store, key).await;
    }
    clear(&**store, &[]).await;
}

/// A reader that goes away in the middle harms nobody.
pub async fn a_dropped_reader_harms_nobody<B: BlobStore>(fixture: Fixture<B>) {
    let store = &*fixture.store;
    let bytes = noise(2048 * KIB);
    let key = key();
    store.put(key, bytes.clone().into()).await.unwrap();
    for _ in 0..10 {
        let mut reading = store.get(key, 0..bytes.len() as u64).await.unwrap();
        reading.try_next().await.unwrap();
    }
    assert!(read(store, key, 0, bytes.len()).await.unwrap() == bytes);
    clear(store, &[key]).await;
}

/// Puts, reads and deletions at the same time do not disturb each other.
pub async fn many_callers_do_not_disturb_each_other<B: BlobStore>(fixture: Fixture<B>) {
    let store = &fixture.store;
    let calls = (0..48_usize).map(|n| {
        let store = store.clone();
        async move {
            let (key, dropped) = (key(), super::samples::key());
            let bytes = noise(n * 4111);
            let put = store.put(key, framed(&bytes, &[10_007, 1])).await.unwrap();
            assert_eq!(put, bytes.len() as u64);
            store.put(dropped, failing(n * 511)).await.unwrap_err();
            if n > 0 {
                let got = read(&*store, key, 0, bytes.len()).await.unwrap();
                assert!(got == bytes, "{} bytes", bytes.len());
            }
            if n % 2 == 0 {
                store.delete(key).await.unwrap();
            }
            (n % 2 == 1).then_some(key)
        }
    });
    let mut kept: Vec<_> = together(calls).await.into_iter().flatten().collect();
    kept.sort_unstable();
    let listed: Vec<_> = list(&**store, None).await.iter().map(|info| info.key).collect();
    assert_eq!(listed, kept);
    clear(&**store, &kept).await;
}

/// A store that has done all that was asked of it is ready.
pub async fn a_store_that_works_is_ready<B: BlobStore>(fixture: Fixture<B>) {
    let store = &*fixture.store;
    store.ready().await.unwrap();
    let key = key();
    store.put(key, "kept".into()).await.unwrap();
    store.put(super::samples::key(), failing(10)).await.unwrap_err();
    store.ready().await.unwrap();
    clear(store, &[key]).await;
    store.ready().await.unwrap();
}

async fn read(store: &impl BlobStore, key: BlobKey, start: usize, end: usize) -> Result<Bytes> {
    let stream = store.get(key, start as u64..end as u64).await?;
    stream.collect().await
}

async fn list(store: &impl BlobStore, after: Option<BlobKey>) -> Vec<BlobInfo> {
    store.list(after).try_collect().await.unwrap()
}

async fn info(store: &impl BlobStore, key: BlobKey) -> Option<BlobInfo> {
    let all = list(store, None).await;
    all.into_iter().find(|info| info.key == key)
}

async fn assert_absent(store: &impl BlobStore, key: BlobKey) {
    assert_eq!(refused(store.get(key, 0..1).await), ErrorKind::NotFound);
    assert_eq!(info(store, key).await, None);
}

/// Deletes what a case has stored and makes sure that there was nothing else.
async fn clear(store: &impl BlobStore, keys: &[BlobKey]) {
    for key in keys {
        store.delete(*key).await.unwrap();
    }
    assert_eq!(list(store, None).await, [], "something is left behind");
}

fn framed(bytes: &Bytes, sizes: &[usize]) -> ByteStream<'static> {
    let mut rest = bytes.clone();
    let mut frames = Vec::new();
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        frames.push(Ok(rest.split_to(rest.len().min(*size))));
    }
    ByteStream::from_results(stream::iter(frames))
}

/// `size` bytes and then an error.
fn failing(size: usize) -> ByteStream<'static> {
    let error = Error::new(ErrorKind::DigestMismatch, "the stream's own");
    ByteStream::from_results(framed(&noise(size), &[50_021]).chain(stream::iter([Err(error)])))
}

/// Drops a put whose stream has given `size` bytes and gives no more.
async fn drop_while_stalled(store: &impl BlobStore, key: BlobKey, size: usize) {
    let (tell, stalled) = oneshot::channel();
    let stall = stream::once(async move {
        tell.send(()).unwrap();
        future::pending::<Result<Bytes>>().await
    });
    let content = framed(&noise(size), &[50_021]).chain(stall);
    let put = store.put(key, ByteStream::from_results(content));
    match future::select(put, stalled).await {
        Either::Left((answer, _)) => panic!("a put before the stream's end answered {answer:?}"),
        Either::Right((_, put)) => drop(put),
    }
}
