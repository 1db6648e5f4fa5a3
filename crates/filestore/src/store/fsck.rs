//! The check: do blobs and metadata agree, and are the bytes what they were?

use std::cmp::Ordering;
use std::sync::Arc;

use futures::TryStreamExt;

use crate::backend::{BlobInfo, BlobState, Content, KnownBlob, Segment};
use crate::error::{ErrorKind, Result};
use crate::hash::Hasher;
use crate::id::{BlobKey, ContentId};
use crate::store::open::{Trust, read_segments};
use crate::store::{FileStore, for_each_frame};

const PAGE: u32 = 1000;

/// What to check, and what to do about it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Fsck {
    /// Read every byte and compare its hash.
    pub read_data: bool,
    /// What becomes of blobs that nothing knows of.
    pub orphans: Orphans,
    /// Refuse damaged content to readers from now on, and give content that was found sound back.
    /// Content that could not be read stays as it is. Needs `read_data`.
    pub quarantine: bool,
}

/// What becomes of blobs that nothing knows of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Orphans {
    /// They stay.
    #[default]
    Keep,
    /// A sweep deletes them, after the time that deleted bytes are kept.
    Collect,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FsckReport {
    /// Blobs in the blob store.
    pub blobs: u64,
    /// Contents checked byte by byte.
    pub contents_read: u64,
    /// Blobs that content needs and that are not there.
    pub missing: Vec<BlobKey>,
    /// Blobs whose size is not the recorded one.
    pub wrong_size: Vec<BlobKey>,
    /// Blobs that nothing knows of.
    pub orphans: Vec<BlobKey>,
    /// Contents whose bytes are missing, or not what they were.
    pub damaged: Vec<ContentId>,
    /// Contents that could not be read: their bytes may be sound, and the disk is not.
    pub unreadable: Vec<ContentId>,
}

impl FsckReport {
    /// Whether all is well.
    pub fn is_clean(&self) -> bool {
        self.missing.is_empty()
            && self.wrong_size.is_empty()
            && self.orphans.is_empty()
            && self.damaged.is_empty()
            && self.unreadable.is_empty()
    }
}

impl FileStore {
    /// Compares blobs and metadata in both directions, and the bytes with their hashes if asked
    /// to. Runs beside any other operation. Deletes nothing.
    ///
    /// # Errors
    /// The first of a backend; content that cannot be read is a finding and no error.
    pub async fn fsck(&self, options: &Fsck) -> Result<FsckReport> {
        let mut report = FsckReport::default();
        self.compare(&mut report).await?;
        if options.orphans == Orphans::Collect {
            self.0.repository.collect(&report.orphans).await?;
        }
        if options.read_data {
            self.read_data(options.quarantine, &mut report).await?;
        }
        Ok(report)
    }

    /// Walks the blobs and what is known of them side by side, both in the order of their keys.
    async fn compare(&self, report: &mut FsckReport) -> Result<()> {
        let mut blobs = self.0.blobs.list(None);
        let mut known = Known { store: self, page: Vec::new().into_iter(), last: None };
        let mut blob = next_blob(&mut blobs).await?;
        let mut entry = known.next().await?;
        loop {
            let order = match (&blob, &entry) {
                (None, None) => return Ok(()),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(blob), Some(entry)) => blob.key.cmp(&entry.key),
            };
            if order.is_le()
                && let Some(blob) = blob
            {
                report.blobs += 1;
                match entry {
                    Some(entry) if order.is_eq() => check_size(blob, entry, report),
                    _ if self.is_orphan(blob.key).await? => report.orphans.push(blob.key),
                    _ => {}
                }
            }
            if order.is_gt()
                && let Some(entry) = entry
                && self.is_missing(entry).await?
            {
                report.missing.push(entry.key);
            }
            if order.is_le() {
                blob = next_blob(&mut blobs).await?;
            }
            if order.is_ge() {
                entry = known.next().await?;
            }
        }
    }

    /// Looks again: the two lists are not of one moment. A key is announced before its blob
    /// appears and forgotten after it is deleted, so in this order of questions an honest blob
    /// cannot look like an orphan.
    async fn is_orphan(&self, key: BlobKey) -> Result<bool> {
        Ok(self.state_of(key).await?.is_none() && self.is_there(key).await?)
    }

    async fn is_missing(&self, entry: KnownBlob) -> Result<bool> {
        let is_live = |state| matches!(state, Some(BlobState::Live { .. }));
        Ok(is_live(Some(entry.state))
            && !self.is_there(entry.key).await?
            && is_live(self.state_of(entry.key).await?))
    }

    async fn state_of(&self, key: BlobKey) -> Result<Option<BlobState>> {
        let before = u128::from_be_bytes(*key.as_bytes()).checked_sub(1);
        let before = before.map(|before| BlobKey::from_bytes(before.to_be_bytes()));
        let found = self.0.repository.known(before, 1).await?;
        Ok(found.first().filter(|found| found.key == key).map(|found| found.state))
    }

    async fn is_there(&self, key: BlobKey) -> Result<bool> {
        match self.0.blobs.get(key, 0..1).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            // It is there, if perhaps not well.
            _ => Ok(true),
        }
    }

    async fn read_data(&self, quarantine: bool, report: &mut FsckReport) -> Result<()> {
        let mut after = None;
        loop {
            let page = self.0.repository.contents(after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.id);
            for content in page {
                report.contents_read += 1;
                let damaged = match self.condition(&content).await? {
                    Condition::Sound => false,
                    Condition::Damaged => true,
                    Condition::Unreadable => {
                        report.unreadable.push(content.id);
                        continue;
                    }
                };
                if damaged {
                    report.damaged.push(content.id);
                }
                if quarantine && damaged != content.damaged {
                    self.0.repository.quarantine(content.id, damaged).await?;
                }
            }
        }
    }

    /// Whether every segment, and the whole where its digest is known, hash to what is recorded. A
    /// content that is removed or merged meanwhile counts as sound.
    async fn condition(&self, content: &Content) -> Result<Condition> {
        let segments = self.0.repository.segments(content.id).await?;
        let mut whole = Hasher::default();
        let mut size = 0;
        for segment in &segments {
            let condition = self.segment_condition(segment, &mut whole).await;
            if condition != Condition::Sound {
                let now = self.0.repository.segments(content.id).await?;
                return Ok(if now == segments { condition } else { Condition::Sound });
            }
            size += segment.size;
        }
        let agrees = size == content.size && content.sha256.is_none_or(|it| it == whole.digest());
        let sound = agrees || segments.len() != content.segments as usize;
        Ok(if sound { Condition::Sound } else { Condition::Damaged })
    }

    async fn segment_condition(&self, segment: &Segment, whole: &mut Hasher) -> Condition {
        let mut own = Hasher::default();
        let bytes = read_segments(Arc::clone(&self.0.blobs), [segment.clone()], Trust::Length);
        let read = for_each_frame(bytes, |frame| {
            own.update(frame);
            whole.update(frame);
        });
        match read.await {
            Ok(()) if own.digest() == segment.sha256 => Condition::Sound,
            // Bytes that are missing are as good as changed ones. Any other failure tells of the
            // way to them: to take it for damage would refuse sound content for good.
            Err(error) if error.kind() != ErrorKind::Internal => Condition::Unreadable,
            _ => Condition::Damaged,
        }
    }
}

/// What reading a content found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Sound,
    Damaged,
    Unreadable,
}

async fn next_blob(
    blobs: &mut (impl futures::Stream<Item = Result<BlobInfo>> + Unpin + Send),
) -> Result<Option<BlobInfo>> {
    loop {
        match blobs.try_next().await? {
            Some(blob) if blob.key == BlobKey::STORE_ID => {}
            other => return Ok(other),
        }
    }
}

fn check_size(blob: BlobInfo, entry: KnownBlob, report: &mut FsckReport) {
    if let BlobState::Live { size, .. } = entry.state
        && size != blob.size
    {
        report.wrong_size.push(blob.key);
    }
}

/// The ledger, page by page.
struct Known<'s> {
    store: &'s FileStore,
    page: std::vec::IntoIter<KnownBlob>,
    last: Option<BlobKey>,
}

impl Known<'_> {
    async fn next(&mut self) -> Result<Option<KnownBlob>> {
        if self.page.len() == 0 {
            self.page = self.store.0.repository.known(self.last, PAGE).await?.into_iter();
        }
        let next = self.page.next();
        self.last = next.map(|entry| entry.key).or(self.last);
        Ok(next)
    }
}
