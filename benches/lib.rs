//! What the benches share: stores to measure, what to put into them and to ask of them, and the
//! room it takes.
//!
//! Whatever goes wrong here stops the benches: there is nothing to measure then.
#![allow(clippy::unwrap_used)]

pub mod access;
pub mod catalog;
pub mod content;
pub mod forms;
pub mod routing;
pub mod table;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use filestore::{
    Durability, FileQuery, FileStore, Files, FsBlobs, Limits, MemoryBlobs, MemoryRepository,
    Subject, Sweep, Tenant,
};
use filestore_sqlite::{DATABASE, SqliteOptions, SqliteRepository};
use futures::future::join_all;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use content::{framed, noise};

/// Sizes of files to measure, with their names.
pub const SIZES: [(&str, usize); 3] = [("4KiB", 4 << 10), ("1MiB", 1 << 20), ("64MiB", 64 << 20)];

/// So many bytes are stored at most before they are deleted, and so many files.
const ROOM: usize = 256 << 20;
const MAX_FILES: usize = 1000;

/// Where a store keeps things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// In memory.
    Memory,
    /// Local disk and SQLite; what is acknowledged survives a loss of power.
    Durable,
    /// Local disk and SQLite; what is acknowledged survives a killed process.
    Relaxed,
}

impl Backend {
    /// Every backend.
    pub const ALL: [Self; 3] = [Self::Memory, Self::Durable, Self::Relaxed];

    /// Its name in the names of benches.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Durable => "durable",
            Self::Relaxed => "relaxed",
        }
    }
}

/// A store on a backend, and the runtime it works on. What it stored goes with it.
#[derive(Debug)]
pub struct Stage {
    /// Ends first: what still runs on it uses the rest.
    pub runtime: Runtime,
    /// The files of the only tenant.
    pub files: Files,
    _dir: Option<TempDir>,
}

impl Stage {
    /// An empty store, on disk in a [`temp_dir`].
    pub fn open(backend: Backend) -> Self {
        let runtime = Runtime::new().unwrap();
        let (store, dir) = match backend {
            Backend::Memory => (runtime.block_on(in_memory()), None),
            Backend::Durable => on_disk(&runtime, Durability::Full),
            Backend::Relaxed => on_disk(&runtime, Durability::Relaxed),
        };
        let (tenant, subject) = (Tenant::new("bench").unwrap(), Subject::new("bench").unwrap());
        Self { runtime, files: store.files(&tenant, &subject), _dir: dir }
    }

    /// The time that `iterations` of `work` take, each of which stores `bytes` in `files` files.
    /// `work` is told how many to do. Between its calls everything is deleted, untimed.
    pub async fn timed(
        &self,
        iterations: u64,
        files: usize,
        bytes: usize,
        mut work: impl AsyncFnMut(u64),
    ) -> Duration {
        let batch = (ROOM / bytes).min(MAX_FILES / files).max(1) as u64;
        let mut spent = Duration::ZERO;
        let mut left = iterations;
        while left > 0 {
            let now = left.min(batch);
            let start = Instant::now();
            work(now).await;
            spent += start.elapsed();
            self.clear().await;
            left -= now;
        }
        spent
    }

    /// The time that `iterations` take in which each of `callers` makes one file of `size` bytes,
    /// one after the other: what a commit shared by all costs each.
    pub fn timed_callers(&self, iterations: u64, callers: usize, size: usize) -> Duration {
        self.runtime.block_on(self.timed(iterations, callers, callers * size, async |n| {
            let caller = |files: Files| tokio::spawn(async move { create(&files, n, size).await });
            let callers = std::iter::repeat_with(|| caller(self.files.clone())).take(callers);
            join_all(callers).await.into_iter().for_each(Result::unwrap);
        }))
    }

    async fn clear(&self) {
        let everything = FileQuery { limit: FileQuery::MAX_LIMIT, ..FileQuery::default() };
        loop {
            let files = self.files.list(&everything).await.unwrap().items;
            if files.is_empty() {
                break;
            }
            let keys: Vec<_> = files.into_iter().map(|file| file.id.into()).collect();
            self.files.delete_many(&keys).await.unwrap();
        }
        self.files.store().sweep(&Sweep::default()).await.unwrap();
    }
}

/// Makes so many files of `size` bytes, one after the other.
pub async fn create(files: &Files, count: u64, size: usize) {
    for _ in 0..count {
        files.create("bench", framed(noise(size))).await.unwrap();
    }
}

async fn in_memory() -> FileStore {
    let builder = FileStore::builder(MemoryBlobs::new(), MemoryRepository::new());
    builder.limits(forgetful()).open().await.unwrap()
}

/// A folder within `FILESTORE_BENCH_DIR`, or in the folder for temporary files, until it is
/// dropped.
pub fn temp_dir() -> TempDir {
    let parent = std::env::var_os("FILESTORE_BENCH_DIR").map(PathBuf::from);
    tempfile::tempdir_in(parent.unwrap_or_else(std::env::temp_dir)).unwrap()
}

fn on_disk(runtime: &Runtime, durability: Durability) -> (FileStore, Option<TempDir>) {
    let dir = temp_dir();
    let blobs = FsBlobs::open(dir.path(), durability).unwrap();
    // Benches read few files again and again; what they measure is the look-up.
    let options = SqliteOptions { durability, cache: 0, ..SqliteOptions::default() };
    let repository = SqliteRepository::open(dir.path().join(DATABASE), options).unwrap();
    let builder = FileStore::builder(blobs, repository).limits(forgetful());
    (runtime.block_on(builder.open()).unwrap(), Some(dir))
}

/// What is deleted is swept away at once.
fn forgetful() -> Limits {
    let mut limits = Limits::default();
    limits.keep_deleted = Duration::ZERO;
    limits.keep_sessions = Duration::ZERO;
    limits
}
