//! What can go wrong in here, and what callers are told of it.

use filestore::{Error, ErrorKind};
use rusqlite::ErrorCode;

/// Result of everything below the traits.
pub(crate) type DbResult<T> = Result<T, SqliteError>;

#[derive(Debug, thiserror::Error)]
pub(crate) enum SqliteError {
    /// The caller's doing, in the core's own words.
    #[error("refused")]
    Refused(#[from] Error),
    #[error("the database failed")]
    Database(#[from] rusqlite::Error),
    #[error("the database holds {0} that cannot be read")]
    Damaged(&'static str),
    #[error("the database is not a filestore")]
    Foreign,
    #[error("the database has schema {found}, this program knows no later one than {known}")]
    Newer { found: usize, known: usize },
    #[error("the commit failed and its outcome is unknown: {0}")]
    Commit(CommitFailure),
    #[error("writing has stopped after a failure until the store is opened again: {0}")]
    Stopped(String),
    #[error("{0} has ended unexpectedly")]
    Gone(&'static str),
}

/// Why a group of calls was not committed, or not surely. Every call of the group gets a copy.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct CommitFailure {
    pub(crate) code: Option<ErrorCode>,
    message: String,
}

impl CommitFailure {
    /// What is refused because the disk was full before.
    pub(crate) fn full() -> Self {
        Self { code: Some(ErrorCode::DiskFull), message: "the disk is full".to_owned() }
    }

    /// Whether the file can no longer be trusted with writes: what was synced is not known, and a
    /// sync that failed is not repeated.
    pub(crate) fn is_final(&self) -> bool {
        matches!(
            self.code,
            Some(ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
        )
    }
}

impl From<&SqliteError> for CommitFailure {
    fn from(error: &SqliteError) -> Self {
        let message = match error {
            SqliteError::Database(cause) => cause.to_string(),
            other => other.to_string(),
        };
        Self { code: error.code(), message }
    }
}

impl SqliteError {
    /// SQLite's code, where it is SQLite that failed.
    pub(crate) fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Database(error) => error.sqlite_error_code(),
            Self::Commit(failure) => failure.code,
            _ => None,
        }
    }

    /// Whether it spoils the transaction it happens in, and with it the calls in the same group.
    pub(crate) fn spoils_group(&self) -> bool {
        matches!(
            self.code(),
            Some(
                ErrorCode::SystemIoFailure
                    | ErrorCode::DatabaseCorrupt
                    | ErrorCode::NotADatabase
                    | ErrorCode::DiskFull
                    | ErrorCode::OutOfMemory
            )
        )
    }
}

impl From<SqliteError> for Error {
    fn from(error: SqliteError) -> Self {
        let message = error.to_string();
        match error {
            SqliteError::Refused(refusal) => refusal,
            SqliteError::Database(cause) => {
                Self::new(kind_of(cause.sqlite_error_code()), message).with_source(cause)
            }
            SqliteError::Commit(CommitFailure { code: Some(ErrorCode::DiskFull), .. }) => {
                // SQLite takes the whole transaction back here, so there is no doubt to speak of.
                Self::new(ErrorKind::StorageFull, "the database has no room left")
            }
            SqliteError::Commit(_) | SqliteError::Stopped(_) | SqliteError::Gone(_) => {
                Self::unavailable(message)
            }
            SqliteError::Damaged(_) => Self::internal(message),
            SqliteError::Foreign | SqliteError::Newer { .. } => Self::invalid(message),
        }
    }
}

fn kind_of(code: Option<ErrorCode>) -> ErrorKind {
    match code {
        Some(ErrorCode::DiskFull) => ErrorKind::StorageFull,
        Some(ErrorCode::TooBig) => ErrorKind::TooLarge,
        Some(
            ErrorCode::SystemIoFailure
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::CannotOpen
            | ErrorCode::PermissionDenied
            | ErrorCode::ReadOnly
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::OutOfMemory,
        ) => ErrorKind::Unavailable,
        _ => ErrorKind::Internal,
    }
}
