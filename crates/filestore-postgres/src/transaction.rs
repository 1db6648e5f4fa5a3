//! Transactions: what they begin with, and what a connection is good for when they do not end.
//!
//! Everything is in one, since what is set for a transaction alone ends with it: it does not matter
//! whose connection it is next.

use std::time::Duration;

use filestore::Durability;

use crate::connections::Connection;
use crate::error::DbResult;
use crate::flight::Answers;
use crate::sql::Sql;

/// What a transaction begins and ends with.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    begin: Sql,
    end: Sql,
}

impl Bounds {
    /// Of one whose statements take no longer than this.
    pub(crate) fn reading(limit: Duration) -> Self {
        let limit = limit.as_millis();
        let begin =
            format!("BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = {limit}");
        Self { begin: Sql::script(begin), end: Sql::script("COMMIT") }
    }

    /// Of one that changes something. A node that goes silent within it holds its locks no longer
    /// than this either.
    pub(crate) fn writing(limit: Duration, durability: Durability) -> Self {
        let limit = limit.as_millis();
        let relaxed = match durability {
            Durability::Full => "",
            Durability::Relaxed => "; SET LOCAL synchronous_commit = off",
        };
        let begin = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
             SET LOCAL statement_timeout = {limit}; \
             SET LOCAL idle_in_transaction_session_timeout = {limit}{relaxed}"
        );
        // A commit that waits for a standby is acknowledged without it when its time is up.
        let end = "SET LOCAL statement_timeout = 0; COMMIT";
        Self { begin: Sql::script(begin), end: Sql::script(end) }
    }
}

/// A transaction that has not been committed.
#[derive(Debug)]
pub(crate) struct Tx {
    connection: Connection,
    bounds: Bounds,
    has_begun: bool,
    /// Whether the server may know of it and has not ended it.
    is_open: bool,
}

impl Tx {
    pub(crate) fn new(connection: Connection, bounds: Bounds) -> Self {
        Self { connection, bounds, has_begun: false, is_open: false }
    }

    /// Sends statements together, the first of them with what begins the transaction.
    pub(crate) async fn fly(&mut self, mut statements: Vec<Sql>) -> DbResult<Answers> {
        let begins = !std::mem::replace(&mut self.has_begun, true);
        if begins {
            statements.insert(0, self.bounds.begin.clone());
        }
        self.is_open = true;
        let mut answers = self.connection.fly(&statements).await?;
        answers.by_ref().take(usize::from(begins)).for_each(drop);
        Ok(answers)
    }

    /// Sends the last statements together with the commit.
    pub(crate) async fn commit(&mut self, mut statements: Vec<Sql>) -> DbResult<Answers> {
        statements.push(self.bounds.end.clone());
        let answers = self.fly(statements).await?;
        self.is_open = false;
        Ok(answers)
    }

    /// Takes back what was done.
    pub(crate) async fn roll_back(mut self) {
        if self.is_open {
            self.is_open = self.connection.fly(&[Sql::script("ROLLBACK")]).await.is_err();
        }
    }
}

impl Drop for Tx {
    /// Nobody else gets a connection on which a transaction has been left open.
    fn drop(&mut self) {
        if self.is_open {
            self.connection.discard();
        }
    }
}
