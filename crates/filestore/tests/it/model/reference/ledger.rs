//! Where bytes are, and what becomes of blobs that nobody needs.

use std::time::Duration;

use bytes::Bytes;
use filestore::{Digest, ErrorKind, Hasher, Timestamp};

use crate::model::content::{How, Sent};
use crate::store::rig::HOUR;

/// How long a key may wait for its commit.
const PENDING_FOR: Duration = HOUR.saturating_mul(6);

/// All blobs there ever were.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    blobs: Vec<Blob>,
    backend: Backend,
}

/// What tells one backend from another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backend {
    /// The largest segment that it takes inline.
    pub(crate) inline: usize,
    /// Whether it announces a part's blob when it admits the part.
    pub(crate) announces: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blob {
    Live {
        size: usize,
    },
    /// A sweep takes it from then on.
    Doomed {
        due: Timestamp,
    },
    Gone,
}

/// Some of a content's bytes, and the blob that has them unless they are inline.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) bytes: Bytes,
    blob: Option<usize>,
}

impl Ledger {
    pub(crate) fn new(backend: Backend) -> Self {
        Self { blobs: Vec::new(), backend }
    }

    /// The key that is announced for a part, by what is said of its size; of unknown size there is a
    /// byte at least.
    pub(crate) fn announce(&mut self, sent: &Sent, inline: usize, now: Timestamp) -> Option<usize> {
        let inline = inline.min(self.backend.inline) as u64;
        let is_certain = sent.expect().size.unwrap_or(1) > inline;
        (self.backend.announces && is_certain).then(|| self.pend(now))
    }

    /// Takes bytes in as the store does, up to `limit` and inline up to `inline`.
    pub(crate) fn ingest(
        &mut self,
        sent: &Sent,
        limit: u64,
        inline: usize,
        announced: Option<usize>,
        now: Timestamp,
    ) -> Result<Segment, ErrorKind> {
        let (bytes, expect) = (sent.bytes(), sent.expect());
        let size = bytes.len() as u64;
        if expect.size.is_some_and(|declared| declared > limit) {
            return Err(ErrorKind::TooLarge);
        }
        let inline = inline.min(self.backend.inline);
        let is_inline = bytes.len() <= inline;
        if is_inline && sent.how == How::BrokenOff {
            return Err(ErrorKind::Interrupted);
        }
        // From here on a key is known, whatever becomes of its bytes.
        let blob = (!is_inline).then(|| announced.unwrap_or_else(|| self.pend(now)));
        if size > limit {
            return Err(ErrorKind::TooLarge);
        }
        if expect.size.is_some_and(|declared| declared < size) {
            return Err(ErrorKind::DigestMismatch);
        }
        if sent.how == How::BrokenOff {
            return Err(ErrorKind::Interrupted);
        }
        let has_other_size = expect.size.is_some_and(|declared| declared != size);
        if has_other_size || expect.sha256.is_some_and(|declared| declared != Digest::of(&bytes)) {
            return Err(ErrorKind::DigestMismatch);
        }
        Ok(Segment { bytes, blob })
    }

    fn pend(&mut self, now: Timestamp) -> usize {
        self.blobs.push(Blob::Doomed { due: now.after(PENDING_FOR) });
        self.blobs.len() - 1
    }

    /// All bytes of these segments in one.
    pub(crate) fn merge(&mut self, segments: &[Segment], now: Timestamp) -> Segment {
        let bytes = joined(segments);
        let blob = (bytes.len() > self.backend.inline).then(|| self.pend(now));
        let merged = Segment { bytes, blob };
        self.publish(&merged);
        merged
    }

    /// A commit refers to the segment.
    pub(crate) fn publish(&mut self, segment: &Segment) {
        if let Some(blob) = segment.blob {
            self.blobs[blob] = Blob::Live { size: segment.bytes.len() };
        }
    }

    /// A commit refers to these no more.
    pub(crate) fn drop(&mut self, segments: &[Segment], keep: Duration, now: Timestamp) {
        for blob in segments.iter().filter_map(|segment| segment.blob) {
            self.blobs[blob] = Blob::Doomed { due: now.after(keep) };
        }
    }

    /// Answers how many went.
    pub(crate) fn sweep(&mut self, now: Timestamp) -> u64 {
        let mut gone = 0;
        for blob in &mut self.blobs {
            if matches!(blob, Blob::Doomed { due } if *due <= now) {
                *blob = Blob::Gone;
                gone += 1;
            }
        }
        gone
    }

    /// The bytes of an open file, as long as they are there.
    pub(crate) fn read(&self, segments: &[Segment]) -> Option<Bytes> {
        let mut blobs = segments.iter().filter_map(|segment| segment.blob);
        blobs.all(|blob| self.blobs[blob] != Blob::Gone).then(|| joined(segments))
    }

    /// Sizes of the blobs that something refers to, in ascending order.
    pub(crate) fn live(&self) -> Vec<u64> {
        let size = |blob: &Blob| match blob {
            Blob::Live { size } => Some(*size as u64),
            _ => None,
        };
        let mut sizes: Vec<_> = self.blobs.iter().filter_map(size).collect();
        sizes.sort_unstable();
        sizes
    }
}

pub(super) fn joined(segments: &[Segment]) -> Bytes {
    match segments {
        [only] => only.bytes.clone(),
        _ => segments.iter().flat_map(|segment| segment.bytes.iter().copied()).collect(),
    }
}

/// As the documentation of [`ContentInfo::tag`](filestore::ContentInfo::tag) has it.
pub(super) fn tag(segments: &[Segment]) -> String {
    if let [only] = segments {
        return Digest::of(&only.bytes).to_string();
    }
    let mut list = Hasher::default();
    for Segment { bytes, .. } in segments {
        list.update(&(bytes.len() as u64).to_be_bytes());
        list.update(Digest::of(bytes).as_bytes());
    }
    format!("{}-{}", list.digest(), segments.len())
}

pub(super) fn empty() -> Segment {
    Segment { bytes: Bytes::new(), blob: None }
}
