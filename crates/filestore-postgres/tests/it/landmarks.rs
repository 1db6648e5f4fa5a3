//! Contents of many segments remember where some of them start.

use filestore::{Expect, FileId, FileStore, Files, MemoryBlobs, NewUpload, RangeSpec, Sweep};
use filestore_test_postgres::Database;
use tokio_postgres::Client;

use crate::support::*;

const PARTS: u32 = 100;

async fn files(database: &Database) -> Files {
    let repository = open(database).await;
    let store = FileStore::builder(MemoryBlobs::new(), repository).open().await.unwrap();
    store.files(&here(), &ann())
}

/// Parts of none to six bytes each, no two of which are alike where they meet.
fn part(n: u32) -> Vec<u8> {
    vec![n as u8; (n % 7) as usize]
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

async fn assert_ranges(files: &Files, id: FileId, from: usize) {
    let whole: Vec<u8> = (1..=PARTS).flat_map(part).collect();
    for start in from..whole.len() {
        let end = (start + 20).min(whole.len());
        let range = RangeSpec::FromTo(start as u64, end as u64 - 1);
        let file = files.open(id, range).await.unwrap();
        let read = file.read_range(range).await.unwrap().collect().await.unwrap();
        assert_eq!(read, whole[start..end], "{range:?}");
    }
    let last = RangeSpec::Last(9);
    let file = files.open(id, last).await.unwrap();
    let read = file.read_range(last).await.unwrap().collect().await.unwrap();
    assert_eq!(read, whole[whole.len() - 9..]);
}

async fn assert_whole(files: &Files, id: FileId) {
    let whole: Vec<u8> = (1..=PARTS).flat_map(part).collect();
    let file = files.open(id, None).await.unwrap();
    assert_eq!(file.read_all().await.unwrap().collect().await.unwrap(), whole);
}

async fn landmarks(client: &Client) -> Option<i32> {
    let count = "SELECT array_length(landmarks, 1) FROM filestore.content";
    client.query_one(count, &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completed_session_has_landmarks_until_it_is_merged() {
    let database = Database::new();
    let (files, client) = (files(&database).await, client(&database).await);
    let id = upload(&files).await;
    assert_eq!(landmarks(&client).await, Some(3));
    assert_ranges(&files, id, 0).await;
    assert_whole(&files, id).await;

    client.batch_execute("UPDATE filestore.content SET landmarks = NULL").await.unwrap();
    assert_ranges(&files, id, 0).await;
    assert_whole(&files, id).await;

    assert_eq!(files.store().sweep(&Sweep::default()).await.unwrap().merged, 1);
    assert_eq!(landmarks(&client).await, None);
    assert_ranges(&files, id, 0).await;
}

/// What is before a landmark is not looked at.
#[tokio::test(flavor = "multi_thread")]
async fn a_range_is_found_from_a_landmark_on() {
    let database = Database::new();
    let (files, client) = (files(&database).await, client(&database).await);
    let id = upload(&files).await;
    let spoil = "UPDATE filestore.segment SET size = size + 1000 WHERE n <= 64";
    client.batch_execute(spoil).await.unwrap();
    let before: usize = (1..=64).map(|n| part(n).len()).sum();
    assert_ranges(&files, id, before).await;
}
