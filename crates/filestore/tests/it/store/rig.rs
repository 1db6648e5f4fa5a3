//! The store under test, and hands on what is behind it.

use std::any::Any;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use filestore::backend::{BlobState, BlobStore, Repository};
use filestore::{
    BlobKey, ByteStream, Digest, Durability, ErrorKind, Expect, FileKey, FileStore,
    FileStoreBuilder, Files, FsBlobs, Fsck, Limits, ManualClock, MemoryBlobs, MemoryRepository,
    Result, Subject, Sweep, Tenant, Timestamp, Uploads,
};
use filestore_sqlite::{SqliteOptions, SqliteRepository};
use futures::channel::mpsc::{UnboundedSender, unbounded};
use futures::{Stream, TryStreamExt, stream};

use crate::store::spy::{Hooks, SpyBlobs, SpyRepository};

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
/// More than any repository takes inline.
pub(crate) const BIG: usize = 20_000;

pub(crate) struct Rig {
    pub(crate) store: FileStore,
    pub(crate) blobs: SpyBlobs,
    pub(crate) repository: SpyRepository,
    pub(crate) hooks: Arc<Hooks>,
    pub(crate) clock: Arc<ManualClock>,
    _guard: Option<Box<dyn Any + Send + Sync>>,
}

impl Rig {
    pub(crate) async fn memory() -> Self {
        let clock = Arc::new(ManualClock::new(start()));
        let repository = MemoryRepository::with_clock(clock.clone());
        Self::over(MemoryBlobs::new(), repository, clock, None).await
    }

    pub(crate) async fn disk() -> Self {
        let clock = Arc::new(ManualClock::new(start()));
        let folder = tempfile::tempdir().unwrap();
        let blobs = FsBlobs::open(folder.path(), Durability::Relaxed).unwrap();
        let repository = MemoryRepository::with_clock(clock.clone());
        Self::over(blobs, repository, clock, Some(Box::new(folder))).await
    }

    pub(crate) async fn sqlite() -> Self {
        let clock = Arc::new(ManualClock::new(start()));
        let folder = tempfile::tempdir().unwrap();
        let blobs = FsBlobs::open(folder.path(), Durability::Relaxed).unwrap();
        let options = SqliteOptions {
            durability: Durability::Relaxed,
            clock: clock.clone(),
            ..SqliteOptions::default()
        };
        let repository = SqliteRepository::open(folder.path().join("db"), options).unwrap();
        Self::over(blobs, repository, clock, Some(Box::new(folder))).await
    }

    async fn over(
        blobs: impl BlobStore,
        repository: impl Repository,
        clock: Arc<ManualClock>,
        guard: Option<Box<dyn Any + Send + Sync>>,
    ) -> Self {
        let hooks = Arc::new(Hooks::default());
        let reads = Arc::new(Mutex::default());
        let blobs = SpyBlobs { inner: Arc::new(blobs), hooks: hooks.clone(), reads };
        let repository = SpyRepository { inner: Arc::new(repository), hooks: hooks.clone() };
        let builder = FileStore::builder(blobs.clone(), repository.clone()).clock(clock.clone());
        let store = builder.open().await.unwrap();
        Self { store, blobs, repository, hooks, clock, _guard: guard }
    }

    /// The same store with other limits, like another node of it.
    pub(crate) async fn limited(&self, change: impl FnOnce(&mut Limits)) -> FileStore {
        let mut limits = Limits::default();
        change(&mut limits);
        self.builder().limits(limits).open().await.unwrap()
    }

    /// The same store, which hashes what is read.
    pub(crate) async fn verifying(&self) -> FileStore {
        self.builder().verify_reads().open().await.unwrap()
    }

    pub(crate) fn builder(&self) -> FileStoreBuilder {
        FileStore::builder(self.blobs.clone(), self.repository.clone()).clock(self.clock.clone())
    }

    pub(crate) fn files(&self) -> Files {
        files_of(&self.store)
    }

    pub(crate) fn uploads(&self) -> Uploads {
        self.files().uploads()
    }

    /// Makes a file of these bytes.
    pub(crate) async fn file(&self, name: &str, content: &Bytes) -> filestore::FileRecord {
        self.files().create(name, content.clone()).await.unwrap()
    }

    /// Makes a file of these parts, without a digest of the whole.
    pub(crate) async fn file_of_parts(&self, parts: &[Bytes]) -> filestore::FileRecord {
        let uploads = self.uploads();
        let session = uploads.begin(filestore::NewUpload::new("parts")).await.unwrap();
        for (part, number) in parts.iter().zip(1..) {
            let part = part.clone();
            uploads.put_part(session.id, number, None, part, NOTHING).await.unwrap();
        }
        uploads.complete(session.id).await.unwrap().record.unwrap()
    }

    pub(crate) async fn read(&self, key: impl Into<FileKey>) -> Bytes {
        read(&self.files(), key).await
    }

    /// Keys of the blobs that are there.
    pub(crate) async fn stored(&self) -> Vec<BlobKey> {
        let all: Vec<_> = self.blobs.inner.list(None).try_collect().await.unwrap();
        all.iter().map(|blob| blob.key).filter(|key| *key != BlobKey::STORE_ID).collect()
    }

    /// Keys and states of the ledger.
    pub(crate) async fn known(&self) -> Vec<(BlobKey, BlobState)> {
        let known = self.repository.inner.known(None, 1000).await.unwrap();
        known.iter().map(|blob| (blob.key, blob.state)).collect()
    }

    pub(crate) async fn live(&self) -> Vec<BlobKey> {
        let is_live = |state| matches!(state, BlobState::Live { .. });
        self.known().await.into_iter().filter(|(_, state)| is_live(*state)).map(|it| it.0).collect()
    }

    /// The one blob that is live.
    pub(crate) async fn only_blob(&self) -> BlobKey {
        let live = self.live().await;
        assert_eq!(live.len(), 1);
        live[0]
    }

    /// Puts other bytes in the place of a blob, as a broken disk would.
    pub(crate) async fn damage(&self, key: BlobKey, content: impl Into<Bytes>) {
        self.blobs.inner.delete(key).await.unwrap();
        self.blobs.inner.put(key, content.into().into()).await.unwrap();
    }

    pub(crate) async fn sweep(&self) -> filestore::SweepReport {
        self.store.sweep(&Sweep::default()).await.unwrap()
    }

    /// Waits for every deadline of a blob, sweeps, and makes sure that what is left is what is live,
    /// and sound.
    pub(crate) async fn assert_nothing_leaks(&self) {
        // What was begun for a caller who gave up may still have its turn: it has it before this.
        self.repository.inner.ready().await.unwrap();
        self.clock.advance(7 * HOUR);
        self.sweep().await;
        let live = self.live().await;
        let known: Vec<_> = self.known().await.into_iter().map(|(key, _)| key).collect();
        assert_eq!(known, live, "keys");
        assert_eq!(self.stored().await, live, "blobs");
        let mut check = Fsck::default();
        check.read_data = true;
        let report = self.store.fsck(&check).await.unwrap();
        assert!(report.is_clean(), "{report:?}");
    }

    /// As [`assert_nothing_leaks`](Self::assert_nothing_leaks), when nothing at all is to be left.
    pub(crate) async fn assert_empty(&self) {
        self.assert_nothing_leaks().await;
        assert_eq!(self.live().await, []);
        assert_eq!(self.files().count(&[]).await.unwrap(), 0);
    }
}

pub(crate) fn start() -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000)
}

/// Nothing is declared.
pub(crate) const NOTHING: Expect = Expect { size: None, sha256: None };

/// The files of the one who does everything.
pub(crate) fn files_of(store: &FileStore) -> Files {
    files_as(store, "acme", "ann")
}

pub(crate) fn files_as(store: &FileStore, tenant: &str, subject: &str) -> Files {
    store.files(&Tenant::new(tenant).unwrap(), &Subject::new(subject).unwrap())
}

pub(crate) async fn read(files: &Files, key: impl Into<FileKey>) -> Bytes {
    let file = files.open(key, None).await.unwrap();
    file.read_all().await.unwrap().collect().await.unwrap()
}

pub(crate) fn digest_of(content: &[u8]) -> Expect {
    Expect { size: None, sha256: Some(Digest::of(content)) }
}

pub(crate) fn size(size: usize) -> Expect {
    Expect { size: Some(size as u64), sha256: None }
}

#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(outcome: Result<T>, kind: ErrorKind) {
    assert_eq!(outcome.unwrap_err().kind(), kind);
}

/// Bytes without a pattern, the same for the same length.
pub(crate) fn noise(len: usize) -> Bytes {
    let mut state = len as u64 + 0x9E37_79B9_7F4A_7C15;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..len).map(|_| next()).collect()
}

/// Content that comes in frames, with a pause before each.
pub(crate) fn frames(content: &Bytes, len: usize) -> ByteStream<'static> {
    ByteStream::from_results(paced(content, len))
}

/// Content that breaks off at its end.
pub(crate) fn broken(content: &Bytes, len: usize) -> ByteStream<'static> {
    use futures::StreamExt;
    let end = stream::iter([Err(filestore::Error::interrupted("the line went dead"))]);
    ByteStream::from_results(paced(content, len).chain(end))
}

fn paced(content: &Bytes, len: usize) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
    stream::try_unfold(content.clone(), move |mut rest| async move {
        if rest.is_empty() {
            return Ok(None);
        }
        tokio::task::yield_now().await;
        let frame = rest.split_to(len.min(rest.len()));
        Ok(Some((frame, rest)))
    })
}

/// Content that comes when the test says so.
pub(crate) fn channel() -> (UnboundedSender<Result<Bytes>>, ByteStream<'static>) {
    let (sender, receiver) = unbounded();
    (sender, ByteStream::from_results(receiver))
}

/// Polls a future until it has stopped `times` times, and drops it there: `None`.
pub(crate) async fn dropped_after<T>(times: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = Box::pin(future);
    let mut stops = 0;
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if stops == times => Poll::Ready(None),
        Poll::Pending => {
            stops += 1;
            Poll::Pending
        }
    })
    .await
}
