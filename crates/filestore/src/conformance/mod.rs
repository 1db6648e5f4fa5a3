//! The suite that every backend must pass: one test for each promise of the [backend
//! traits](crate::backend).
//!
//! Joining takes one line for a trait, in a test of the backend's own crate. `make` is called once
//! for each test and gives a [`Fixture`] with an empty store:
//!
//! ```
//! use filestore::conformance::Fixture;
//! use filestore::{ManualClock, MemoryBlobs, MemoryRepository, Timestamp};
//! use std::sync::Arc;
//!
//! fn blobs() -> Fixture<MemoryBlobs> {
//!     MemoryBlobs::new().into()
//! }
//!
//! fn repository() -> Fixture<MemoryRepository> {
//!     let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_790_000_000_000)));
//!     Fixture::new(MemoryRepository::with_clock(clock.clone())).with_clock(clock)
//! }
//!
//! filestore::blob_store_conformance!(blobs);
//! filestore::repository_conformance!(repository);
//!
//! # fn main() {
//! // What one of the tests does; cases can be run by name, too.
//! filestore::conformance::run(|| filestore::conformance::blobs::a_deletion_may_be_repeated(blobs()));
//! # }
//! ```
//!
//! A store that keeps its data in a folder hands the folder's guard to [`Fixture::with_guard`].
//! [`repository_conformance!`](crate::repository_conformance) joins for all six traits of a
//! [`Repository`](crate::backend::Repository); each of them has a macro of its own as well. Cases
//! that a later version adds join by themselves.

// The suite is test code that happens to be compiled as a library: a failed promise is a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::ManualClock;

pub mod blobs;
pub mod completions;
pub mod contents;
pub mod endings;
pub mod files;
pub mod ledger;
mod macros;
pub mod paging;
pub mod queries;
pub mod races;
pub mod records;
mod samples;
pub mod transfers;
pub mod uploads;

/// Longest time a case may take; whatever takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(300);

/// An empty store and what it needs to live while a case runs.
#[derive(Debug)]
pub struct Fixture<T> {
    store: Arc<T>,
    clock: Option<Arc<ManualClock>>,
    // Dropped after the store.
    guard: Option<Box<dyn Any + Send>>,
}

impl<T> Fixture<T> {
    /// A store that needs nothing else.
    pub fn new(store: T) -> Self {
        Self { store: Arc::new(store), clock: None, guard: None }
    }

    /// Adds the clock that the store was built with. Repositories need it: deadlines are tested
    /// by moving it on.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<ManualClock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Adds what is dropped after the store, such as a temporary folder.
    #[must_use]
    pub fn with_guard(mut self, guard: impl Any + Send) -> Self {
        self.guard = Some(Box::new(guard));
        self
    }

    fn clock(&self) -> &ManualClock {
        self.clock.as_deref().expect("a repository's fixture needs the clock it was built with")
    }
}

impl<T> From<T> for Fixture<T> {
    fn from(store: T) -> Self {
        Self::new(store)
    }
}

/// Runs a case to its end on a runtime with several threads.
///
/// # Panics
/// When the case fails, or hangs for five minutes.
pub fn run<F: Future<Output = ()>>(case: impl FnOnce() -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let case = Box::pin(case());
        tokio::time::timeout(PATIENCE, case).await.expect("the case hangs");
    });
}
