//! Read connections.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::connection;
use crate::error::{DbResult, SqliteError};
use crate::sql::change;

/// Idle read connections. A read takes one, or opens one when none is idle, so reads never wait for
/// each other.
#[derive(Debug)]
pub(crate) struct Readers {
    path: PathBuf,
    keep: usize,
    idle: Mutex<Vec<Connection>>,
    scans: Semaphore,
}

impl Readers {
    pub(crate) fn new(path: PathBuf, keep: usize) -> Self {
        let keep = keep.max(1);
        Self { path, keep, idle: Mutex::new(Vec::with_capacity(keep)), scans: Semaphore::new(keep) }
    }

    /// Runs one statement on the calling thread: microseconds, less than handing it over would take.
    pub(crate) fn ask<T>(&self, read: impl FnOnce(&Connection) -> DbResult<T>) -> DbResult<T> {
        let db = match self.take() {
            Some(db) => db,
            None => connection::reading(&self.path)?,
        };
        let answer = read(&db);
        // A snapshot that could not be let go would be what all later reads see.
        if db.is_autocommit() {
            self.put_back(db);
        }
        answer
    }

    /// Runs a look-up of several statements, likewise. They see one snapshot.
    pub(crate) fn look_up<T>(&self, read: impl FnOnce(&Connection) -> DbResult<T>) -> DbResult<T> {
        self.ask(|db| {
            change(db, "BEGIN", [])?;
            let answer = read(db);
            change(db, "ROLLBACK", [])?;
            answer
        })
    }

    /// Runs a read that may take long on a thread for such work.
    pub(crate) async fn scan<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&Connection) -> DbResult<T> + Send + 'static,
    ) -> DbResult<T> {
        let readers = Arc::clone(self);
        let _permit =
            readers.scans.acquire().await.map_err(|_| SqliteError::Gone("the pool of readers"))?;
        let worker = Arc::clone(self);
        tokio::task::spawn_blocking(move || worker.look_up(read))
            .await
            .map_err(|_| SqliteError::Gone("a read"))?
    }

    fn take(&self) -> Option<Connection> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn put_back(&self, db: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.keep {
            idle.push(db);
        }
    }
}
