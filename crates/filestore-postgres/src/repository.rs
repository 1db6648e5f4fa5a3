//! [`PostgresRepository`]: opening one, and the two ways of its traits into the database.

use std::sync::Arc;

use filestore::{Clock, Result};
use tokio_postgres::Row;

use crate::commit::{Change, Committer, Made};
use crate::connections::Connections;
use crate::error::{DbResult, PgError};
use crate::flight::Answers;
use crate::options::PostgresOptions;
use crate::schema;
use crate::sql::{Sql, millis};

/// Keeps metadata, upload sessions and small contents in a PostgreSQL database, for any number of
/// nodes.
#[derive(Debug)]
pub struct PostgresRepository {
    connections: Connections,
    committer: Committer,
    clock: Option<Arc<dyn Clock>>,
}

impl PostgresRepository {
    /// Connects to the database at `url`, as in `postgres://user:password@host/database` or
    /// `host=/run/postgresql dbname=files`, and brings its schema up to date. Everything is in the
    /// schema `filestore` of that database.
    ///
    /// # Errors
    /// [`InvalidArgument`](filestore::ErrorKind::InvalidArgument) when the address makes no sense,
    /// the server knows no such user, password or database, is not fit or set to be less durable
    /// than asked for, or the schema is of a later release that this one cannot work with;
    /// [`Unavailable`](filestore::ErrorKind::Unavailable) when there is no connection, which
    /// another try may get.
    pub async fn connect(url: &str, options: PostgresOptions) -> Result<Self> {
        Ok(Self::open(url, options).await?)
    }

    async fn open(url: &str, options: PostgresOptions) -> DbResult<Self> {
        let connections = Connections::new(url, &options)?;
        schema::migrate(&connections, &options).await.map_err(PgError::at_the_door)?;
        let committer = Committer::new(connections.clone(), options.durability);
        Ok(Self { connections, committer, clock: options.clock })
    }

    /// A change, as one transaction.
    pub(crate) async fn commit<C: Change>(&self, change: C) -> DbResult<Made<C::Answer>> {
        self.committer.commit(change).await
    }

    /// A change whose answer is known before it is committed, and so never lost.
    pub(crate) async fn commit_known<C: Change>(&self, change: C) -> Result<C::Answer> {
        match self.commit(change).await? {
            Made::Answered(answer) => Ok(answer),
            Made::Silently => Err(PgError::Unknown.into()),
        }
    }

    /// Statements that only read, in one round trip.
    pub(crate) async fn read(&self, flight: &[Sql]) -> DbResult<Answers> {
        self.connections.read(flight).await
    }

    /// The rows of one statement.
    pub(crate) async fn rows(&self, sql: Sql) -> DbResult<Vec<Row>> {
        Ok(self.read(&[sql]).await?.next().unwrap_or_default())
    }

    /// The first row of one statement, when there is one.
    pub(crate) async fn first(&self, sql: Sql) -> DbResult<Option<Row>> {
        Ok(self.rows(sql).await?.into_iter().next())
    }

    /// The time for `filestore.now`: none means that the database knows it.
    pub(crate) fn given_now(&self) -> Option<i64> {
        self.clock.as_ref().map(|clock| millis(clock.now()))
    }
}
