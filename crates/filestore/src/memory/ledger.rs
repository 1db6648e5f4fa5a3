//! Which blobs are whose: the ledger, and the moves that commits make in it.

use std::time::Duration;

use async_trait::async_trait;

use crate::backend::{BlobState, KnownBlob, LedgerRepository, Segment};
use crate::error::{Error, ErrorKind, Result};
use crate::hash::Digest;
use crate::id::{BlobKey, ContentId, StoreId, Timestamp};
use crate::memory::MemoryRepository;
use crate::memory::state::State;

/// What is known of a blob, and until when.
#[derive(Clone, Copy, Debug)]
pub(super) enum BlobEntry {
    Pending { until: Timestamp },
    Live { size: u64, sha256: Digest, content: ContentId },
    Garbage { since: Timestamp },
    Claimed { until: Timestamp },
}

impl State {
    /// Takes a segment into `content`: its key moves from pending to live.
    pub(super) fn reference(&mut self, segment: &Segment, content: ContentId) -> Result<()> {
        let Some(key) = segment.key() else {
            return Ok(());
        };
        if !self.is_pending(key) {
            return Err(Error::conflict("a blob is not pending any more"));
        }
        let live = BlobEntry::Live { size: segment.size, sha256: segment.sha256, content };
        self.blobs.put(key, live);
        Ok(())
    }

    /// Drops a segment that was referenced: its key becomes garbage.
    pub(super) fn unreference(&mut self, segment: &Segment, now: Timestamp) {
        if let Some(key) = segment.key() {
            self.blobs.put(key, BlobEntry::Garbage { since: now });
        }
    }

    fn is_pending(&self, key: BlobKey) -> bool {
        matches!(self.blobs.get(&key), Some(BlobEntry::Pending { .. }))
    }
}

#[async_trait]
impl LedgerRepository for MemoryRepository {
    async fn store_id(&self) -> Result<StoreId> {
        self.transact(|state, _| match state.store {
            Some(id) => Ok(id),
            None => Ok(*state.store.insert(StoreId::mint()?)),
        })
    }

    async fn ready(&self) -> Result<()> {
        Ok(())
    }

    async fn pend(&self, key: BlobKey, ttl: Duration) -> Result<()> {
        self.transact(|state, now| {
            if state.blobs.contains(&key) {
                return Err(Error::new(
                    ErrorKind::AlreadyExists,
                    "the blob's key is known already",
                ));
            }
            let until = now.after(ttl);
            state.blobs.put(key, BlobEntry::Pending { until });
            Ok(())
        })
    }

    async fn renew(&self, key: BlobKey, ttl: Duration) -> Result<()> {
        self.transact(|state, now| {
            if !state.is_pending(key) {
                return Err(Error::conflict("the blob is not pending any more"));
            }
            let until = now.after(ttl);
            state.blobs.put(key, BlobEntry::Pending { until });
            Ok(())
        })
    }

    async fn claim(
        &self,
        keep_deleted: Duration,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<BlobKey>> {
        self.transact(|state, now| {
            let is_due = |entry: &BlobEntry| match entry {
                BlobEntry::Pending { until } | BlobEntry::Claimed { until } => *until <= now,
                BlobEntry::Garbage { since } => since.after(keep_deleted) <= now,
                BlobEntry::Live { .. } => false,
            };
            let due: Vec<BlobKey> = state
                .blobs
                .all()
                .filter(|(_, entry)| is_due(entry))
                .map(|(key, _)| *key)
                .take(limit as usize)
                .collect();
            let until = now.after(lease);
            for key in &due {
                state.blobs.put(*key, BlobEntry::Claimed { until });
            }
            Ok(due)
        })
    }

    async fn settle(&self, keys: &[BlobKey]) -> Result<()> {
        self.transact(|state, _| {
            for key in keys {
                if matches!(state.blobs.get(key), Some(BlobEntry::Claimed { .. })) {
                    state.blobs.remove(key);
                }
            }
            Ok(())
        })
    }

    async fn known(&self, after: Option<BlobKey>, limit: u32) -> Result<Vec<KnownBlob>> {
        let known = self.read(|state| {
            state
                .blobs
                .after(after)
                .take(limit as usize)
                .map(|(key, entry)| KnownBlob { key: *key, state: (*entry).into() })
                .collect()
        });
        Ok(known)
    }

    async fn collect(&self, keys: &[BlobKey]) -> Result<()> {
        self.transact(|state, now| {
            for key in keys {
                if !state.blobs.contains(key) {
                    state.blobs.put(*key, BlobEntry::Garbage { since: now });
                }
            }
            Ok(())
        })
    }
}

impl From<BlobEntry> for BlobState {
    fn from(entry: BlobEntry) -> Self {
        match entry {
            BlobEntry::Pending { .. } => Self::Pending,
            BlobEntry::Garbage { .. } | BlobEntry::Claimed { .. } => Self::Garbage,
            BlobEntry::Live { size, sha256, content } => Self::Live { size, sha256, content },
        }
    }
}
