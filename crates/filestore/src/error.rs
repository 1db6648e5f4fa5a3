//! One error type for the whole store: a kind that says what the caller can do, a message for people.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::io;

/// Any error that may cross threads.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// `std::result::Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, and what the caller can do about it.
///
/// One pointer wide. [`Display`](fmt::Display) prints this error's own message only; causes are
/// reached through [`source`](StdError::source). Messages are for people and may change.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: Cow<'static, str>,
    items: Vec<ItemError>,
    source: Option<BoxError>,
}

/// The refusal of one element of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemError {
    /// Position of the element in the batch.
    pub index: usize,
    /// Why this element was refused.
    pub kind: ErrorKind,
}

/// Kinds of errors, named by what the caller can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no such thing, or it is not the caller's to see.
    NotFound,
    /// An identifier that must be unique is taken.
    AlreadyExists,
    /// No valid credentials were presented.
    Unauthenticated,
    /// The credentials are valid and do not allow this.
    Forbidden,
    /// The thing is in a state that does not allow this operation.
    Conflict,
    /// A condition that the caller named does not hold: a stale revision, for instance.
    PreconditionFailed,
    /// The request itself is wrong; repeating it cannot help.
    InvalidArgument,
    /// The range starts past the end of the content.
    RangeNotSatisfiable,
    /// More bytes, items or parts than a limit allows.
    TooLarge,
    /// Content does not have the declared digest or size.
    DigestMismatch,
    /// Parts of an upload are missing or do not add up.
    Incomplete,
    /// The upload session, token or link has outlived its time.
    Expired,
    /// The content's source broke off before its end.
    Interrupted,
    /// The storage has no room.
    StorageFull,
    /// The storage cannot serve now; the same call may succeed later.
    Unavailable,
    /// A defect here, or damaged data.
    Internal,
}

impl Error {
    /// An error of `kind` with a message for people.
    #[cold]
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), items: Vec::new(), source: None }))
    }

    /// The refusal of a batch: takes the kind of its first element and names them all.
    #[cold]
    pub fn of_items(items: Vec<ItemError>, message: impl Into<Cow<'static, str>>) -> Self {
        let kind = items.first().map_or(ErrorKind::Internal, |item| item.kind);
        Self(Box::new(Inner { kind, message: message.into(), items, source: None }))
    }

    /// Attaches the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What the caller can do.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The elements of a batch that were refused, in ascending order; empty outside of batches.
    pub fn items(&self) -> &[ItemError] {
        &self.0.items
    }
}

/// Short-hand constructors, one for each kind that is raised in many places.
macro_rules! shorthands {
    ($($(#[$doc:meta])* $name:ident => $kind:ident;)*) => {
        impl Error {
            $($(#[$doc])* #[cold]
            pub fn $name(message: impl Into<Cow<'static, str>>) -> Self {
                Self::new(ErrorKind::$kind, message)
            })*
        }
    };
}

shorthands! {
    /// [`ErrorKind::NotFound`].
    not_found => NotFound;
    /// [`ErrorKind::InvalidArgument`].
    invalid => InvalidArgument;
    /// [`ErrorKind::Conflict`].
    conflict => Conflict;
    /// [`ErrorKind::TooLarge`].
    too_large => TooLarge;
    /// [`ErrorKind::Interrupted`].
    interrupted => Interrupted;
    /// [`ErrorKind::Unavailable`].
    unavailable => Unavailable;
    /// [`ErrorKind::Internal`].
    internal => Internal;
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Error");
        out.field("kind", &self.0.kind).field("message", &self.0.message);
        if !self.0.items.is_empty() {
            out.field("items", &self.0.items);
        }
        if let Some(source) = &self.0.source {
            out.field("source", source);
        }
        out.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind as Io;
        let (kind, message) = match error.kind() {
            Io::NotFound => (ErrorKind::NotFound, "not found in storage"),
            Io::StorageFull | Io::QuotaExceeded => (ErrorKind::StorageFull, "storage is full"),
            _ => (ErrorKind::Unavailable, "storage failed"),
        };
        Self::new(kind, message).with_source(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_one_pointer_wide() {
        assert_eq!(size_of::<Result<()>>(), size_of::<usize>());
    }

    #[test]
    fn a_batch_error_takes_the_kind_of_its_first_item() {
        let items = vec![
            ItemError { index: 2, kind: ErrorKind::AlreadyExists },
            ItemError { index: 5, kind: ErrorKind::NotFound },
        ];
        let error = Error::of_items(items.clone(), "refused");
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert_eq!(error.items(), items);
    }

    #[test]
    fn a_full_disk_is_told_from_a_broken_one() {
        let full = Error::from(io::Error::from(io::ErrorKind::StorageFull));
        let broken = Error::from(io::Error::other("EIO"));
        assert_eq!(full.kind(), ErrorKind::StorageFull);
        assert_eq!(broken.kind(), ErrorKind::Unavailable);
    }
}
