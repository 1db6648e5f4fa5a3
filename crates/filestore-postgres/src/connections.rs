//! The pool of connections.

use std::str::FromStr;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use filestore::Error;
use tokio::time::timeout;
use tokio_postgres::{Config, NoTls};

use crate::error::{DbResult, PgError};
use crate::flight::{Answers, fly};
use crate::options::PostgresOptions;
use crate::sql::Sql;
use crate::transaction::{Bounds, Tx};

/// How long the server has for a connection that is made.
const CONNECT: Duration = Duration::from_secs(10);

/// How long a connection may be silent before its other end is asked whether it is there.
const IDLE: Duration = Duration::from_secs(30);

/// What the server needs to say that a statement took too long, before it is left alone.
const GRACE: Duration = Duration::from_secs(5);

/// How often a read is asked again that lost its connection.
const READS: usize = 3;

#[derive(Clone, Debug)]
pub(crate) struct Connections {
    pool: Pool,
    timeout: Duration,
}

impl Connections {
    pub(crate) fn new(url: &str, options: &PostgresOptions) -> DbResult<Self> {
        // What a URL says may be a secret and is not repeated.
        let mut config = Config::from_str(url)
            .map_err(|_| PgError::Unfit("the address of the database makes no sense".to_owned()))?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        // A server that has gone without a word is found out about before anybody asks it, and one
        // that goes in the middle of a question as soon as one that is late.
        config.keepalives_idle(IDLE).keepalives_interval(CONNECT).keepalives_retries(3);
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(options.timeout);
        }
        if config.get_application_name().is_none() {
            config.application_name("filestore");
        }
        let pool = Pool::builder(manager(config)?)
            .max_size(options.connections.max(1))
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(options.timeout))
            .create_timeout(Some(CONNECT))
            .build()
            .map_err(|error| Error::internal("no pool of connections").with_source(error))?;
        Ok(Self { pool, timeout: options.timeout })
    }

    pub(crate) async fn get(&self) -> DbResult<Connection> {
        Ok(Connection { object: Some(self.pool.get().await?), timeout: self.timeout })
    }

    /// Asks for what can be asked again, in one round trip.
    pub(crate) async fn read(&self, statements: &[Sql]) -> DbResult<Answers> {
        let mut tries = 0;
        loop {
            tries += 1;
            let mut tx = Tx::new(self.get().await?, Bounds::reading(self.timeout));
            let error = match tx.commit(statements.to_vec()).await {
                Ok(answers) => return Ok(answers),
                Err(error) => error,
            };
            tx.roll_back().await;
            if !error.is_lost() || matches!(error, PgError::TimedOut) || tries == READS {
                return Err(error);
            }
            tracing::debug!(?error, "a read is asked again");
        }
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }
}

fn manager(config: Config) -> DbResult<Manager> {
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    #[cfg(feature = "tls")]
    if crate::tls::is_wanted(&config) {
        return Ok(Manager::from_config(config, crate::tls::connector()?, recycling));
    }
    Ok(Manager::from_config(config, NoTls, recycling))
}

/// A connection out of the pool. It goes back when it is dropped, unless something is left
/// unfinished on it.
#[derive(Debug)]
pub(crate) struct Connection {
    object: Option<Object>,
    timeout: Duration,
}

impl Connection {
    /// Sends statements together and waits for their answers. A connection that does not answer is
    /// not used again.
    pub(crate) async fn fly(&mut self, flight: &[Sql]) -> DbResult<Answers> {
        let Some(client) = &self.object else {
            return Err(PgError::TimedOut);
        };
        let answered = match timeout(self.timeout + GRACE, fly(client, flight)).await {
            Ok(answered) => answered.map_err(PgError::from),
            Err(_) => Err(PgError::TimedOut),
        };
        if answered.as_ref().is_err_and(PgError::is_lost) {
            self.discard();
        }
        answered
    }

    /// Closes the connection. What is open on it the server takes back.
    pub(crate) fn discard(&mut self) {
        drop(self.object.take().map(Object::take));
    }
}
