//! Upkeep: what is due is cleaned up, what was cut off is brought to its end.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt, TryStreamExt};

use crate::backend::{Content, Ending};
use crate::error::{ErrorKind, Result};
use crate::id::Tenant;
use crate::record::Expect;
use crate::store::FileStore;
use crate::store::ingest::Intake;
use crate::store::open::{Trust, read_segments};
use crate::upload::{UploadSession, UploadState};

/// Work is claimed in batches of this size.
const BATCH: u32 = 256;
/// Blobs deleted at the same time, of a batch: where each is a request over a network, a batch must not
/// take as long as its lease.
const DELETIONS: usize = 16;
/// Whoever claims a blob has this long to delete it before another may.
const LEASE: Duration = Duration::from_secs(600);

/// What upkeep does.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Sweep {
    /// A completion that has not ended after this long is taken up again.
    pub stalled: Duration,
    /// Contents of more segments than this are merged …
    pub merge_above: u32,
    /// … when these hold fewer bytes each on average.
    pub merge_below: u64,
    /// Contents to merge at most; merging reads and writes all of their bytes.
    pub merges: u32,
}

impl Default for Sweep {
    fn default() -> Self {
        Self { stalled: Duration::from_secs(60), merge_above: 64, merge_below: 1 << 20, merges: 16 }
    }
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SweepReport {
    /// Blobs deleted that nothing refers to.
    pub blobs_deleted: u64,
    /// Sessions that had outlived their time.
    pub sessions_expired: u64,
    /// Completions that were cut off, and have ended now.
    pub sessions_resumed: u64,
    /// Ended sessions forgotten.
    pub sessions_forgotten: u64,
    /// Contents merged.
    pub merged: u64,
}

impl FileStore {
    /// Cleans up what is due: blobs that nothing refers to, sessions past their time, completions
    /// that were cut off, contents in too many segments. Safe on any number of nodes at once, and
    /// beside any other operation.
    ///
    /// # Errors
    /// The first of a backend, or [`Internal`](ErrorKind::Internal) for damaged content, after
    /// everything else was tried; what was not done is due the next time.
    pub async fn sweep(&self, options: &Sweep) -> Result<SweepReport> {
        let mut report = SweepReport::default();
        // One that cannot end holds up no other.
        let sessions = self.sweep_sessions(options, &mut report).await;
        let merges = self.merge(options, &mut report).await;
        let blobs = self.sweep_blobs(&mut report).await;
        sessions.and(merges).and(blobs).map(|()| report)
    }

    async fn sweep_blobs(&self, report: &mut SweepReport) -> Result<()> {
        loop {
            let keep = self.limits().keep_deleted;
            let keys = self.0.repository.claim(keep, LEASE, BATCH).await?;
            if keys.is_empty() {
                return Ok(());
            }
            stream::iter(&keys)
                .map(Ok)
                .try_for_each_concurrent(DELETIONS, |key| self.0.blobs.delete(*key))
                .await?;
            self.0.repository.settle(&keys).await?;
            report.blobs_deleted += keys.len() as u64;
        }
    }

    async fn sweep_sessions(&self, options: &Sweep, report: &mut SweepReport) -> Result<()> {
        loop {
            let keep = self.limits().keep_sessions;
            let due = self.0.repository.due(options.stalled, keep, BATCH).await?;
            let before = *report;
            let mut outcome = Ok(());
            for (tenant, session) in due {
                outcome = outcome.and(self.sweep_session(&tenant, session, report).await);
            }
            if outcome.is_err() || *report == before {
                return outcome;
            }
        }
    }

    async fn sweep_session(
        &self,
        tenant: &Tenant,
        session: UploadSession,
        report: &mut SweepReport,
    ) -> Result<()> {
        let repository = &self.0.repository;
        match session.state {
            UploadState::Open => {
                match repository.end(tenant, session.id, Ending::Expired).await {
                    // It was sealed or went at this moment: nothing is left to do.
                    Err(error) if is_settled(error.kind()) => {}
                    outcome => {
                        outcome?;
                        report.sessions_expired += 1;
                    }
                }
            }
            // It takes its time here; that is not stalled.
            UploadState::Sealed if self.is_completing(session.id) => {}
            UploadState::Sealed => {
                let files = self.files(tenant, &session.owner);
                let id = session.id;
                let outcome = self.publish(&files, session).await.map(drop);
                // That it failed is an end as well, and stands in the session.
                if outcome.is_err() && !repository.session(tenant, id).await?.state.has_ended() {
                    return outcome;
                }
                report.sessions_resumed += 1;
            }
            _ => {
                repository.forget(tenant, session.id).await?;
                report.sessions_forgotten += 1;
            }
        }
        Ok(())
    }

    async fn merge(&self, options: &Sweep, report: &mut SweepReport) -> Result<()> {
        let Sweep { merge_above, merge_below, merges, .. } = *options;
        let fragmented = self.0.repository.fragmented(merge_above, merge_below, merges).await?;
        let mut outcome = Ok(());
        for content in fragmented {
            match self.merge_content(content).await {
                Ok(merged) => report.merged += u64::from(merged),
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        outcome
    }

    /// Rewrites a content as one segment, unless it is removed or merged by another meanwhile.
    /// Readers that opened it go on with the old segments.
    async fn merge_content(&self, content: Content) -> Result<bool> {
        let segments = self.0.repository.segments(content.id).await?;
        if segments.len() != content.segments as usize {
            return Ok(false);
        }
        let expect = Expect { size: Some(content.size), sha256: content.sha256 };
        let intake =
            Intake { expect, limit: content.size, inline_limit: usize::MAX, ..Intake::default() };
        let bytes = read_segments(Arc::clone(&self.0.blobs), segments.clone(), Trust::Digest);
        let merged = match self.ingest(bytes, intake).await {
            Err(_) if self.0.repository.segments(content.id).await? != segments => {
                return Ok(false);
            }
            merged => vec![merged?.segment],
        };
        self.0.repository.replace_segments(content.id, content.segments, merged).await
    }
}

fn is_settled(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Conflict | ErrorKind::NotFound)
}
