//! The check of a store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use filestore::{BlobKey, Error, ErrorKind, Fsck, FsckReport, NewUpload, Orphans};
use futures::TryStreamExt;
use futures::future::ready;

use super::rig::{BIG, HOUR, NOTHING, Rig, files_of, noise, read, refused};

super::cases! {
    a_sound_store_is_clean
    missing_blobs_are_found
    orphans_are_found_and_collected_on_request
    blobs_of_another_size_are_found
    flipped_bits_are_found_by_reading
    damaged_content_is_refused_on_request
    damaged_content_is_refused_or_cut_where_reads_are_verified
    what_cannot_be_read_is_not_taken_for_damaged
    a_check_runs_beside_anything
}

async fn check(rig: &Rig, change: impl FnOnce(&mut Fsck)) -> FsckReport {
    let mut options = Fsck::default();
    change(&mut options);
    rig.store.fsck(&options).await.unwrap()
}

async fn a_sound_store_is_clean(rig: Rig) {
    assert!(check(&rig, |options| options.read_data = true).await.is_clean());
    rig.file("inline", &noise(10)).await;
    rig.file("blob", &noise(BIG)).await;
    rig.file_of_parts(&[noise(10), noise(BIG), noise(0)]).await;
    rig.files().reserve("reserved").await.unwrap();
    let draft = rig.uploads().begin(NewUpload::new("draft")).await.unwrap();
    rig.uploads().put_part(draft.id, 1, None, noise(BIG), NOTHING).await.unwrap();
    let gone = rig.file("gone", &noise(BIG)).await;
    rig.files().delete(gone.id).await.unwrap();
    let report = check(&rig, |options| options.read_data = true).await;
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.blobs, report.contents_read), (4, 3));
    assert_eq!(check(&rig, |_| ()).await.contents_read, 0);
}

async fn missing_blobs_are_found(rig: Rig) {
    rig.file("file", &noise(BIG)).await;
    let draft = rig.uploads().begin(NewUpload::new("draft")).await.unwrap();
    rig.uploads().put_part(draft.id, 1, None, noise(BIG), NOTHING).await.unwrap();
    let live = rig.live().await;
    for key in &live {
        rig.blobs.inner.delete(*key).await.unwrap();
    }
    let report = check(&rig, |options| options.read_data = true).await;
    assert_eq!(report.missing, live);
    assert_eq!((report.damaged.len(), report.orphans.len()), (1, 0));
    assert!(!report.is_clean());
}

async fn orphans_are_found_and_collected_on_request(rig: Rig) {
    rig.file("file", &noise(BIG)).await;
    let mut strangers: Vec<_> = (0..5).map(|_| BlobKey::mint().unwrap()).collect();
    strangers.sort_unstable();
    for key in &strangers {
        rig.blobs.inner.put(*key, noise(10).into()).await.unwrap();
    }
    let report = check(&rig, |_| ()).await;
    assert_eq!(report.orphans, strangers);
    assert_eq!((report.blobs, report.missing.len()), (6, 0));
    rig.clock.advance(7 * HOUR);
    rig.sweep().await;
    assert_eq!(rig.stored().await.len(), 6, "a check deletes nothing");

    check(&rig, |options| options.orphans = Orphans::Collect).await;
    rig.sweep().await;
    assert_eq!(rig.stored().await.len(), 6, "neither does it at once");
    rig.assert_nothing_leaks().await;
    assert_eq!(rig.stored().await.len(), 1);
}

async fn blobs_of_another_size_are_found(rig: Rig) {
    rig.file("file", &noise(BIG)).await;
    let key = rig.only_blob().await;
    for len in [BIG - 1, BIG + 1, 1, 0] {
        rig.damage(key, noise(len)).await;
        let report = check(&rig, |_| ()).await;
        assert_eq!(
            (report.wrong_size, report.missing, report.orphans),
            (vec![key], vec![], vec![])
        );
    }
}

async fn flipped_bits_are_found_by_reading(rig: Rig) {
    let file = rig.file("file", &noise(BIG)).await;
    let key = rig.only_blob().await;
    let sound = rig.file("sound", &noise(BIG)).await;
    for position in [0, BIG / 2, BIG - 1] {
        let mut flipped = noise(BIG).to_vec();
        flipped[position] ^= 0x10;
        rig.damage(key, flipped).await;
        assert!(check(&rig, |options| options.quarantine = true).await.is_clean());
        let report = check(&rig, |options| options.read_data = true).await;
        assert_eq!(report.damaged, [file.content.as_ref().unwrap().id]);
        assert_eq!(report.contents_read, 2);
        // It was not asked to do anything about it.
        assert_eq!(rig.read(file.id).await.len(), BIG);
    }
    assert_eq!(rig.read(sound.id).await, noise(BIG));
}

async fn damaged_content_is_refused_on_request(rig: Rig) {
    let file = rig.file("file", &noise(BIG)).await;
    let key = rig.only_blob().await;
    let copy = rig.files().copy(file.id, "copy").await.unwrap();
    let other = rig.file("other", &noise(BIG)).await;
    let full = |options: &mut Fsck| (options.read_data, options.quarantine) = (true, true);
    for damage in [Some(noise(BIG - 1)), Some(noise(BIG + 1)), None] {
        match damage {
            Some(other) if other.len() < BIG => rig.damage(key, other).await,
            Some(other) => rig.damage(key, other.slice(..BIG)).await,
            None => rig.blobs.inner.delete(key).await.unwrap(),
        }
        for _ in 0..2 {
            assert_eq!(check(&rig, full).await.damaged.len(), 1);
            refused(rig.files().open(file.id, None).await, ErrorKind::Unavailable);
            refused(rig.files().open(copy.id, None).await, ErrorKind::Unavailable);
            assert_eq!(rig.files().stat(file.id).await.unwrap(), file);
            assert_eq!(rig.read(other.id).await, noise(BIG));
        }
        rig.damage(key, noise(BIG)).await;
        refused(rig.files().open(file.id, None).await, ErrorKind::Unavailable);
        assert!(check(&rig, full).await.is_clean());
        assert_eq!(rig.read(file.id).await, noise(BIG));
    }
    // New content is sound, whatever the old was.
    rig.damage(key, noise(1)).await;
    check(&rig, full).await;
    rig.files().write(file.id, noise(BIG), NOTHING).await.unwrap();
    assert_eq!(rig.read(file.id).await, noise(BIG));
}

async fn damaged_content_is_refused_or_cut_where_reads_are_verified(rig: Rig) {
    let files = files_of(&rig.verifying().await);
    for size in [10, BIG, 1 << 20] {
        let file = rig.file("sound", &noise(size)).await;
        assert_eq!(read(&files, file.id).await, noise(size));
        rig.files().delete(file.id).await.unwrap();
    }
    rig.clock.advance(7 * HOUR);
    rig.sweep().await;

    let small = rig.file("small", &noise(BIG)).await;
    rig.damage(rig.only_blob().await, flipped(BIG, 0)).await;
    refused(files.open(small.id, None).await.unwrap().read_all().await, ErrorKind::Internal);
    assert_eq!(rig.read(small.id).await.len(), BIG);
    rig.files().delete(small.id).await.unwrap();
    rig.clock.advance(7 * HOUR);
    rig.sweep().await;

    // The bytes come until it is known that they are not what they were.
    let size = 1 << 20;
    for at in [0, size - 1] {
        let large = rig.file("large", &noise(size)).await;
        rig.damage(rig.only_blob().await, flipped(size, at)).await;
        let file = files.open(large.id, None).await.unwrap();
        let mut received = 0;
        let count = |frame: Bytes| {
            received += frame.len();
            ready(Ok(()))
        };
        // Memory has it all in one frame, and refuses it at once.
        let outcome = match file.read_all().await {
            Ok(bytes) => bytes.try_for_each(count).await,
            Err(error) => Err(error),
        };
        refused(outcome, ErrorKind::Internal);
        assert!(received < size, "{received} bytes");
        // What is only a part of a segment has no digest of its own.
        let part = file.read(1..size as u64 - 1).await.unwrap().collect().await.unwrap();
        assert_eq!(part, noise(size)[1..size - 1]);
        rig.files().delete(large.id).await.unwrap();
        rig.clock.advance(7 * HOUR);
        rig.sweep().await;
    }
}

/// [`noise`] with one bit the other way.
fn flipped(size: usize, at: usize) -> Vec<u8> {
    let mut bytes = noise(size).to_vec();
    bytes[at] ^= 1;
    bytes
}

async fn what_cannot_be_read_is_not_taken_for_damaged(rig: Rig) {
    let file = rig.file("file", &noise(BIG)).await;
    let content = file.content.as_ref().unwrap().id;
    let full = |options: &mut Fsck| (options.read_data, options.quarantine) = (true, true);
    let out_of_reach = || rig.hooks.at("get", async { Err(Error::unavailable("EIO")) });
    out_of_reach();
    let report = check(&rig, full).await;
    assert_eq!((report.unreadable.as_slice(), report.damaged.len()), (&[content][..], 0));
    assert!(!report.is_clean());
    assert_eq!(rig.read(file.id).await, noise(BIG), "it is not refused for that");

    rig.damage(rig.only_blob().await, noise(1)).await;
    assert_eq!(check(&rig, full).await.damaged, [content]);
    out_of_reach();
    assert_eq!(check(&rig, full).await.unreadable, [content]);
    refused(rig.files().open(file.id, None).await, ErrorKind::Unavailable);
    assert_eq!(check(&rig, full).await.damaged, [content], "nor is it given back for that");
}

async fn a_check_runs_beside_anything(rig: Rig) {
    let done = Arc::new(AtomicBool::new(false));
    let workers: Vec<_> = (0..4)
        .map(|worker| {
            let (files, done, clock) = (rig.files(), done.clone(), rig.clock.clone());
            tokio::spawn(async move {
                let mut turns = 0;
                while turns < 5 || !done.load(Ordering::SeqCst) {
                    turns += 1;
                    let file = files.create("file", noise(BIG + worker)).await.unwrap();
                    files.write(file.id, noise(BIG), NOTHING).await.unwrap();
                    let id = files.uploads().begin(NewUpload::new("parts")).await.unwrap().id;
                    let uploads = files.uploads();
                    for number in 1..=3 {
                        let put = uploads.put_part(id, number, None, noise(BIG), NOTHING);
                        put.await.unwrap();
                    }
                    files.uploads().complete(id).await.unwrap();
                    files.delete_many(&[file.id.into(), id.into()]).await.unwrap();
                    let mut sweep = filestore::Sweep::default();
                    sweep.merge_above = 2;
                    files.store().sweep(&sweep).await.unwrap();
                    // Deleted blobs go; pending keys do not live so shortly.
                    clock.advance(std::time::Duration::from_secs(60));
                }
            })
        })
        .collect();
    for _ in 0..20 {
        let report = check(&rig, |options| options.read_data = true).await;
        assert!(report.is_clean(), "{report:?}");
    }
    done.store(true, Ordering::SeqCst);
    for worker in workers {
        worker.await.unwrap();
    }
    rig.assert_empty().await;
}
