//! Records of other systems that hold files: a product with an image, an archive entry.
//!
//! The store keeps them for the APIs that need them and does not look into them. A file that such
//! a record names is a weak reference: it neither keeps the file alive nor blocks its removal.

use crate::error::{Error, ErrorKind, Result};
use crate::id::{Revision, Timestamp};

/// A record of another system: small JSON text under a kind and a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherRecord {
    /// What it is: the name of a table or an entity.
    pub kind: String,
    /// Which one it is, unique among its tenant and kind.
    pub key: String,
    /// Counts changes, for compare-and-swap.
    pub revision: Revision,
    /// When it was made.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
    /// JSON text.
    pub body: String,
}

/// A change of one such record; batches of them are all or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordChange {
    /// What it is.
    pub kind: String,
    /// Which one it is.
    pub key: String,
    /// What must be there before.
    pub expected: Expected,
    /// The new JSON text; `None` removes the record.
    pub body: Option<String>,
}

impl RecordChange {
    /// The record that it makes at the moment `now` of what is there; for a removal, that one as it
    /// was last.
    ///
    /// # Errors
    /// As [`Expected`] says; [`NotFound`](crate::ErrorKind::NotFound) when there is nothing to
    /// remove.
    pub fn applied_to(&self, before: Option<&OtherRecord>, now: Timestamp) -> Result<OtherRecord> {
        self.expected.check(before)?;
        let Some(body) = &self.body else {
            return before.cloned().ok_or_else(no_record);
        };
        Ok(OtherRecord {
            kind: self.kind.clone(),
            key: self.key.clone(),
            revision: before.map_or(Revision::FIRST, |before| before.revision.next()),
            created: before.map_or(now, |before| before.created),
            updated: now,
            body: body.clone(),
        })
    }
}

/// What must be there before a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Nothing: else [`AlreadyExists`](crate::ErrorKind::AlreadyExists).
    Nothing,
    /// This revision: else [`NotFound`](crate::ErrorKind::NotFound) or
    /// [`PreconditionFailed`](crate::ErrorKind::PreconditionFailed).
    Revision(Revision),
    /// Any revision: else [`NotFound`](crate::ErrorKind::NotFound).
    Something,
    /// Whatever is there is replaced.
    Anything,
}

impl Expected {
    fn check(self, before: Option<&OtherRecord>) -> Result<()> {
        match (self, before) {
            (Self::Anything, _) | (Self::Nothing, None) | (Self::Something, Some(_)) => Ok(()),
            (Self::Nothing, Some(_)) => {
                Err(Error::new(ErrorKind::AlreadyExists, "there is such a record already"))
            }
            (Self::Something | Self::Revision(_), None) => Err(no_record()),
            (Self::Revision(revision), Some(before)) if before.revision == revision => Ok(()),
            (Self::Revision(_), Some(_)) => Err(Error::new(
                ErrorKind::PreconditionFailed,
                "the record has another revision by now",
            )),
        }
    }
}

fn no_record() -> Error {
    Error::not_found("there is no such record")
}
