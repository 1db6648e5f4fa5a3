//! Lists and counts.
//!
//! A [driver](plan) yields candidates in the order of one index. The other conditions are checked on
//! each row: by SQLite where a [filter](filter) says it, and by [`Cond::matches`] in any case.

mod cursor;
mod driver;
mod filter;
mod plan;

use filestore::{Cond, Error, FileQuery, FileRecord, Page, Tenant};
use rusqlite::{Connection, params_from_iter};

use self::cursor::Cursor;
use self::filter::{Sql, filters, never};
use self::plan::{Walk, Wanted};
use crate::error::DbResult;
use crate::row::{self, COLUMN_COUNT, COLUMNS, CONTENT};
use crate::sql::{self, uint};

/// A page of the records for which all conditions of `query` hold.
pub(crate) fn list(
    db: &Connection,
    tenant: &Tenant,
    query: &FileQuery,
) -> DbResult<Page<FileRecord>> {
    if !(1..=FileQuery::MAX_LIMIT).contains(&query.limit) {
        return Err(Error::invalid("a page holds 1 to 1000 records").into());
    }
    let limit = query.limit as usize;
    let mark = cursor::fingerprint(tenant, &query.all);
    let after = query.after.as_ref();
    let after = after.map(|text| cursor::read(text, &mark)).transpose()?;
    let mut page = Page { items: Vec::new(), next: None };
    let Some(tenant) = sql::tenant(db, tenant)? else {
        return Ok(page);
    };
    if query.all.iter().any(never) {
        return Ok(page);
    }
    let walk = match after {
        Some(cursor) => plan::resume(tenant, &query.all, cursor)?,
        None => plan::choose(db, tenant, &query.all, Wanted::Page)?,
    };
    let rows = rows(tenant, &query.all, &walk);
    let mut statement = db.prepare_cached(&rows.text)?;
    let mut rows = statement.query(params_from_iter(&rows.params))?;
    let mut last = None;
    while let Some(row) = rows.next()? {
        let file = row::read(row)?;
        if !query.all.iter().all(|cond| cond.matches(&file.record)) {
            continue;
        }
        if page.items.len() == limit {
            let position = last.ok_or_else(|| Error::internal("a full page is empty"))?;
            let driver = walk.index;
            page.next = Some(cursor::write(&Cursor { driver, position }, &mark)?);
            break;
        }
        last = Some(walk.position(row, COLUMN_COUNT, &file)?);
        page.items.push(file.record);
    }
    Ok(page)
}

/// How many records there are for which all of `conds` hold.
pub(crate) fn count(db: &Connection, tenant: &Tenant, conds: &[Cond]) -> DbResult<u64> {
    let Some(tenant) = sql::tenant(db, tenant)? else {
        return Ok(0);
    };
    if conds.iter().any(never) {
        return Ok(0);
    }
    let walk = plan::choose(db, tenant, conds, Wanted::All)?;
    if let Some(counted) = walk.counted(tenant, conds) {
        return number(db, &counted);
    }
    let (filters, rest) = filters(tenant, conds);
    if rest.is_empty() {
        let counted = Sql::new("SELECT count(*) ").then(walk.candidates("")).and_all(filters);
        return number(db, &counted);
    }
    let rows = rows(tenant, conds, &walk);
    let mut statement = db.prepare_cached(&rows.text)?;
    let mut rows = statement.query(params_from_iter(&rows.params))?;
    let mut counted = 0;
    while let Some(row) = rows.next()? {
        let record = row::read(row)?.record;
        counted += u64::from(rest.iter().all(|cond| cond.matches(&record)));
    }
    Ok(counted)
}

/// The one number that `sql` asks for.
fn number(db: &Connection, sql: &Sql) -> DbResult<u64> {
    let mut statement = db.prepare_cached(&sql.text)?;
    uint(statement.query_row(params_from_iter(&sql.params), |row| row.get(0))?)
}

/// All rows from the walk's place on that the filters let through, in its order.
fn rows(tenant: i64, conds: &[Cond], walk: &Walk) -> Sql {
    let (filters, _) = filters(tenant, conds);
    let key = walk.driver.column;
    Sql::new(format!("SELECT {COLUMNS}, {key} "))
        .then(walk.candidates(CONTENT))
        .and_all(filters)
        .then(Sql::new(format!(" ORDER BY {}", walk.order())))
}

#[cfg(test)]
mod tests;
