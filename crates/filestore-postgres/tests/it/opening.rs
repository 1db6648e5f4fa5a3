//! Opening: the schema, and servers that are not fit.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use filestore::backend::{FileRepository, LedgerRepository, UploadRepository};
use filestore::{Durability, ErrorKind, FileQuery, FileStore, FsBlobs, Fsck};
use filestore_postgres::{PostgresOptions, PostgresRepository};
use filestore_test_postgres::{Cluster, Database};

use crate::support::*;

async fn connect_to(url: &str) -> filestore::Result<PostgresRepository> {
    PostgresRepository::connect(url, options()).await
}

/// Nodes that start at once on an empty database make one schema, and all can use it. Which of them
/// waits for which is chance, so it is tried more than once.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_start_at_once_make_one_store() {
    for _ in 0..4 {
        start_at_once().await;
    }
}

async fn start_at_once() {
    let database = Arc::new(Database::empty());
    let starts = (0..8).map(|_| {
        let database = Arc::clone(&database);
        tokio::spawn(async move {
            let repo = connect_to(&database.url()).await.unwrap();
            repo.ready().await.unwrap();
            repo.store_id().await.unwrap()
        })
    });
    let ids = futures::future::join_all(starts).await;
    let ids: Vec<_> = ids.into_iter().map(Result::unwrap).collect();
    assert!(ids.iter().all(|id| *id == ids[0]));
}

/// The schema may have been made beforehand, by somebody who may do so.
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_schema_is_taken() {
    let database = Database::empty();
    client(&database).await.batch_execute("CREATE SCHEMA filestore").await.unwrap();
    connect_to(&database.url()).await.unwrap().ready().await.unwrap();
}

/// A migration that fails leaves nothing behind, and the next one is not in its way.
#[tokio::test(flavor = "multi_thread")]
async fn a_migration_is_all_or_nothing() {
    let database = Database::empty();
    let client = client(&database).await;
    client
        .batch_execute("CREATE SCHEMA filestore; CREATE TABLE filestore.ledger ()")
        .await
        .unwrap();
    assert!(connect_to(&database.url()).await.is_err());
    let count = "SELECT count(*) FROM pg_class WHERE relnamespace = 'filestore'::regnamespace";
    let left: i64 = client.query_one(count, &[]).await.unwrap().get(0);
    assert_eq!(left, 1);
    client.batch_execute("DROP TABLE filestore.ledger").await.unwrap();
    connect_to(&database.url()).await.unwrap();
}

/// A later release that is still compatible is worked with; one that is not is refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_is_too_new_is_refused() {
    let database = Database::new();
    let client = client(&database).await;
    client.batch_execute("UPDATE filestore.schema SET version = 99").await.unwrap();
    connect_to(&database.url()).await.unwrap().ready().await.unwrap();
    client.batch_execute("UPDATE filestore.schema SET oldest = 99").await.unwrap();
    let error = connect_to(&database.url()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("99"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unfit_server_is_refused() {
    let kind = |opened: filestore::Result<PostgresRepository>| opened.unwrap_err().kind();
    // The shared server syncs nothing.
    let database = Database::new();
    let full = PostgresOptions { durability: Durability::Full, ..options() };
    let opened = PostgresRepository::connect(&database.url(), full).await;
    assert_eq!(kind(opened), ErrorKind::InvalidArgument);
    assert_eq!(kind(connect_to("no://address").await), ErrorKind::InvalidArgument);
    assert_eq!(
        kind(connect_to(&format!("{}-missing", database.url())).await),
        ErrorKind::InvalidArgument
    );
    let stranger = database.url().replace("user=filestore", "user=stranger");
    assert_eq!(kind(connect_to(&stranger).await), ErrorKind::InvalidArgument);
    assert_eq!(kind(connect_to("host=/nowhere dbname=x user=y").await), ErrorKind::Unavailable);
}

/// Whoever looks after a store makes none.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_a_store_gets_none_unasked() {
    let database = Database::empty();
    let only_open = PostgresOptions { create: false, ..options() };
    let opened = PostgresRepository::connect(&database.url(), only_open.clone()).await;
    assert_eq!(opened.unwrap_err().kind(), ErrorKind::InvalidArgument);
    let there = "SELECT to_regnamespace('filestore') IS NOT NULL";
    assert!(!client(&database).await.query_one(there, &[]).await.unwrap().get::<_, bool>(0));
    connect_to(&database.url()).await.unwrap();
    PostgresRepository::connect(&database.url(), only_open).await.unwrap().ready().await.unwrap();
}

/// The times of sessions are the database's, whatever clock a node has.
#[tokio::test(flavor = "multi_thread")]
async fn deadlines_are_kept_by_the_database_s_clock() {
    let database = Database::new();
    let repo = connect_to(&database.url()).await.unwrap();
    let client = client(&database).await;
    let now = || async {
        let now = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
        client.query_one(now, &[]).await.unwrap().get::<_, i64>(0) as u64
    };
    let before = now().await;
    let session = repo.begin(&here(), upload()).await.unwrap();
    let after = now().await;
    assert!((before..=after).contains(&session.created.as_millis()));
    assert_eq!(session.expires, session.created.after(HOUR));
    // An hour later by that clock.
    client.batch_execute("UPDATE filestore.session SET expires = expires - 3600001").await.unwrap();
    let admitted = repo.admit(&here(), session.id, 1, None).await;
    assert_eq!(admitted.unwrap_err().kind(), ErrorKind::Expired);
}

/// The server crashes while many store files: what was acknowledged is there, whole, and what is
/// there is whole, though nobody was told of it; nothing is there twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_among_commits_leaves_whole_files() {
    let cluster = Arc::new(Cluster::start(&[]));
    cluster.create("files");
    let folder = tempfile::tempdir().unwrap();
    let blobs = FsBlobs::open(folder.path(), Durability::Relaxed).unwrap();
    let full = PostgresOptions { durability: Durability::Full, ..options() };
    let repository = PostgresRepository::connect(&cluster.url("files"), full).await.unwrap();
    let store = FileStore::builder(blobs, repository).open().await.unwrap();
    let files = store.files(&here(), &ann());
    let content = |name: &str| name.repeat(3000);
    let (acknowledged, is_over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let writers = (0..4).map(|writer| {
        let (files, count, is_over) = (files.clone(), acknowledged.clone(), is_over.clone());
        tokio::spawn(async move {
            let mut told = Vec::new();
            for n in 0.. {
                if is_over.load(Ordering::SeqCst) {
                    break;
                }
                let name = format!("{writer}-{n:06}");
                match files.create(name.as_str(), content(&name)).await {
                    Ok(file) => {
                        told.push((file.id, name));
                        count.fetch_add(1, Ordering::SeqCst);
                    }
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}"),
                }
            }
            told
        })
    });
    let writers: Vec<_> = writers.collect();
    let until = async |wanted: usize| {
        let deadline = Instant::now() + Duration::from_secs(120);
        while acknowledged.load(Ordering::SeqCst) < wanted {
            assert!(Instant::now() < deadline, "nothing is acknowledged any more");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    for _ in 0..3 {
        until(acknowledged.load(Ordering::SeqCst) + 20).await;
        let crashed = cluster.clone();
        tokio::task::spawn_blocking(move || crashed.crash()).await.unwrap();
    }
    until(acknowledged.load(Ordering::SeqCst) + 20).await;
    is_over.store(true, Ordering::SeqCst);
    let read = async |id| {
        let file = files.open(id, None).await.unwrap();
        file.read_all().await.unwrap().collect().await.unwrap()
    };
    for writer in writers {
        for (id, name) in writer.await.unwrap() {
            assert_eq!(read(id).await, content(&name));
        }
    }
    let mut names = HashSet::new();
    let mut query = FileQuery { limit: 1000, ..FileQuery::default() };
    loop {
        let page = files.list(&query).await.unwrap();
        for file in page.items {
            let name = file.attributes.name;
            assert_eq!(read(file.id).await, content(&name));
            assert!(names.insert(name), "a file was made twice");
        }
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    let report = store.fsck(&Fsck::default()).await.unwrap();
    assert!(report.missing.is_empty(), "{report:?}");
}

/// What was acknowledged with full durability is there after the server has crashed, and so is the
/// repository.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_crash_of_the_server() {
    let cluster = Cluster::start(&[]);
    cluster.create("files");
    let full = PostgresOptions { durability: Durability::Full, ..options() };
    let repo = PostgresRepository::connect(&cluster.url("files"), full).await.unwrap();
    for n in 1..=20 {
        repo.apply(&here(), vec![insert(n)]).await.unwrap();
        if n % 10 == 0 {
            cluster.crash();
            assert_eq!(repo.count(&here(), &[]).await.unwrap(), n);
            let keys: Vec<_> = (1..=n).map(|n| file(n, Default::default()).id.into()).collect();
            assert!(repo.find(&here(), &keys).await.unwrap().iter().all(Option::is_some));
        }
    }
    cluster.stop();
    let refused = repo.apply(&here(), vec![insert(21)]).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(repo.ready().await.unwrap_err().kind(), ErrorKind::Unavailable);
}
