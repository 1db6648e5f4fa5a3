//! Chunked upload sessions, as applications see them.

use std::time::Duration;

use crate::id::{ContentId, FileId, Subject, Timestamp};
use crate::record::{Attributes, Expect, FileKey};

/// Position of a part in its upload, from 1.
pub type PartNumber = u32;

/// An upload session to be opened.
#[derive(Clone, Debug)]
pub struct NewUpload {
    /// What the file will say of itself. Not looked at when the session targets an existing file.
    pub attributes: Attributes,
    /// What the whole content must be.
    pub expect: Expect,
    /// How many parts there will be, when that is known. Otherwise the first part tells.
    pub total: Option<PartNumber>,
    /// How long parts are taken.
    pub lifetime: Duration,
    /// The file whose content is to be replaced; `None` makes a new file with the session's id.
    pub target: Option<FileKey>,
}

impl NewUpload {
    /// How long parts are taken unless the caller says otherwise: a day.
    pub const LIFETIME: Duration = Duration::from_secs(86_400);

    /// A session that becomes a new file with these attributes.
    pub fn new(attributes: impl Into<Attributes>) -> Self {
        Self {
            attributes: attributes.into(),
            expect: Expect::default(),
            total: None,
            lifetime: Self::LIFETIME,
            target: None,
        }
    }
}

impl From<&str> for Attributes {
    fn from(name: &str) -> Self {
        Self::named(name)
    }
}

/// What a completed session becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadTarget {
    /// A new file with the session's id.
    NewFile,
    /// The content of this file.
    Existing(FileId),
}

/// An upload session.
#[derive(Clone, Debug, PartialEq)]
pub struct UploadSession {
    /// Identity; that of the file it becomes, when it becomes a new one.
    pub id: FileId,
    /// The only subject that may see it.
    pub owner: Subject,
    /// What it becomes.
    pub target: UploadTarget,
    /// The content its parts belong to.
    pub content: ContentId,
    /// What the file will say of itself.
    pub attributes: Attributes,
    /// What the whole content must be.
    pub expect: Expect,
    /// How many parts there will be, once that is known.
    pub total: Option<PartNumber>,
    /// When it was opened.
    pub created: Timestamp,
    /// Until when parts are admitted.
    pub expires: Timestamp,
    /// Where it stands.
    pub state: UploadState,
    /// How many parts there are.
    pub parts: u32,
    /// How many bytes they hold.
    pub received: u64,
}

impl UploadSession {
    /// Whether every part is there, going by their count; [`seal`] checks that there is no gap.
    ///
    /// [`seal`]: crate::backend::UploadRepository::seal
    pub fn has_all_parts(&self) -> bool {
        self.total == Some(self.parts)
    }

    /// The file that it becomes, or whose content it becomes.
    pub fn file(&self) -> FileId {
        match self.target {
            UploadTarget::NewFile => self.id,
            UploadTarget::Existing(file) => file,
        }
    }
}

/// Where a session stands. `Open` goes to `Sealed`, `Canceled` or `Expired`; `Sealed` to
/// `Completed`, `Failed` or `Canceled`. Nothing else moves.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum UploadState {
    /// Takes parts.
    Open,
    /// All parts are there and frozen; the content is being verified.
    Sealed,
    /// The content is published.
    Completed,
    /// Nothing was published, for this reason.
    Failed(String),
    /// Given up by its owner.
    Canceled,
    /// Not completed in time.
    Expired,
}

impl UploadState {
    /// Whether it has ended, one way or another.
    pub fn has_ended(&self) -> bool {
        !matches!(self, Self::Open | Self::Sealed)
    }
}

/// A part that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartInfo {
    /// Its position, from 1.
    pub number: PartNumber,
    /// Its size in bytes.
    pub size: u64,
}
