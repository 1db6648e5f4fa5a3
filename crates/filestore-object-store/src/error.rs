//! What goes wrong with an object store, and what it means to the caller.

use std::error::Error as StdError;

use filestore::{BlobKey, BoxError, Error, ErrorKind};

/// Every failure of this backend; converted to [`Error`] where it leaves the crate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ObjectError {
    #[error("there is no blob {0}")]
    Missing(BlobKey),
    #[error("a blob is shorter than the {wanted} bytes it should have")]
    Short { wanted: u64 },
    #[error("a blob has {limit} bytes at most")]
    TooLarge { limit: u64 },
    #[error("the object store lists its objects in no order")]
    Unordered,
    #[error("the answer of the object store broke off")]
    BrokeOff,
    #[error("the object store failed")]
    Service(#[source] object_store::Error),
    #[error("the object store is full")]
    Full(#[source] object_store::Error),
    #[error("blobs in an object store need a running tokio runtime")]
    NoRuntime,
    #[error("a request to the object store did not run to its end")]
    Aborted(#[source] tokio::task::JoinError),
    /// The content's own.
    #[error("{0}")]
    Content(Error),
}

impl From<object_store::Error> for ObjectError {
    fn from(error: object_store::Error) -> Self {
        if says_full(&error) { Self::Full(error) } else { Self::Service(error) }
    }
}

impl From<ObjectError> for Error {
    fn from(error: ObjectError) -> Self {
        let message = error.to_string();
        let (kind, cause): (_, Option<BoxError>) = match error {
            ObjectError::Missing(_) => (ErrorKind::NotFound, None),
            ObjectError::TooLarge { .. } => (ErrorKind::TooLarge, None),
            ObjectError::Short { .. } | ObjectError::NoRuntime => (ErrorKind::Internal, None),
            ObjectError::Unordered | ObjectError::BrokeOff => (ErrorKind::Unavailable, None),
            // Also where something was not found: what is missing then is the bucket, or an upload
            // that somebody else has ended.
            ObjectError::Service(cause) => (ErrorKind::Unavailable, Some(cause.into())),
            ObjectError::Full(cause) => (ErrorKind::StorageFull, Some(cause.into())),
            ObjectError::Aborted(cause) => (ErrorKind::Unavailable, Some(cause.into())),
            ObjectError::Content(error) => return error,
        };
        let error = Self::new(kind, message);
        match cause {
            Some(cause) => error.with_source(cause),
            None => error,
        }
    }
}

/// Whether a service says that it has no room. Clouds never do; what people run themselves does: MinIO
/// with status 507, Ceph with a code of its own. The client has no type for either, only the text
/// of the answer.
fn says_full(error: &object_store::Error) -> bool {
    says(error, &["507 Insufficient Storage", "<Code>QuotaExceeded</Code>"])
}

/// Whether a service did not answer, or said that the fault is its own, until there was no more time.
pub(crate) fn is_failure(error: &object_store::Error) -> bool {
    says(error, &["HTTP error:", "non-2xx status code: 5"])
}

fn says(error: &object_store::Error, texts: &[&str]) -> bool {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        let said = error.to_string();
        if texts.iter().any(|text| said.contains(text)) {
            return true;
        }
        cause = error.source();
    }
    false
}
