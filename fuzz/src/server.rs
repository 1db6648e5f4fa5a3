//! A server of all dialects, without a socket, over a store in memory; made anew for each input.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use filestore::{
    Clock, Error, ErrorKind, FileKey, FileQuery, FileStore, Files, Fsck, Limits, ManualClock,
    MemoryBlobs, MemoryRepository, Result, Subject, Sweep, Tenant, Timestamp,
};
use filestore_http::Adapter;
use filestore_http::auth::{Authenticator, Principal, Rights};
use filestore_http::dialects::{Cdf, Entity, Idempiere, Jea, Jmix, Molgenis};
use filestore_http::presign::{PresignKey, PresignKeys, Presigner};

use crate::now;

/// Everybody whose token is let in; the token is the name. The last one may only read.
const SUBJECTS: [(&str, &str); 4] =
    [("ann", "acme"), ("bob", "acme"), ("eve", "other"), ("reader", "acme")];
/// Content up to this size is inline, so that small inputs store both kinds.
const INLINE_LIMIT: usize = 8;
const DAY: Duration = Duration::from_secs(86_400);

/// The server, and what is behind it.
#[derive(Debug)]
pub struct Server {
    pub adapter: Adapter,
    store: FileStore,
    clock: Arc<ManualClock>,
}

impl Default for Server {
    /// It begins on 2021-03-12 at 10:00, with nothing stored.
    fn default() -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_615_543_200_000)));
        let time: Arc<dyn Clock> = clock.clone();
        let blobs = MemoryBlobs::with_clock(time.clone());
        let repository = MemoryRepository::with_clock(time.clone()).with_inline_limit(INLINE_LIMIT);
        let mut limits = Limits::default();
        limits.max_file = 64 << 10;
        let store = FileStore::builder(blobs, repository).clock(time.clone()).limits(limits);
        let store = now(store.open()).expect("a store in memory opens");
        let key = PresignKey::new("k", &[b'k'; PresignKey::MIN_LEN]).expect("a good key");
        let presigner = Presigner::new(PresignKeys::new(key), time);
        let adapter = Adapter::builder(store.clone(), Names, presigner)
            .mount(Jea::MOUNT, Jea)
            .mount(Molgenis::MOUNT, Molgenis)
            .mount(Jmix::MOUNT, Jmix::new(vec![Entity::product()]))
            .mount(Idempiere::UPLOADS, Idempiere::uploads())
            .mount(Idempiere::MODELS, Idempiere::models());
        let adapter =
            Cdf::mounts().into_iter().fold(adapter, |adapter, (at, cdf)| adapter.mount(at, cdf));
        Self { adapter: adapter.build(), store, clock }
    }
}

impl Server {
    /// Time passes.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Looks at what requests have left behind: all bytes are there and are what they were, and
    /// once every file is deleted and every session is over, sweeping leaves no blob at all.
    pub fn check_store(&self) {
        self.check_blobs();
        for (subject, tenant) in SUBJECTS {
            let tenant = Tenant::new(tenant).expect("a good name");
            let subject = Subject::new(subject).expect("a good name");
            now(delete_all(&self.store.files(&tenant, &subject)));
        }
        // Sessions live a week, stay readable for another, and what they held an hour longer.
        for _ in 0..3 {
            self.advance(DAY * 8);
            now(self.store.sweep(&Sweep::default())).expect("sweeping");
        }
        assert_eq!(self.check_blobs(), 0, "blobs are left that nothing refers to");
    }

    fn check_blobs(&self) -> u64 {
        let mut options = Fsck::default();
        options.read_data = true;
        let report = now(self.store.fsck(&options)).expect("checking");
        assert!(report.is_clean(), "{report:?}");
        report.blobs
    }
}

/// Deletes what a tenant has, page by page; what is listed can be read in full.
async fn delete_all(files: &Files) {
    loop {
        let page = files.list(&FileQuery::default()).await.expect("a list");
        let keys: Vec<FileKey> = page.items.iter().map(|file| file.id.into()).collect();
        if keys.is_empty() {
            assert_eq!(files.count(&[]).await.expect("a count"), 0);
            return;
        }
        for file in page.items.iter().filter(|file| file.content.is_some()) {
            let opened = files.open(file.id, None).await.expect("a listed file");
            let content = opened.read_all().await.expect("its bytes").collect().await;
            assert_eq!(content.expect("its bytes").len() as u64, opened.content().size);
        }
        files.delete_many(&keys).await.expect("deleting");
    }
}

/// Lets in whoever is known by name.
#[derive(Debug)]
struct Names;

#[async_trait]
impl Authenticator for Names {
    async fn authenticate(&self, token: &str) -> Result<Principal> {
        let stranger = || Error::new(ErrorKind::Unauthenticated, "nobody of this name");
        let (subject, tenant) =
            SUBJECTS.into_iter().find(|(name, _)| *name == token).ok_or_else(stranger)?;
        Ok(Principal {
            tenant: Tenant::new(tenant)?,
            subject: Subject::new(subject)?,
            rights: if subject == "reader" { Rights::READ } else { Rights::ALL },
            security_categories: Vec::new(),
        })
    }
}
