use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::channel::oneshot;
use futures::future::{Either, select};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::*;
use crate::error::{Error, ErrorKind};

const MIB: usize = 1024 * 1024;

fn key(first: u8, last: u8) -> BlobKey {
    let mut bytes = [0xa5; 16];
    (bytes[0], bytes[15]) = (first, last);
    BlobKey::from_bytes(bytes)
}

fn store() -> (TempDir, FsBlobs) {
    let dir = TempDir::new().unwrap();
    let blobs = FsBlobs::open(dir.path(), Durability::Relaxed).unwrap();
    (dir, blobs)
}

/// A store as it is on a file system with nameless files, and one as it is without.
fn both_kinds(test: impl Fn(&Path, FsBlobs)) {
    for named in [false, true] {
        let dir = TempDir::new().unwrap();
        let mut blobs = FsBlobs::open(dir.path(), Durability::Full).unwrap();
        if named {
            blobs.volume = named_files_only(dir.path());
        }
        test(dir.path(), blobs);
    }
}

fn named_files_only(root: &Path) -> Arc<Volume> {
    let volume = layout::open(&LocalDisk::default(), root, false).unwrap();
    Arc::new(volume.with_named_files_only())
}

/// Every file below the root.
fn files(root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in fs::read_dir(root.join("blobs")).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            files.push(file.unwrap().path());
        }
    }
    files
}

fn noise(len: usize) -> Bytes {
    (0..len as u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

fn in_frames(bytes: &Bytes, frame: usize) -> impl Iterator<Item = Result<Bytes>> + Send + use<> {
    let bytes = bytes.clone();
    (0..bytes.len())
        .step_by(frame)
        .map(move |start| Ok(bytes.slice(start..bytes.len().min(start + frame))))
}

async fn all(blobs: &FsBlobs, key: BlobKey, range: Range<u64>) -> Bytes {
    blobs.get(key, range).await.unwrap().collect().await.unwrap()
}

async fn listed(blobs: &FsBlobs, after: Option<BlobKey>) -> Vec<BlobKey> {
    let all: Vec<_> = blobs.list(after).try_collect().await.unwrap();
    all.iter().map(|blob| blob.key).collect()
}

/// Runs to the end everything that was begun, also what nobody waits for.
fn run(future: impl Future<Output = ()>) {
    let runtime = Runtime::new().unwrap();
    runtime.block_on(future);
}

#[test]
fn a_blob_is_a_private_file_named_by_its_key_and_nothing_else_is_left() {
    both_kinds(|root, blobs| {
        let content = noise(3 * MIB + 17);
        run(async {
            let stream = stream::iter(in_frames(&content, 100_000));
            let size = blobs.put(key(0x0f, 1), ByteStream::from_results(stream)).await;
            assert_eq!(size.unwrap(), content.len() as u64);
        });
        let path = root.join("blobs/0f/0fa5a5a5a5a5a5a5a5a5a5a5a5a5a501");
        assert_eq!(files(root), std::slice::from_ref(&path));
        assert_eq!(fs::read(&path).unwrap(), content);
        assert_eq!(mode(&path), 0o600);
    });
}

#[test]
fn folders_are_private_and_all_there() {
    let above = TempDir::new().unwrap();
    let root = above.path().join("a/b");
    drop(FsBlobs::open(&root, Durability::Full).unwrap());
    assert_eq!(mode(&root), 0o700);
    assert_eq!(fs::read_dir(&root).unwrap().count(), 1);
    assert_eq!(fs::read_dir(root.join("blobs")).unwrap().count(), 257);
    assert_eq!(mode(&root.join("blobs/00")), 0o700);
    fs::remove_dir(root.join("blobs/ab")).unwrap();
    let error = FsBlobs::open(&root, Durability::Full).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
}

#[test]
fn an_unfinished_store_is_finished_and_two_may_make_one_at_once() {
    let dir = TempDir::new().unwrap();
    fs::create_dir_all(dir.path().join("blobs.new/07")).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| FsBlobs::open(dir.path(), Durability::Relaxed).unwrap());
        }
    });
    assert_eq!(fs::read_dir(dir.path().join("blobs")).unwrap().count(), 257);
    assert!(!dir.path().join("blobs.new").exists());
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_stream_that_fails_leaves_nothing_and_its_error_is_unchanged() {
    both_kinds(|root, blobs| {
        run(async {
            for good in [0, 10, 2 * MIB] {
                let broken = stream::iter(in_frames(&noise(good), 70_000))
                    .chain(stream::iter([Err(Error::too_large("enough"))]));
                let error = blobs.put(key(1, 1), ByteStream::from_results(broken)).await;
                let error = error.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::TooLarge);
                assert_eq!(error.to_string(), "enough");
            }
        });
        assert_eq!(files(root), [] as [PathBuf; 0]);
    });
}

#[test]
fn a_put_that_is_dropped_before_its_stream_ended_leaves_nothing() {
    both_kinds(|root, blobs| {
        run(async {
            let (reached, stalled) = oneshot::channel();
            let mut reached = Some(reached);
            let stall = stream::poll_fn(move |_| {
                if let Some(reached) = reached.take() {
                    reached.send(()).unwrap();
                }
                std::task::Poll::Pending
            });
            let content = stream::iter(in_frames(&noise(2 * MIB), 70_000)).chain(stall);
            let put = blobs.put(key(1, 1), ByteStream::from_results(content));
            let Either::Right((_, unfinished)) = select(put, stalled).await else {
                panic!("the stream has not ended");
            };
            drop(unfinished);
        });
        assert_eq!(files(root), [] as [PathBuf; 0]);
        assert_eq!(blobs.running_puts(), 0);
    });
}

#[tokio::test]
async fn a_second_put_of_a_key_is_refused_and_changes_nothing() {
    let (dir, blobs) = store();
    blobs.put(BlobKey::STORE_ID, "first".into()).await.unwrap();
    let error = blobs.put(BlobKey::STORE_ID, "other".into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(all(&blobs, BlobKey::STORE_ID, 0..5).await, "first");
    assert_eq!(files(dir.path()).len(), 1);
}

#[tokio::test]
async fn every_range_is_exact_from_the_cache_and_from_the_disk() {
    let (dir, blobs) = store();
    let content = noise(3 * Pool::BUFFER + 5);
    let key = key(7, 7);
    blobs.put(key, content.clone().into()).await.unwrap();
    let file = File::open(&files(dir.path())[0]).unwrap();
    file.sync_all().unwrap();
    let (buffer, small, end) = (Pool::BUFFER, Pool::SMALL, content.len());
    for (start, len) in [
        (0, 1),
        (0, small),
        (0, small + 1),
        (buffer - 1, 2),
        (buffer - 1, buffer + 2),
        (1, 2 * buffer),
        (2 * buffer, buffer),
        (end - 1, 1),
        (0, end),
    ] {
        let range = start as u64..(start + len) as u64;
        let wanted = content.slice(start..start + len);
        assert_eq!(all(&blobs, key, range.clone()).await, wanted);
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
        assert_eq!(all(&blobs, key, range).await, wanted);
    }
}

#[tokio::test]
async fn a_small_range_is_here_at_once_and_a_large_one_streams() {
    let (_dir, blobs) = store();
    blobs.put(key(1, 1), noise(MIB).into()).await.unwrap();
    let small = blobs.get(key(1, 1), 5..5 + Pool::SMALL as u64).await.unwrap();
    assert_eq!(small.as_whole().unwrap(), noise(MIB)[5..5 + Pool::SMALL]);
    let large = blobs.get(key(1, 1), 0..MIB as u64).await.unwrap();
    let frames: Vec<Bytes> = large.try_collect().await.unwrap();
    assert_eq!(frames.len(), 4);
}

#[tokio::test]
async fn a_blob_that_is_too_short_is_refused_before_its_first_byte() {
    let (dir, blobs) = store();
    blobs.put(key(1, 1), noise(MIB).into()).await.unwrap();
    let file = File::options().write(true).open(&files(dir.path())[0]).unwrap();
    file.set_len(MIB as u64 - 1).unwrap();
    let error = blobs.get(key(1, 1), 0..MIB as u64).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
}

#[tokio::test]
async fn a_blob_that_is_cut_while_it_is_read_ends_with_an_error() {
    let (dir, blobs) = store();
    blobs.put(key(1, 1), noise(MIB).into()).await.unwrap();
    let mut stream = blobs.get(key(1, 1), 0..MIB as u64).await.unwrap();
    stream.next().await.unwrap().unwrap();
    let file = File::options().write(true).open(&files(dir.path())[0]).unwrap();
    file.set_len(Pool::BUFFER as u64 + 100).unwrap();
    let error = stream.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn a_deleted_blob_is_gone_but_for_those_who_read_it() {
    let (_dir, blobs) = store();
    blobs.put(key(1, 1), noise(MIB).into()).await.unwrap();
    let reading = blobs.get(key(1, 1), 0..MIB as u64).await.unwrap();
    blobs.delete(key(1, 1)).await.unwrap();
    blobs.delete(key(1, 1)).await.unwrap();
    let error = blobs.get(key(1, 1), 0..1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(reading.collect().await.unwrap(), noise(MIB));
}

#[tokio::test]
async fn a_list_is_in_order_goes_on_after_a_key_and_leaves_out_what_is_no_blob() {
    let (dir, blobs) = store();
    let keys = [key(0, 9), key(3, 1), key(3, 2), key(3, 200), key(0xff, 0)];
    for key in keys.into_iter().rev() {
        blobs.put(key, "x".into()).await.unwrap();
    }
    let home = dir.path().join("blobs");
    fs::create_dir(home.join("03").join(key(3, 50).to_string())).unwrap();
    for foreign in [
        "03/readme".to_owned(),
        format!("03/{}", key(4, 1)),
        format!("03/{}", key(3, 0xab).to_string().to_uppercase()),
        format!("tmp/{}", key(0, 1)),
        format!("{}", key(0, 1)),
    ] {
        fs::write(home.join(foreign), "x").unwrap();
    }
    assert_eq!(listed(&blobs, None).await, keys);
    assert_eq!(listed(&blobs, Some(keys[2])).await, keys[3..]);
    assert_eq!(listed(&blobs, Some(key(3, 100))).await, keys[3..]);
    assert_eq!(listed(&blobs, Some(keys[4])).await, []);
}

#[tokio::test]
async fn a_listed_blob_has_its_size_and_the_time_it_was_stored() {
    let (_dir, blobs) = store();
    let before = SystemTime::now() - Duration::from_secs(1);
    blobs.put(key(1, 1), noise(77).into()).await.unwrap();
    let blob = blobs.list(None).next().await.unwrap().unwrap();
    assert_eq!(blob.size, 77);
    let stored = SystemTime::UNIX_EPOCH + Duration::from_millis(blob.stored.as_millis());
    assert!(before <= stored && stored <= SystemTime::now());
}

#[test]
fn leftovers_are_removed_when_they_are_old() {
    let (dir, _blobs) = store();
    let path = |name: &str| dir.path().join("blobs/tmp").join(name);
    for (name, hours) in [("old", 25), ("young", 23)] {
        let file = File::create(path(name)).unwrap();
        let modified = SystemTime::now() - Duration::from_secs(hours * 60 * 60);
        file.set_modified(modified).unwrap();
    }
    FsBlobs::open(dir.path(), Durability::Relaxed).unwrap();
    assert!(!path("old").exists());
    assert!(path("young").exists());
}

#[tokio::test]
async fn what_was_stored_is_there_when_the_store_is_opened_again() {
    let (dir, blobs) = store();
    blobs.put(key(1, 1), "kept".into()).await.unwrap();
    blobs.put(key(1, 2), ByteStream::empty()).await.unwrap();
    let again = FsBlobs::open(dir.path(), Durability::Full).unwrap();
    assert_eq!(all(&again, key(1, 1), 1..4).await, "ept");
    assert_eq!(listed(&again, None).await, [key(1, 1), key(1, 2)]);
}

#[tokio::test]
async fn a_folder_that_was_taken_away_is_no_missing_blob_to_a_writer() {
    let (dir, blobs) = store();
    fs::remove_dir(dir.path().join("blobs/01")).unwrap();
    let error = blobs.put(key(1, 1), "x".into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[test]
fn without_a_runtime_there_is_an_error_and_no_panic() {
    let (_dir, blobs) = store();
    let error = futures::executor::block_on(blobs.delete(key(1, 1))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
}

/// The suite runs on nameless files elsewhere.
#[cfg(feature = "conformance")]
mod with_named_files {
    use super::*;
    use crate::conformance::Fixture;

    fn blobs() -> Fixture<FsBlobs> {
        let (dir, mut blobs) = store();
        blobs.volume = named_files_only(dir.path());
        Fixture::new(blobs).with_guard(dir)
    }

    crate::blob_store_conformance!(blobs);
}
