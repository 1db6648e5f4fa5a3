//! [`RecordRepository`].

use std::collections::HashMap;

use async_trait::async_trait;
use filestore::backend::RecordRepository;
use filestore::{Error, ItemError, OtherRecord, RecordChange, Result, Revision, Tenant, Timestamp};
use tokio_postgres::Row;

use crate::PostgresRepository;
use crate::commit::{Change, Commit, Made};
use crate::error::DbResult;
use crate::flight::Answers;
use crate::row::TENANT;
use crate::sql::{Sql, get, int, is_text, millis, time, uint};
use crate::transaction::Tx;

const COLUMNS: &str = "kind, key, revision, created, updated, body";

#[async_trait]
impl RecordRepository for PostgresRepository {
    async fn record(&self, tenant: &Tenant, kind: &str, key: &str) -> Result<Option<OtherRecord>> {
        if !is_text(kind) || !is_text(key) {
            return Ok(None);
        }
        let find = format!(
            "SELECT {COLUMNS} FROM filestore.record \
             WHERE tenant = {TENANT} AND kind = $2 AND key = $3"
        );
        let find = Sql::new(find).then(named(tenant)).bind(kind.to_owned()).bind(key.to_owned());
        Ok(self.first(find).await?.as_ref().map(read).transpose()?)
    }

    async fn records(
        &self,
        tenant: &Tenant,
        kind: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<OtherRecord>> {
        if !is_text(kind) || !after.is_none_or(is_text) {
            return Err(Error::invalid("text must not contain U+0000"));
        }
        let list = format!(
            "SELECT {COLUMNS} FROM filestore.record \
             WHERE tenant = {TENANT} AND kind = $2 AND ($3::text IS NULL OR key > $3) \
             ORDER BY key LIMIT $4"
        );
        let list = Sql::new(list)
            .then(named(tenant))
            .bind(kind.to_owned())
            .bind(after.map(str::to_owned))
            .bind(i64::from(limit));
        Ok(self.rows(list).await?.iter().map(read).collect::<DbResult<_>>()?)
    }

    async fn write_records(
        &self,
        tenant: &Tenant,
        changes: Vec<RecordChange>,
        now: Timestamp,
    ) -> Result<Vec<OtherRecord>> {
        self.commit_known(WriteRecords { tenant: tenant.clone(), changes, now }).await
    }

    async fn next_number(&self, tenant: &Tenant, counter: &str) -> Result<u32> {
        loop {
            let next = NextNumber { tenant: tenant.clone(), counter: counter.to_owned() };
            // A number that was lost is left out.
            if let Made::Answered(number) = self.commit(next).await? {
                let number = number.and_then(|number| u32::try_from(number).ok());
                return number.ok_or_else(|| Error::conflict("the counter has no numbers left"));
            }
        }
    }
}

/// Records of a tenant behind this kind and key.
pub(crate) async fn of_every_kind(
    repository: &PostgresRepository,
    tenant: &Tenant,
    after: Option<(&str, &str)>,
    limit: u32,
) -> DbResult<Vec<OtherRecord>> {
    let list = format!(
        "SELECT {COLUMNS} FROM filestore.record WHERE tenant = {TENANT} \
             AND ($2::text IS NULL OR (kind, key) > ($2, $3)) ORDER BY kind, key LIMIT $4"
    );
    let list = Sql::new(list)
        .then(named(tenant))
        .bind(after.map(|(kind, _)| kind.to_owned()))
        .bind(after.map(|(_, key)| key.to_owned()))
        .bind(i64::from(limit));
    repository.rows(list).await?.iter().map(read).collect()
}

/// Writes a record as it was elsewhere, unless there is one of that name.
pub(crate) fn adopt(tenant: &Tenant, record: &OtherRecord) -> DbResult<Sql> {
    let insert = format!(
        "INSERT INTO filestore.record (tenant, {COLUMNS}) \
             VALUES ({TENANT}, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING"
    );
    Ok(Sql::new(insert)
        .then(named(tenant))
        .bind(record.kind.clone())
        .bind(record.key.clone())
        .bind(int(record.revision.get())?)
        .bind(millis(record.created))
        .bind(millis(record.updated))
        .bind(record.body.clone()))
}

fn named(tenant: &Tenant) -> Sql {
    Sql::default().bind(tenant.as_str().to_owned())
}

fn read(row: &Row) -> DbResult<OtherRecord> {
    Ok(OtherRecord {
        kind: get(row, 0)?,
        key: get(row, 1)?,
        revision: Revision::new(uint(get(row, 2)?)?),
        created: time(get(row, 3)?)?,
        updated: time(get(row, 4)?)?,
        body: get(row, 5)?,
    })
}

struct WriteRecords {
    tenant: Tenant,
    changes: Vec<RecordChange>,
    now: Timestamp,
}

#[async_trait]
impl Change for WriteRecords {
    type Answer = Vec<OtherRecord>;

    async fn make(&self, tx: &mut Tx) -> DbResult<Commit<Vec<OtherRecord>>> {
        let (kinds, keys) = self.names(|_| true);
        let make_tenant = Sql::new("SELECT filestore.make_tenant($1)").then(named(&self.tenant));
        let lock = format!(
            "SELECT {COLUMNS} FROM filestore.record WHERE tenant = {TENANT} \
             AND (kind, key) IN (SELECT * FROM unnest($2, $3)) ORDER BY kind, key FOR UPDATE"
        );
        let lock = Sql::new(lock).then(named(&self.tenant)).bind(kinds).bind(keys);
        let rows = tx.fly(vec![make_tenant, lock]).await?.nth(1).unwrap_or_default();
        let there = rows.iter().map(read).collect::<DbResult<Vec<_>>>()?;
        let records = self.decide(&there)?;
        Ok(Commit::known(self.statements(&records)?, records))
    }
}

impl WriteRecords {
    /// Carries out every change that can be, so that all that cannot be are known.
    fn decide(&self, there: &[OtherRecord]) -> Result<Vec<OtherRecord>> {
        let there: HashMap<_, _> =
            there.iter().map(|it| ((it.kind.as_str(), it.key.as_str()), it)).collect();
        let mut records = Vec::with_capacity(self.changes.len());
        let mut refused = Vec::new();
        for (index, change) in self.changes.iter().enumerate() {
            let old = there.get(&(change.kind.as_str(), change.key.as_str())).copied();
            match change.applied_to(old, self.now) {
                Ok(record) => records.push(record),
                Err(error) => refused.push(ItemError { index, kind: error.kind() }),
            }
        }
        if !refused.is_empty() {
            return Err(Error::of_items(refused, "records were not as expected"));
        }
        Ok(records)
    }

    /// Where another transaction inserts one of the records meanwhile, an index refuses this one.
    fn statements(&self, records: &[OtherRecord]) -> DbResult<Vec<Sql>> {
        let mut all = Vec::new();
        let (kinds, keys) = self.names(|change| change.body.is_none());
        if !kinds.is_empty() {
            let delete = format!(
                "DELETE FROM filestore.record WHERE tenant = {TENANT} \
                 AND (kind, key) IN (SELECT * FROM unnest($2, $3))"
            );
            all.push(Sql::new(delete).then(named(&self.tenant)).bind(kinds).bind(keys));
        }
        let insert = format!(
            "INSERT INTO filestore.record (tenant, {COLUMNS}) \
             SELECT {TENANT}, u.* FROM unnest($2, $3, $4, $5, $6, $7) AS u"
        );
        let update = format!(
            "UPDATE filestore.record r SET revision = u.revision, updated = u.updated, \
                 body = u.body FROM unnest($2, $3, $4, $5, $6, $7) AS u ({COLUMNS}) \
             WHERE r.tenant = {TENANT} AND r.kind = u.kind AND r.key = u.key"
        );
        for (text, is_new) in [(update, false), (insert, true)] {
            let written = self.changes.iter().zip(records).filter(|(change, record)| {
                change.body.is_some() && (record.revision == Revision::FIRST) == is_new
            });
            let written: Vec<_> = written.map(|(_, record)| record).collect();
            if written.is_empty() {
                continue;
            }
            let texts = |of: fn(&OtherRecord) -> &String| -> Vec<String> {
                written.iter().map(|record| of(record).clone()).collect()
            };
            let revisions = written.iter().map(|record| int(record.revision.get()));
            let sql = Sql::new(text)
                .then(named(&self.tenant))
                .bind(texts(|record| &record.kind))
                .bind(texts(|record| &record.key))
                .bind(revisions.collect::<DbResult<Vec<_>>>()?)
                .bind(written.iter().map(|record| millis(record.created)).collect::<Vec<_>>())
                .bind(written.iter().map(|record| millis(record.updated)).collect::<Vec<_>>())
                .bind(texts(|record| &record.body));
            all.push(sql);
        }
        Ok(all)
    }

    fn names(&self, which: impl Fn(&RecordChange) -> bool) -> (Vec<String>, Vec<String>) {
        let chosen = self.changes.iter().filter(|change| which(change));
        chosen.map(|change| (change.kind.clone(), change.key.clone())).unzip()
    }
}

struct NextNumber {
    tenant: Tenant,
    counter: String,
}

#[async_trait]
impl Change for NextNumber {
    type Answer = Option<i64>;

    async fn make(&self, _: &mut Tx) -> DbResult<Commit<Option<i64>>> {
        let make_tenant = Sql::new("SELECT filestore.make_tenant($1)").then(named(&self.tenant));
        let next = format!(
            "INSERT INTO filestore.counter AS c (tenant, name, value) VALUES ({TENANT}, $2, 1) \
             ON CONFLICT (tenant, name) DO UPDATE SET value = c.value + 1 WHERE c.value < $3 \
             RETURNING value"
        );
        let next = Sql::new(next)
            .then(named(&self.tenant))
            .bind(self.counter.clone())
            .bind(i64::from(i32::MAX));
        Ok(Commit::read(vec![make_tenant, next], |mut answers: Answers| {
            let rows = answers.nth(1).unwrap_or_default();
            rows.first().map(|row| get(row, 0)).transpose()
        }))
    }
}
