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
    /// Bytes of memory for files that were looked up, with content that is kept in the database: until
    /// the next commit, of whichever process, they are not looked up again. 0 for none.
    pub cache: u64,
    /// Bytes of the disk that are kept for removals, in a file beside the database: when the disk is
    /// full, what needs room is refused with [`StorageFull`](filestore::ErrorKind::StorageFull), and
    /// deleting, ending uploads and sweeping go on. 0 for none.
    pub reserve: u64,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            durability: Durability::Full,
            clock: Arc::new(SystemClock),
            readers: 8,
            cache: 16 << 20,
            reserve: 8 << 20,
        }
    }
}
