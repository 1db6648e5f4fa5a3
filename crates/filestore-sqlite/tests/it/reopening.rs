//! What a file keeps, and which files are taken.

use std::path::Path;
use std::time::Duration;

use filestore::backend::{
    BeginUpload, FileRepository, LedgerRepository, Part, Place, RecordRepository, Segment,
    UploadRepository,
};
use filestore::{
    Attributes, BlobKey, Cond, ContentId, Digest, ErrorKind, Expect, Expected, FileId, FileNumber,
    FileQuery, NameMatch, RecordChange, UploadTarget,
};
use filestore_sqlite::SqliteRepository;
use rusqlite::Connection;

use crate::support::{ann, clock, here, insert, moment, open, open_by, options};

const HOUR: Duration = Duration::from_secs(3600);

fn upload(id: FileId) -> BeginUpload {
    BeginUpload {
        id,
        owner: ann(),
        target: UploadTarget::NewFile,
        content: ContentId::mint(moment(0)).unwrap(),
        attributes: Attributes::named("parts"),
        expect: Expect::default(),
        total: None,
        lifetime: HOUR,
    }
}

fn part(ticket: u64) -> Part {
    let segment = Segment { size: 1, sha256: Digest::of(b"x"), place: Place::Inline("x".into()) };
    Part { number: 1, segment, ticket, chain: None }
}

#[tokio::test]
async fn all_is_there_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("metadata.db");
    let (id, key) = (FileId::mint(moment(0)).unwrap(), BlobKey::mint().unwrap());
    let change = RecordChange {
        kind: "kind".to_owned(),
        key: "key".to_owned(),
        expected: Expected::Nothing,
        body: Some("{}".to_owned()),
    };

    let repository = open(&path);
    let file = repository.apply(&here(), vec![insert(7, Attributes::named("seven"))]).await;
    let file = file.unwrap().remove(0);
    let session = repository.begin(&here(), upload(id)).await.unwrap();
    let written = repository.write_records(&here(), vec![change], moment(1)).await.unwrap();
    assert_eq!(repository.next_number(&here(), "counter").await.unwrap(), 1);
    repository.pend(key, HOUR).await.unwrap();
    let store = repository.store_id().await.unwrap();
    drop(repository);

    let repository = open(&path);
    let query = FileQuery {
        all: vec![Cond::Name(NameMatch::Contains, "eve".to_owned())],
        ..FileQuery::default()
    };
    assert_eq!(repository.list(&here(), &query).await.unwrap().items, std::slice::from_ref(&file));
    let number = FileNumber::new(7).unwrap();
    let loaded = repository.load(&here(), &number.into(), None).await.unwrap();
    assert_eq!((loaded.record, loaded.segments.len()), (file, 1));
    assert_eq!(repository.session(&here(), id).await.unwrap(), session);
    assert_eq!(repository.record(&here(), "kind", "key").await.unwrap().as_ref(), written.first());
    assert_eq!(repository.next_number(&here(), "counter").await.unwrap(), 2);
    repository.renew(key, HOUR).await.unwrap();
    assert_eq!(repository.store_id().await.unwrap(), store);
}

/// The clock stands still, or was set back: the ticket of a part that is there is still less.
#[tokio::test]
async fn tickets_go_on_where_they_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("metadata.db");
    let id = FileId::mint(moment(0)).unwrap();
    let repository = open(&path);
    repository.begin(&here(), upload(id)).await.unwrap();
    let mut last = 0;
    for _ in 0..5000 {
        let ticket = repository.admit(&here(), id, 1, None).await.unwrap().ticket;
        assert!(ticket > last);
        last = ticket;
    }
    repository.put_part(&here(), id, None, part(last)).await.unwrap();
    drop(repository);

    let repository = open(&path);
    assert!(repository.admit(&here(), id, 1, None).await.unwrap().ticket > last);
}

/// As a server and its `sweep` do.
#[tokio::test]
async fn two_may_have_the_file_open() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("metadata.db");
    let clock = clock();
    let (one, other) = (open_by(&path, clock.clone()), open_by(&path, clock));
    assert_eq!(one.store_id().await.unwrap(), other.store_id().await.unwrap());
    let here = here();
    for n in (1..100).step_by(2) {
        let by_one = one.apply(&here, vec![insert(n, Attributes::named("one"))]);
        let by_other = other.apply(&here, vec![insert(n + 1, Attributes::named("other"))]);
        let (by_one, by_other) = tokio::join!(by_one, by_other);
        by_one.unwrap();
        by_other.unwrap();
    }
    assert_eq!(one.count(&here, &[]).await.unwrap(), 100);
    assert_eq!(other.count(&here, &[]).await.unwrap(), 100);
}

fn refusal(path: &Path) -> (ErrorKind, String) {
    let error = SqliteRepository::open(path, options(clock())).unwrap_err();
    (error.kind(), error.to_string())
}

#[tokio::test]
async fn a_later_schema_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("metadata.db");
    drop(open(&path));
    let db = Connection::open(&path).unwrap();
    db.pragma_update(None, "user_version", 1000).unwrap();
    drop(db);

    let (kind, message) = refusal(&path);
    assert_eq!(kind, ErrorKind::InvalidArgument);
    assert!(message.contains("1000"), "{message}");
    let db = Connection::open(&path).unwrap();
    let version: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(version, 1000);
}

#[tokio::test]
async fn a_strangers_database_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("stranger.db");
    let db = Connection::open(&path).unwrap();
    db.execute_batch("CREATE TABLE theirs (n INTEGER)").unwrap();
    drop(db);

    assert_eq!(refusal(&path).0, ErrorKind::InvalidArgument);
    let db = Connection::open(&path).unwrap();
    let tables: i64 =
        db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
    assert_eq!(tables, 1);

    std::fs::write(&path, "not a database, however long it is: ".repeat(100)).unwrap();
    assert_eq!(refusal(&path).0, ErrorKind::InvalidArgument);
    assert_eq!(refusal(&dir.path().join("no/such/folder.db")).0, ErrorKind::Unavailable);
}

/// Nothing is left in the log when the last one closes.
#[tokio::test]
async fn closing_folds_the_log_into_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("metadata.db");
    let repository = open(&path);
    repository.apply(&here(), vec![insert(1, Attributes::named("one"))]).await.unwrap();
    repository.find(&here(), &[FileNumber::new(1).unwrap().into()]).await.unwrap();
    drop(repository);
    let files = std::fs::read_dir(dir.path()).unwrap();
    let mut names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["metadata.db", "metadata.db-reserve"]);
}
