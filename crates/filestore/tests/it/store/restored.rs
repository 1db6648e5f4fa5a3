//! A database that was restored from a copy beside blobs that went on.

use std::path::Path;
use std::sync::Arc;

use filestore::backend::BlobStore;
use filestore::{
    BlobKey, Clock, Durability, ErrorKind, FileStore, Files, FsBlobs, Fsck, ManualClock, Orphans,
    Result, Subject, Sweep, Tenant, Timestamp,
};
use filestore_postgres::{PostgresOptions, PostgresRepository};
use filestore_sqlite::{DATABASE, SqliteOptions, SqliteRepository};
use filestore_test_postgres::Database;
use futures::TryStreamExt;
use tempfile::TempDir;

use crate::store::rig::HOUR;

/// A database that can be copied.
enum Metadata {
    Sqlite(TempDir),
    Postgres(Database),
}

impl Metadata {
    fn of_each_kind() -> [Self; 2] {
        [Self::Sqlite(tempfile::tempdir().unwrap()), Self::Postgres(Database::empty())]
    }

    fn copy(&self) -> Self {
        match self {
            Self::Sqlite(folder) => {
                let copy = tempfile::tempdir().unwrap();
                let [from, to] = [folder, &copy].map(|folder| folder.path().join(DATABASE));
                std::fs::copy(from, to).unwrap();
                Self::Sqlite(copy)
            }
            Self::Postgres(database) => Self::Postgres(database.copy()),
        }
    }

    /// The store of it and the blobs in a folder.
    async fn open(&self, blobs: &Path, clock: &Arc<ManualClock>) -> Result<FileStore> {
        let durability = Durability::Relaxed;
        let blobs = FsBlobs::open(blobs, durability).unwrap();
        let clock = clock.clone();
        let builder = match self {
            Self::Sqlite(folder) => {
                let clock = clock.clone();
                let options = SqliteOptions { durability, clock, ..SqliteOptions::default() };
                let opened = SqliteRepository::open(folder.path().join(DATABASE), options);
                FileStore::builder(blobs, opened.unwrap())
            }
            Self::Postgres(database) => {
                let clock: Arc<dyn Clock> = clock.clone();
                let options = PostgresOptions {
                    durability,
                    clock: Some(clock),
                    ..PostgresOptions::default()
                };
                let opened = PostgresRepository::connect(&database.url(), options).await;
                FileStore::builder(blobs, opened.unwrap())
            }
        };
        builder.clock(clock).open().await
    }
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::from_millis(1_790_000_000_000)))
}

fn files(store: &FileStore) -> Files {
    store.files(&Tenant::new("here").unwrap(), &Subject::new("ann").unwrap())
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
    for metadata in Metadata::of_each_kind() {
        let (dir, clock) = (tempfile::tempdir().unwrap(), clock());
        let folder = dir.path();
        let store = metadata.open(folder, &clock).await.unwrap();
        let kept = files(&store).create("kept", content(1)).await.unwrap();
        let gone = files(&store).create("gone", content(2)).await.unwrap();
        drop(store);
        let copy = metadata.copy();

        let store = metadata.open(folder, &clock).await.unwrap();
        files(&store).create("new", content(3)).await.unwrap();
        files(&store).delete(gone.id).await.unwrap();
        clock.advance(2 * HOUR);
        store.sweep(&Sweep::default()).await.unwrap();
        drop(store);

        let store = copy.open(folder, &clock).await.unwrap();
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
}

/// A database of another store is refused, however alike its files are.
#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_database_does_not_open_with_these_blobs() {
    for (own, other) in Metadata::of_each_kind().into_iter().zip(Metadata::of_each_kind()) {
        let (dir, clock) = (tempfile::tempdir().unwrap(), clock());
        drop(own.open(dir.path(), &clock).await.unwrap());
        let opened = other.open(dir.path(), &clock).await;
        assert_eq!(opened.unwrap_err().kind(), ErrorKind::Conflict);
    }
}
