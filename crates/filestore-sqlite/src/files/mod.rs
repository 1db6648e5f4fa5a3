//! [`FileRepository`].

mod apply;
mod few;
mod load;

use async_trait::async_trait;
use filestore::backend::{Change, FileRepository, StoredFile};
use filestore::{Cond, FileKey, FileQuery, FileRecord, Page, RangeSpec, Result, Tenant};

pub(crate) use self::apply::{insert_file, replace_content};

use crate::SqliteRepository;
use crate::contents::INLINE_LIMIT;
use crate::query;
use crate::row;
use crate::sql;

#[async_trait]
impl FileRepository for SqliteRepository {
    fn inline_limit(&self) -> usize {
        INLINE_LIMIT
    }

    async fn find(&self, tenant: &Tenant, keys: &[FileKey]) -> Result<Vec<Option<FileRecord>>> {
        self.look_up(|db| {
            let Some(tenant) = sql::tenant(db, tenant)? else {
                return Ok(vec![None; keys.len()]);
            };
            keys.iter()
                .map(|key| Ok(row::find(db, tenant, key)?.map(|found| found.record)))
                .collect()
        })
    }

    async fn load(
        &self,
        tenant: &Tenant,
        key: &FileKey,
        range: Option<RangeSpec>,
    ) -> Result<StoredFile> {
        if let Some(file) = self.ask(|db| few::load(db, tenant, key, range))? {
            return Ok(file);
        }
        if let Some(file) = self.look_up(|db| load::short(db, tenant, key, range))? {
            return Ok(file);
        }
        let (tenant, key) = (tenant.clone(), key.clone());
        self.scan(move |db| load::any(db, &tenant, &key, range)).await
    }

    async fn apply(&self, tenant: &Tenant, changes: Vec<Change>) -> Result<Vec<FileRecord>> {
        let tenant = tenant.clone();
        if changes.iter().all(|change| matches!(change, Change::Remove { .. })) {
            return self.free(move |work| apply::apply(work, &tenant, changes.clone())).await;
        }
        self.commit(move |work| apply::apply(work, &tenant, changes)).await
    }

    async fn list(&self, tenant: &Tenant, query: &FileQuery) -> Result<Page<FileRecord>> {
        let (tenant, query) = (tenant.clone(), query.clone());
        self.scan(move |db| query::list(db, &tenant, &query)).await
    }

    async fn count(&self, tenant: &Tenant, all: &[Cond]) -> Result<u64> {
        let (tenant, all) = (tenant.clone(), all.to_vec());
        self.scan(move |db| query::count(db, &tenant, &all)).await
    }
}
