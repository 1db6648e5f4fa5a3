//! Content on its way in: whole, verified, durable, or not there at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use filestore::backend::BlobState;
use filestore::{
    Attributes, Clock, Digest, Error, ErrorKind, Expect, FileKey, FileNumber, FileStore,
    MemoryBlobs, MemoryRepository, NewFile, Revision, Timestamp,
};

use super::rig::{
    BIG, HOUR, NOTHING, Rig, broken, channel, digest_of, files_of, frames, noise, read, refused,
    size,
};

super::cases! {
    a_file_is_there_when_it_is_made
    what_was_declared_must_be_true
    what_was_declared_is_told_in_the_record
    content_is_limited
    attributes_are_limited
    a_broken_source_leaves_nothing
    a_taken_name_leaves_nothing
    a_reserved_file_has_no_content_yet
    an_overwrite_is_seen_when_it_is_whole
    a_file_that_goes_takes_its_new_content_along
    a_write_to_nothing_reads_nothing
    a_long_put_keeps_its_key
    a_put_whose_key_was_swept_is_refused
    a_commit_whose_key_was_swept_is_refused
    a_taken_number_is_drawn_again
    numbers_run_out
}

async fn a_file_is_there_when_it_is_made(rig: Rig) {
    for len in [0, 1, 16 * 1024, 16 * 1024 + 1, BIG, 300_000] {
        let content = noise(len);
        let whole = rig.file("whole", &content).await;
        let framed = rig.files().create("framed", frames(&content, 7_000)).await.unwrap();
        for file in [whole, framed] {
            assert_eq!(rig.read(file.id).await, content);
            assert_eq!(rig.files().stat(file.number).await.unwrap(), file);
            assert_eq!(file.owner, *rig.files().subject());
            assert_eq!(file.revision, Revision::FIRST);
            let known = file.content.unwrap();
            assert_eq!(known.size, len as u64);
            assert_eq!(known.sha256, Some(Digest::of(&content)));
            assert_eq!(known.tag, Digest::of(&content).to_string());
        }
    }
    rig.assert_nothing_leaks().await;
}

/// Every look at it is a millisecond later.
#[derive(Debug)]
struct Ticking(AtomicU64);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.fetch_add(1, Ordering::SeqCst))
    }
}

#[tokio::test]
async fn a_new_file_and_its_content_are_of_one_moment() {
    let clock = Arc::new(Ticking(AtomicU64::new(1_700_000_000_000)));
    let builder = FileStore::builder(MemoryBlobs::new(), MemoryRepository::new()).clock(clock);
    let files = files_of(&builder.open().await.unwrap());
    let made = files.create("made", noise(BIG)).await.unwrap();
    assert_eq!(made.content.clone().unwrap().stored, made.created);
    // A copy is younger than what it shares.
    let copy = files.copy(made.id, "copy").await.unwrap();
    assert_eq!(copy.content, made.content);
    assert!(copy.created > made.created);
}

fn false_declarations(content: &Bytes) -> [Expect; 4] {
    let right = Digest::of(content);
    [
        size(content.len() - 1),
        size(content.len() + 1),
        digest_of(b"something else"),
        Expect { size: Some(1), sha256: Some(right) },
    ]
}

async fn what_was_declared_must_be_true(rig: Rig) {
    let session = rig.uploads().begin(filestore::NewUpload::new("parts")).await.unwrap();
    let file = rig.files().reserve("reserved").await.unwrap();
    for content in [noise(100), noise(BIG)] {
        for expect in false_declarations(&content) {
            let new = NewFile { expect, ..NewFile::from("file") };
            let outcome = rig.files().create(new, frames(&content, 999)).await;
            refused(outcome, ErrorKind::DigestMismatch);
            let outcome = rig.files().write(file.id, frames(&content, 999), expect).await;
            refused(outcome, ErrorKind::DigestMismatch);
            let part = frames(&content, 999);
            let outcome = rig.uploads().put_part(session.id, 1, None, part, expect).await;
            refused(outcome, ErrorKind::DigestMismatch);
        }
    }
    assert_eq!(rig.files().count(&[]).await.unwrap(), 1);
    assert_eq!(rig.files().stat(file.id).await.unwrap(), file);
    assert_eq!(rig.uploads().status(session.id).await.unwrap().parts, 0);
    // Bytes that differ never become a blob; their keys wait for the sweep.
    assert_eq!(rig.stored().await, []);
    assert!(rig.known().await.iter().all(|(_, state)| *state == BlobState::Pending));
    rig.files().delete(file.id).await.unwrap();
    rig.assert_empty().await;
}

async fn what_was_declared_is_told_in_the_record(rig: Rig) {
    let content = noise(BIG);
    let expect = Expect { size: Some(BIG as u64), sha256: Some(Digest::of(&content)) };
    let new = NewFile { expect, ..NewFile::from("file") };
    let file = rig.files().create(new, frames(&content, 999)).await.unwrap();
    assert_eq!(file.content.unwrap().sha256, expect.sha256);
}

async fn content_is_limited(rig: Rig) {
    let limit = BIG as u64;
    let files = files_of(&rig.limited(|limits| limits.max_file = limit).await);
    let (most, more) = (noise(BIG), noise(BIG + 1));
    let file = files.create("most", frames(&most, 999)).await.unwrap();
    refused(files.create("more", frames(&more, 999)).await, ErrorKind::TooLarge);
    refused(files.create("more", more.clone()).await, ErrorKind::TooLarge);
    refused(files.write(file.id, more, NOTHING).await, ErrorKind::TooLarge);
    assert_eq!(read(&files, file.id).await, most);

    // Too much that was declared is refused before anything is read.
    let (_sender, endless) = channel();
    let new = NewFile { expect: size(BIG + 1), ..NewFile::from("more") };
    refused(files.create(new, endless).await, ErrorKind::TooLarge);
    assert_eq!(files.count(&[]).await.unwrap(), 1);
    rig.assert_nothing_leaks().await;
}

async fn attributes_are_limited(rig: Rig) {
    let files = files_of(&rig.limited(|limits| limits.max_attributes = 10).await);
    let named = |name: &str| Attributes::named(name);
    let file = files.create(named("0123456789"), "content").await.unwrap();
    let (long, nul) = (named("0123456789x"), named("a\0b"));
    let mut nameless = named("x");
    nameless.external_id = Some(String::new());
    for (wrong, kind) in [
        (long, ErrorKind::TooLarge),
        (nul, ErrorKind::InvalidArgument),
        (nameless, ErrorKind::InvalidArgument),
    ] {
        refused(files.create(wrong.clone(), "content").await, kind);
        refused(files.reserve(wrong.clone()).await, kind);
        refused(files.copy(file.id, wrong.clone()).await, kind);
        let edit = |attributes: &mut Attributes| {
            *attributes = wrong.clone();
            Ok(())
        };
        refused(files.update(file.id, edit).await, kind);
        let upload = filestore::NewUpload::new(wrong.clone());
        refused(files.uploads().begin(upload).await, kind);
    }
    assert_eq!(files.count(&[]).await.unwrap(), 1);
    assert_eq!(files.stat(file.id).await.unwrap(), file);
}

async fn a_broken_source_leaves_nothing(rig: Rig) {
    let session = rig.uploads().begin(filestore::NewUpload::new("parts")).await.unwrap();
    let file = rig.file("file", &noise(10)).await;
    for content in [noise(0), noise(100), noise(BIG)] {
        let broken = || broken(&content, 999);
        refused(rig.files().create("new", broken()).await, ErrorKind::Interrupted);
        let write = rig.files().write(file.id, broken(), NOTHING).await;
        refused(write, ErrorKind::Interrupted);
        let part = rig.uploads().put_part(session.id, 1, None, broken(), NOTHING).await;
        refused(part, ErrorKind::Interrupted);
    }
    assert_eq!(rig.read(file.id).await, noise(10));
    assert_eq!(rig.uploads().parts(session.id).await.unwrap(), []);
    rig.files().delete(file.id).await.unwrap();
    rig.assert_empty().await;
}

async fn a_taken_name_leaves_nothing(rig: Rig) {
    let named = |name: &str| Attributes { external_id: Some("x".into()), ..name.into() };
    let first = rig.files().create(named("first"), noise(BIG)).await.unwrap();
    let again = rig.files().create(named("second"), noise(BIG)).await;
    refused(again, ErrorKind::AlreadyExists);
    let same = NewFile { id: Some(first.id), ..NewFile::from("third") };
    refused(rig.files().create(same.clone(), noise(BIG)).await, ErrorKind::AlreadyExists);
    refused(rig.files().reserve(same).await, ErrorKind::AlreadyExists);
    assert_eq!(rig.files().stat(FileKey::External("x".into())).await.unwrap(), first);
    rig.assert_nothing_leaks().await;
    assert_eq!(rig.live().await.len(), 1);

    let id = rig.files().new_id().unwrap();
    let chosen = NewFile { id: Some(id), ..NewFile::from("fourth") };
    assert_eq!(rig.files().create(chosen, "content").await.unwrap().id, id);
}

async fn a_reserved_file_has_no_content_yet(rig: Rig) {
    let file = rig.files().reserve("later").await.unwrap();
    assert_eq!(file.content, None);
    refused(rig.files().open(file.id, None).await, ErrorKind::NotFound);
    refused(rig.files().copy(file.id, "copy").await, ErrorKind::NotFound);
    let written = rig.files().write(file.id, noise(BIG), NOTHING).await.unwrap();
    assert_eq!(written.number, file.number);
    assert_eq!(rig.read(file.id).await, noise(BIG));
    rig.assert_nothing_leaks().await;
}

async fn an_overwrite_is_seen_when_it_is_whole(rig: Rig) {
    let (old, new) = (noise(200_000), noise(100_000));
    let file = rig.file("file", &old).await;
    let reader = rig.files().open(file.id, None).await.unwrap();

    let (sender, content) = channel();
    let files = rig.files();
    let write = tokio::spawn(async move { files.write(file.id, content, NOTHING).await });
    sender.unbounded_send(Ok(new.slice(..60_000))).unwrap();
    while rig.hooks.count("pend done") < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(rig.read(file.id).await, old);
    rig.clock.advance(HOUR / 2);
    sender.unbounded_send(Ok(new.slice(60_000..))).unwrap();
    drop(sender);
    let written = write.await.unwrap().unwrap();

    assert_eq!(rig.read(file.id).await, new);
    assert_eq!((written.revision, written.updated), (file.revision, file.updated));
    assert_eq!(written.content.unwrap().stored, file.created.after(HOUR / 2));
    // Whoever opened the old content reads it to its end, also past a sweep.
    rig.clock.advance(HOUR / 2);
    rig.sweep().await;
    assert_eq!(reader.read_all().await.unwrap().collect().await.unwrap(), old);
    rig.assert_nothing_leaks().await;
    assert_eq!(rig.live().await.len(), 1);
}

async fn a_file_that_goes_takes_its_new_content_along(rig: Rig) {
    let file = rig.file("file", &noise(10)).await;
    let files = rig.files();
    rig.hooks.at("put", async move { files.delete(file.id).await });
    refused(rig.files().write(file.id, noise(BIG), NOTHING).await, ErrorKind::NotFound);
    rig.assert_empty().await;
}

async fn a_write_to_nothing_reads_nothing(rig: Rig) {
    let (_sender, endless) = channel();
    let nothing = rig.files().new_id().unwrap();
    refused(rig.files().write(nothing, endless, NOTHING).await, ErrorKind::NotFound);
}

async fn a_long_put_keeps_its_key(rig: Rig) {
    let (sender, content) = channel();
    let files = rig.files();
    let create = tokio::spawn(async move { files.create("slow", content).await });
    sender.unbounded_send(Ok(noise(BIG))).unwrap();
    while rig.hooks.count("pend done") < 1 {
        tokio::task::yield_now().await;
    }
    for renewals in 1..=10 {
        rig.clock.advance(2 * HOUR);
        sender.unbounded_send(Ok(noise(BIG))).unwrap();
        while rig.hooks.count("renew done") < renewals {
            tokio::task::yield_now().await;
        }
        rig.sweep().await;
    }
    drop(sender);
    let file = create.await.unwrap().unwrap();
    assert_eq!(rig.read(file.id).await.len(), 11 * BIG);
    rig.assert_nothing_leaks().await;
    assert_eq!(rig.live().await.len(), 1);
}

async fn a_put_whose_key_was_swept_is_refused(rig: Rig) {
    let (clock, store) = (rig.clock.clone(), rig.store.clone());
    let (sender, content) = channel();
    sender.unbounded_send(Ok(noise(BIG))).unwrap();
    // The first bytes announce the key, the later ones find that it was swept meanwhile.
    rig.hooks.at("pend done", async move {
        clock.advance(7 * HOUR);
        store.sweep(&filestore::Sweep::default()).await?;
        sender.unbounded_send(Ok(noise(10))).unwrap();
        Ok(())
    });
    refused(rig.files().create("stuck", content).await, ErrorKind::Conflict);
    rig.assert_empty().await;
}

async fn a_commit_whose_key_was_swept_is_refused(rig: Rig) {
    let file = rig.file("file", &noise(10)).await;
    let session = rig.uploads().begin(filestore::NewUpload::new("parts")).await.unwrap();
    let sweep = || {
        let (clock, store) = (rig.clock.clone(), rig.store.clone());
        async move {
            clock.advance(7 * HOUR);
            store.sweep(&filestore::Sweep::default()).await.map(drop)
        }
    };
    rig.hooks.at("put done", sweep());
    refused(rig.files().create("late", noise(BIG)).await, ErrorKind::Conflict);
    rig.hooks.at("put done", sweep());
    refused(rig.files().write(file.id, noise(BIG), NOTHING).await, ErrorKind::Conflict);
    rig.hooks.at("put done", sweep());
    let part = rig.uploads().put_part(session.id, 1, None, noise(BIG), NOTHING).await;
    refused(part, ErrorKind::Conflict);
    assert_eq!(rig.read(file.id).await, noise(10));
    rig.files().delete(file.id).await.unwrap();
    rig.assert_empty().await;
}

fn taken() -> Error {
    Error::new(ErrorKind::AlreadyExists, "the number is taken")
}

async fn a_taken_number_is_drawn_again(rig: Rig) {
    let other = rig.file("other", &noise(10)).await;
    for _ in 0..10 {
        rig.hooks.at("apply", async { Err(taken()) });
    }
    let file = rig.files().create("file", noise(BIG)).await.unwrap();
    assert_eq!(rig.hooks.count("apply"), 1 + 11);
    assert_eq!(rig.read(file.id).await, noise(BIG));
    assert_ne!(file.number, other.number);

    let session = rig.uploads().begin(filestore::NewUpload::new("parts")).await.unwrap();
    for _ in 0..10 {
        rig.hooks.at("finish", async { Err(taken()) });
    }
    assert!(rig.uploads().complete(session.id).await.unwrap().record.is_some());
    rig.assert_nothing_leaks().await;
}

async fn numbers_run_out(rig: Rig) {
    assert!(FileNumber::MAX.get() < 1 << 53);
    for _ in 0..100 {
        rig.hooks.at("apply", async { Err(taken()) });
    }
    refused(rig.files().create("file", noise(BIG)).await, ErrorKind::Unavailable);
}
