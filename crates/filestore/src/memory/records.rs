//! Records of other systems, and counters.

use std::ops::Bound;

use async_trait::async_trait;

use crate::backend::RecordRepository;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{Revision, Tenant, Timestamp};
use crate::memory::MemoryRepository;
use crate::memory::state::State;
use crate::other::{Expected, OtherRecord, RecordChange};

#[async_trait]
impl RecordRepository for MemoryRepository {
    async fn record(&self, tenant: &Tenant, kind: &str, key: &str) -> Result<Option<OtherRecord>> {
        let key = ((tenant.clone(), kind.to_owned()), key.to_owned());
        Ok(self.read(|state| state.records.get(&key).cloned()))
    }

    async fn records(
        &self,
        tenant: &Tenant,
        kind: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<OtherRecord>> {
        let kind = (tenant.clone(), kind.to_owned());
        let records = self.read(|state| {
            let start = match after {
                None => Bound::Included(String::new()),
                Some(after) => Bound::Excluded(after.to_owned()),
            };
            let records = state.records.under(&kind, start).take(limit as usize);
            records.map(|(_, record)| record.clone()).collect()
        });
        Ok(records)
    }

    async fn write_records(
        &self,
        tenant: &Tenant,
        changes: Vec<RecordChange>,
        now: Timestamp,
    ) -> Result<Vec<OtherRecord>> {
        self.transact(|state, _| {
            state.attempt_each(changes, |state, change| state.change_record(tenant, change, now))
        })
    }

    async fn next_number(&self, tenant: &Tenant, counter: &str) -> Result<u32> {
        const LAST: u32 = i32::MAX.cast_unsigned();
        self.transact(|state, _| {
            let key = (tenant.clone(), counter.to_owned());
            let before = state.counters.get(&key).copied().unwrap_or(0);
            if before >= LAST {
                return Err(Error::conflict("the counter has come to its end"));
            }
            state.counters.put(key, before + 1);
            Ok(before + 1)
        })
    }
}

impl State {
    fn change_record(
        &mut self,
        tenant: &Tenant,
        change: RecordChange,
        now: Timestamp,
    ) -> Result<OtherRecord> {
        let key = ((tenant.clone(), change.kind.clone()), change.key.clone());
        let before = self.records.get(&key).cloned();
        check(change.expected, before.as_ref())?;
        let Some(body) = change.body else {
            self.records.remove(&key);
            return before.ok_or_else(no_record);
        };
        let record = OtherRecord {
            kind: change.kind,
            key: change.key,
            revision: before.as_ref().map_or(Revision::FIRST, |before| before.revision.next()),
            created: before.map_or(now, |before| before.created),
            updated: now,
            body,
        };
        self.records.put(key, record.clone());
        Ok(record)
    }
}

fn check(expected: Expected, before: Option<&OtherRecord>) -> Result<()> {
    match (expected, before) {
        (Expected::Anything, _) | (Expected::Nothing, None) | (Expected::Something, Some(_)) => {
            Ok(())
        }
        (Expected::Nothing, Some(_)) => {
            Err(Error::new(ErrorKind::AlreadyExists, "there is such a record already"))
        }
        (Expected::Something | Expected::Revision(_), None) => Err(no_record()),
        (Expected::Revision(revision), Some(before)) if before.revision == revision => Ok(()),
        (Expected::Revision(_), Some(_)) => {
            Err(Error::new(ErrorKind::PreconditionFailed, "the record has another revision by now"))
        }
    }
}

fn no_record() -> Error {
    Error::not_found("there is no such record")
}
