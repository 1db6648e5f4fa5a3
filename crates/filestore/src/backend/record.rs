//! [`RecordRepository`]: records of other systems.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::error::Result;
use crate::id::{Tenant, Timestamp};
use crate::other::{OtherRecord, RecordChange};

/// Keeps small records of other systems that hold files. Does not look into them.
#[async_trait]
pub trait RecordRepository: Debug + Send + Sync + 'static {
    /// One record; `None` is no error.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable).
    async fn record(&self, tenant: &Tenant, kind: &str, key: &str) -> Result<Option<OtherRecord>>;

    /// Records of a kind with keys greater than `after` by bytes, in ascending order, at most
    /// `limit`.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable).
    async fn records(
        &self,
        tenant: &Tenant,
        kind: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<OtherRecord>>;

    /// Carries out changes at the moment `now`, all or none; answers with the records as they are
    /// now, in order; for a removal, as it was last. No two name the same record.
    ///
    /// # Errors
    /// As [`Expected`](crate::Expected) says, naming the refused elements.
    async fn write_records(
        &self,
        tenant: &Tenant,
        changes: Vec<RecordChange>,
        now: Timestamp,
    ) -> Result<Vec<OtherRecord>>;

    /// The next number of a tenant's counter, from 1. Never gives a number twice; may leave some out.
    ///
    /// # Errors
    /// [`Conflict`](crate::ErrorKind::Conflict) past 2^31-1.
    async fn next_number(&self, tenant: &Tenant, counter: &str) -> Result<u32>;
}
