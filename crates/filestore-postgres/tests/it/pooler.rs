//! PgBouncer between a repository and its server: each transaction may get another connection, and
//! there are fewer of them than callers.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use filestore::{Expect, FileStore, Files, MemoryBlobs, NewUpload};
use filestore_postgres::PostgresRepository;
use filestore_test_postgres::{Database, unprivileged};
use tempfile::TempDir;

use crate::support::*;

/// Connections to the server, for all.
const POOL: u32 = 2;

/// PgBouncer, which ends with this, or with the process.
struct Pooler {
    folder: TempDir,
    process: Child,
}

impl Pooler {
    async fn start(database: &Database) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (path, server) = (folder.path().display(), database.socket());
        let server = server.parent().unwrap().display();
        let settings = format!(
            "[databases]\n* = host={server}\n[pgbouncer]\nunix_socket_dir = {path}\n\
             listen_port = 6432\nauth_type = trust\nauth_file = {path}/users\n\
             pool_mode = transaction\ndefault_pool_size = {POOL}\n"
        );
        std::fs::write(folder.path().join("settings"), settings).unwrap();
        std::fs::write(folder.path().join("users"), "\"filestore\" \"\"\n").unwrap();
        // It lives until its guard's input ends, which it does when this process is no more.
        let mut guard = Command::new("sh");
        let script = "pgbouncer settings <&- & pid=$!; cat >/dev/null; kill -INT $pid";
        guard.current_dir(&folder).env("PATH", "/usr/sbin:/usr/bin:/bin").args(["-c", script]);
        guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some((uid, gid)) = unprivileged() {
            chown(folder.path(), Some(uid), Some(gid)).unwrap();
            guard.uid(uid).gid(gid);
        }
        let is_there = std::path::Path::new("/usr/sbin/pgbouncer").exists();
        assert!(is_there, "this test needs pgbouncer: `.ci/run setup` installs it");
        let pooler = Self { folder, process: guard.spawn().unwrap() };
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        let socket = pooler.folder.path().join(".s.PGSQL.6432");
        while tokio::net::UnixStream::connect(&socket).await.is_err() {
            assert!(std::time::Instant::now() < deadline, "the pooler did not start");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        pooler
    }

    fn url(&self, database: &Database) -> String {
        let (folder, name) = (self.folder.path().display(), database.name());
        format!("host={folder} port=6432 user=filestore dbname={name}")
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// Uploads in parts, alone and among others, and reads, lists and removes them.
async fn use_everything(files: &Files, name: &str) {
    let uploads = files.uploads();
    let id = uploads.begin(NewUpload::new(name)).await.unwrap().id;
    let whole: Vec<Vec<u8>> = (1..=4).map(|n| vec![n; 20_000]).collect();
    let sent = (1..).zip(&whole).map(|(n, part)| {
        let uploads = &uploads;
        async move { uploads.put_part(id, n, Some(4), part.clone(), Expect::default()).await }
    });
    for sent in futures::future::join_all(sent).await {
        sent.unwrap();
    }
    let file = uploads.complete(id).await.unwrap().record.unwrap();
    let read = files.open(file.id, None).await.unwrap().read_all().await.unwrap();
    assert_eq!(read.collect().await.unwrap(), whole.concat());
    let small = files.create(name, "small").await.unwrap();
    let hits = files.search(name, &[], 10).await.unwrap();
    assert_eq!(hits.iter().filter(|hit| hit.attributes.name == name).count(), 2, "{name}");
    files.delete(small.id).await.unwrap();
    files.delete(file.id).await.unwrap();
    assert!(files.open(file.id, None).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_callers_share_few_connections_of_a_pooler() {
    let database = Database::empty();
    let pooler = Pooler::start(&database).await;
    // Two nodes, which start at once.
    let nodes = futures::future::join_all((0..2).map(|_| async {
        let repository = PostgresRepository::connect(&pooler.url(&database), options()).await;
        FileStore::builder(MemoryBlobs::new(), repository.unwrap())
    }));
    let mut calls = Vec::new();
    // Their blobs are not shared, and so would be the id of their store.
    let store = Arc::new(nodes.await.remove(0).open().await.unwrap());
    for n in 0..8 {
        let files = store.files(&here(), &ann());
        calls.push(tokio::spawn(async move {
            for round in 0..3 {
                use_everything(&files, &format!("alpha{n}beta{round}")).await;
            }
        }));
    }
    for call in calls {
        call.await.unwrap();
    }
    let server = client(&database).await;
    let count = "SELECT count(*) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let connections: i64 = server.query_one(count, &[]).await.unwrap().get(0);
    assert!((1..=i64::from(POOL)).contains(&connections), "{connections}");
}
