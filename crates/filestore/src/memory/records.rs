//! Records of other systems, and counters.

use std::ops::Bound;

use async_trait::async_trait;

use crate::backend::RecordRepository;
use crate::error::{Error, Result};
use crate::id::{Tenant, Timestamp};
use crate::memory::MemoryRepository;
use crate::memory::state::State;
use crate::other::{OtherRecord, RecordChange};

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
        let record = change.applied_to(self.records.get(&key), now)?;
        if change.body.is_some() {
            self.records.put(key, record.clone());
        } else {
            self.records.remove(&key);
        }
        Ok(record)
    }
}
