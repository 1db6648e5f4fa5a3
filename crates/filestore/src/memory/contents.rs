//! Published contents: who uses them, and their upkeep.

use std::iter;
use std::ops::Bound;

use async_trait::async_trait;

use crate::backend::{Content, ContentRepository, ContentSource, NewContent, Segment};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{ContentId, Tenant, Timestamp};
use crate::memory::MemoryRepository;
use crate::memory::state::State;
use crate::range::RangeSpec;
use crate::record::ContentInfo;

/// A published content.
#[derive(Clone, Debug)]
pub(super) struct ContentRow {
    pub(super) tenant: Tenant,
    pub(super) info: ContentInfo,
    pub(super) segments: u32,
    /// How many records point at it.
    pub(super) users: u64,
    pub(super) damaged: bool,
}

impl State {
    /// Finds or makes the content that a record is about to use.
    pub(super) fn content_from(
        &mut self,
        tenant: &Tenant,
        source: ContentSource,
    ) -> Result<ContentInfo> {
        match source {
            ContentSource::New(new) => self.add_content(tenant, new),
            ContentSource::Shared(id) => match self.contents.get(&id) {
                Some(row) if row.tenant == *tenant => Ok(row.info.clone()),
                _ => Err(Error::conflict("the content to be shared is gone")),
            },
        }
    }

    fn add_content(&mut self, tenant: &Tenant, new: NewContent) -> Result<ContentInfo> {
        for segment in &new.segments {
            self.reference(segment, new.id)?;
        }
        let info = new.info();
        self.publish(tenant, info.clone(), new.segments)?;
        Ok(info)
    }

    /// Adds a content, whose segments are referenced already. Nobody uses it yet.
    pub(super) fn publish(
        &mut self,
        tenant: &Tenant,
        info: ContentInfo,
        segments: Vec<Segment>,
    ) -> Result<()> {
        let id = info.id;
        if self.contents.contains(&id) {
            return Err(Error::new(ErrorKind::AlreadyExists, "there is content of this id"));
        }
        let row = ContentRow {
            tenant: tenant.clone(),
            info,
            segments: self.put_segments(id, segments),
            users: 0,
            damaged: false,
        };
        self.contents.put(id, row);
        Ok(())
    }

    /// One record more uses the content.
    pub(super) fn use_content(&mut self, id: ContentId) {
        if let Some(mut row) = self.contents.get(&id).cloned() {
            row.users += 1;
            self.contents.put(id, row);
        }
    }

    /// One record fewer uses the content; with the last one it goes.
    pub(super) fn release_content(&mut self, id: ContentId, now: Timestamp) {
        let Some(mut row) = self.contents.get(&id).cloned() else {
            return;
        };
        row.users = row.users.saturating_sub(1);
        if row.users > 0 {
            self.contents.put(id, row);
            return;
        }
        self.drop_segments(id, now);
        self.contents.remove(&id);
    }

    /// All segments of a published content, in order.
    pub(super) fn segments_of(&self, id: ContentId) -> Vec<Segment> {
        let segments = self.segments.under(&id, Bound::Included(0));
        segments.map(|(_, segment)| segment.clone()).collect()
    }

    /// The segments that hold `range`, and where the first of them starts.
    pub(super) fn segments_in(
        &self,
        content: &ContentInfo,
        range: Option<RangeSpec>,
    ) -> (u64, Vec<Segment>) {
        let Some(range) = range else {
            return (0, self.segments_of(content.id));
        };
        let Ok(range) = range.resolve(content.size) else {
            return (0, Vec::new());
        };
        let mut offset = 0;
        let mut found = Vec::new();
        let mut start = 0;
        for segment in self.segments_of(content.id) {
            let end = start + segment.size;
            if start < range.end && range.start < end {
                if found.is_empty() {
                    offset = start;
                }
                found.push(segment);
            }
            start = end;
        }
        (offset, found)
    }

    /// Answers how many there are.
    fn put_segments(&mut self, id: ContentId, segments: Vec<Segment>) -> u32 {
        let mut count = 0;
        for segment in segments {
            count += 1;
            self.segments.put((id, count), segment);
        }
        count
    }

    fn drop_segments(&mut self, id: ContentId, now: Timestamp) {
        for (segment, number) in iter::zip(self.segments_of(id), 1..) {
            self.unreference(&segment, now);
            self.segments.remove(&(id, number));
        }
    }
}

#[async_trait]
impl ContentRepository for MemoryRepository {
    async fn contents(&self, after: Option<ContentId>, limit: u32) -> Result<Vec<Content>> {
        let contents = self.read(|state| {
            let rows = state.contents.after(after).take(limit as usize);
            rows.map(|(_, row)| row.into()).collect()
        });
        Ok(contents)
    }

    async fn segments(&self, id: ContentId) -> Result<Vec<Segment>> {
        Ok(self.read(|state| state.segments_of(id)))
    }

    async fn fragmented(&self, segments: u32, average: u64, limit: u32) -> Result<Vec<Content>> {
        let is_fragmented = |row: &ContentRow| {
            row.segments > segments
                && u128::from(row.info.size) < u128::from(average) * u128::from(row.segments)
                && !row.damaged
        };
        let contents = self.read(|state| {
            let rows = state.contents.all().map(|(_, row)| row);
            rows.filter(|row| is_fragmented(row)).take(limit as usize).map(Into::into).collect()
        });
        Ok(contents)
    }

    async fn replace_segments(
        &self,
        id: ContentId,
        expected: u32,
        segments: Vec<Segment>,
    ) -> Result<bool> {
        self.transact(|state, now| {
            let Some(mut row) = state.contents.get(&id).cloned() else {
                return Ok(false);
            };
            if row.segments != expected {
                return Ok(false);
            }
            for segment in &segments {
                state.reference(segment, id)?;
            }
            state.drop_segments(id, now);
            row.segments = state.put_segments(id, segments);
            state.contents.put(id, row);
            Ok(true)
        })
    }

    async fn quarantine(&self, id: ContentId, damaged: bool) -> Result<()> {
        self.transact(|state, _| {
            if let Some(mut row) = state.contents.get(&id).cloned() {
                row.damaged = damaged;
                state.contents.put(id, row);
            }
            Ok(())
        })
    }
}

impl From<&ContentRow> for Content {
    fn from(row: &ContentRow) -> Self {
        Self {
            id: row.info.id,
            size: row.info.size,
            tag: row.info.tag.clone(),
            sha256: row.info.sha256,
            segments: row.segments,
            damaged: row.damaged,
        }
    }
}
