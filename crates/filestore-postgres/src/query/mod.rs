//! Lists and counts.
//!
//! A [driver](plan) yields candidates in the order of one index. The other conditions are a
//! [filter](filter) over each row; [`Cond::matches`] has the last word in any case.

mod cursor;
mod driver;
mod filter;
mod plan;

use filestore::{Cond, Error, FileQuery, FileRecord, Page, Tenant};

use self::cursor::Cursor;
use self::filter::{filters, never};
use self::plan::{Walk, Wanted};
use crate::PostgresRepository;
use crate::error::DbResult;
use crate::row::{self, COLUMN_COUNT, COLUMNS, CONTENT};
use crate::sql::{Sql, get, uint};

/// A page of the records for which all conditions of `query` hold.
pub(crate) async fn list(
    repository: &PostgresRepository,
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
    if query.all.iter().any(never) {
        return Ok(page);
    }
    let walk = match after {
        Some(cursor) => plan::resume(tenant, &query.all, cursor)?,
        None => plan::choose(repository, tenant, &query.all, Wanted::Page).await?,
    };
    let rows =
        repository.rows(page_of(tenant, &query.all, &walk, i64::from(query.limit) + 1)).await?;
    for row in rows.iter().take(limit) {
        let file = row::read(row)?;
        if query.all.iter().all(|cond| cond.matches(&file)) {
            page.items.push(file);
        }
    }
    if let Some(last) = rows.get(limit - 1).filter(|_| rows.len() > limit) {
        let position = walk.position(last, COLUMN_COUNT)?;
        page.next = Some(cursor::write(&Cursor { driver: walk.index, position }, &mark)?);
    }
    Ok(page)
}

/// How many records there are for which all of `conds` hold.
pub(crate) async fn count(
    repository: &PostgresRepository,
    tenant: &Tenant,
    conds: &[Cond],
) -> DbResult<u64> {
    if conds.iter().any(never) {
        return Ok(0);
    }
    let walk = plan::choose(repository, tenant, conds, Wanted::All).await?;
    let filters = filters(tenant, conds, walk.driver.settles);
    let joined = if filters.is_empty() { Sql::default() } else { walk.files(tenant) };
    let counted = Sql::new("SELECT count(*) ").then(walk.candidates(joined)).and_all(filters);
    let row = repository.first(counted).await?;
    row.map_or(Ok(0), |row| uint(get(&row, 0)?))
}

/// So many rows from the walk's place on that the filters let through, in its order.
fn page_of(tenant: &Tenant, conds: &[Cond], walk: &Walk, limit: i64) -> Sql {
    let key = &walk.driver.column;
    Sql::new(format!("SELECT {COLUMNS}, f.number, {key} "))
        .then(walk.candidates(walk.files(tenant).then(Sql::new(CONTENT))))
        .and_all(filters(tenant, conds, walk.driver.settles))
        .then(Sql::new(format!(" ORDER BY {} LIMIT ?", walk.order())))
        .bind(limit)
}

#[cfg(test)]
mod tests;
