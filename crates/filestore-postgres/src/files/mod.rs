//! [`FileRepository`].

mod apply;
mod batch;
mod load;

use std::collections::HashMap;

use async_trait::async_trait;
use filestore::backend::{Change, FileRepository, StoredFile};
use filestore::{
    Cond, FileId, FileKey, FileNumber, FileQuery, FileRecord, Page, RangeSpec, Result, Tenant,
};

use crate::PostgresRepository;
use crate::contents::INLINE_LIMIT;
use crate::error::DbResult;
use crate::query;
use crate::row;

#[async_trait]
impl FileRepository for PostgresRepository {
    fn inline_limit(&self) -> usize {
        INLINE_LIMIT
    }

    async fn find(&self, tenant: &Tenant, keys: &[FileKey]) -> Result<Vec<Option<FileRecord>>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.rows(row::select(tenant, keys)?).await?;
        let files = rows.iter().map(row::read).collect::<DbResult<Vec<_>>>()?;
        let found = Found::of(&files);
        Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
    }

    async fn load(
        &self,
        tenant: &Tenant,
        key: &FileKey,
        range: Option<RangeSpec>,
    ) -> Result<StoredFile> {
        Ok(load::load(self, tenant, key, range).await?)
    }

    async fn apply(&self, tenant: &Tenant, changes: Vec<Change>) -> Result<Vec<FileRecord>> {
        let now = self.given_now();
        self.commit_known(apply::Apply { tenant: tenant.clone(), changes, now }).await
    }

    async fn list(&self, tenant: &Tenant, query: &FileQuery) -> Result<Page<FileRecord>> {
        Ok(query::list(self, tenant, query).await?)
    }

    async fn count(&self, tenant: &Tenant, all: &[Cond]) -> Result<u64> {
        Ok(query::count(self, tenant, all).await?)
    }
}

/// Files by each of their names.
struct Found<'f> {
    ids: HashMap<FileId, &'f FileRecord>,
    numbers: HashMap<FileNumber, &'f FileRecord>,
    externals: HashMap<&'f str, &'f FileRecord>,
}

impl<'f> Found<'f> {
    fn of(files: &'f [FileRecord]) -> Self {
        let external = |file: &'f FileRecord| Some((file.attributes.external_id.as_deref()?, file));
        Self {
            ids: files.iter().map(|file| (file.id, file)).collect(),
            numbers: files.iter().map(|file| (file.number, file)).collect(),
            externals: files.iter().filter_map(external).collect(),
        }
    }

    fn get(&self, key: &FileKey) -> Option<&'f FileRecord> {
        match key {
            FileKey::Id(id) => self.ids.get(id).copied(),
            FileKey::Number(number) => self.numbers.get(number).copied(),
            FileKey::External(text) => self.externals.get(text.as_str()).copied(),
        }
    }
}
