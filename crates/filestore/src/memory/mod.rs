//! Backends that keep everything in memory: for tests, and the model that others are compared with.
//!
//! [`MemoryRepository`] is one lock around plain tables. Each call holds it once, never across an
//! await, and is one transaction: its steps are checked and carried out in order, and when one is
//! refused the tables take back what the steps before it changed. So no method has to think about
//! concurrency or about half of a change, and each reads like its contract.

mod blobs;
mod contents;
mod files;
mod ledger;
mod records;
mod sessions;
mod state;
mod table;
#[cfg(test)]
mod tests;
mod transfer;
mod uploads;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use blobs::MemoryBlobs;

use crate::clock::{Clock, SystemClock};
use crate::error::Result;
use crate::id::Timestamp;
use state::State;

/// Metadata in memory, gone with the process.
///
/// Implements all of [`Repository`](crate::backend::Repository). Lists ascend by number whatever
/// the conditions, and look at every record of the tenant. The elements of a batch are carried out
/// in order, each seeing what those before it did.
pub struct MemoryRepository {
    clock: Arc<dyn Clock>,
    inline_limit: usize,
    state: Mutex<State>,
}

impl MemoryRepository {
    /// Largest inline segment in bytes unless set otherwise: 16 KiB.
    pub const INLINE_LIMIT: usize = 16 * 1024;

    /// An empty repository that goes by the system's clock.
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock))
    }

    /// An empty repository whose deadlines go by `clock`.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self { clock, inline_limit: Self::INLINE_LIMIT, state: Mutex::default() }
    }

    /// Takes segments of up to `bytes` inline; 0 for none.
    #[must_use]
    pub fn with_inline_limit(mut self, bytes: usize) -> Self {
        self.inline_limit = bytes;
        self
    }

    /// Runs `change` as one transaction: all of it happens, or nothing when it is refused.
    fn transact<T>(&self, change: impl FnOnce(&mut State, Timestamp) -> Result<T>) -> Result<T> {
        let mut state = self.lock();
        let now = self.clock.now();
        let outcome = state.attempt(|state| change(state, now));
        state.commit();
        outcome
    }

    /// Looks at one snapshot.
    fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A transaction that panicked has not been committed, so its changes can still be undone.
        self.state.lock().unwrap_or_else(|poisoned| {
            let mut state = PoisonError::into_inner(poisoned);
            state.abandon();
            self.state.clear_poison();
            state
        })
    }
}

impl Default for MemoryRepository {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryRepository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryRepository")
            .field("inline_limit", &self.inline_limit)
            .finish_non_exhaustive()
    }
}
