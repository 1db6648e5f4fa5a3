//! [`LedgerRepository`].

use std::time::Duration;

use async_trait::async_trait;
use filestore::backend::{BlobState, KnownBlob, LedgerRepository};
use filestore::{BlobKey, Result, StoreId};
use tokio_postgres::Row;

use crate::PostgresRepository;
use crate::commit::{Change, Commit, Made};
use crate::contents::PENDING;
use crate::error::{DbResult, PgError};
use crate::flight::Answers;
use crate::sql::{Id, Sql, digest, get, span, uint};
use crate::transaction::Tx;

#[async_trait]
impl LedgerRepository for PostgresRepository {
    async fn store_id(&self) -> Result<StoreId> {
        let row = self.first(Sql::new("SELECT id FROM filestore.store")).await?;
        let row = row.ok_or(PgError::Damaged("a store without an id"))?;
        Ok(StoreId::from_bytes(get::<Id>(&row, 0)?.0))
    }

    async fn ready(&self) -> Result<()> {
        self.commit_known(Statements(Vec::new())).await
    }

    async fn pend(&self, key: BlobKey, ttl: Duration) -> Result<()> {
        let pend = Sql::new("SELECT filestore.pend($1, $2, $3)");
        let pend = pend.bind(Id::from(key)).bind(span(ttl)).bind(self.given_now());
        self.commit_known(Statements(vec![pend])).await
    }

    async fn renew(&self, key: BlobKey, ttl: Duration) -> Result<()> {
        let renew = "WITH made AS (UPDATE filestore.ledger SET at = filestore.now($3) + $2 \
                 WHERE key = $1 AND state = 0 RETURNING 1) \
             SELECT filestore.must(EXISTS (SELECT 1 FROM made), 'FSCON', \
                 'the key is not pending any more')";
        let renew = Sql::new(renew).bind(Id::from(key)).bind(span(ttl)).bind(self.given_now());
        self.commit_known(Statements(vec![renew])).await
    }

    async fn claim(
        &self,
        keep_deleted: Duration,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<BlobKey>> {
        let now = self.given_now();
        match self.commit(Claim { keep_deleted, lease, limit, now }).await? {
            Made::Answered(keys) => Ok(keys),
            // Whichever they are, they come again when the lease is over.
            Made::Silently => Ok(Vec::new()),
        }
    }

    async fn settle(&self, keys: &[BlobKey]) -> Result<()> {
        let settle = "DELETE FROM filestore.ledger WHERE key = ANY($1) AND state = 2";
        self.commit_known(Statements(vec![Sql::new(settle).bind(ids(keys))])).await
    }

    async fn known(&self, after: Option<BlobKey>, limit: u32) -> Result<Vec<KnownBlob>> {
        let known = "(SELECT key, NULL::smallint, size, sha256, content FROM filestore.segment \
                 WHERE key IS NOT NULL AND ($1::uuid IS NULL OR key > $1) ORDER BY key LIMIT $2) \
             UNION ALL (SELECT key, state, NULL, NULL, NULL FROM filestore.ledger \
                 WHERE $1::uuid IS NULL OR key > $1 ORDER BY key LIMIT $2) \
             ORDER BY key LIMIT $2";
        let known = Sql::new(known).bind(after.map(Id::from)).bind(i64::from(limit));
        Ok(self.rows(known).await?.iter().map(read).collect::<DbResult<_>>()?)
    }

    async fn collect(&self, keys: &[BlobKey]) -> Result<()> {
        let collect = "INSERT INTO filestore.ledger (key, state, at) \
             SELECT k, 1, filestore.now($2) FROM unnest($1) k \
             WHERE NOT EXISTS (SELECT 1 FROM filestore.segment WHERE key = k) \
             ON CONFLICT DO NOTHING";
        // A key that left pending while the first statement waited for it has a segment that only
        // this one sees.
        let spare = "DELETE FROM filestore.ledger l USING filestore.segment s \
             WHERE l.key = ANY($1) AND s.key = l.key";
        let collect = Sql::new(collect).bind(ids(keys)).bind(self.given_now());
        let spare = Sql::new(spare).bind(ids(keys));
        self.commit_known(Statements(vec![collect, spare])).await
    }
}

/// Statements that refuse what is to be refused, and answer nothing.
pub(crate) struct Statements(pub(crate) Vec<Sql>);

#[async_trait]
impl Change for Statements {
    type Answer = ();

    async fn make(&self, _: &mut Tx) -> DbResult<Commit<()>> {
        Ok(Commit::known(self.0.clone(), ()))
    }
}

struct Claim {
    keep_deleted: Duration,
    lease: Duration,
    limit: u32,
    now: Option<i64>,
}

#[async_trait]
impl Change for Claim {
    type Answer = Vec<BlobKey>;

    /// What another sweep, or a commit, has hold of is passed over: nobody waits.
    async fn make(&self, _: &mut Tx) -> DbResult<Commit<Vec<BlobKey>>> {
        let due = |state: i16, before: &str, limit: &str| {
            format!(
                "SELECT key FROM filestore.ledger WHERE state = {state} AND at <= {before} \
                 ORDER BY at LIMIT {limit} FOR UPDATE SKIP LOCKED"
            )
        };
        let (now, two) = ("filestore.now($1)", "(SELECT count(*) FROM pending)");
        let claim = format!(
            "WITH pending AS MATERIALIZED ({}), garbage AS MATERIALIZED ({}), \
                 claimed AS MATERIALIZED ({}), \
                 due AS (SELECT * FROM pending UNION ALL SELECT * FROM garbage \
                     UNION ALL SELECT * FROM claimed) \
             UPDATE filestore.ledger l SET state = 2, at = {now} + $3 FROM due \
             WHERE l.key = due.key RETURNING l.key",
            due(PENDING, now, "$4"),
            due(1, &format!("{now} - $2"), &format!("$4 - {two}")),
            due(2, now, &format!("$4 - {two} - (SELECT count(*) FROM garbage)")),
        );
        let claim = Sql::new(claim)
            .bind(self.now)
            .bind(span(self.keep_deleted))
            .bind(span(self.lease))
            .bind(i64::from(self.limit));
        Ok(Commit::read(vec![claim], |mut answers: Answers| {
            let rows = answers.next().unwrap_or_default();
            rows.iter().map(|row| Ok(get::<Id>(row, 0)?.into())).collect()
        }))
    }
}

fn ids(keys: &[BlobKey]) -> Vec<Id> {
    keys.iter().map(|key| Id::from(*key)).collect()
}

fn read(row: &Row) -> DbResult<KnownBlob> {
    let state = match get::<Option<i16>>(row, 1)? {
        None => BlobState::Live {
            size: uint(get(row, 2)?)?,
            sha256: digest(get(row, 3)?)?,
            content: get::<Id>(row, 4)?.into(),
        },
        Some(PENDING) => BlobState::Pending,
        Some(_) => BlobState::Garbage,
    };
    Ok(KnownBlob { key: get::<Id>(row, 0)?.into(), state })
}
