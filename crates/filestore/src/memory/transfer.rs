//! Everything of all tenants, and what comes from elsewhere.

use std::collections::BTreeSet;
use std::ops::Bound;

use async_trait::async_trait;

use crate::backend::{Kept, TransferRepository};
use crate::error::Result;
use crate::id::{FileId, Tenant};
use crate::memory::MemoryRepository;
use crate::memory::sessions::SessionRow;
use crate::memory::state::State;
use crate::other::OtherRecord;
use crate::upload::UploadSession;

#[async_trait]
impl TransferRepository for MemoryRepository {
    async fn tenants(&self, after: Option<&Tenant>, limit: u32) -> Result<Vec<Tenant>> {
        let all = self.read(State::tenants);
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let tenants = all.range::<Tenant, _>((start, Bound::Unbounded));
        Ok(tenants.take(limit as usize).cloned().collect())
    }

    async fn all_sessions(
        &self,
        tenant: &Tenant,
        after: Option<FileId>,
        limit: u32,
    ) -> Result<Vec<UploadSession>> {
        Ok(self.read(|state| {
            let rows = state.sessions_of(tenant, after).take(limit as usize);
            rows.map(|row| row.session.clone()).collect()
        }))
    }

    async fn all_records(
        &self,
        tenant: &Tenant,
        after: Option<(&str, &str)>,
        limit: u32,
    ) -> Result<Vec<OtherRecord>> {
        let place = |kind: &str, key: &str| ((tenant.clone(), kind.to_owned()), key.to_owned());
        Ok(self.read(|state| {
            let start = match after {
                None => Bound::Included(place("", "")),
                Some((kind, key)) => Bound::Excluded(place(kind, key)),
            };
            let rows = state.records.from(start).take_while(|(((of, _), _), _)| of == tenant);
            rows.take(limit as usize).map(|(_, record)| record.clone()).collect()
        }))
    }

    async fn counters(&self, tenant: &Tenant) -> Result<Vec<(String, u32)>> {
        Ok(self.read(|state| {
            let rows = state.counters.under(tenant, Bound::Included(String::new()));
            rows.map(|(name, last)| (name.clone(), *last)).collect()
        }))
    }

    async fn adopt(&self, tenant: &Tenant, kept: Kept) -> Result<()> {
        kept.check()?;
        self.transact(|state, now| {
            for session in kept.sessions {
                if !state.sessions.contains(&(tenant.clone(), session.id)) {
                    state.put_session(tenant, SessionRow { session, ticket: 0, since: now });
                }
            }
            for record in kept.records {
                let key = ((tenant.clone(), record.kind.clone()), record.key.clone());
                if !state.records.contains(&key) {
                    state.records.put(key, record);
                }
            }
            for (name, last) in kept.counters {
                let key = (tenant.clone(), name);
                let before = state.counters.get(&key).copied().unwrap_or(0);
                state.counters.put(key, before.max(last));
            }
            Ok(())
        })
    }
}

impl State {
    fn tenants(&self) -> BTreeSet<Tenant> {
        let files = self.files.all().map(|((tenant, _), _)| tenant);
        let sessions = self.sessions.all().map(|((tenant, _), _)| tenant);
        let records = self.records.all().map(|(((tenant, _), _), _)| tenant);
        let counters = self.counters.all().map(|((tenant, _), _)| tenant);
        files.chain(sessions).chain(records).chain(counters).cloned().collect()
    }
}
