//! Backends that pass every call on, and do at a chosen call what a test wants to happen there.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use filestore::backend::{
    Admission, Announcement, BeginUpload, BlobInfo, BlobStore, Change, Content, ContentRepository,
    Ending, FileRepository, Finished, Kept, KnownBlob, LedgerRepository, Part, PartChain,
    Publication, RecordRepository, Repository, Sealed, Segment, StoredFile, TransferRepository,
    UploadRepository,
};
use filestore::simulation::Faults;
use filestore::{
    BlobKey, ByteStream, Cond, ContentId, FileId, FileKey, FileQuery, FileRecord, OtherRecord,
    Page, PartNumber, RangeSpec, RecordChange, Result, StoreId, Subject, Tenant, Timestamp,
    UploadSession,
};
use futures::future::BoxFuture;
use futures::stream::BoxStream;

type Action = BoxFuture<'static, Result<()>>;

/// What happens at calls. A call named `apply` passes by `apply` before it is made, and by
/// `apply done` when it has had its effect.
#[derive(Default)]
pub(crate) struct Hooks {
    actions: Mutex<HashMap<&'static str, VecDeque<Action>>>,
    passed: Mutex<Vec<&'static str>>,
    yields: AtomicBool,
    /// Counts each place as a call.
    pub(crate) faults: Faults,
}

impl Hooks {
    /// Does `action` when the place is passed for the next time; its error is the call's.
    pub(crate) fn at(
        &self,
        place: &'static str,
        action: impl Future<Output = Result<()>> + Send + 'static,
    ) {
        self.actions.lock().unwrap().entry(place).or_default().push_back(Box::pin(action));
    }

    /// Does no more at the place than to pass it.
    pub(crate) fn clear(&self, place: &'static str) {
        self.actions.lock().unwrap().remove(place);
    }

    /// From now on every call stops for a moment before and after, so that it can be dropped there.
    pub(crate) fn yield_everywhere(&self) {
        self.yields.store(true, Ordering::SeqCst);
    }

    /// How often a place was passed.
    pub(crate) fn count(&self, place: &str) -> usize {
        self.passed.lock().unwrap().iter().filter(|passed| **passed == place).count()
    }

    async fn pass(&self, place: &'static str) -> Result<()> {
        self.faults.pass(place)?;
        self.passed.lock().unwrap().push(place);
        if self.yields.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
        let action = self.actions.lock().unwrap().get_mut(place).and_then(VecDeque::pop_front);
        match action {
            Some(action) => action.await,
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").finish_non_exhaustive()
    }
}

/// A blob store that is watched.
#[derive(Clone, Debug)]
pub(crate) struct SpyBlobs {
    pub(crate) inner: Arc<dyn BlobStore>,
    pub(crate) hooks: Arc<Hooks>,
    /// The blobs that were read, in order.
    pub(crate) reads: Arc<Mutex<Vec<BlobKey>>>,
}

#[async_trait]
impl BlobStore for SpyBlobs {
    async fn put(&self, key: BlobKey, content: ByteStream<'_>) -> Result<u64> {
        self.hooks.pass("put").await?;
        let stored = self.inner.put(key, content).await?;
        self.hooks.pass("put done").await?;
        Ok(stored)
    }

    async fn get(&self, key: BlobKey, range: Range<u64>) -> Result<ByteStream<'static>> {
        assert!(!range.is_empty(), "the contract: a range is not empty");
        self.reads.lock().unwrap().push(key);
        self.hooks.pass("get").await?;
        self.inner.get(key, range).await
    }

    async fn delete(&self, key: BlobKey) -> Result<()> {
        self.hooks.pass("delete").await?;
        self.inner.delete(key).await
    }

    fn list(&self, after: Option<BlobKey>) -> BoxStream<'_, Result<BlobInfo>> {
        self.inner.list(after)
    }

    async fn ready(&self) -> Result<()> {
        self.inner.ready().await
    }
}

/// A repository that is watched.
#[derive(Clone, Debug)]
pub(crate) struct SpyRepository {
    pub(crate) inner: Arc<dyn Repository>,
    pub(crate) hooks: Arc<Hooks>,
}

/// An implementation that passes each call on between two places of the hooks.
macro_rules! pass_on {
    (
        $trait:ident { $($call:ident($($arg:ident: $ty:ty),*) -> $out:ty;)* }
        $($rest:tt)*
    ) => {
        #[async_trait]
        impl $trait for SpyRepository {
            $(async fn $call(&self, $($arg: $ty),*) -> Result<$out> {
                self.hooks.pass(stringify!($call)).await?;
                let done = self.inner.$call($($arg),*).await?;
                self.hooks.pass(concat!(stringify!($call), " done")).await?;
                Ok(done)
            })*
            $($rest)*
        }
    };
}

pass_on! {
    FileRepository {
        find(tenant: &Tenant, keys: &[FileKey]) -> Vec<Option<FileRecord>>;
        load(tenant: &Tenant, key: &FileKey, range: Option<RangeSpec>) -> StoredFile;
        apply(tenant: &Tenant, changes: Vec<Change>) -> Vec<FileRecord>;
        list(tenant: &Tenant, query: &FileQuery) -> Page<FileRecord>;
        count(tenant: &Tenant, all: &[Cond]) -> u64;
    }
    fn inline_limit(&self) -> usize {
        self.inner.inline_limit()
    }
}

pass_on! {
    UploadRepository {
        begin(tenant: &Tenant, upload: BeginUpload) -> UploadSession;
        session(tenant: &Tenant, id: FileId) -> UploadSession;
        sessions(tenant: &Tenant, owner: &Subject, after: Option<FileId>, limit: u32)
            -> Vec<UploadSession>;
        parts(tenant: &Tenant, id: FileId, after: PartNumber, limit: u32) -> Vec<Part>;
        admit(tenant: &Tenant, id: FileId, number: PartNumber, announce: Option<Announcement>)
            -> Admission;
        put_part(tenant: &Tenant, id: FileId, total: Option<PartNumber>, part: Part)
            -> UploadSession;
        save_chains(tenant: &Tenant, id: FileId, chains: Vec<PartChain>) -> ();
        seal(tenant: &Tenant, id: FileId) -> Sealed;
        finish(tenant: &Tenant, id: FileId, publication: Publication) -> Finished;
        end(tenant: &Tenant, id: FileId, ending: Ending) -> UploadSession;
        due(stalled: Duration, keep: Duration, limit: u32) -> Vec<(Tenant, UploadSession)>;
        forget(tenant: &Tenant, id: FileId) -> ();
    }
}

pass_on! {
    RecordRepository {
        record(tenant: &Tenant, kind: &str, key: &str) -> Option<OtherRecord>;
        records(tenant: &Tenant, kind: &str, after: Option<&str>, limit: u32) -> Vec<OtherRecord>;
        write_records(tenant: &Tenant, changes: Vec<RecordChange>, now: Timestamp)
            -> Vec<OtherRecord>;
        next_number(tenant: &Tenant, counter: &str) -> u32;
    }
}

pass_on! {
    LedgerRepository {
        store_id() -> StoreId;
        ready() -> ();
        pend(key: BlobKey, ttl: Duration) -> ();
        renew(key: BlobKey, ttl: Duration) -> ();
        claim(keep_deleted: Duration, lease: Duration, limit: u32) -> Vec<BlobKey>;
        settle(keys: &[BlobKey]) -> ();
        known(after: Option<BlobKey>, limit: u32) -> Vec<KnownBlob>;
        collect(keys: &[BlobKey]) -> ();
    }
}

pass_on! {
    ContentRepository {
        contents(after: Option<ContentId>, limit: u32) -> Vec<Content>;
        segments(id: ContentId) -> Vec<Segment>;
        fragmented(segments: u32, average: u64, limit: u32) -> Vec<Content>;
        replace_segments(id: ContentId, expected: u32, segments: Vec<Segment>) -> bool;
        quarantine(id: ContentId, damaged: bool) -> ();
    }
}

pass_on! {
    TransferRepository {
        tenants(after: Option<&Tenant>, limit: u32) -> Vec<Tenant>;
        all_sessions(tenant: &Tenant, after: Option<FileId>, limit: u32) -> Vec<UploadSession>;
        all_records(tenant: &Tenant, after: Option<(&str, &str)>, limit: u32) -> Vec<OtherRecord>;
        counters(tenant: &Tenant) -> Vec<(String, u32)>;
        adopt(tenant: &Tenant, kept: Kept) -> ();
    }
}
