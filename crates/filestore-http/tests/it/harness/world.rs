//! A server with all dialects where their pages have them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use filestore::{
    Durability, FileStore, Files, FsBlobs, Limits, MemoryBlobs, MemoryRepository, Subject,
    SystemClock, Tenant,
};
use filestore_http::auth::Secret;
use filestore_http::dialects::{Entity, Jea, Jmix, Molgenis};
use filestore_http::presign::{PresignKey, PresignKeys, Presigner};
use filestore_http::{Adapter, X_REQUEST_ID};
use filestore_sqlite::{DATABASE, SqliteOptions, SqliteRepository};
use http_body_util::BodyExt;
use tempfile::TempDir;

use super::tokens::authenticator;
use super::{Ask, Reply, TENANT};

/// The authority that requests are sent to.
pub(crate) const HOST: &str = "files.test:8080";
/// Most bytes of a file.
pub(crate) const MAX_FILE: usize = 512 << 10;

/// A server without a socket, and the store behind it.
pub(crate) struct World {
    pub(crate) adapter: Adapter,
    pub(crate) store: FileStore,
    /// Lives as long as the store that is in it.
    _dir: Option<TempDir>,
}

impl World {
    /// Over a store in memory.
    pub(crate) async fn memory() -> Self {
        let builder = FileStore::builder(MemoryBlobs::new(), MemoryRepository::new());
        Self::over(builder.limits(limits()).open().await.unwrap(), None)
    }

    /// Over SQLite and a folder. Nothing here survives the test, so that nothing is synced.
    pub(crate) async fn sqlite() -> Self {
        let dir = TempDir::new().unwrap();
        let blobs = FsBlobs::open(dir.path(), Durability::Relaxed).unwrap();
        let options = SqliteOptions { durability: Durability::Relaxed, ..Default::default() };
        let repository = SqliteRepository::open(dir.path().join(DATABASE), options).unwrap();
        let builder = FileStore::builder(blobs, repository);
        Self::over(builder.limits(limits()).open().await.unwrap(), Some(dir))
    }

    fn over(store: FileStore, dir: Option<TempDir>) -> Self {
        let keys =
            PresignKeys::new(PresignKey::derive(&Secret::new(&"x".repeat(32)).unwrap()).unwrap());
        let presigner = Presigner::new(keys, Arc::new(SystemClock));
        let adapter = Adapter::builder(store.clone(), authenticator(), presigner)
            .mount(Jea::MOUNT, Jea)
            .mount(Molgenis::MOUNT, Molgenis)
            .mount(Jmix::MOUNT, Jmix::new(vec![Entity::product()]))
            .build();
        Self { adapter, store, _dir: dir }
    }

    /// The tenant's files, without HTTP between.
    pub(crate) fn files(&self) -> Files {
        self.store.files(&Tenant::new(TENANT).unwrap(), &Subject::new("jane").unwrap())
    }

    /// How many files the tenant has.
    pub(crate) async fn count(&self) -> u64 {
        self.files().count(&[]).await.unwrap()
    }

    /// Sends a request with a good token.
    pub(crate) async fn send(&self, ask: Ask) -> Reply {
        self.send_bare(ask.bearer(super::Token::full())).await
    }

    /// Sends a request as it is. What holds for every answer is looked at here: its request id,
    /// that it is no client's mistake turned into a server's, and that its length is true.
    #[track_caller]
    pub(crate) fn send_bare(&self, ask: Ask) -> impl Future<Output = Reply> {
        let asked = format!("{ask:?}");
        let is_head = ask.method == http::Method::HEAD;
        let (request, polled) = ask.into_request();
        async move {
            let answer = self.adapter.respond(request).await;
            let read_body = polled.load(Ordering::SeqCst);
            let (head, body) = answer.into_parts();
            let announced = http_body::Body::size_hint(&body).exact().unwrap();
            let body = body.collect().await.unwrap().to_bytes();
            let reply = Reply { status: head.status, headers: head.headers, body, read_body };
            assert!(!reply.status.is_server_error(), "{asked}: {reply:?}");
            assert_eq!(reply.header(X_REQUEST_ID.as_str()).len(), 36, "{reply:?}");
            assert_eq!(announced, reply.body.len() as u64, "{reply:?}");
            if is_head {
                assert!(reply.body.is_empty(), "{reply:?}");
            } else if !reply.body.is_empty() {
                assert_eq!(reply.header("x-content-type-options"), "nosniff", "{reply:?}");
            }
            reply
        }
    }
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_file = MAX_FILE as u64;
    limits
}
