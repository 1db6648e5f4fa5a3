//! A server with all dialects where their pages have them.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use filestore::backend::{SignBlobs, SignedGet};
use filestore::{
    BlobKey, Clock, Cond, Durability, FileStore, Files, FsBlobs, Limits, MemoryBlobs,
    MemoryRepository, Subject, SystemClock, Tenant,
};
use filestore_http::auth::Secret;
use filestore_http::dialects::{Cdf, Entity, Idempiere, Jea, Jmix, Molgenis};
use filestore_http::presign::{PresignKey, PresignKeys, Presigner};
use filestore_http::{Adapter, AdapterBuilder, X_REQUEST_ID};
use filestore_postgres::{PostgresOptions, PostgresRepository};
use filestore_sqlite::{DATABASE, SqliteOptions, SqliteRepository};
use filestore_test_postgres::Database;
use http::header::AUTHORIZATION;
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
    _kept_in: Option<Box<dyn Any + Send + Sync>>,
}

impl World {
    /// Over a store in memory.
    pub(crate) async fn memory() -> Self {
        Self::at(Arc::new(SystemClock)).await
    }

    /// Over a store in memory that goes by this clock, except for tokens.
    pub(crate) async fn at(clock: Arc<dyn Clock>) -> Self {
        let blobs = MemoryBlobs::with_clock(Arc::clone(&clock));
        let repository = MemoryRepository::with_clock(Arc::clone(&clock));
        let builder = FileStore::builder(blobs, repository).clock(Arc::clone(&clock));
        Self::over(builder.limits(limits()).open().await.unwrap(), clock, None)
    }

    /// Over a store in memory whose blobs have URLs, to which these dialects redirect.
    pub(crate) async fn redirecting(dialects: &[&str]) -> Self {
        let blobs = FileStore::builder(MemoryBlobs::new(), MemoryRepository::new());
        let store = blobs.sign_blobs(Bucket).limits(limits()).open().await.unwrap();
        let builder = Self::builder(&store, Arc::new(SystemClock));
        let adapter = builder.redirect_downloads(dialects.iter().copied()).build();
        Self { adapter, store, _kept_in: None }
    }

    /// Over SQLite and a folder. Nothing here survives the test, so that nothing is synced.
    pub(crate) async fn sqlite() -> Self {
        let dir = TempDir::new().unwrap();
        let blobs = FsBlobs::open(dir.path(), Durability::Relaxed).unwrap();
        let options = SqliteOptions { durability: Durability::Relaxed, ..Default::default() };
        let repository = SqliteRepository::open(dir.path().join(DATABASE), options).unwrap();
        let builder = FileStore::builder(blobs, repository);
        let store = builder.limits(limits()).open().await.unwrap();
        Self::over(store, Arc::new(SystemClock), Some(Box::new(dir)))
    }

    /// Over PostgreSQL. Small content is in the database; where the rest is makes no difference.
    pub(crate) async fn postgres() -> Self {
        let database = Database::new();
        let options = PostgresOptions { durability: Durability::Relaxed, ..Default::default() };
        let repository = PostgresRepository::connect(&database.url(), options).await.unwrap();
        let builder = FileStore::builder(MemoryBlobs::new(), repository);
        let store = builder.limits(limits()).open().await.unwrap();
        Self::over(store, Arc::new(SystemClock), Some(Box::new(database)))
    }

    fn over(
        store: FileStore,
        clock: Arc<dyn Clock>,
        kept_in: Option<Box<dyn Any + Send + Sync>>,
    ) -> Self {
        let adapter = Self::builder(&store, clock).build();
        Self { adapter, store, _kept_in: kept_in }
    }

    /// A server over the same store that enforces security categories.
    pub(crate) fn strict(&self) -> Self {
        let builder = Self::builder(&self.store, Arc::new(SystemClock));
        let adapter = builder.enforce_security_categories(Cdf::SECURITY_CATEGORIES).build();
        Self { adapter, store: self.store.clone(), _kept_in: None }
    }

    fn builder(store: &FileStore, clock: Arc<dyn Clock>) -> AdapterBuilder {
        let keys =
            PresignKeys::new(PresignKey::derive(&Secret::new(&"x".repeat(32)).unwrap()).unwrap());
        let presigner = Presigner::new(keys, clock);
        let builder = Adapter::builder(store.clone(), authenticator(), presigner);
        let builder =
            Cdf::mounts().into_iter().fold(builder, |builder, (at, cdf)| builder.mount(at, cdf));
        builder
            .mount(Jea::MOUNT, Jea)
            .mount(Molgenis::MOUNT, Molgenis)
            .mount(Jmix::MOUNT, Jmix::new(vec![Entity::product()]))
            .mount(Idempiere::UPLOADS, Idempiere::uploads())
            .mount(Idempiere::MODELS, Idempiere::models())
    }

    /// The tenant's files, without HTTP between.
    pub(crate) fn files(&self) -> Files {
        self.store.files(&Tenant::new(TENANT).unwrap(), &Subject::new("jane").unwrap())
    }

    /// How many files the tenant has.
    pub(crate) async fn count(&self) -> u64 {
        self.files().count(&[]).await.unwrap()
    }

    /// How many of them have content.
    pub(crate) async fn count_whole(&self) -> u64 {
        self.files().count(&[Cond::HasContent(true)]).await.unwrap()
    }

    /// Sends a request with a good token.
    pub(crate) async fn send(&self, ask: Ask) -> Reply {
        self.send_bare(ask.bearer(super::Token::full())).await
    }

    /// Sends a request as it is. What holds for every answer is looked at here: its request id,
    /// that it is no client's mistake turned into a server's, and that its length is true.
    pub(crate) async fn send_bare(&self, mut ask: Ask) -> Reply {
        let Some(mut first) = ask.first.take() else { return self.exchange(ask).await };
        let credentials = ask.headers.get_all(AUTHORIZATION).into_iter().cloned();
        first.headers.extend(credentials.map(|it| (Some(AUTHORIZATION), it)));
        let first = self.exchange(*first).await;
        if !first.status.is_success() {
            return first;
        }
        let mut reply = self.exchange(ask.filled_in(&first.json())).await;
        reply.first = Some(Box::new(first));
        reply
    }

    /// A request whose [first](Ask::after) is done, and what that was answered.
    pub(crate) async fn begun(&self, mut ask: Ask) -> (Ask, Option<Box<Reply>>) {
        let Some(first) = ask.first.take() else { return (ask, None) };
        let first = self.send(*first).await;
        assert!(first.status.is_success(), "{first:?}");
        (ask.filled_in(&first.json()), Some(Box::new(first)))
    }

    async fn exchange(&self, ask: Ask) -> Reply {
        let asked = format!("{ask:?}");
        let is_head = ask.method == http::Method::HEAD;
        let waits = ask.headers.contains_key("expect");
        let (request, polled) = ask.into_request();
        let answer = self.adapter.respond(request).await;
        let read_body = polled.load(Ordering::SeqCst);
        let (head, body) = answer.into_parts();
        let announced = http_body::Body::size_hint(&body).exact().unwrap();
        let body = body.collect().await.unwrap().to_bytes();
        let reply =
            Reply { status: head.status, headers: head.headers, body, read_body, first: None };
        // Whoever waits to be asked for the body must not be asked behind a refusal either.
        tokio::task::yield_now().await;
        let asked_late = !read_body && polled.load(Ordering::SeqCst);
        assert!(!(waits && asked_late), "{asked}");
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

/// Where the blobs of a [redirecting](World::redirecting) server are said to be.
pub(crate) const BUCKET: &str = "https://bucket.test/";

/// Makes URLs that say everything they were made of.
#[derive(Debug)]
struct Bucket;

#[async_trait]
impl SignBlobs for Bucket {
    async fn sign(&self, key: BlobKey, get: &SignedGet) -> filestore::Result<Option<String>> {
        let SignedGet { lifetime, content_type, content_disposition } = get;
        let text = |text: &Option<String>| {
            let text = text.as_deref().unwrap_or_default();
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
                .to_string()
        };
        let (type_, disposition) = (text(content_type), text(content_disposition));
        let lifetime = lifetime.as_secs();
        Ok(Some(format!("{BUCKET}{key}?for={lifetime}&type={type_}&as={disposition}")))
    }
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_file = MAX_FILE as u64;
    limits
}
