//! How a repository is opened.

use std::sync::Arc;

use filestore::{Clock, Durability, SystemClock};

/// Settings of a [`SqliteRepository`](crate::SqliteRepository).
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// What acknowledged changes survive. Where it is relaxed, a loss of power may take the newest of
    /// them; what is left is whole.
    pub durability: Durability,
    /// Keeps all deadlines.
    pub clock: Arc<dyn Clock>,
    /// Most read connections that are kept open, and most scans that run at a time. Look-ups open
    /// more for as long as they need them.
    pub readers: usize,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self { durability: Durability::Full, clock: Arc::new(SystemClock), readers: 8 }
    }
}
