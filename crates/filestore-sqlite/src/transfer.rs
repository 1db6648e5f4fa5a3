//! [`TransferRepository`].

use async_trait::async_trait;
use filestore::backend::{Kept, TransferRepository};
use filestore::{FileId, OtherRecord, Result, Tenant, UploadSession};
use rusqlite::{Connection, params};

use crate::SqliteRepository;
use crate::error::{DbResult, SqliteError};
use crate::sql::{self, all, change};
use crate::{records, uploads};

#[async_trait]
impl TransferRepository for SqliteRepository {
    async fn tenants(&self, after: Option<&Tenant>, limit: u32) -> Result<Vec<Tenant>> {
        let after = after.map(|tenant| tenant.as_str().to_owned()).unwrap_or_default();
        self.scan(move |db| {
            let list = "SELECT name FROM tenant WHERE name > ? ORDER BY name LIMIT ?";
            all(db, list, params![after, limit], |row| {
                let name: String = row.get(0)?;
                Tenant::new(&name).map_err(|_| SqliteError::Damaged("a tenant"))
            })
        })
        .await
    }

    async fn all_sessions(
        &self,
        tenant: &Tenant,
        after: Option<FileId>,
        limit: u32,
    ) -> Result<Vec<UploadSession>> {
        let tenant = tenant.clone();
        self.scan(move |db| uploads::of_tenant(db, &tenant, after, limit)).await
    }

    async fn all_records(
        &self,
        tenant: &Tenant,
        after: Option<(&str, &str)>,
        limit: u32,
    ) -> Result<Vec<OtherRecord>> {
        let tenant = tenant.clone();
        let after = after.map(|(kind, key)| (kind.to_owned(), key.to_owned()));
        self.scan(move |db| match sql::tenant(db, &tenant)? {
            Some(tenant) => records::of_every_kind(db, tenant, after.as_ref(), limit),
            None => Ok(Vec::new()),
        })
        .await
    }

    async fn counters(&self, tenant: &Tenant) -> Result<Vec<(String, u32)>> {
        let tenant = tenant.clone();
        self.scan(move |db| match sql::tenant(db, &tenant)? {
            Some(tenant) => counters(db, tenant),
            None => Ok(Vec::new()),
        })
        .await
    }

    async fn adopt(&self, tenant: &Tenant, kept: Kept) -> Result<()> {
        kept.check()?;
        let tenant = tenant.clone();
        self.commit(move |work| {
            let (db, tenant) = (work.db, sql::make_tenant(work.db, &tenant)?);
            for session in &kept.sessions {
                uploads::adopt(db, tenant, session, work.now)?;
            }
            for record in &kept.records {
                records::adopt(db, tenant, record)?;
            }
            for (name, last) in &kept.counters {
                change(
                    db,
                    "INSERT INTO counter (tenant, name, value) VALUES (?1, ?2, ?3) \
                     ON CONFLICT (tenant, name) DO UPDATE SET value = max(value, ?3)",
                    params![tenant, name, last],
                )?;
            }
            Ok(())
        })
        .await
    }
}

fn counters(db: &Connection, tenant: i64) -> DbResult<Vec<(String, u32)>> {
    let list = "SELECT name, value FROM counter WHERE tenant = ? ORDER BY name";
    all(db, list, params![tenant], |row| Ok((row.get(0)?, row.get(1)?)))
}
