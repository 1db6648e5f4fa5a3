//! The hash of the whole, however its parts came.

use bytes::Bytes;
use filestore::{Digest, ErrorKind, FileId, NewUpload, UploadState};

use super::rig::{BIG, Rig, digest_of, noise, refused};

super::cases! {
    parts_in_order_are_not_read_again
    parts_out_of_order_are_read_where_they_must_be
    whoever_comes_next_catches_up
    catching_up_ends_somewhere
    one_call_at_a_time_catches_up
    a_part_is_taken_though_one_before_it_is_lost
    an_identical_part_sent_again_keeps_the_chain
    a_changed_part_breaks_the_chain
    parts_on_other_nodes_go_on_with_the_hash
    without_a_declaration_nothing_is_read
    a_wrong_digest_fails_the_session
    lost_bytes_leave_the_session_sealed
    a_completion_that_starts_over_reads_on
}

fn part(number: u32) -> Bytes {
    noise(BIG + number as usize)
}

fn whole(numbers: std::ops::RangeInclusive<u32>) -> Bytes {
    numbers.map(part).collect::<Vec<_>>().concat().into()
}

async fn begin(rig: &Rig, content: &[u8]) -> FileId {
    let new = NewUpload { expect: digest_of(content), ..NewUpload::new("file") };
    rig.uploads().begin(new).await.unwrap().id
}

async fn put(rig: &Rig, id: FileId, number: u32, content: Bytes) {
    let expect = digest_of(&content);
    rig.uploads().put_part(id, number, None, content, expect).await.unwrap();
}

/// Completes a session and answers how many parts were read for it.
async fn complete(rig: &Rig, id: FileId, content: &[u8]) -> usize {
    rig.blobs.reads.lock().unwrap().clear();
    let record = rig.uploads().complete(id).await.unwrap().record.unwrap();
    let reads = rig.blobs.reads.lock().unwrap().len();
    assert_eq!(record.content.unwrap().sha256, Some(Digest::of(content)));
    assert_eq!(rig.read(id).await, content);
    reads
}

async fn parts_in_order_are_not_read_again(rig: Rig) {
    let content = whole(1..=20);
    let id = begin(&rig, &content).await;
    for number in 1..=20 {
        put(&rig, id, number, part(number)).await;
    }
    assert_eq!(complete(&rig, id, &content).await, 0);
}

async fn parts_out_of_order_are_read_where_they_must_be(rig: Rig) {
    for (order, reads) in [([3, 1, 2], 1), ([2, 3, 1], 2), ([3, 2, 1], 2), ([1, 3, 2], 1)] {
        let content = whole(1..=3);
        let id = begin(&rig, &content).await;
        for number in order {
            put(&rig, id, number, part(number)).await;
        }
        assert_eq!(complete(&rig, id, &content).await, reads, "{order:?}");
    }
}

/// Each number is that of a part, and of the parts that are read while it is put.
async fn puts_read(rig: &Rig, id: FileId, puts: &[(u32, usize)]) {
    for &(number, reads) in puts {
        rig.blobs.reads.lock().unwrap().clear();
        put(rig, id, number, part(number)).await;
        assert_eq!(rig.blobs.reads.lock().unwrap().len(), reads, "part {number}");
    }
}

async fn whoever_comes_next_catches_up(rig: Rig) {
    let content = whole(1..=7);
    let id = begin(&rig, &content).await;
    // A part that comes when the one before it is not hashed is read together with that.
    puts_read(&rig, id, &[(2, 0), (1, 0), (3, 2), (4, 0), (6, 0), (5, 0), (7, 2)]).await;
    assert_eq!(complete(&rig, id, &content).await, 0);
}

async fn catching_up_ends_somewhere(rig: Rig) {
    let content = whole(1..=9);
    let id = begin(&rig, &content).await;
    puts_read(&rig, id, &[(2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (1, 0)]).await;
    puts_read(&rig, id, &[(8, 4), (9, 4)]).await;
    assert_eq!(complete(&rig, id, &content).await, 0);
}

async fn one_call_at_a_time_catches_up(rig: Rig) {
    let content = whole(1..=4);
    let id = begin(&rig, &content).await;
    puts_read(&rig, id, &[(2, 0), (1, 0)]).await;
    // What the third call found of the second part is not recorded yet when the fourth part comes.
    let uploads = rig.uploads();
    rig.hooks.at("put_part", async move {
        let expect = digest_of(&part(4));
        uploads.put_part(id, 4, None, part(4), expect).await.map(drop)
    });
    puts_read(&rig, id, &[(3, 2)]).await;
    assert_eq!(complete(&rig, id, &content).await, 1);
}

async fn a_part_is_taken_though_one_before_it_is_lost(rig: Rig) {
    let content = whole(1..=3);
    let id = begin(&rig, &content).await;
    put(&rig, id, 2, part(2)).await;
    let key = rig.only_blob().await;
    put(&rig, id, 1, part(1)).await;
    rig.blobs.inner.delete(key).await.unwrap();
    put(&rig, id, 3, part(3)).await;
    refused(rig.uploads().complete(id).await, ErrorKind::Internal);
    rig.damage(key, part(2)).await;
    assert_eq!(complete(&rig, id, &content).await, 2);
}

async fn an_identical_part_sent_again_keeps_the_chain(rig: Rig) {
    let content = whole(1..=3);
    let id = begin(&rig, &content).await;
    for number in [1, 2, 3, 1, 2] {
        put(&rig, id, number, part(number)).await;
    }
    assert_eq!(complete(&rig, id, &content).await, 0);
    rig.assert_nothing_leaks().await;
    assert_eq!(rig.live().await.len(), 3);
}

async fn a_changed_part_breaks_the_chain(rig: Rig) {
    let content = whole(1..=3);
    let id = begin(&rig, &content).await;
    for (number, first) in [(1, 9), (2, 2), (3, 3), (1, 1)] {
        put(&rig, id, number, part(first)).await;
    }
    assert_eq!(complete(&rig, id, &content).await, 2);
}

async fn parts_on_other_nodes_go_on_with_the_hash(rig: Rig) {
    let content = whole(1..=6);
    let id = begin(&rig, &content).await;
    for number in 1..=6 {
        let node = rig.limited(|_| ()).await;
        let uploads = super::rig::files_of(&node).uploads();
        uploads.put_part(id, number, None, part(number), digest_of(&part(number))).await.unwrap();
    }
    assert_eq!(complete(&rig, id, &content).await, 0);
}

async fn without_a_declaration_nothing_is_read(rig: Rig) {
    let id = rig.uploads().begin(NewUpload::new("file")).await.unwrap().id;
    for number in [2, 1] {
        put(&rig, id, number, part(number)).await;
    }
    rig.blobs.reads.lock().unwrap().clear();
    let record = rig.uploads().complete(id).await.unwrap().record.unwrap();
    assert_eq!(rig.blobs.reads.lock().unwrap().len(), 0);
    assert_eq!(record.content.unwrap().sha256, None);

    // The digest of one part is that of the whole, and its tag.
    let one = rig.file_of_parts(&[part(1)]).await.content.unwrap();
    assert_eq!(one.sha256, Some(Digest::of(&part(1))));
    assert_eq!(one.tag, Digest::of(&part(1)).to_string());
}

async fn a_wrong_digest_fails_the_session(rig: Rig) {
    for order in [vec![1], vec![1, 2], vec![2, 1], vec![]] {
        let id = begin(&rig, b"something else").await;
        for number in order {
            put(&rig, id, number, part(number)).await;
        }
        refused(rig.uploads().complete(id).await, ErrorKind::DigestMismatch);
        let state = rig.uploads().status(id).await.unwrap().state;
        let UploadState::Failed(reason) = state else { panic!("{state:?}") };
        assert!(reason.contains("SHA-256"), "{reason}");
        refused(rig.uploads().complete(id).await, ErrorKind::Conflict);
        refused(rig.files().stat(id).await, ErrorKind::NotFound);
    }
    rig.assert_empty().await;
}

/// What is lost may come back, from a backup for instance: nothing is thrown away for it.
async fn lost_bytes_leave_the_session_sealed(rig: Rig) {
    let content = whole(1..=2);
    let id = begin(&rig, &content).await;
    put(&rig, id, 2, part(2)).await;
    let key = rig.only_blob().await;
    put(&rig, id, 1, part(1)).await;
    rig.blobs.inner.delete(key).await.unwrap();
    refused(rig.uploads().complete(id).await, ErrorKind::Internal);
    assert_eq!(rig.uploads().status(id).await.unwrap().state, UploadState::Sealed);
    rig.damage(key, part(2)).await;
    assert_eq!(complete(&rig, id, &content).await, 1);
}

async fn a_completion_that_starts_over_reads_on(rig: Rig) {
    let content = whole(1..=4);
    let id = begin(&rig, &content).await;
    for number in [4, 3, 2, 1] {
        put(&rig, id, number, part(number)).await;
    }
    rig.hooks.at("save_chains done", async { Ok(()) });
    rig.hooks.at("save_chains done", async { Err(filestore::Error::unavailable("it went down")) });
    refused(rig.uploads().complete(id).await, ErrorKind::Unavailable);
    // Of three that had to be read, two have been.
    assert_eq!(complete(&rig, id, &content).await, 1);
}
