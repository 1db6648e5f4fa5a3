//! What the tests store.

use std::path::Path;
use std::sync::Arc;

use filestore::backend::{Change, ContentSource, NewContent, Place, Segment};
use filestore::{
    Attributes, ContentId, Digest, Durability, FileId, FileNumber, FileRecord, ManualClock,
    Revision, Subject, Tenant, Timestamp,
};
use filestore_sqlite::{SqliteOptions, SqliteRepository};

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(moment(0)))
}

pub(crate) fn open(path: &Path) -> SqliteRepository {
    open_by(path, clock())
}

pub(crate) fn open_by(path: &Path, clock: Arc<ManualClock>) -> SqliteRepository {
    SqliteRepository::open(path, options(clock)).unwrap()
}

pub(crate) fn options(clock: Arc<ManualClock>) -> SqliteOptions {
    SqliteOptions { durability: Durability::Relaxed, clock, ..SqliteOptions::default() }
}

pub(crate) fn moment(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000 + millis)
}

pub(crate) fn here() -> Tenant {
    Tenant::new("here").unwrap()
}

pub(crate) fn ann() -> Subject {
    Subject::new("ann").unwrap()
}

/// A file of this number.
pub(crate) fn file(n: u64, attributes: Attributes) -> FileRecord {
    FileRecord {
        id: FileId::from_bytes(u128::from(n).to_be_bytes()),
        number: FileNumber::new(n).unwrap(),
        revision: Revision::FIRST,
        owner: ann(),
        created: moment(n),
        updated: moment(n),
        content: None,
        attributes,
    }
}

/// Adds a file whose content is its number in text.
pub(crate) fn insert(n: u64, attributes: Attributes) -> Change {
    let bytes = n.to_string().into_bytes();
    let sha256 = Digest::of(&bytes);
    let content = NewContent {
        id: ContentId::from_bytes(u128::from(n).to_be_bytes()),
        size: bytes.len() as u64,
        tag: sha256.to_string(),
        sha256: Some(sha256),
        stored: moment(n),
        segments: vec![Segment {
            size: bytes.len() as u64,
            sha256,
            place: Place::Inline(bytes.into()),
        }],
    };
    Change::Insert { record: file(n, attributes), content: Some(ContentSource::New(content)) }
}
