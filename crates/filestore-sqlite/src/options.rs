//! How a repository is opened.

use std::sync::Arc;

use filestore::{Clock, Durability, SystemClock};

/// Settings of a [`SqliteRepository`](crate::SqliteRepository).
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// What acknowledged changes survive.
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
