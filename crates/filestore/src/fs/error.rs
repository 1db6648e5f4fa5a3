//! What goes wrong on a local disk, and what it means to the caller.

use std::io;
use std::path::PathBuf;

use crate::error::{BoxError, Error, ErrorKind};
use crate::id::BlobKey;

/// Every failure of this backend; converted to [`Error`] where it leaves the module.
#[derive(Debug, thiserror::Error)]
pub(super) enum FsError {
    #[error("there is no blob {0}")]
    Missing(BlobKey),
    #[error("there is a blob {0} already")]
    Exists(BlobKey),
    #[error("a blob on disk is shorter than the {wanted} bytes it should have")]
    Short { wanted: u64 },
    #[error("the folder {} is missing", .0.display())]
    Layout(PathBuf),
    #[error("storage is full")]
    Full(#[source] io::Error),
    #[error("storage failed")]
    Io(#[source] io::Error),
    #[error("storage takes nothing any more: {0}")]
    Stopped(String),
    #[error("blobs on a local disk need a running tokio runtime")]
    NoRuntime,
    #[error("a disk operation did not run to its end")]
    Aborted(#[source] tokio::task::JoinError),
    #[error("{0}")]
    Other(Error),
}

impl From<io::Error> for FsError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full(error),
            _ => Self::Io(error),
        }
    }
}

impl From<FsError> for Error {
    fn from(error: FsError) -> Self {
        let message = error.to_string();
        let (kind, cause): (_, Option<BoxError>) = match error {
            FsError::Missing(_) => (ErrorKind::NotFound, None),
            FsError::Exists(_) => (ErrorKind::AlreadyExists, None),
            FsError::Short { .. } | FsError::Layout(_) | FsError::NoRuntime => {
                (ErrorKind::Internal, None)
            }
            FsError::Stopped(_) => (ErrorKind::Unavailable, None),
            FsError::Full(cause) => (ErrorKind::StorageFull, Some(cause.into())),
            // Also where a file was not found: what is missing then is a folder.
            FsError::Io(cause) => (ErrorKind::Unavailable, Some(cause.into())),
            FsError::Aborted(cause) => (ErrorKind::Unavailable, Some(cause.into())),
            FsError::Other(error) => return error,
        };
        let error = Self::new(kind, message);
        match cause {
            Some(cause) => error.with_source(cause),
            None => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn a_full_disk_is_told_from_a_broken_one_and_from_a_missing_folder() {
        for (errno, kind) in [
            (Errno::NOSPC, ErrorKind::StorageFull),
            (Errno::DQUOT, ErrorKind::StorageFull),
            (Errno::IO, ErrorKind::Unavailable),
            (Errno::NOENT, ErrorKind::Unavailable),
        ] {
            assert_eq!(Error::from(FsError::from(io::Error::from(errno))).kind(), kind);
        }
    }
}
