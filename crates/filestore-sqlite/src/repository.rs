//! [`SqliteRepository`]: opening one, and the four ways of its traits into the database.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use filestore::backend::StoredFile;
use filestore::{Clock, Error, FileRecord, Result};
use rusqlite::Connection;

use crate::commits::Commits;
use crate::connection;
use crate::error::DbResult;
use crate::options::SqliteOptions;
use crate::readers::Readers;
use crate::recent::Recent;
use crate::reserve::Reserve;
use crate::schema;
use crate::uploads;
use crate::writer::{Work, Writer};

/// Keeps metadata, upload sessions and small contents in one SQLite file.
///
/// Several processes may have the file open at a time; they take turns in writing. Upload sessions
/// are taken by one of them only.
#[derive(Debug)]
pub struct SqliteRepository {
    // These are dropped before the writer: the last connection folds the log back into the file, which
    // one that only reads cannot do.
    readers: Arc<Readers>,
    pub(crate) records: Recent<FileRecord>,
    pub(crate) files: Recent<StoredFile>,
    writer: Writer,
    clock: Arc<dyn Clock>,
    last_ticket: AtomicU64,
}

impl SqliteRepository {
    /// Opens the file at `path`, or makes it, and brings its schema up to date.
    ///
    /// Beside the file SQLite keeps two more, with `-wal` and `-shm` after its name: they belong to
    /// it and hold committed data. A third, `-reserve`, holds nothing; see
    /// [`SqliteOptions::reserve`]. Blocks while it opens.
    ///
    /// # Errors
    /// [`InvalidArgument`](filestore::ErrorKind::InvalidArgument) when the file is not a filestore
    /// or of a later schema than this library knows;
    /// [`Unavailable`](filestore::ErrorKind::Unavailable) when it cannot be opened;
    /// [`StorageFull`](filestore::ErrorKind::StorageFull).
    pub fn open(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self> {
        Ok(Self::open_at(path.as_ref(), options)?)
    }

    fn open_at(path: &Path, options: SqliteOptions) -> DbResult<Self> {
        let mut db = connection::writing(path, options.durability)?;
        schema::migrate(&mut db)?;
        let last_ticket = uploads::last_ticket(&db)?;
        let reserve = Reserve::open(path, options.reserve).map_err(Error::from)?;
        let path = std::path::absolute(path).map_err(Error::from)?;
        let commits = if options.cache > 0 { Commits::of(&path).map(Arc::new) } else { None };
        Ok(Self {
            records: Recent::new(commits.clone(), options.cache / 2),
            files: Recent::new(commits, options.cache / 2),
            readers: Arc::new(Readers::new(path, options.readers)),
            writer: Writer::start(db, Arc::clone(&options.clock), reserve)?,
            clock: options.clock,
            last_ticket: AtomicU64::new(last_ticket),
        })
    }

    /// A change; see [`Writer::commit`].
    pub(crate) async fn commit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Work<'_>) -> DbResult<T> + Send + 'static,
    ) -> Result<T> {
        Ok(self.writer.commit(work).await?)
    }

    /// A change that frees room, or needs none; see [`Writer::free`].
    pub(crate) async fn free<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Work<'_>) -> DbResult<T> + Send + 'static,
    ) -> Result<T> {
        Ok(self.writer.free(work).await?)
    }

    /// A read of one statement, on this thread.
    pub(crate) fn ask<T>(&self, read: impl FnOnce(&Connection) -> DbResult<T>) -> Result<T> {
        Ok(self.readers.ask(read)?)
    }

    /// A short read of several statements, on this thread.
    pub(crate) fn look_up<T>(&self, read: impl FnOnce(&Connection) -> DbResult<T>) -> Result<T> {
        Ok(self.readers.look_up(read)?)
    }

    /// A read that may be long, on another thread.
    pub(crate) async fn scan<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> DbResult<T> + Send + 'static,
    ) -> Result<T> {
        Ok(self.readers.scan(read).await?)
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// A ticket greater than all before: the time in microseconds, or one more than the last.
    pub(crate) fn draw_ticket(&self) -> u64 {
        let now = self.clock.now().as_millis().saturating_mul(1000);
        let next = |last: u64| now.max(last.saturating_add(1)).min(i64::MAX as u64);
        let last = self
            .last_ticket
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
        last.map_or_else(next, next)
    }
}
