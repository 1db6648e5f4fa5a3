//! [`RecordRepository`].

use async_trait::async_trait;
use filestore::backend::RecordRepository;
use filestore::{Error, ItemError, OtherRecord, RecordChange, Result, Revision, Tenant, Timestamp};
use rusqlite::{Connection, Row, params};

use crate::SqliteRepository;
use crate::error::{DbResult, SqliteError};
use crate::sql::{self, all, change, first, int, millis, time, uint};
use crate::writer::Work;

const COLUMNS: &str = "kind, key, revision, created, updated, body";

#[async_trait]
impl RecordRepository for SqliteRepository {
    async fn record(&self, tenant: &Tenant, kind: &str, key: &str) -> Result<Option<OtherRecord>> {
        self.look_up(|db| match sql::tenant(db, tenant)? {
            Some(tenant) => find(db, tenant, kind, key),
            None => Ok(None),
        })
    }

    async fn records(
        &self,
        tenant: &Tenant,
        kind: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<OtherRecord>> {
        let (tenant, kind) = (tenant.clone(), kind.to_owned());
        let after = after.map(str::to_owned);
        self.scan(move |db| match sql::tenant(db, &tenant)? {
            Some(tenant) => list(db, tenant, &kind, after.as_deref(), limit),
            None => Ok(Vec::new()),
        })
        .await
    }

    async fn write_records(
        &self,
        tenant: &Tenant,
        changes: Vec<RecordChange>,
        now: Timestamp,
    ) -> Result<Vec<OtherRecord>> {
        let tenant = tenant.clone();
        let removals = changes.iter().all(|change| change.body.is_none());
        let write = move |work: &mut Work<'_>| {
            let tenant = sql::make_tenant(work.db, &tenant)?;
            write_all(work.db, tenant, &changes, now)
        };
        if removals { self.free(write).await } else { self.commit(write).await }
    }

    async fn next_number(&self, tenant: &Tenant, counter: &str) -> Result<u32> {
        let (tenant, counter) = (tenant.clone(), counter.to_owned());
        self.commit(move |work| {
            let tenant = sql::make_tenant(work.db, &tenant)?;
            next_number(work.db, tenant, &counter)
        })
        .await
    }
}

fn find(db: &Connection, tenant: i64, kind: &str, key: &str) -> DbResult<Option<OtherRecord>> {
    first(
        db,
        &format!("SELECT {COLUMNS} FROM record WHERE tenant = ? AND kind = ? AND key = ?"),
        params![tenant, kind, key],
        read,
    )
}

fn list(
    db: &Connection,
    tenant: i64,
    kind: &str,
    after: Option<&str>,
    limit: u32,
) -> DbResult<Vec<OtherRecord>> {
    // The empty text is less than any other, and itself a key: only the first page may have it.
    let compare = if after.is_some() { ">" } else { ">=" };
    all(
        db,
        &format!(
            "SELECT {COLUMNS} FROM record WHERE tenant = ? AND kind = ? AND key {compare} ? \
             ORDER BY key LIMIT ?"
        ),
        params![tenant, kind, after.unwrap_or_default(), limit],
        read,
    )
}

/// Records of a tenant behind this kind and key.
pub(crate) fn of_every_kind(
    db: &Connection,
    tenant: i64,
    after: Option<&(String, String)>,
    limit: u32,
) -> DbResult<Vec<OtherRecord>> {
    let compare = if after.is_some() { ">" } else { ">=" };
    let (kind, key) = after.map_or(("", ""), |(kind, key)| (kind.as_str(), key.as_str()));
    all(
        db,
        &format!(
            "SELECT {COLUMNS} FROM record WHERE tenant = ? AND (kind, key) {compare} (?, ?) \
             ORDER BY kind, key LIMIT ?"
        ),
        params![tenant, kind, key, limit],
        read,
    )
}

/// Writes a record as it was elsewhere, unless there is one of that name.
pub(crate) fn adopt(db: &Connection, tenant: i64, record: &OtherRecord) -> DbResult<()> {
    if find(db, tenant, &record.kind, &record.key)?.is_none() {
        put(db, tenant, record)?;
    }
    Ok(())
}

fn read(row: &Row<'_>) -> DbResult<OtherRecord> {
    Ok(OtherRecord {
        kind: row.get(0)?,
        key: row.get(1)?,
        revision: Revision::new(uint(row.get(2)?)?),
        created: time(row.get(3)?)?,
        updated: time(row.get(4)?)?,
        body: row.get(5)?,
    })
}

/// Carries out every change that can be, so that all that cannot be are known.
fn write_all(
    db: &Connection,
    tenant: i64,
    changes: &[RecordChange],
    now: Timestamp,
) -> DbResult<Vec<OtherRecord>> {
    let mut records = Vec::with_capacity(changes.len());
    let mut refused = Vec::new();
    for (index, change) in changes.iter().enumerate() {
        match write(db, tenant, change, now) {
            Ok(record) => records.push(record),
            Err(SqliteError::Refused(error)) => {
                refused.push(ItemError { index, kind: error.kind() });
            }
            Err(error) => return Err(error),
        }
    }
    if !refused.is_empty() {
        return Err(Error::of_items(refused, "records were not as expected").into());
    }
    Ok(records)
}

fn write(
    db: &Connection,
    tenant: i64,
    wanted: &RecordChange,
    now: Timestamp,
) -> DbResult<OtherRecord> {
    let RecordChange { kind, key, .. } = wanted;
    let record = wanted.applied_to(find(db, tenant, kind, key)?.as_ref(), now)?;
    if wanted.body.is_some() {
        put(db, tenant, &record)?;
    } else {
        change(
            db,
            "DELETE FROM record WHERE tenant = ? AND kind = ? AND key = ?",
            params![tenant, kind, key],
        )?;
    }
    Ok(record)
}

fn put(db: &Connection, tenant: i64, record: &OtherRecord) -> DbResult<()> {
    change(
        db,
        "INSERT INTO record (tenant, kind, key, revision, created, updated, body) \
         VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tenant, kind, key) DO UPDATE \
         SET revision = excluded.revision, updated = excluded.updated, body = excluded.body",
        params![
            tenant,
            record.kind,
            record.key,
            int(record.revision.get())?,
            millis(record.created),
            millis(record.updated),
            record.body
        ],
    )?;
    Ok(())
}

fn next_number(db: &Connection, tenant: i64, counter: &str) -> DbResult<u32> {
    const MAX: i64 = i32::MAX as i64;
    let number = first(
        db,
        "INSERT INTO counter (tenant, name, value) VALUES (?1, ?2, 1) \
         ON CONFLICT (tenant, name) DO UPDATE SET value = value + 1 WHERE value < ?3 \
         RETURNING value",
        params![tenant, counter, MAX],
        |row| Ok(row.get(0)?),
    )?;
    number.ok_or_else(|| Error::conflict("the counter has no numbers left").into())
}
