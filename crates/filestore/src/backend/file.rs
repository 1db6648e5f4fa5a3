//! [`FileRepository`]: files and queries over them.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::backend::content::{ContentSource, Segment};
use crate::error::Result;
use crate::id::{ContentId, FileId, Revision, Tenant, Timestamp};
use crate::query::{Cond, FileQuery, Page};
use crate::range::RangeSpec;
use crate::record::{Attributes, FileKey, FileRecord};

/// Keeps the records of files. No method reaches past the tenant it is given.
///
/// Reads never wait for writes. A read that starts after a change was acknowledged sees it.
#[async_trait]
pub trait FileRepository: Debug + Send + Sync + 'static {
    /// Largest segment in bytes that this repository takes inline; 0 for none.
    fn inline_limit(&self) -> usize;

    /// One answer for each key, in order. An unknown key is `None` and no error.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable).
    async fn find(&self, tenant: &Tenant, keys: &[FileKey]) -> Result<Vec<Option<FileRecord>>>;

    /// A record, and the segments that hold `range` of its content (all of it for `None`), from
    /// one snapshot. No segments when there is no content or the range cannot be satisfied.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound); [`Unavailable`](crate::ErrorKind::Unavailable),
    /// also for content that is in quarantine.
    async fn load(
        &self,
        tenant: &Tenant,
        key: &FileKey,
        range: Option<RangeSpec>,
    ) -> Result<StoredFile>;

    /// Carries out 1 to 1000 changes, all or none, and answers with the records as they are now,
    /// in order; for a removal, as it was last. No two changes name the same file. Changes take effect
    /// in order, each seeing those before it.
    ///
    /// In the same commit:
    /// - a blob's key in new content moves out of pending; when it is not pending any more, because
    ///   a sweep has claimed it, everything is refused with [`Conflict`];
    /// - content that no record uses any more goes, and the keys of its blobs become garbage;
    /// - the removal of a file ends every open or sealed session that targets it: it is `Failed`,
    ///   its parts go likewise.
    ///
    /// Replacing content leaves revision and `updated` alone.
    ///
    /// # Errors
    /// An error that names the refused elements in [`Error::items`](crate::Error::items): unknown
    /// file [`NotFound`](crate::ErrorKind::NotFound); external id, number or id taken
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists), also when two elements want the same;
    /// stale revision [`PreconditionFailed`](crate::ErrorKind::PreconditionFailed); other content
    /// than expected, or shared content that is gone, [`Conflict`].
    /// [`Unavailable`](crate::ErrorKind::Unavailable) and
    /// [`StorageFull`](crate::ErrorKind::StorageFull) leave the outcome unknown.
    ///
    /// [`Conflict`]: crate::ErrorKind::Conflict
    async fn apply(&self, tenant: &Tenant, changes: Vec<Change>) -> Result<Vec<FileRecord>>;

    /// A page of the records for which all conditions hold. A record that is there all along and
    /// does not change comes exactly once over all pages. Without conditions, and with none but
    /// equalities, pages ascend by number; otherwise the order is the repository's. The work of a
    /// page does not grow with the pages before it.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) for a limit outside of 1 to
    /// [`FileQuery::MAX_LIMIT`] and for a cursor that is not from a list with these conditions, as
    /// far as that can be told; [`Unavailable`](crate::ErrorKind::Unavailable).
    async fn list(&self, tenant: &Tenant, query: &FileQuery) -> Result<Page<FileRecord>>;

    /// How many records there are for which all conditions hold.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable).
    async fn count(&self, tenant: &Tenant, all: &[Cond]) -> Result<u64>;
}

/// A record and where the bytes of its content are.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredFile {
    /// The record.
    pub record: FileRecord,
    /// Segments next to each other, in order.
    pub segments: Vec<Segment>,
    /// Where in the content the first of them starts.
    pub offset: u64,
}

/// A change of one file.
#[expect(clippy::large_enum_variant, reason = "batches are short-lived and mostly of one kind")]
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A new file. The record's own `content` is not looked at.
    Insert {
        /// The record.
        record: FileRecord,
        /// Its content, if it has any yet.
        content: Option<ContentSource>,
    },
    /// Other attributes; the revision becomes the next.
    Update {
        /// Which file.
        id: FileId,
        /// The revision the attributes were made from.
        expected: Revision,
        /// All of the new attributes.
        attributes: Attributes,
        /// When.
        updated: Timestamp,
    },
    /// Other content.
    Replace {
        /// Which file.
        id: FileId,
        /// The content it must have now; `None` when any or none will do.
        expected: Option<ContentId>,
        /// The new content.
        content: ContentSource,
    },
    /// No more file.
    Remove {
        /// Which file.
        id: FileId,
        /// The revision it must have now; `None` when any will do.
        expected: Option<Revision>,
    },
}
