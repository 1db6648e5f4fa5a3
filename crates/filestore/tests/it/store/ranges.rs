//! Bytes on their way out.

use bytes::Bytes;
use filestore::{Error, ErrorKind, FileRecord, RangeSpec};
use futures::{StreamExt, TryStreamExt};

use super::rig::{BIG, NOTHING, Rig, noise, refused};

super::cases! {
    any_range_comes_out_exactly
    a_range_that_holds_nothing_is_found_out_when_read
    only_what_was_opened_can_be_read
    empty_content_is_read
    a_range_reads_only_the_blobs_it_needs
    missing_bytes_are_an_error_at_once
    what_begins_soon_is_opened_ahead
    what_is_ahead_has_its_turn
    what_is_open_stays_as_it_was
    an_unknown_file_is_not_found
}

/// Parts of every kind: empty ones, inline ones, blobs.
async fn patchwork(rig: &Rig) -> (FileRecord, Bytes) {
    let sizes = [3, 0, BIG, 16 * 1024, 0, 1, 1, BIG + 7, 5, 0];
    let parts: Vec<Bytes> = sizes.iter().enumerate().map(|(n, size)| noise(size + n)).collect();
    let parts: Vec<Bytes> =
        parts.iter().zip(sizes).map(|(part, size)| part.slice(part.len() - size..)).collect();
    (rig.file_of_parts(&parts).await, parts.concat().into())
}

async fn any_range_comes_out_exactly(rig: Rig) {
    let (file, content) = patchwork(&rig).await;
    assert_eq!(rig.read(file.id).await, content);
    let len = content.len() as u64;
    let all = rig.files().open(file.id, None).await.unwrap();
    let edges =
        [0, 1, 2, 3, 4, 20_002, 20_003, 20_004, 36_386, 36_387, 36_388, 36_389, len - 1, len];
    for start in edges {
        for end in edges.into_iter().filter(|end| start < *end) {
            let expected = content.slice(start as usize..end as usize);
            let part = all.read(start..end).await.unwrap().collect().await.unwrap();
            assert_eq!(part, expected, "{start}..{end}");
            let range = RangeSpec::FromTo(start, end - 1);
            let opened = rig.files().open(file.id, range).await.unwrap();
            let part = opened.read_range(range).await.unwrap().collect().await.unwrap();
            assert_eq!(part, expected, "{start}..{end} opened alone");
        }
    }
    for (range, expected) in [
        (RangeSpec::From(len - 3), content.slice(content.len() - 3..)),
        (RangeSpec::Last(50_000), content.slice(content.len() - 50_000..)),
        (RangeSpec::Last(len + 1), content.clone()),
        (RangeSpec::FromTo(40_000, u64::MAX), content.slice(40_000..)),
    ] {
        let opened = rig.files().open(file.id, range).await.unwrap();
        let part = opened.read_range(range).await.unwrap().collect().await.unwrap();
        assert_eq!(part, expected, "{range:?}");
    }
}

async fn a_range_that_holds_nothing_is_found_out_when_read(rig: Rig) {
    let file = rig.file("file", &noise(BIG)).await;
    for range in [RangeSpec::From(BIG as u64), RangeSpec::Last(0), RangeSpec::FromTo(5, 4)] {
        let opened = rig.files().open(file.id, range).await.unwrap();
        assert_eq!(opened.record, file);
        refused(opened.read_range(range).await, ErrorKind::RangeNotSatisfiable);
    }
}

async fn only_what_was_opened_can_be_read(rig: Rig) {
    let (file, content) = patchwork(&rig).await;
    let len = content.len() as u64;
    let opened = rig.files().open(file.id, RangeSpec::FromTo(0, 2)).await.unwrap();
    assert_eq!(opened.content().size, len);
    refused(opened.read_all().await, ErrorKind::InvalidArgument);
    refused(opened.read(10..20).await, ErrorKind::InvalidArgument);
    let all = rig.files().open(file.id, None).await.unwrap();
    for outside in [0..len + 1, len..len + 1, len + 1..len + 2] {
        refused(all.read(outside).await, ErrorKind::InvalidArgument);
    }
}

async fn empty_content_is_read(rig: Rig) {
    let empty = rig.file("empty", &Bytes::new()).await;
    let parts = rig.file_of_parts(&[]).await;
    let empties = rig.file_of_parts(&[Bytes::new(), Bytes::new()]).await;
    for file in [empty, parts, empties] {
        assert_eq!(file.content.as_ref().unwrap().size, 0);
        assert_eq!(rig.read(file.id).await, "");
        let opened = rig.files().open(file.id, RangeSpec::From(0)).await.unwrap();
        refused(opened.read_range(RangeSpec::From(0)).await, ErrorKind::RangeNotSatisfiable);
        assert_eq!(opened.read_all().await.unwrap().collect().await.unwrap(), "");
    }
}

async fn a_range_reads_only_the_blobs_it_needs(rig: Rig) {
    let file = rig.file_of_parts(&[noise(BIG), noise(BIG), noise(BIG)]).await;
    rig.blobs.reads.lock().unwrap().clear();
    let middle = RangeSpec::FromTo(BIG as u64, 2 * BIG as u64 - 1);
    let opened = rig.files().open(file.id, middle).await.unwrap();
    assert_eq!(rig.blobs.reads.lock().unwrap().len(), 0, "nothing is open before it is read");
    let read = opened.read_range(middle).await.unwrap().collect().await.unwrap();
    assert_eq!(read, noise(BIG));
    assert_eq!(rig.blobs.reads.lock().unwrap().len(), 1);
}

async fn missing_bytes_are_an_error_at_once(rig: Rig) {
    let file = rig.file("file", &noise(BIG)).await;
    let key = rig.only_blob().await;
    rig.blobs.inner.delete(key).await.unwrap();
    let opened = rig.files().open(file.id, None).await.unwrap();
    refused(opened.read_all().await, ErrorKind::Internal);

    // A later segment is found missing on the way: the stream ends in an error.
    let before = rig.live().await;
    let parts = rig.file_of_parts(&[noise(10), noise(BIG)]).await;
    let new = rig.live().await.into_iter().find(|key| !before.contains(key)).unwrap();
    rig.blobs.inner.delete(new).await.unwrap();
    let opened = rig.files().open(parts.id, None).await.unwrap();
    let stream = opened.read_all().await.unwrap();
    refused(stream.collect().await, ErrorKind::Internal);
}

/// What begins within the next 8 MiB, and four at a time.
async fn what_begins_soon_is_opened_ahead(rig: Rig) {
    let reads = || rig.blobs.reads.lock().unwrap().len();
    for (size, parts) in [(BIG, 8), (5 << 20, 4)] {
        let file = rig.file_of_parts(&vec![noise(size); parts]).await;
        rig.blobs.reads.lock().unwrap().clear();
        let opened = rig.files().open(file.id, None).await.unwrap();
        let mut content = opened.read_all().await.unwrap();
        assert_eq!(reads(), 1, "the first is at hand");
        let mut at = 0_usize;
        while let Some(frame) = content.try_next().await.unwrap() {
            let soon = (at + (8 << 20)).div_ceil(size);
            assert_eq!(reads(), soon.min(at / size + 4).min(parts), "at {at} of parts of {size}");
            at += frame.len();
        }
        assert_eq!((at, reads()), (parts * size, parts));
    }
}

/// Whatever is open first.
async fn what_is_ahead_has_its_turn(rig: Rig) {
    let mut parts: Vec<_> = (0..4).map(|n| noise(BIG + n)).collect();
    let file = rig.file_of_parts(&parts).await;
    rig.blobs.reads.lock().unwrap().clear();
    let opened = rig.files().open(file.id, None).await.unwrap();
    let (go, gone) = futures::channel::oneshot::channel();
    rig.hooks.at("get", async { Ok(()) });
    rig.hooks.at("get", async move { gone.await.map_err(|_| Error::internal("dropped")) });
    rig.hooks.at("get", async { Err(Error::unavailable("the third")) });
    let mut content = opened.read_all().await.unwrap();
    assert_eq!(content.try_next().await.unwrap().unwrap(), parts.remove(0));
    let reads = rig.blobs.reads.lock().unwrap().len();
    assert_eq!(reads, 4, "the second is slow, the third has failed");
    assert!(futures::poll!(content.next()).is_pending());
    go.send(()).unwrap();
    assert_eq!(content.try_next().await.unwrap().unwrap(), parts.remove(0));
    assert_eq!(content.try_next().await.unwrap_err().to_string(), "the third");
    assert!(content.next().await.is_none(), "an error is the end");
}

async fn what_is_open_stays_as_it_was(rig: Rig) {
    let (file, content) = patchwork(&rig).await;
    let opened = rig.files().open(file.id, None).await.unwrap();
    rig.files().write(file.id, noise(10), NOTHING).await.unwrap();
    rig.files().delete(file.id).await.unwrap();
    rig.sweep().await;
    assert_eq!(opened.record, file);
    assert_eq!(opened.clone().read_all().await.unwrap().collect().await.unwrap(), content);
    rig.assert_empty().await;
}

async fn an_unknown_file_is_not_found(rig: Rig) {
    let unknown = rig.files().new_id().unwrap();
    refused(rig.files().open(unknown, None).await, ErrorKind::NotFound);
    refused(rig.files().stat(unknown).await, ErrorKind::NotFound);
    refused(rig.files().delete(unknown).await, ErrorKind::NotFound);
}
