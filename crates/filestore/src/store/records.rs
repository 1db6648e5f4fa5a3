//! Records of other systems that hold files.

use crate::error::{Error, Result};
use crate::other::{OtherRecord, RecordChange};
use crate::store::Files;

/// The records of one tenant.
#[derive(Clone, Debug)]
pub struct Records {
    pub(super) files: Files,
}

impl Records {
    /// Most bytes of a kind or key.
    pub const MAX_KEY: usize = 255;

    /// One record; `None` is no error.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable).
    pub async fn load(&self, kind: &str, key: &str) -> Result<Option<OtherRecord>> {
        let Files { store, tenant, .. } = &self.files;
        store.0.repository.record(tenant, kind, key).await
    }

    /// Records of a kind with keys greater than `after`, in ascending order, at most `limit`.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable).
    pub async fn list(
        &self,
        kind: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<OtherRecord>> {
        let Files { store, tenant, .. } = &self.files;
        store.0.repository.records(tenant, kind, after, limit).await
    }

    /// Carries out changes, all or none; answers with the records as they are now, in order.
    ///
    /// # Errors
    /// As [`Expected`](crate::Expected) says, naming the refused elements;
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) or
    /// [`TooLarge`](crate::ErrorKind::TooLarge) by the limits.
    pub async fn write(&self, changes: Vec<RecordChange>) -> Result<Vec<OtherRecord>> {
        let Files { store, tenant, .. } = &self.files;
        for change in &changes {
            check(change, store.limits().max_record)?;
        }
        store.0.repository.write_records(tenant, changes, store.0.clock.now()).await
    }

    /// The next number of a counter, from 1; it fits 31 bits. No number comes twice.
    ///
    /// # Errors
    /// [`Conflict`](crate::ErrorKind::Conflict) when there are no more.
    pub async fn next_number(&self, counter: &str) -> Result<u32> {
        let Files { store, tenant, .. } = &self.files;
        store.0.repository.next_number(tenant, counter).await
    }
}

fn check(change: &RecordChange, max_body: usize) -> Result<()> {
    let RecordChange { kind, key, body, .. } = change;
    let body = body.as_deref().unwrap_or_default();
    if [kind, key].iter().any(|text| text.is_empty() || text.len() > Records::MAX_KEY) {
        return Err(Error::invalid("kind and key are 1 to 255 bytes"));
    }
    if [kind, key, body].iter().any(|text| text.contains('\0')) {
        return Err(Error::invalid("text must not contain U+0000"));
    }
    if body.len() > max_body {
        return Err(Error::too_large(format!("a record is limited to {max_body} bytes")));
    }
    Ok(())
}
