//! [`TransferRepository`].

use async_trait::async_trait;
use filestore::backend::{Kept, TransferRepository};
use filestore::{FileId, OtherRecord, Result, Tenant, UploadSession};
use tokio_postgres::Row;

use crate::error::{DbResult, PgError};
use crate::ledger::Statements;
use crate::row::TENANT;
use crate::sql::{Sql, get, small};
use crate::{PostgresRepository, records, uploads};

#[async_trait]
impl TransferRepository for PostgresRepository {
    async fn tenants(&self, after: Option<&Tenant>, limit: u32) -> Result<Vec<Tenant>> {
        let list = "SELECT name FROM filestore.tenant WHERE $1::text IS NULL OR name > $1 \
             ORDER BY name LIMIT $2";
        let after = after.map(|tenant| tenant.as_str().to_owned());
        let rows = self.rows(Sql::new(list).bind(after).bind(i64::from(limit))).await?;
        Ok(rows.iter().map(tenant).collect::<DbResult<_>>()?)
    }

    async fn all_sessions(
        &self,
        tenant: &Tenant,
        after: Option<FileId>,
        limit: u32,
    ) -> Result<Vec<UploadSession>> {
        Ok(uploads::of_tenant(self, tenant, after, limit).await?)
    }

    async fn all_records(
        &self,
        tenant: &Tenant,
        after: Option<(&str, &str)>,
        limit: u32,
    ) -> Result<Vec<OtherRecord>> {
        Ok(records::of_every_kind(self, tenant, after, limit).await?)
    }

    async fn counters(&self, tenant: &Tenant) -> Result<Vec<(String, u32)>> {
        let list = format!(
            "SELECT name, value FROM filestore.counter WHERE tenant = {TENANT} ORDER BY name"
        );
        let rows = self.rows(Sql::new(list).bind(tenant.as_str().to_owned())).await?;
        Ok(rows.iter().map(counter).collect::<DbResult<_>>()?)
    }

    async fn adopt(&self, tenant: &Tenant, kept: Kept) -> Result<()> {
        kept.check()?;
        let name = || tenant.as_str().to_owned();
        let mut statements = vec![Sql::new("SELECT filestore.make_tenant($1)").bind(name())];
        for session in &kept.sessions {
            let now = self.given_now();
            statements.push(uploads::insert(tenant, session, now, "ON CONFLICT DO NOTHING")?);
        }
        for record in &kept.records {
            statements.push(records::adopt(tenant, record)?);
        }
        for (counter, last) in kept.counters {
            let insert = format!(
                "INSERT INTO filestore.counter AS c (tenant, name, value) VALUES ({TENANT}, $2, $3) \
                 ON CONFLICT (tenant, name) DO UPDATE SET value = greatest(c.value, $3)"
            );
            statements.push(Sql::new(insert).bind(name()).bind(counter).bind(i64::from(last)));
        }
        self.commit_known(Statements(statements)).await
    }
}

fn tenant(row: &Row) -> DbResult<Tenant> {
    let name: String = get(row, 0)?;
    Tenant::new(&name).map_err(|_| PgError::Damaged("a tenant"))
}

fn counter(row: &Row) -> DbResult<(String, u32)> {
    Ok((get(row, 0)?, small(get(row, 1)?)?))
}
