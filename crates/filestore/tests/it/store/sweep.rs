//! Upkeep.

use std::time::Duration;

use bytes::Bytes;
use filestore::{Error, ErrorKind, Fsck, NewUpload, Sweep, UploadState};

use super::rig::{BIG, HOUR, MINUTE, NOTHING, Rig, digest_of, files_of, noise, read, refused};

super::cases! {
    fragments_are_merged
    only_what_is_asked_for_is_merged
    a_merge_does_not_hide_damage
    a_merge_gives_way_to_other_changes
    deleted_bytes_stay_for_a_while
    deletions_do_not_wait_for_each_other
    ended_sessions_are_forgotten_later
    a_stalled_completion_ends
    one_that_cannot_end_holds_up_nothing
    sweeps_at_once_do_not_disturb_each_other
    a_sweep_that_failed_is_made_up_for
}

fn fragments(count: usize, len: usize) -> Vec<Bytes> {
    (0..count).map(|n| noise(len + n % 3)).collect()
}

async fn fragments_are_merged(rig: Rig) {
    for len in [100, 1000] {
        let parts = fragments(70, len);
        let file = rig.file_of_parts(&parts).await;
        assert!(rig.live().await.len() >= 70 - 16);
        let before = rig.files().open(file.id, None).await.unwrap();
        let report = rig.sweep().await;
        assert_eq!(report.merged, 1);
        assert_eq!(rig.files().stat(file.id).await.unwrap(), file, "the tag stays");
        assert_eq!(before.read_all().await.unwrap().collect().await.unwrap(), parts.concat());
        assert_eq!(rig.read(file.id).await, parts.concat());
        assert_eq!(rig.sweep().await.merged, 0);
        rig.assert_nothing_leaks().await;
        assert_eq!(rig.read(file.id).await, parts.concat());
        // Small content went into the metadata, other is one blob.
        assert_eq!(rig.live().await.len(), usize::from(70 * len > 16 * 1024));
    }
}

async fn only_what_is_asked_for_is_merged(rig: Rig) {
    for count in [3, 3, 3, 2] {
        rig.file_of_parts(&fragments(count, BIG)).await;
    }
    assert_eq!(rig.sweep().await.merged, 0);
    let mut options = Sweep::default();
    options.merge_above = 2;
    options.merge_below = BIG as u64;
    assert_eq!(rig.store.sweep(&options).await.unwrap().merged, 0, "they are large enough");
    options.merge_below = BIG as u64 + 10;
    options.merges = 2;
    assert_eq!(rig.store.sweep(&options).await.unwrap().merged, 2);
    assert_eq!(rig.store.sweep(&options).await.unwrap().merged, 1);
    assert_eq!(rig.store.sweep(&options).await.unwrap().merged, 0);
    rig.assert_nothing_leaks().await;
    assert_eq!(rig.live().await.len(), 3 + 2);
}

async fn a_merge_does_not_hide_damage(rig: Rig) {
    let parts = fragments(3, BIG);
    let file = rig.file_of_parts(&parts).await;
    let before = rig.live().await;
    let gone = rig.file("gone", &noise(BIG)).await;
    rig.files().delete(gone.id).await.unwrap();
    rig.clock.advance(2 * HOUR);
    let mut wrong = parts[1].to_vec();
    wrong[BIG / 2] ^= 1;
    let mut damaged = None;
    for key in before {
        let size = parts[1].len() as u64;
        let Ok(content) = rig.blobs.inner.get(key, 0..size).await else { continue };
        if content.collect().await.ok() == Some(parts[1].clone()) {
            rig.damage(key, wrong.clone()).await;
            damaged = Some(key);
        }
    }
    assert!(damaged.is_some());
    let mut options = Sweep::default();
    (options.merge_above, options.merge_below) = (2, u64::MAX);
    refused(rig.store.sweep(&options).await, ErrorKind::Internal);
    // The rest of the sweep was done all the same.
    assert_eq!(rig.stored().await.len(), 3);
    let mut check = Fsck::default();
    check.read_data = true;
    let report = rig.store.fsck(&check).await.unwrap();
    assert_eq!(report.damaged, [file.content.unwrap().id]);
}

async fn a_merge_gives_way_to_other_changes(rig: Rig) {
    let mut options = Sweep::default();
    options.merge_above = 2;
    for place in ["segments", "segments done", "put", "put done", "replace_segments"] {
        let file = rig.file_of_parts(&fragments(3, BIG)).await;
        let files = rig.files();
        rig.hooks.at(place, async move { files.delete(file.id).await });
        assert_eq!(rig.store.sweep(&options).await.unwrap().merged, 0, "{place}");
    }
    // It is gone so long that its bytes are, too.
    let file = rig.file_of_parts(&fragments(3, BIG)).await;
    let store = rig.limited(|limits| limits.keep_deleted = Duration::ZERO).await;
    rig.hooks.at("put", async move {
        files_of(&store).delete(file.id).await?;
        store.sweep(&Sweep::default()).await.map(drop)
    });
    assert_eq!(rig.store.sweep(&options).await.unwrap().merged, 0);
    rig.assert_empty().await;
}

async fn deleted_bytes_stay_for_a_while(rig: Rig) {
    let file = rig.file("file", &noise(BIG)).await;
    let reader = rig.files().open(file.id, None).await.unwrap();
    rig.files().delete(file.id).await.unwrap();
    rig.clock.advance(HOUR - MINUTE);
    assert_eq!(rig.sweep().await.blobs_deleted, 0);
    assert_eq!(reader.read_all().await.unwrap().collect().await.unwrap(), noise(BIG));
    rig.clock.advance(MINUTE);
    assert_eq!(rig.sweep().await.blobs_deleted, 1);
    assert_eq!(rig.stored().await, []);
    refused(reader.read_all().await, ErrorKind::Internal);
}

async fn deletions_do_not_wait_for_each_other(rig: Rig) {
    for name in ["a", "b", "c"] {
        let file = rig.file(name, &noise(BIG)).await;
        rig.files().delete(file.id).await.unwrap();
    }
    rig.clock.advance(HOUR + MINUTE);
    // The first ends when the third has begun.
    let (begun, third) = futures::channel::oneshot::channel();
    rig.hooks.at("delete", async { third.await.map_err(|_| Error::internal("dropped")) });
    rig.hooks.at("delete", async { Ok(()) });
    rig.hooks.at("delete", async { begun.send(()).map_err(|()| Error::internal("dropped")) });
    let swept = tokio::time::timeout(MINUTE, rig.store.sweep(&Sweep::default())).await;
    assert_eq!(swept.expect("one waits for another").unwrap().blobs_deleted, 3);
    rig.assert_nothing_leaks().await;
}

async fn ended_sessions_are_forgotten_later(rig: Rig) {
    let canceled = rig.uploads().begin(NewUpload::new("canceled")).await.unwrap().id;
    rig.uploads().abort(canceled).await.unwrap();
    let completed = rig.file_of_parts(&[noise(10)]).await.id;
    rig.clock.advance(7 * 24 * HOUR - MINUTE);
    assert_eq!(rig.sweep().await.sessions_forgotten, 0);
    rig.clock.advance(MINUTE);
    assert_eq!(rig.sweep().await.sessions_forgotten, 1);
    refused(rig.uploads().status(canceled).await, ErrorKind::NotFound);
    // One whose file is there stays with it.
    assert_eq!(rig.uploads().status(completed).await.unwrap().state, UploadState::Completed);
    rig.files().delete(completed).await.unwrap();
    assert_eq!(rig.sweep().await.sessions_forgotten, 1);
    refused(rig.uploads().complete(completed).await, ErrorKind::NotFound);
}

/// A session that was sealed when its completion was cut off.
async fn stalled(rig: &Rig, content: &[u8]) -> filestore::FileId {
    let new = NewUpload { expect: digest_of(content), ..NewUpload::new("file") };
    let id = rig.uploads().begin(new).await.unwrap().id;
    for (number, len) in [(2, BIG + 1), (1, BIG)] {
        rig.uploads().put_part(id, number, None, noise(len), NOTHING).await.unwrap();
    }
    rig.hooks.at("parts", async { Err(Error::unavailable("it went down")) });
    refused(rig.uploads().complete(id).await, ErrorKind::Unavailable);
    id
}

async fn a_stalled_completion_ends(rig: Rig) {
    let content = [noise(BIG), noise(BIG + 1)].concat();
    let (good, bad) = (stalled(&rig, &content).await, stalled(&rig, b"something else").await);
    assert_eq!(rig.sweep().await.sessions_resumed, 0);
    rig.clock.advance(MINUTE);
    assert_eq!(rig.sweep().await.sessions_resumed, 2);
    assert_eq!(rig.read(good).await, content);
    assert!(matches!(rig.uploads().status(bad).await.unwrap().state, UploadState::Failed(_)));
    assert_eq!(rig.sweep().await.sessions_resumed, 0);
    rig.assert_nothing_leaks().await;
}

async fn one_that_cannot_end_holds_up_nothing(rig: Rig) {
    let content = [noise(BIG), noise(BIG + 1)].concat();
    let stuck = stalled(&rig, &content).await;
    for key in rig.live().await {
        rig.blobs.inner.delete(key).await.unwrap();
    }
    let fine = stalled(&rig, &content).await;
    let gone = rig.file("gone", &noise(BIG)).await;
    rig.files().delete(gone.id).await.unwrap();
    rig.clock.advance(2 * HOUR);
    refused(rig.store.sweep(&Sweep::default()).await, ErrorKind::Internal);
    assert_eq!(rig.read(fine).await, content);
    assert_eq!(rig.stored().await.len(), 2);
    // Its owner can give it up.
    assert_eq!(rig.uploads().abort(stuck).await.unwrap().state, UploadState::Canceled);
    rig.assert_nothing_leaks().await;
}

async fn sweeps_at_once_do_not_disturb_each_other(rig: Rig) {
    let kept = rig.file_of_parts(&fragments(70, 1000)).await;
    for n in 0..20 {
        let file = rig.file("gone", &noise(BIG + n)).await;
        rig.files().delete(file.id).await.unwrap();
        rig.uploads().begin(NewUpload::new("expires")).await.unwrap();
    }
    rig.clock.advance(25 * HOUR);
    let mut nodes = Vec::new();
    for _ in 0..4 {
        let node = rig.limited(|_| ()).await;
        nodes.push(tokio::spawn(async move { node.sweep(&Sweep::default()).await.unwrap() }));
    }
    let reports: Vec<_> =
        futures::future::join_all(nodes).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(reports.iter().map(|report| report.merged).sum::<u64>(), 1);
    assert!(reports.iter().map(|report| report.blobs_deleted).sum::<u64>() >= 20);
    assert_eq!(read(&rig.files(), kept.id).await, fragments(70, 1000).concat());
    rig.assert_nothing_leaks().await;
}

async fn a_sweep_that_failed_is_made_up_for(rig: Rig) {
    let file = rig.file("file", &noise(BIG)).await;
    rig.files().delete(file.id).await.unwrap();
    rig.clock.advance(2 * HOUR);
    for place in ["claim", "claim done", "delete", "settle", "due", "fragmented"] {
        rig.hooks.at(place, async { Err(Error::unavailable("the disk is away")) });
        refused(rig.store.sweep(&Sweep::default()).await, ErrorKind::Unavailable);
        rig.clock.advance(HOUR);
    }
    rig.assert_empty().await;
}
