//! Bytes on their way from one store to another.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::stream::{self, StreamExt, TryStreamExt};

use super::Copy;
use crate::backend::{NewContent, Segment};
use crate::error::{ErrorKind, Result};
use crate::id::ContentId;
use crate::record::{ContentInfo, Expect};
use crate::store::ingest::{Intake, inline_limit};
use crate::store::open::{Trust, read_segments};
use crate::stream::ByteStream;
use crate::upload::PartNumber;

/// Segments of a content that are copied at the same time.
const SEGMENTS: usize = 2;

impl Copy<'_> {
    pub(super) async fn has_content(&self, id: ContentId) -> Result<bool> {
        Ok(!self.target.0.repository.segments(id).await?.is_empty())
    }

    /// Copies the segments of a content, each as one: its tag is made of them. `None` when it is
    /// damaged, or gone by now.
    pub(super) async fn content(&self, content: &ContentInfo) -> Result<Option<NewContent>> {
        let segments = self.source.0.repository.segments(content.id).await?;
        if segments.is_empty() {
            return Ok(None);
        }
        let copies = (1..).zip(segments).map(|(n, segment)| self.segment(n, segment));
        let copied: Vec<_> = stream::iter(copies).buffered(SEGMENTS).try_collect().await?;
        let Some(segments) = copied.into_iter().collect() else { return Ok(None) };
        let ContentInfo { id, size, sha256, stored, .. } = *content;
        let tag = content.tag.clone();
        Ok(Some(NewContent { id, size, tag, sha256, stored, segments }))
    }

    /// Copies one segment, if its bytes are what they were.
    pub(super) async fn segment(
        &self,
        number: PartNumber,
        segment: Segment,
    ) -> Result<Option<Segment>> {
        let expect = Expect { size: Some(segment.size), sha256: Some(segment.sha256) };
        let inline_limit = inline_limit(number);
        let intake = Intake { expect, limit: u64::MAX, inline_limit, ..Intake::default() };
        let is_missing = AtomicBool::new(false);
        let bytes = read_segments(Arc::clone(&self.source.0.blobs), [segment], Trust::Length)
            .inspect_ok(|frame| {
                self.progress.bytes.fetch_add(frame.len() as u64, Ordering::Relaxed);
            })
            .inspect_err(|error| {
                is_missing.store(error.kind() == ErrorKind::Internal, Ordering::Relaxed);
            });
        match self.target.ingest(ByteStream::from_results(bytes), intake).await {
            Ok(stored) => Ok(Some(stored.segment)),
            Err(error) if error.kind() == ErrorKind::DigestMismatch => Ok(None),
            Err(_) if is_missing.load(Ordering::Relaxed) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
