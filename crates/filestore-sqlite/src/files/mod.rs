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
        let find = |keys: &[FileKey]| {
            self.look_up(|db| {
                let Some(tenant) = sql::tenant(db, tenant)? else {
                    return Ok(vec![None; keys.len()]);
                };
                let record = |key| Ok(row::find(db, tenant, key)?.map(|found| found.record));
                keys.iter().map(record).collect()
            })
        };
        match keys {
            [key] => {
                let read = || Ok(find(keys)?.pop().flatten());
                Ok(vec![self.records.find(tenant, key, read)?])
            }
            keys => find(keys),
        }
    }

    async fn load(
        &self,
        tenant: &Tenant,
        key: &FileKey,
        range: Option<RangeSpec>,
    ) -> Result<StoredFile> {
        let few = || self.ask(|db| few::load(db, tenant, key));
        if let Some(file) = self.files.find(tenant, key, few)? {
            return Ok(few::within(file, range));
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
