//! [`LedgerRepository`].

use std::time::Duration;

use async_trait::async_trait;
use filestore::backend::{BlobState, KnownBlob, LedgerRepository};
use filestore::{BlobKey, ContentId, Digest, Error, ErrorKind, Result, StoreId, Timestamp};
use rusqlite::{Connection, Row, params};

use crate::SqliteRepository;
use crate::contents::{CLAIMED, GARBAGE, PENDING};
use crate::error::{DbResult, SqliteError};
use crate::sql::{all, change, exists, first, millis, past, uint};

#[async_trait]
impl LedgerRepository for SqliteRepository {
    async fn store_id(&self) -> Result<StoreId> {
        let id = self.look_up(|db| {
            first(db, "SELECT id FROM store", [], |row| Ok(StoreId::from_bytes(row.get(0)?)))
        })?;
        id.ok_or_else(|| SqliteError::Damaged("a store id").into())
    }

    async fn ready(&self) -> Result<()> {
        self.free(|_| Ok(())).await
    }

    async fn pend(&self, key: BlobKey, ttl: Duration) -> Result<()> {
        self.commit(move |work| pend(work.db, key, work.now.after(ttl))).await
    }

    async fn renew(&self, key: BlobKey, ttl: Duration) -> Result<()> {
        self.commit(move |work| renew(work.db, key, work.now.after(ttl))).await
    }

    async fn claim(
        &self,
        keep_deleted: Duration,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<BlobKey>> {
        self.free(move |work| {
            let deleted = work.now.before(keep_deleted);
            claim(work.db, work.now, deleted, work.now.after(lease), limit)
        })
        .await
    }

    async fn settle(&self, keys: &[BlobKey]) -> Result<()> {
        let keys = keys.to_vec();
        self.free(move |work| settle(work.db, &keys)).await
    }

    async fn known(&self, after: Option<BlobKey>, limit: u32) -> Result<Vec<KnownBlob>> {
        self.scan(move |db| known(db, after, limit)).await
    }

    async fn collect(&self, keys: &[BlobKey]) -> Result<()> {
        let keys = keys.to_vec();
        self.commit(move |work| collect(work.db, &keys, work.now)).await
    }
}

fn pend(db: &Connection, key: BlobKey, deadline: Timestamp) -> DbResult<()> {
    let taken = || Error::new(ErrorKind::AlreadyExists, "the key is in use");
    if exists(db, "SELECT 1 FROM segment WHERE key = ?", params![key.as_bytes()])? {
        return Err(taken().into());
    }
    let inserted = change(
        db,
        "INSERT INTO ledger (key, state, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        params![key.as_bytes(), PENDING, millis(deadline)],
    )?;
    if inserted == 0 {
        return Err(taken().into());
    }
    Ok(())
}

fn renew(db: &Connection, key: BlobKey, deadline: Timestamp) -> DbResult<()> {
    let renewed = change(
        db,
        "UPDATE ledger SET at = ? WHERE key = ? AND state = ?",
        params![millis(deadline), key.as_bytes(), PENDING],
    )?;
    if renewed == 0 {
        return Err(Error::conflict("the key is not pending any more").into());
    }
    Ok(())
}

fn claim(
    db: &Connection,
    now: Timestamp,
    deleted: Timestamp,
    lease: Timestamp,
    limit: u32,
) -> DbResult<Vec<BlobKey>> {
    let mut claimed = Vec::new();
    for (state, due) in [(PENDING, now), (GARBAGE, deleted), (CLAIMED, now)] {
        let left = i64::from(limit) - claimed.len() as i64;
        claimed.extend(all(
            db,
            "SELECT key FROM ledger WHERE state = ? AND at <= ? ORDER BY at LIMIT ?",
            params![state, millis(due), left],
            key,
        )?);
    }
    for key in &claimed {
        change(
            db,
            "UPDATE ledger SET state = ?, at = ? WHERE key = ?",
            params![CLAIMED, millis(lease), key.as_bytes()],
        )?;
    }
    Ok(claimed)
}

fn settle(db: &Connection, keys: &[BlobKey]) -> DbResult<()> {
    for key in keys {
        change(
            db,
            "DELETE FROM ledger WHERE key = ? AND state = ?",
            params![key.as_bytes(), CLAIMED],
        )?;
    }
    Ok(())
}

fn known(db: &Connection, after: Option<BlobKey>, limit: u32) -> DbResult<Vec<KnownBlob>> {
    let after = past(after.as_ref().map(BlobKey::as_bytes));
    all(
        db,
        "SELECT key, NULL AS state, size, sha256, content FROM segment \
             WHERE key IS NOT NULL AND key > ?1 \
         UNION ALL SELECT key, state, NULL, NULL, NULL FROM ledger WHERE key > ?1 \
         ORDER BY key LIMIT ?2",
        params![after, limit],
        |row| Ok(KnownBlob { key: key(row)?, state: state(row)? }),
    )
}

fn collect(db: &Connection, keys: &[BlobKey], now: Timestamp) -> DbResult<()> {
    for key in keys {
        change(
            db,
            "INSERT INTO ledger (key, state, at) SELECT ?1, ?2, ?3 \
             WHERE NOT EXISTS (SELECT 1 FROM segment WHERE key = ?1) ON CONFLICT DO NOTHING",
            params![key.as_bytes(), GARBAGE, millis(now)],
        )?;
    }
    Ok(())
}

fn key(row: &Row<'_>) -> DbResult<BlobKey> {
    Ok(BlobKey::from_bytes(row.get(0)?))
}

fn state(row: &Row<'_>) -> DbResult<BlobState> {
    match row.get::<_, Option<u8>>(1)? {
        None => Ok(BlobState::Live {
            size: uint(row.get(2)?)?,
            sha256: Digest::from_bytes(row.get(3)?),
            content: ContentId::from_bytes(row.get(4)?),
        }),
        Some(PENDING) => Ok(BlobState::Pending),
        Some(_) => Ok(BlobState::Garbage),
    }
}
