//! What the tests begin with.

use std::sync::Arc;
use std::time::Duration;

use filestore::backend::{
    BeginUpload, BlobState, Change, LedgerRepository, NewContent, Part, Place, Segment,
    UploadRepository,
};
use filestore::{
    Attributes, BlobKey, Clock, ContentId, Digest, Durability, Expect, FileId, FileNumber,
    FileRecord, Revision, Subject, Tenant, Timestamp, UploadTarget,
};
use filestore_postgres::{PostgresOptions, PostgresRepository};
use filestore_test_postgres::Database;
use tokio::runtime::Handle;

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// Waits within a runtime, where a function is not async.
pub(crate) fn wait_for<F: Future>(future: F) -> F::Output {
    tokio::task::block_in_place(|| Handle::current().block_on(future))
}

pub(crate) fn options() -> PostgresOptions {
    PostgresOptions { durability: Durability::Relaxed, ..PostgresOptions::default() }
}

pub(crate) async fn connect(database: &Database, clock: Arc<dyn Clock>) -> PostgresRepository {
    let options = PostgresOptions { clock: Some(clock), ..options() };
    PostgresRepository::connect(&database.url(), options).await.unwrap()
}

/// By the database's own clock.
pub(crate) async fn open(database: &Database) -> PostgresRepository {
    PostgresRepository::connect(&database.url(), options()).await.unwrap()
}

/// A connection of a test's own.
pub(crate) async fn client(database: &Database) -> tokio_postgres::Client {
    let connected = tokio_postgres::connect(&database.url(), tokio_postgres::NoTls).await;
    let (client, connection) = connected.unwrap();
    tokio::spawn(connection);
    client
}

/// Waits until so many of a database's connections wait for a lock.
pub(crate) async fn until_waiting(client: &tokio_postgres::Client, count: i64) {
    let waiting = "SELECT count(*) FROM pg_stat_activity \
         WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while client.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) < count {
        tokio::task::yield_now().await;
    }
}

pub(crate) fn here() -> Tenant {
    Tenant::new("here").unwrap()
}

pub(crate) fn ann() -> Subject {
    Subject::new("ann").unwrap()
}

/// A file of this number.
pub(crate) fn file(n: u64, attributes: Attributes) -> FileRecord {
    let moment = Timestamp::from_millis(1_790_000_000_000 + n);
    FileRecord {
        id: FileId::from_bytes(u128::from(n).to_be_bytes()),
        number: FileNumber::new(n).unwrap(),
        revision: Revision::FIRST,
        owner: ann(),
        created: moment,
        updated: moment,
        content: None,
        attributes,
    }
}

/// Adds a file without content.
pub(crate) fn insert(n: u64) -> Change {
    Change::Insert { record: file(n, Attributes::named(format!("file {n}"))), content: None }
}

/// A segment in a blob of this size.
pub(crate) fn blob(size: u64) -> Segment {
    let place = Place::Blob(BlobKey::mint().unwrap());
    Segment { size, sha256: Digest::of(&size.to_be_bytes()), place }
}

/// New content of a segment.
pub(crate) fn content(segment: Segment) -> NewContent {
    NewContent {
        id: ContentId::mint(Timestamp::from_millis(1_790_000_000_000)).unwrap(),
        size: segment.size,
        tag: segment.sha256.to_string(),
        sha256: Some(segment.sha256),
        stored: Timestamp::from_millis(1_790_000_000_000),
        segments: vec![segment],
    }
}

/// A session for a new file.
pub(crate) fn upload() -> BeginUpload {
    let now = Timestamp::from_millis(1_790_000_000_000);
    BeginUpload {
        id: FileId::mint(now).unwrap(),
        owner: ann(),
        target: UploadTarget::NewFile,
        content: ContentId::mint(now).unwrap(),
        attributes: Attributes::named("upload"),
        expect: Expect::default(),
        total: None,
        lifetime: HOUR,
    }
}

/// A part that was admitted, its key announced.
pub(crate) async fn admitted(repo: &PostgresRepository, id: FileId, number: u32) -> Part {
    let segment = blob(10 * u64::from(number));
    repo.pend(segment.key().unwrap(), HOUR).await.unwrap();
    let ticket = repo.admit(&here(), id, number, None).await.unwrap().ticket;
    Part { number, segment, ticket, chain: None }
}

/// What the ledger knows of a key.
pub(crate) async fn state_of(repo: &PostgresRepository, segment: &Segment) -> Option<BlobState> {
    let known = repo.known(None, 10_000).await.unwrap();
    known.iter().find(|it| Some(it.key) == segment.key()).map(|it| it.state)
}
