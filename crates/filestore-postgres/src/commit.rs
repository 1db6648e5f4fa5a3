//! Changes: how they are committed, made again, and what becomes of one whose connection is lost
//! while it commits.
//!
//! Each commit writes a row of its own, the *attempt*. When the connection is lost before the answer
//! has come, another connection inserts a row with the same id. That waits for a commit that is
//! under way, finds the row of one that was made, and otherwise stands in its way for good: whatever
//! of it may still arrive at the server is refused. So the outcome is known, and a transaction that
//! was not committed is made again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use filestore::{BlobKey, Durability};
use tokio::time::{Instant, sleep};
use tokio_postgres::Row;

use crate::connections::Connections;
use crate::error::{DbResult, PgError};
use crate::flight::Answers;
use crate::sql::{Id, Sql, get};
use crate::transaction::{Bounds, Tx};

/// How often a transaction is made again that stood in another's way, or lost its connection before
/// anything was committed.
const TRIES: u32 = 12;

/// Attempts between those that remove old ones.
const FORGET: u32 = 256;

/// A change, as one transaction. It may be made several times, of which one is committed.
#[async_trait]
pub(crate) trait Change: Send + Sync + 'static {
    type Answer: Send + 'static;

    /// Reads and locks what the change depends on, checks it, and says what is to be written.
    async fn make(&self, tx: &mut Tx) -> DbResult<Commit<Self::Answer>>;
}

/// What is left to be done: statements that are sent together with the commit, and the answer.
pub(crate) struct Commit<T> {
    statements: Vec<Sql>,
    answer: Answer<T>,
}

enum Answer<T> {
    Known(T),
    Read(Reader<T>),
}

type Reader<T> = Box<dyn FnOnce(Answers) -> DbResult<T> + Send>;

impl<T> Commit<T> {
    /// The answer is known before anything is written.
    pub(crate) fn known(statements: Vec<Sql>, answer: T) -> Self {
        Self { statements, answer: Answer::Known(answer) }
    }

    /// The answer is in what the statements answer. Whatever is to be refused is refused by them.
    pub(crate) fn read(
        statements: Vec<Sql>,
        read: impl FnOnce(Answers) -> DbResult<T> + Send + 'static,
    ) -> Self {
        Self { statements, answer: Answer::Read(Box::new(read)) }
    }
}

/// A change that was committed.
#[derive(Debug)]
pub(crate) enum Made<T> {
    /// With this answer.
    Answered(T),
    /// The answer was lost with the connection.
    Silently,
}

/// Makes changes.
#[derive(Clone, Debug)]
pub(crate) struct Committer {
    connections: Connections,
    bounds: Bounds,
    /// Attempts of all.
    count: Arc<AtomicU32>,
}

impl Committer {
    pub(crate) fn new(connections: Connections, durability: Durability) -> Self {
        let bounds = Bounds::writing(connections.timeout(), durability);
        Self { connections, bounds, count: Arc::default() }
    }

    /// Makes a change, in a task of its own: it runs to its end though nobody waits for it.
    pub(crate) async fn commit<C: Change>(&self, change: C) -> DbResult<Made<C::Answer>> {
        let own = self.clone();
        let task = tokio::spawn(async move { own.make(&change).await });
        task.await.unwrap_or(Err(PgError::Gone))
    }

    async fn make<C: Change>(&self, change: &C) -> DbResult<Made<C::Answer>> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.try_once(change).await {
                Ok(Some(made)) => return Ok(made),
                Ok(None) if tries == TRIES => return Err(PgError::Unlucky),
                Ok(None) => tracing::debug!("a transaction is made again that got lost"),
                Err(error) if tries == TRIES || !is_worth_another(&error) => return Err(error),
                Err(error) => tracing::debug!(?error, "a transaction is made again"),
            }
            sleep(pause(tries)).await;
        }
    }

    /// `None` when the connection was lost and it is known that nothing was committed.
    async fn try_once<C: Change>(&self, change: &C) -> DbResult<Option<Made<C::Answer>>> {
        let mut tx = Tx::new(self.connections.get().await?, self.bounds.clone());
        let Commit { mut statements, answer } = match change.make(&mut tx).await {
            Ok(commit) => commit,
            Err(error) => {
                tx.roll_back().await;
                return Err(error);
            }
        };
        let attempt = Id::from(BlobKey::mint()?);
        statements.extend(self.attempts(attempt));
        match tx.commit(statements).await {
            Ok(answers) => Ok(Some(Made::Answered(match answer {
                Answer::Known(known) => known,
                Answer::Read(read) => read(answers)?,
            }))),
            // The server has taken the transaction back.
            Err(error) if !error.is_lost() => {
                tx.roll_back().await;
                Err(error)
            }
            Err(error) => {
                tracing::warn!(?error, "the connection was lost in a commit");
                drop(tx);
                if !self.was_committed(attempt).await? {
                    return Ok(None);
                }
                Ok(Some(match answer {
                    Answer::Known(known) => Made::Answered(known),
                    Answer::Read(_) => Made::Silently,
                }))
            }
        }
    }

    /// Writes the row of an attempt, and now and then removes more than have been written since
    /// whose outcome nobody asks for any more.
    fn attempts(&self, attempt: Id) -> impl Iterator<Item = Sql> {
        let insert = "INSERT INTO filestore.attempt (id, is_fenced) VALUES ($1, false)";
        let forget = "DELETE FROM filestore.attempt WHERE id IN (SELECT id FROM filestore.attempt \
             WHERE at < now() - interval '1 hour' ORDER BY at LIMIT $1 FOR UPDATE SKIP LOCKED)";
        let is_due = self.count.fetch_add(1, Ordering::Relaxed) % FORGET == FORGET - 1;
        let forget = is_due.then(|| Sql::new(forget).bind(4 * i64::from(FORGET)));
        std::iter::once(Sql::new(insert).bind(attempt)).chain(forget)
    }

    /// Asks what became of an attempt, and fences it off when it was not committed.
    async fn was_committed(&self, attempt: Id) -> DbResult<bool> {
        let deadline = Instant::now() + self.connections.timeout();
        let question = [
            Sql::new(
                "INSERT INTO filestore.attempt (id, is_fenced) VALUES ($1, true) \
                 ON CONFLICT DO NOTHING",
            )
            .bind(attempt),
            // A statement of its own, that sees the row which was in the way of the other.
            Sql::new("SELECT is_fenced FROM filestore.attempt WHERE id = $1").bind(attempt),
        ];
        let mut tries = 0;
        loop {
            tries += 1;
            match self.ask(&question).await {
                Ok(mut answers) => {
                    let row: Option<Row> = answers.nth(1).and_then(|rows| rows.into_iter().next());
                    let row = row.ok_or(PgError::Damaged("an attempt"))?;
                    return Ok(!get::<bool>(&row, 0)?);
                }
                Err(error) if Instant::now() >= deadline => {
                    tracing::warn!(?error, "the outcome of a commit cannot be asked for");
                    return Err(PgError::Unknown);
                }
                Err(_) => sleep(pause(tries)).await,
            }
        }
    }

    async fn ask(&self, question: &[Sql]) -> DbResult<Answers> {
        let mut tx = Tx::new(self.connections.get().await?, self.bounds.clone());
        let asked = tx.commit(question.to_vec()).await;
        if asked.is_err() {
            tx.roll_back().await;
        }
        asked
    }
}

/// Whether a transaction failed of which nothing was committed, and the next may fare better.
fn is_worth_another(error: &PgError) -> bool {
    !matches!(error, PgError::TimedOut) && (error.is_lost() || error.is_in_the_way())
}

/// Twice as long each time, and never the same for two that met.
fn pause(tries: u32) -> Duration {
    let most = 4_u64 << tries.min(8);
    let random =
        BlobKey::mint().map_or(0, |key| key.as_bytes().first().copied().map_or(0, u64::from));
    Duration::from_millis(most / 2 + most * random / 512)
}
