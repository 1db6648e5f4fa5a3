//! [`UploadRepository`]: sessions and their parts.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;

use crate::backend::content::Segment;
use crate::error::{Error, ErrorKind, Result};
use crate::hash::{Digest, HashState};
use crate::id::{BlobKey, ContentId, FileId, FileNumber, Revision, Subject, Tenant, Timestamp};
use crate::record::{Attributes, ContentInfo, Expect, FileRecord};
use crate::upload::{PartNumber, UploadSession, UploadState, UploadTarget};

/// Keeps upload sessions. The parts of a session are the segments of its draft content, so that
/// completing it copies nothing.
///
/// Every arrow between [states](UploadState) is one conditional update: of two callers that race,
/// one makes it.
#[async_trait]
pub trait UploadRepository: Debug + Send + Sync + 'static {
    /// Opens a session.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) when the file it targets is not there;
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists) when a session or file has the id.
    async fn begin(&self, tenant: &Tenant, upload: BeginUpload) -> Result<UploadSession>;

    /// A session, in whatever state.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound).
    async fn session(&self, tenant: &Tenant, id: FileId) -> Result<UploadSession>;

    /// Sessions of `owner` with ids greater than `after`, in ascending order, so oldest first; at
    /// most `limit`.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable).
    async fn sessions(
        &self,
        tenant: &Tenant,
        owner: &Subject,
        after: Option<FileId>,
        limit: u32,
    ) -> Result<Vec<UploadSession>>;

    /// Parts of a session with numbers greater than `after`, in ascending order, at most `limit`.
    /// None once it has ended.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound).
    async fn parts(
        &self,
        tenant: &Tenant,
        id: FileId,
        after: PartNumber,
        limit: u32,
    ) -> Result<Vec<Part>>;

    /// Asks, before bytes are received, whether part `number` may come, and draws a ticket for it:
    /// greater than every ticket drawn before for this session, on whatever node.
    ///
    /// Where the part is certain to become a blob, its key comes along. A backend to which a round
    /// trip is dearer than a commit announces it at once, as
    /// [`LedgerRepository::pend`](crate::backend::LedgerRepository::pend) does, and says so; else
    /// that is left to the caller. What is refused is not announced.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound); [`Expired`](crate::ErrorKind::Expired) when the
    /// session is open past its time or has expired; [`Conflict`](crate::ErrorKind::Conflict) when
    /// it is in any other state but open. Of a key that is announced, what `pend` refuses.
    async fn admit(
        &self,
        tenant: &Tenant,
        id: FileId,
        number: PartNumber,
        announce: Option<Announcement>,
    ) -> Result<Admission>;

    /// Records a part whose bytes are durable, and answers with the session's counts including it:
    /// of two last parts in parallel, at least one is told that all are there.
    ///
    /// Holds the session until it commits. Refused unless the session is open, whatever the time.
    /// `total`, where given, is remembered from the first part on, and another is refused. A part of
    /// this number that was there before is replaced, and its blob's key becomes garbage; but when
    /// that one has a greater ticket, it stays, the new key becomes garbage, and the answer is the
    /// same as if this one had come first. The blob's key must be pending, as in
    /// [`FileRepository::apply`](crate::backend::FileRepository::apply).
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound); [`Conflict`](crate::ErrorKind::Conflict) when the
    /// session is not open, its key is not pending or `total` differs;
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) when the number is past the total.
    async fn put_part(
        &self,
        tenant: &Tenant,
        id: FileId,
        total: Option<PartNumber>,
        part: Part,
    ) -> Result<UploadSession>;

    /// Adds to parts of an open or sealed session the chains that their reader found, so that its
    /// completion need not read them again. A part that was replaced since it was read stays
    /// without: its ticket is another.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable).
    async fn save_chains(&self, tenant: &Tenant, id: FileId, chains: Vec<PartChain>) -> Result<()>;

    /// Freezes the parts of an open session: checks, in one transaction with the change of state,
    /// that parts 1 to the total (where none was given, to the last) are there, and add up to the
    /// expected size where one is known. A session without parts becomes empty content.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound); [`Incomplete`](crate::ErrorKind::Incomplete) and
    /// the session stays open; [`Conflict`](crate::ErrorKind::Conflict) when it has failed or was
    /// canceled; [`Expired`](crate::ErrorKind::Expired) when it has expired.
    async fn seal(&self, tenant: &Tenant, id: FileId) -> Result<Sealed>;

    /// Publishes a sealed session's content: in ONE transaction it is completed, its draft becomes
    /// content, and the file is inserted, with the session's id and attributes, or swaps its
    /// content as in [`FileRepository::apply`](crate::backend::FileRepository::apply). When the
    /// file it targets is gone, it has failed instead.
    ///
    /// For a session that has ended already it changes nothing and answers how it ended.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound); [`Conflict`](crate::ErrorKind::Conflict) when it is
    /// still open; [`AlreadyExists`](crate::ErrorKind::AlreadyExists) when the number or the
    /// external id is taken, and it stays sealed.
    async fn finish(
        &self,
        tenant: &Tenant,
        id: FileId,
        publication: Publication,
    ) -> Result<Finished>;

    /// Ends a session without publishing anything; its parts go, and their blobs' keys become
    /// garbage. Answers with the session as it is then, which is how it ended first.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound); [`Conflict`](crate::ErrorKind::Conflict) when its
    /// state has no arrow to that ending: an open session cannot fail, a sealed one not expire.
    async fn end(&self, tenant: &Tenant, id: FileId, ending: Ending) -> Result<UploadSession>;

    /// Sessions that upkeep has something to do for, of all tenants, at most `limit`: open ones past
    /// their time, ones sealed for longer than `stalled`, and ones that ended longer than `keep` ago
    /// and whose file is not there.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable).
    async fn due(
        &self,
        stalled: Duration,
        keep: Duration,
        limit: u32,
    ) -> Result<Vec<(Tenant, UploadSession)>>;

    /// Removes a session that has ended. That it is gone is success.
    ///
    /// # Errors
    /// [`Conflict`](crate::ErrorKind::Conflict) when it has not ended.
    async fn forget(&self, tenant: &Tenant, id: FileId) -> Result<()>;
}

/// A session to be opened. The backend's clock sets when that was and when it expires.
#[derive(Clone, Debug, PartialEq)]
pub struct BeginUpload {
    /// Identity.
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
    /// How many parts there will be, when that is known.
    pub total: Option<PartNumber>,
    /// How long parts are admitted.
    pub lifetime: Duration,
}

impl BeginUpload {
    /// The session as it is when it has just been opened.
    pub fn opened(self, now: Timestamp) -> UploadSession {
        UploadSession {
            id: self.id,
            owner: self.owner,
            target: self.target,
            content: self.content,
            attributes: self.attributes,
            expect: self.expect,
            total: self.total,
            created: now,
            expires: now.after(self.lifetime),
            state: UploadState::Open,
            parts: 0,
            received: 0,
        }
    }
}

/// A part of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its position, from 1.
    pub number: PartNumber,
    /// Its bytes.
    pub segment: Segment,
    /// From its admission.
    pub ticket: u64,
    /// How the hash of the whole goes through it, where that is known.
    pub chain: Option<Chain>,
}

/// The hash of the whole content on its way through one part. It holds only as long as the parts
/// before hash to `before`; completion checks that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Digest of all bytes before the part, as they were when it was hashed.
    pub before: Digest,
    /// The running hash after the part.
    pub after: HashState,
}

/// A chain that was found by reading a part again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartChain {
    /// The part.
    pub number: PartNumber,
    /// Which send of it was read.
    pub ticket: u64,
    /// The chain.
    pub chain: Chain,
}

/// How far the hash of the whole has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hashed {
    /// The last part that has a chain.
    pub number: PartNumber,
    /// The running hash after it.
    pub state: HashState,
}

impl Hashed {
    /// How many parts before the one that is admitted are looked at: more than come at a time.
    pub const WITHIN: u32 = 32;
}

/// A blob that is about to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Its key, which is new.
    pub key: BlobKey,
    /// How long it may wait for the commit that references it.
    pub ttl: Duration,
}

/// Leave to send a part.
#[derive(Clone, Debug, PartialEq)]
pub struct Admission {
    /// The session.
    pub session: UploadSession,
    /// Decides between two sends of one part: the later ticket wins.
    pub ticket: u64,
    /// The last part with a chain among the [32 numbers](Hashed::WITHIN) before this one.
    pub hashed: Option<Hashed>,
    /// Whether the key is pending that came along.
    pub announced: bool,
}

/// A session that is sealed or completed.
#[derive(Clone, Debug, PartialEq)]
pub struct Sealed {
    /// The session.
    pub session: UploadSession,
    /// Whether this call made the change: true for exactly one.
    pub now: bool,
}

/// Checks what [`seal`](UploadRepository::seal) promises, given how many parts there are, the number
/// of the last and the bytes that they hold: none is missing, and they add up.
///
/// # Errors
/// [`Incomplete`](crate::ErrorKind::Incomplete).
pub fn check_parts(
    session: &UploadSession,
    parts: PartNumber,
    last: PartNumber,
    received: u64,
) -> Result<()> {
    let total = session.total.unwrap_or(last);
    if parts != total || last != total {
        let message = format!("{parts} of {total} parts are there");
        return Err(Error::new(ErrorKind::Incomplete, message));
    }
    if session.expect.size.is_some_and(|size| size != received) {
        let message = format!("the parts hold {received} bytes, not as many as declared");
        return Err(Error::new(ErrorKind::Incomplete, message));
    }
    Ok(())
}

/// What is known of a sealed content when it is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Number of the new file. Not looked at when an existing one is targeted.
    pub number: FileNumber,
    /// See [`ContentInfo::tag`](crate::ContentInfo::tag).
    pub tag: String,
    /// SHA-256 of all bytes, where it is known.
    pub sha256: Option<Digest>,
    /// When.
    pub stored: Timestamp,
}

impl Publication {
    /// The content that the draft of a session becomes.
    pub fn content(&self, session: &UploadSession) -> ContentInfo {
        ContentInfo {
            id: session.content,
            size: session.received,
            tag: self.tag.clone(),
            sha256: self.sha256,
            stored: self.stored,
        }
    }

    /// The new file that a session becomes.
    pub fn record(&self, session: &UploadSession) -> FileRecord {
        FileRecord {
            id: session.id,
            number: self.number,
            revision: Revision::FIRST,
            owner: session.owner.clone(),
            created: self.stored,
            updated: self.stored,
            content: Some(self.content(session)),
            attributes: session.attributes.clone(),
        }
    }
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    /// The session.
    pub session: UploadSession,
    /// The file, when the session is completed and the file is still there.
    pub record: Option<FileRecord>,
}

/// A way to end without publishing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// From open or sealed.
    Canceled,
    /// From open, when its time is past by the backend's clock.
    Expired,
    /// From sealed, for this reason.
    Failed(String),
}

impl Ending {
    /// The state it leads to.
    pub fn state(&self) -> UploadState {
        match self {
            Self::Canceled => UploadState::Canceled,
            Self::Expired => UploadState::Expired,
            Self::Failed(reason) => UploadState::Failed(reason.clone()),
        }
    }

    /// Whether a session in `state` can end so.
    pub fn follows(&self, state: &UploadState) -> bool {
        match self {
            Self::Canceled => matches!(state, UploadState::Open | UploadState::Sealed),
            Self::Expired => matches!(state, UploadState::Open),
            Self::Failed(_) => matches!(state, UploadState::Sealed),
        }
    }
}
