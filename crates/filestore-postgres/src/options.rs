//! How a repository is opened.

use std::sync::Arc;
use std::time::Duration;

use filestore::{Clock, Durability};

/// Settings of a [`PostgresRepository`](crate::PostgresRepository).
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// What acknowledged changes survive. Full durability is refused where the server is set to
    /// acknowledge commits before they are durable; where it is relaxed, a crash of the server may
    /// take the newest changes, and what is left is whole.
    pub durability: Durability,
    /// Connections at most. Each call has one while it asks the database, and none while bytes
    /// stream.
    pub connections: usize,
    /// How long one statement may take, and how long a call waits for a connection.
    pub timeout: Duration,
    /// Whether a database without a store gets one. Otherwise it is refused.
    pub create: bool,
    /// Keeps all deadlines in place of the database's own clock, which is what nodes agree on. For
    /// tests.
    pub clock: Option<Arc<dyn Clock>>,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            durability: Durability::Full,
            connections: 16,
            timeout: Duration::from_secs(30),
            create: true,
            clock: None,
        }
    }
}
