//! Contents of many segments remember where some of them start.

use std::path::Path;

use filestore::{
    Expect, FileId, FileStore, Files, MemoryBlobs, NewUpload, RangeSpec, Subject, Sweep, Tenant,
};
use filestore_sqlite::SqliteRepository;
use rusqlite::Connection;

use crate::support::{clock, options};

const PARTS: u32 = 100;

async fn store(path: &Path) -> Files {
    let repository = SqliteRepository::open(path, options(clock())).unwrap();
    let store = FileStore::builder(MemoryBlobs::new(), repository).open().await.unwrap();
    store.files(&Tenant::new("here").unwrap(), &Subject::new("ann").unwrap())
}

/// Parts of one to seven bytes each, no two of which are alike where they meet.
fn part(n: u32) -> Vec<u8> {
    vec![n as u8; (n % 7 + 1) as usize]
}

async fn upload(files: &Files) -> FileId {
    let uploads = files.uploads();
    let id = uploads.begin(NewUpload::new("parts")).await.unwrap().id;
    for n in (1..=PARTS).rev() {
        uploads.put_part(id, n, Some(PARTS), part(n), Expect::default()).await.unwrap();
    }
    uploads.complete(id).await.unwrap();
    id
}

async fn assert_ranges(files: &Files, id: FileId) {
    let whole: Vec<u8> = (1..=PARTS).flat_map(part).collect();
    for start in 0..whole.len() {
        let end = (start + 20).min(whole.len());
        let range = RangeSpec::FromTo(start as u64, end as u64 - 1);
        let file = files.open(id, range).await.unwrap();
        let read = file.read_range(range).await.unwrap().collect().await.unwrap();
        assert_eq!(read, whole[start..end], "{range:?}");
    }
}

/// Segments, and bytes of landmarks.
fn content(path: &Path) -> (u32, Option<u32>) {
    let db = Connection::open(path).unwrap();
    let sql = "SELECT segments, length(landmarks) FROM content";
    db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
}

#[tokio::test]
async fn a_completed_session_has_landmarks_until_it_is_merged() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("metadata.db");
    let files = store(&path).await;
    let id = upload(&files).await;
    assert_eq!(content(&path), (PARTS, Some(3 * 8)));
    assert_ranges(&files, id).await;

    assert_eq!(files.store().sweep(&Sweep::default()).await.unwrap().merged, 1);
    assert_eq!(content(&path), (1, None));
    assert_ranges(&files, id).await;
}

#[tokio::test]
async fn a_store_from_before_landmarks_is_read_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("metadata.db");
    let repository = SqliteRepository::open(&path, options(clock())).unwrap();
    drop(repository);
    let db = Connection::open(&path).unwrap();
    db.execute_batch("ALTER TABLE content DROP COLUMN landmarks; PRAGMA user_version = 1").unwrap();
    drop(db);

    let files = store(&path).await;
    let id = upload(&files).await;
    assert_ranges(&files, id).await;
    let db = Connection::open(&path).unwrap();
    db.execute_batch("UPDATE content SET landmarks = NULL").unwrap();
    assert_ranges(&files, id).await;
}
