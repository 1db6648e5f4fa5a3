//! A database that was restored from a copy beside blobs that went on.

use std::path::Path;
use std::sync::Arc;

use filestore::backend::{BlobStore, LedgerRepository};
use filestore::{
    BlobKey, Durability, ErrorKind, FileStore, Files, FsBlobs, Fsck, ManualClock, Orphans, Sweep,
    Timestamp,
};
use filestore_test_postgres::Database;
use futures::TryStreamExt;

use crate::support::{HOUR, ann, connect, here};

async fn open(database: &Database, folder: &Path, clock: &Arc<ManualClock>) -> FileStore {
    let blobs = FsBlobs::open(folder, Durability::Relaxed).unwrap();
    let repository = connect(database, clock.clone()).await;
    FileStore::builder(blobs, repository).clock(clock.clone()).open().await.unwrap()
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::from_millis(1_790_000_000_000)))
}

fn files(store: &FileStore) -> Files {
    store.files(&here(), &ann())
}

fn content(byte: u8) -> Vec<u8> {
    vec![byte; 20_000]
}

async fn stored(folder: &Path) -> Vec<BlobKey> {
    let blobs = FsBlobs::open(folder, Durability::Relaxed).unwrap();
    let all: Vec<_> = blobs.list(None).try_collect().await.unwrap();
    all.iter().map(|blob| blob.key).filter(|key| *key != BlobKey::STORE_ID).collect()
}

/// It is the same store, so it opens. What the copy knows and the blobs still have is served; what
/// went since is missing, what came since is nobody's, and both are told by a check. Nothing is
/// deleted before somebody asks for that.
#[tokio::test(flavor = "multi_thread")]
async fn an_older_database_is_told_from_its_blobs() {
    let (dir, database) = (tempfile::tempdir().unwrap(), Database::new());
    let (folder, clock) = (dir.path(), clock());
    let store = open(&database, folder, &clock).await;
    let kept = files(&store).create("kept", content(1)).await.unwrap();
    let gone = files(&store).create("gone", content(2)).await.unwrap();
    drop(store);
    let copy = database.copy();

    let store = open(&database, folder, &clock).await;
    files(&store).create("new", content(3)).await.unwrap();
    files(&store).delete(gone.id).await.unwrap();
    clock.advance(2 * HOUR);
    store.sweep(&Sweep::default()).await.unwrap();
    drop(store);

    let store = open(&copy, folder, &clock).await;
    let read = files(&store).open(kept.id, None).await.unwrap().read_all().await.unwrap();
    assert_eq!(read.collect().await.unwrap(), content(1));
    let missing = files(&store).open(gone.id, None).await.unwrap().read_all().await;
    assert_eq!(missing.unwrap_err().kind(), ErrorKind::Internal);
    let before = stored(folder).await;
    assert_eq!(before.len(), 2);
    let report = store.fsck(&Fsck::default()).await.unwrap();
    assert_eq!((report.missing.len(), report.orphans.len()), (1, 1));
    assert!(before.contains(&report.orphans[0]) && !before.contains(&report.missing[0]));

    for _ in 0..3 {
        clock.advance(24 * HOUR);
        store.sweep(&Sweep::default()).await.unwrap();
        assert_eq!(store.fsck(&Fsck::default()).await.unwrap(), report);
    }
    assert_eq!(stored(folder).await, before, "nobody asked for a deletion");

    let mut collect = Fsck::default();
    collect.orphans = Orphans::Collect;
    assert_eq!(store.fsck(&collect).await.unwrap(), report);
    clock.advance(2 * HOUR);
    store.sweep(&Sweep::default()).await.unwrap();
    assert!(!stored(folder).await.contains(&report.orphans[0]));
    let left = store.fsck(&Fsck::default()).await.unwrap();
    assert_eq!((left.missing, left.orphans), (report.missing, Vec::new()));
}

/// A database of another store is refused, however alike its files are.
#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_database_does_not_open_with_these_blobs() {
    let (dir, own, other) = (tempfile::tempdir().unwrap(), Database::empty(), Database::empty());
    let clock = clock();
    drop(open(&own, dir.path(), &clock).await);
    let stranger = connect(&other, clock.clone()).await;
    stranger.store_id().await.unwrap();
    let blobs = FsBlobs::open(dir.path(), Durability::Relaxed).unwrap();
    let opened = FileStore::builder(blobs, stranger).open().await;
    assert_eq!(opened.unwrap_err().kind(), ErrorKind::Conflict);
}
