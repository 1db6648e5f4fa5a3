//! Small helpers over prepared statements and values.

use filestore::{Error, Tenant, Timestamp};
use rusqlite::{Connection, Params, Row, params};

use crate::error::{DbResult, SqliteError};

/// The first row of a query, when there is one.
pub(crate) fn first<T>(
    db: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> DbResult<T>,
) -> DbResult<Option<T>> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    rows.next()?.map(read).transpose()
}

/// All rows of a query.
pub(crate) fn all<T>(
    db: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> DbResult<T>,
) -> DbResult<Vec<T>> {
    let mut statement = db.prepare_cached(sql)?;
    statement.query_and_then(params, read)?.collect()
}

/// Whether a query has a row.
pub(crate) fn exists(db: &Connection, sql: &str, params: impl Params) -> DbResult<bool> {
    Ok(db.prepare_cached(sql)?.exists(params)?)
}

/// Runs a change and tells how many rows it touched.
pub(crate) fn change(db: &Connection, sql: &str, params: impl Params) -> DbResult<usize> {
    Ok(db.prepare_cached(sql)?.execute(params)?)
}

/// What ids after this one are greater than; without one, all are greater than no bytes.
pub(crate) fn past(after: Option<&[u8; 16]>) -> Vec<u8> {
    after.map_or_else(Vec::new, |id| id.to_vec())
}

/// A count as a column holds it.
pub(crate) fn int(value: u64) -> DbResult<i64> {
    i64::try_from(value).map_err(|_| Error::invalid("a number is greater than 2^63-1").into())
}

/// A count from a column.
pub(crate) fn uint(value: i64) -> DbResult<u64> {
    u64::try_from(value).map_err(|_| SqliteError::Damaged("a negative count"))
}

/// A time as a column holds it; [`Timestamp::MAX`] fits.
pub(crate) fn millis(time: Timestamp) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// A time from a column.
pub(crate) fn time(millis: i64) -> DbResult<Timestamp> {
    Ok(Timestamp::from_millis(uint(millis)?))
}

/// The number of a tenant that has anything stored.
pub(crate) fn tenant(db: &Connection, tenant: &Tenant) -> DbResult<Option<i64>> {
    first(db, "SELECT number FROM tenant WHERE name = ?", params![tenant.as_str()], |row| {
        Ok(row.get(0)?)
    })
}

/// The number of a tenant, which gets one when it has none yet.
pub(crate) fn make_tenant(db: &Connection, name: &Tenant) -> DbResult<i64> {
    if let Some(number) = tenant(db, name)? {
        return Ok(number);
    }
    change(db, "INSERT INTO tenant (name) VALUES (?)", params![name.as_str()])?;
    Ok(db.last_insert_rowid())
}
