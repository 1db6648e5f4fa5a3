//! [`TransferRepository`]: what moving to another repository needs beside the other traits.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::error::Result;
use crate::id::{FileId, Tenant};
use crate::other::OtherRecord;
use crate::upload::UploadSession;

/// Walks everything a repository keeps, whoever it belongs to, and takes in what another kept.
///
/// Files are walked and taken in by [`FileRepository`](crate::backend::FileRepository), contents by
/// [`ContentRepository`](crate::backend::ContentRepository), one tenant after the other.
#[async_trait]
pub trait TransferRepository: Debug + Send + Sync + 'static {
    /// Tenants greater than `after` by the bytes of their names, in ascending order, at most
    /// `limit`. All who have anything are among them; one who has nothing any more may be.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable).
    async fn tenants(&self, after: Option<&Tenant>, limit: u32) -> Result<Vec<Tenant>>;

    /// Sessions of all owners, in whatever state, with ids greater than `after`, in ascending order,
    /// at most `limit`.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable).
    async fn all_sessions(
        &self,
        tenant: &Tenant,
        after: Option<FileId>,
        limit: u32,
    ) -> Result<Vec<UploadSession>>;

    /// Records of all kinds behind this kind and key, in ascending order of kinds and then of keys,
    /// both by bytes; at most `limit`.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable).
    async fn all_records(
        &self,
        tenant: &Tenant,
        after: Option<(&str, &str)>,
        limit: u32,
    ) -> Result<Vec<OtherRecord>>;

    /// Every counter with the last number it gave, in ascending order of their names by bytes.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable).
    async fn counters(&self, tenant: &Tenant) -> Result<Vec<(String, u32)>>;

    /// Takes in what another repository kept, as it was there, all or none. What is here under the
    /// same id or name stays as it is; a counter goes on from the greater of both numbers. That
    /// sessions ended counts from now on.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) for a session that has not ended;
    /// [`Unavailable`](crate::ErrorKind::Unavailable) and
    /// [`StorageFull`](crate::ErrorKind::StorageFull) leave the outcome unknown.
    async fn adopt(&self, tenant: &Tenant, kept: Kept) -> Result<()>;
}

/// What a repository keeps of a tenant, but for files.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// Sessions that have ended.
    pub sessions: Vec<UploadSession>,
    /// Records of other systems.
    pub records: Vec<OtherRecord>,
    /// Counters, and the last number that each gave.
    pub counters: Vec<(String, u32)>,
}

impl Kept {
    /// Refuses sessions that have not ended: their parts would be missing.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument).
    pub fn check(&self) -> Result<()> {
        match self.sessions.iter().all(|session| session.state.has_ended()) {
            true => Ok(()),
            false => Err(crate::Error::invalid("a session that has not ended is not taken in")),
        }
    }
}
