//! The one thread that writes.
//!
//! Calls that wait together are committed together: one sync for all of them. Each runs in a
//! savepoint of its own, so that one which is refused takes only its own changes back. Nobody is
//! answered before the commit. When the disk is full, only those that free room are committed.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};

use filestore::{Clock, Timestamp};
use rusqlite::{Connection, ErrorCode};
use tokio::sync::{mpsc, oneshot};

use crate::error::{CommitFailure, DbResult, SqliteError};
use crate::index::NameChange;
use crate::reserve::Reserve;

/// Calls in one commit at most; it bounds how long the first waits for the last.
const GROUP: usize = 256;

/// Calls that wait before further ones wait to get in.
const QUEUE: usize = 1024;

/// What a call has to work with.
pub(crate) struct Work<'w> {
    pub(crate) db: &'w Connection,
    /// The moment at which its group began.
    pub(crate) now: Timestamp,
    /// Changes to the index of names. They are made once for the group: that index writes itself to
    /// disk at every savepoint it has changes in.
    pub(crate) names: &'w mut Vec<NameChange>,
}

/// The handle to the thread. Dropping it finishes what waits, and the thread with it.
pub(crate) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    failure: Arc<OnceLock<String>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(crate) fn start(db: Connection, clock: Arc<dyn Clock>, reserve: Reserve) -> DbResult<Self> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let failure = Arc::new(OnceLock::new());
        let shared = Arc::clone(&failure);
        let thread = thread::Builder::new()
            .name("filestore-sqlite".to_owned())
            .spawn(move || serve(&db, clock.as_ref(), reserve, jobs, &shared))
            .map_err(filestore::Error::from)?;
        Ok(Self { queue: Some(queue), failure, thread: Some(thread) })
    }

    /// Has `work` done in the next commit. Once it is in the queue, it is done to its end, whether
    /// or not this future still waits for it.
    pub(crate) async fn commit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Work<'_>) -> DbResult<T> + Send + 'static,
    ) -> DbResult<T> {
        let mut work = Some(work);
        let run = move |with: &mut Work<'_>| work.take().ok_or(GONE)?(with);
        self.queue(Room::Needed, run).await
    }

    /// As [`commit`](Self::commit), for what frees room or needs none: it is done on a full disk,
    /// too. There `work` runs a second time, after all it did the first time was taken back.
    pub(crate) async fn free<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Work<'_>) -> DbResult<T> + Send + 'static,
    ) -> DbResult<T> {
        self.queue(Room::Freed, work).await
    }

    async fn queue<T: Send + 'static>(
        &self,
        room: Room,
        work: impl FnMut(&mut Work<'_>) -> DbResult<T> + Send + 'static,
    ) -> DbResult<T> {
        if let Some(reason) = self.failure.get() {
            return Err(SqliteError::Stopped(reason.clone()));
        }
        let (answer, answered) = oneshot::channel();
        let call = Call { room, work, result: None, answer };
        let queue = self.queue.as_ref().ok_or(GONE)?;
        queue.send(Box::new(call)).await.map_err(|_| GONE)?;
        answered.await.map_err(|_| GONE)?
    }
}

const GONE: SqliteError = SqliteError::Gone("the writing thread");

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writing thread panicked");
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("failure", &self.failure.get()).finish_non_exhaustive()
    }
}

/// What a call does to the room on the disk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Room {
    Needed,
    Freed,
}

/// A call in the queue.
trait Job: Send {
    fn room(&self) -> Room;

    /// Does the work and keeps its result. An error means that its changes must be taken back; it
    /// is the group's failure when it spoils more than this call.
    fn run(&mut self, work: &mut Work<'_>) -> Result<(), Option<CommitFailure>>;

    /// Answers, now that the group is committed or has failed.
    fn answer(self: Box<Self>, failure: Option<SqliteError>);
}

struct Call<W, T> {
    room: Room,
    work: W,
    result: Option<DbResult<T>>,
    answer: oneshot::Sender<DbResult<T>>,
}

impl<W, T> Job for Call<W, T>
where
    W: FnMut(&mut Work<'_>) -> DbResult<T> + Send,
    T: Send,
{
    fn room(&self) -> Room {
        self.room
    }

    fn run(&mut self, work: &mut Work<'_>) -> Result<(), Option<CommitFailure>> {
        let result = (self.work)(work);
        let verdict = match &result {
            Ok(_) => Ok(()),
            Err(error) => Err(error.spoils_group().then(|| error.into())),
        };
        self.result = Some(result);
        verdict
    }

    fn answer(self: Box<Self>, failure: Option<SqliteError>) {
        let result = match (failure, self.result) {
            (Some(failure), _) => Err(failure),
            (None, Some(result)) => result,
            (None, None) => Err(GONE),
        };
        // Whoever gave up waiting does not hear it.
        let _ = self.answer.send(result);
    }
}

fn serve(
    db: &Connection,
    clock: &dyn Clock,
    mut reserve: Reserve,
    mut jobs: mpsc::Receiver<Box<dyn Job>>,
    failure: &OnceLock<String>,
) {
    let mut group = Vec::with_capacity(GROUP);
    while jobs.blocking_recv_many(&mut group, GROUP) > 0 {
        let now = clock.now();
        reserve.restore();
        let mut refusal = Some(Refusal::full());
        if reserve.is_whole() {
            refusal = commit_group(db, now, &mut group, failure);
        }
        if refusal.as_ref().is_some_and(Refusal::is_full) {
            let (needing, freeing): (Vec<_>, _) =
                group.drain(..).partition(|job| job.room() == Room::Needed);
            answer(needing, refusal.as_ref());
            if freeing.is_empty() {
                continue;
            }
            group = freeing;
            reserve.give_up();
            refusal = commit_group(db, now, &mut group, failure);
        }
        answer(group.drain(..), refusal.as_ref());
    }
    if let Err(error) = db.execute_batch("PRAGMA optimize") {
        tracing::debug!(%error, "could not refresh statistics");
    }
}

fn answer(jobs: impl IntoIterator<Item = Box<dyn Job>>, refusal: Option<&Refusal>) {
    for job in jobs {
        job.answer(refusal.map(Refusal::error));
    }
}

/// What a whole group is told.
enum Refusal {
    Stopped(String),
    Failed(CommitFailure),
}

impl Refusal {
    fn full() -> Self {
        Self::Failed(CommitFailure::full())
    }

    fn is_full(&self) -> bool {
        matches!(self, Self::Failed(failure) if failure.code == Some(ErrorCode::DiskFull))
    }

    fn error(&self) -> SqliteError {
        match self {
            Self::Stopped(reason) => SqliteError::Stopped(reason.clone()),
            Self::Failed(failure) => SqliteError::Commit(failure.clone()),
        }
    }
}

/// Runs and commits a group; `None` when it is committed.
fn commit_group(
    db: &Connection,
    now: Timestamp,
    group: &mut [Box<dyn Job>],
    stopped: &OnceLock<String>,
) -> Option<Refusal> {
    if let Some(reason) = stopped.get() {
        return Some(Refusal::Stopped(reason.clone()));
    }
    let failure = transact(db, now, group).err()?;
    if !db.is_autocommit()
        && let Err(error) = db.execute_batch("ROLLBACK")
    {
        tracing::warn!(%error, "could not roll back");
    }
    tracing::error!(reason = %failure, "a commit failed");
    if failure.is_final() {
        let _ = stopped.set(failure.to_string());
    }
    Some(Refusal::Failed(failure))
}

fn transact(
    db: &Connection,
    now: Timestamp,
    group: &mut [Box<dyn Job>],
) -> Result<(), CommitFailure> {
    let step = |sql: &str| {
        let result = db.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
        result.map_err(|error| CommitFailure::from(&SqliteError::from(error)))
    };
    step("BEGIN IMMEDIATE")?;
    let mut names = Vec::new();
    for job in group {
        step("SAVEPOINT call")?;
        let mark = names.len();
        let mut work = Work { db, now, names: &mut names };
        match job.run(&mut work) {
            Ok(()) => {}
            Err(Some(spoiled)) => return Err(spoiled),
            Err(None) => {
                names.truncate(mark);
                step("ROLLBACK TO call")?;
            }
        }
        step("RELEASE call")?;
    }
    for name in names {
        name.make(db).map_err(|error| CommitFailure::from(&error))?;
    }
    step("COMMIT")?;
    Ok(())
}

#[cfg(test)]
mod tests;
