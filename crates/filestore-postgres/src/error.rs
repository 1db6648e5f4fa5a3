//! What can go wrong in here, and what callers are told of it.

use deadpool_postgres::PoolError;
use filestore::{Error, ErrorKind};
use tokio_postgres::error::SqlState;

/// Result of everything below the traits.
pub(crate) type DbResult<T> = Result<T, PgError>;

#[derive(Debug, thiserror::Error)]
pub(crate) enum PgError {
    /// The caller's doing, in the core's own words.
    #[error("refused")]
    Refused(#[from] Error),
    #[error("the database failed")]
    Database(#[from] tokio_postgres::Error),
    #[error("no connection to the database")]
    Pool(#[from] PoolError),
    #[error("the database did not answer in time")]
    TimedOut,
    #[error("the connection was lost in a commit and its outcome is unknown")]
    Unknown,
    #[error("the connection to the database was lost again and again, and nothing was changed")]
    Unlucky,
    #[error("the database holds {0} that cannot be read")]
    Damaged(&'static str),
    #[error("the database has schema {found}, which this program, at {known}, is too old for")]
    Newer { found: i32, known: i32 },
    #[error("{0}")]
    Unfit(String),
    #[error("a task has ended unexpectedly")]
    Gone,
}

impl PgError {
    fn code(&self) -> Option<&SqlState> {
        match self {
            Self::Database(error) => error.code(),
            _ => None,
        }
    }

    /// What it means when the database is opened: a server that does not know the user, the password
    /// or the database will not know them a moment later.
    pub(crate) fn at_the_door(self) -> Self {
        let Self::Pool(PoolError::Backend(cause)) = &self else { return self };
        match cause.as_db_error() {
            Some(said) if matches!(said.code().code().get(..2), Some("28" | "3D")) => {
                Self::Unfit(said.message().to_owned())
            }
            _ => self,
        }
    }

    /// Whether nothing more can be learned from this connection.
    pub(crate) fn is_lost(&self) -> bool {
        match self {
            Self::TimedOut => true,
            Self::Database(error) => match error.code() {
                // The classes of connections, and of servers that stop or crash.
                Some(code) => {
                    code.code().starts_with("08")
                        || matches!(code.code(), "57P01" | "57P02" | "57P03" | "57P05" | "25P03")
                }
                // What is not said by the server is said of the connection, but for values that
                // cannot be sent or read.
                None => error.is_closed() || std::error::Error::source(error).is_some_and(is_io),
            },
            _ => false,
        }
    }

    /// Whether the transaction stood in another's way, and may be made again.
    pub(crate) fn is_in_the_way(&self) -> bool {
        matches!(
            self.code(),
            Some(
                &SqlState::T_R_SERIALIZATION_FAILURE
                    | &SqlState::T_R_DEADLOCK_DETECTED
                    | &SqlState::UNIQUE_VIOLATION
            )
        )
    }
}

fn is_io(source: &(dyn std::error::Error + 'static)) -> bool {
    source.is::<std::io::Error>()
}

impl From<PgError> for Error {
    fn from(error: PgError) -> Self {
        let message = error.to_string();
        match error {
            PgError::Refused(refusal) => refusal,
            PgError::Database(cause) => of_database(cause, message),
            PgError::Pool(cause) => Self::unavailable(message).with_source(cause),
            PgError::TimedOut | PgError::Unknown | PgError::Unlucky | PgError::Gone => {
                Self::unavailable(message)
            }
            PgError::Damaged(_) => Self::internal(message),
            PgError::Newer { .. } | PgError::Unfit(_) => Self::invalid(message),
        }
    }
}

fn of_database(cause: tokio_postgres::Error, message: String) -> Error {
    let Some(said) = cause.as_db_error() else {
        return Error::unavailable(message).with_source(cause);
    };
    match refusal(said.code().code()) {
        Some(kind) => Error::new(kind, said.message().to_owned()),
        None => Error::new(kind_of(said.code()), message).with_source(cause),
    }
}

/// The codes that the schema's own functions refuse with.
fn refusal(code: &str) -> Option<ErrorKind> {
    Some(match code {
        "FSNOF" => ErrorKind::NotFound,
        "FSEXI" => ErrorKind::AlreadyExists,
        "FSCON" => ErrorKind::Conflict,
        "FSINV" => ErrorKind::InvalidArgument,
        _ => return None,
    })
}

fn kind_of(code: &SqlState) -> ErrorKind {
    match code.code() {
        // disk_full
        "53100" => ErrorKind::StorageFull,
        // Text that has no place in the database, and keys that are too long for an index.
        "22021" | "22P05" | "54000" => ErrorKind::InvalidArgument,
        "23505" => ErrorKind::Conflict,
        // A server that is read-only is one that has failed over, or is full.
        "25006" | "40001" | "40P01" | "55P03" => ErrorKind::Unavailable,
        other => match other.get(..2) {
            Some("08" | "53" | "57" | "58") | Some("28" | "3D") => ErrorKind::Unavailable,
            _ => ErrorKind::Internal,
        },
    }
}
