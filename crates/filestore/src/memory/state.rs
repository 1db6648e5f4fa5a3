//! [`State`]: all tables, and changes to them that happen whole or not at all.

use crate::backend::{Part, Segment};
use crate::error::{Error, ItemError, Result};
use crate::id::{BlobKey, ContentId, FileId, FileNumber, StoreId, Tenant};
use crate::memory::contents::ContentRow;
use crate::memory::ledger::BlobEntry;
use crate::memory::sessions::SessionRow;
use crate::memory::table::{Table, Undo};
use crate::other::OtherRecord;
use crate::record::FileRecord;
use crate::upload::PartNumber;

/// Everything a repository keeps. What each table promises of the others is tested by
/// [`tests`](crate::memory::tests).
#[derive(Debug, Default)]
pub(super) struct State {
    /// Minted when it is asked for first, so that making a repository cannot fail.
    pub(super) store: Option<StoreId>,
    /// Files by number, which is the order of lists; numbers start at 1.
    pub(super) files: Table<(Tenant, u64), FileRecord>,
    pub(super) ids: Table<(Tenant, FileId), FileNumber>,
    pub(super) external_ids: Table<(Tenant, String), FileNumber>,
    pub(super) sessions: Table<(Tenant, FileId), SessionRow>,
    /// Parts of sessions that have not ended.
    pub(super) parts: Table<(ContentId, PartNumber), Part>,
    /// Published contents, each with at least one record that uses it.
    pub(super) contents: Table<ContentId, ContentRow>,
    /// Segments of published contents, numbered from 1 without gaps.
    pub(super) segments: Table<(ContentId, u32), Segment>,
    pub(super) blobs: Table<BlobKey, BlobEntry>,
    /// Records of other systems, by tenant and kind and then by key.
    pub(super) records: Table<((Tenant, String), String), OtherRecord>,
    pub(super) counters: Table<(Tenant, String), u32>,
}

const TABLES: usize = 10;

impl State {
    /// Runs `change`; when it is refused, nothing of it has happened. Attempts nest.
    pub(super) fn attempt<T>(&mut self, change: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let marks = self.tables().map(|table| table.mark());
        let outcome = change(self);
        if outcome.is_err() {
            self.roll_back(marks);
        }
        outcome
    }

    /// Attempts each element in order. When some are refused, all are, and the error names those;
    /// one that is refused leaves no trace for the ones after it.
    pub(super) fn attempt_each<C, T>(
        &mut self,
        changes: Vec<C>,
        mut change: impl FnMut(&mut Self, C) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut done = Vec::with_capacity(changes.len());
        let mut refused = Vec::new();
        for (index, element) in changes.into_iter().enumerate() {
            match self.attempt(|state| change(state, element)) {
                Ok(answer) => done.push(answer),
                Err(error) => refused.push(ItemError { index, kind: error.kind() }),
            }
        }
        if refused.is_empty() {
            return Ok(done);
        }
        Err(Error::of_items(refused, "some changes were refused"))
    }

    /// Makes everything since the last commit final.
    pub(super) fn commit(&mut self) {
        for table in self.tables() {
            table.commit();
        }
    }

    /// Takes back everything since the last commit.
    pub(super) fn abandon(&mut self) {
        self.roll_back([0; TABLES]);
    }

    fn roll_back(&mut self, marks: [usize; TABLES]) {
        for (table, mark) in self.tables().into_iter().zip(marks) {
            table.roll_back(mark);
        }
    }

    fn tables(&mut self) -> [&mut dyn Undo; TABLES] {
        // Taken apart without `..`, so that a table cannot be forgotten.
        let Self {
            store: _,
            files,
            ids,
            external_ids,
            sessions,
            parts,
            contents,
            segments,
            blobs,
            records,
            counters,
        } = self;
        [files, ids, external_ids, sessions, parts, contents, segments, blobs, records, counters]
    }
}
