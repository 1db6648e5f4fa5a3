//! What a call answers, in a form that answers of the store and of the model are compared in.

use filestore::{
    Completion, Error, ErrorKind, FileRecord, ItemError, OtherRecord, PartInfo, UploadSession,
    UploadState,
};

use super::content::Received;

pub(crate) type Outcome = Result<Answer, Refusal>;

#[expect(clippy::large_enum_variant, reason = "one lives at a time")]
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Done,
    File(FileRecord),
    Files(Vec<FileRecord>),
    Found(Vec<Option<FileRecord>>),
    Read(FileRecord, Result<Received, ErrorKind>),
    Count(u64),
    Session(UploadSession),
    Sessions(Vec<UploadSession>),
    Parts(Vec<PartInfo>),
    Completed(Completion),
    Record(Option<OtherRecord>),
    Records(Vec<OtherRecord>),
    Number(u32),
    Swept(Swept),
    /// How many contents were read, when all is well.
    Checked(Option<u64>),
}

/// A [`SweepReport`](filestore::SweepReport) that can be made elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    pub(crate) blobs_deleted: u64,
    pub(crate) sessions_expired: u64,
    pub(crate) sessions_resumed: u64,
    pub(crate) sessions_forgotten: u64,
    pub(crate) merged: u64,
}

/// Why a call was refused, and which elements of a batch were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) kind: ErrorKind,
    pub(crate) items: Vec<ItemError>,
}

impl From<ErrorKind> for Refusal {
    fn from(kind: ErrorKind) -> Self {
        Self { kind, items: Vec::new() }
    }
}

impl From<Vec<ItemError>> for Refusal {
    fn from(items: Vec<ItemError>) -> Self {
        Self { kind: items[0].kind, items }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self { kind: error.kind(), items: error.items().to_vec() }
    }
}

/// A failed session says why in words, which are the backend's own.
pub(crate) fn without_words(mut session: UploadSession) -> UploadSession {
    if let UploadState::Failed(reason) = &mut session.state {
        reason.clear();
    }
    session
}
