//! Which index a list walks, and from where.

use filestore::{Cond, Error, Tenant};
use tokio_postgres::Row;

use super::cursor::{Cursor, Key, Position};
use super::driver::{Driver, Order, drivers};
use super::filter::tenant_number;
use crate::PostgresRepository;
use crate::error::{DbResult, PgError};
use crate::sql::{Sql, get};

/// Candidates are counted up to here.
const COUNTED: i64 = 10_000;

/// Fewer candidates than this are sorted by number, whatever order they come in.
const SORTED: i64 = 1000;

/// A driver on its way.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) driver: Driver,
    /// Its position in the list that the conditions make.
    pub(super) index: usize,
    /// Whether all candidates are sorted by number; otherwise they come in the driver's own order.
    sorted: bool,
    after: Option<Position>,
}

/// What candidates are wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A page of them: a driver that would gather too many for it is not taken.
    Page,
    /// All.
    All,
}

/// Chooses the driver with the fewest candidates. Those of all are counted in one round trip, where
/// there is anything to be chosen.
pub(super) async fn choose(
    repository: &PostgresRepository,
    tenant: &Tenant,
    conds: &[Cond],
    wanted: Wanted,
) -> DbResult<Walk> {
    let drivers = drivers(tenant, conds);
    let limits = limits(&drivers, conds);
    let counted = drivers.iter().zip(&limits).filter(|(_, limit)| **limit > 0);
    let flight: Vec<_> = counted.map(|(driver, limit)| candidates(driver, *limit)).collect();
    let mut rows = Vec::new();
    if !flight.is_empty() {
        rows.extend(repository.read(&flight).await?.flatten());
    }
    let mut rows = rows.iter();
    let counts = limits.iter().map(|limit| match limit {
        0 => Ok(COUNTED),
        _ => get(rows.next().ok_or(PgError::Damaged("no count"))?, 0),
    });
    let counts = counts.collect::<DbResult<Vec<i64>>>()?;
    let mut best: Option<(i64, Walk)> = None;
    for ((index, driver), count) in drivers.into_iter().enumerate().zip(counts) {
        let cost = (count, driver.rank);
        let is_better = best.as_ref().is_none_or(|(count, walk)| cost < (*count, walk.driver.rank));
        let is_too_much = driver.is_gathered && count >= COUNTED && wanted == Wanted::Page;
        if !is_better || is_too_much {
            continue;
        }
        let sorted = driver.order != Order::Number && count < SORTED;
        best = Some((count, Walk { driver, index, sorted, after: None }));
    }
    let (_, walk) = best.ok_or_else(|| Error::internal("no driver for a list"))?;
    Ok(walk)
}

/// How far the candidates of each driver are counted: no further than it makes a difference, and not
/// at all where it makes none.
fn limits(drivers: &[Driver], conds: &[Cond]) -> Vec<i64> {
    let has_bounds = conds.iter().any(|cond| matches!(cond, Cond::Number(_)));
    let choice = drivers.len() - usize::from(!has_bounds);
    let limit = |(index, driver): (usize, &Driver)| match driver.order {
        _ if choice > 1 && (index > 0 || has_bounds) => COUNTED,
        // Of all files there are no fewer than of others, unless their numbers are bounded.
        _ if index == 0 => 0,
        _ if driver.is_gathered => COUNTED,
        Order::Number => 0,
        Order::Key => SORTED,
    };
    drivers.iter().enumerate().map(limit).collect()
}

/// Goes on where a page ended. The choice of its first page stands, so that no row comes twice.
pub(super) fn resume(tenant: &Tenant, conds: &[Cond], cursor: Cursor) -> DbResult<Walk> {
    let invalid = || Error::invalid("the cursor is not from this list");
    let Cursor { driver: index, position } = cursor;
    let driver = drivers(tenant, conds).into_iter().nth(index).ok_or_else(invalid)?;
    let sorted = match (driver.order, &driver.low, &position) {
        (Order::Number, _, Position::Number(_)) => false,
        (Order::Key, _, Position::Number(_)) => true,
        (Order::Key, Some(Key::Int(_)), Position::Key(Key::Int(_), _))
        | (Order::Key, Some(Key::Text(_)), Position::Key(Key::Text(_), _)) => false,
        _ => return Err(invalid().into()),
    };
    Ok(Walk { driver, index, sorted, after: Some(position) })
}

fn candidates(driver: &Driver, limit: i64) -> Sql {
    Sql::new("SELECT count(*) FROM (SELECT 1 FROM ")
        .then(driver.scan.clone())
        .then(Sql::new(" WHERE "))
        .then(driver.filter.clone())
        .and(start(driver))
        .then(Sql::new(" LIMIT ?) c").bind(limit))
}

/// Bounds the candidates from below.
fn start(driver: &Driver) -> Sql {
    let bound = Sql::new(format!("{} >= ?", driver.column));
    match driver.low.clone() {
        Some(low) => low.bind_to(bound),
        None => Sql::new("true"),
    }
}

impl Walk {
    /// `FROM … WHERE …`: the candidates from the walk's place on, and what is joined to them.
    pub(super) fn candidates(&self, joined: Sql) -> Sql {
        let Driver { scan, filter, column, .. } = &self.driver;
        let bound = match &self.after {
            None => start(&self.driver),
            Some(Position::Number(after)) if self.sorted => {
                start(&self.driver).and(Sql::new("f.number > ?").bind(*after))
            }
            Some(Position::Number(after)) => Sql::new(format!("{column} > ?")).bind(*after),
            Some(Position::Key(key, after)) => {
                let bound = Sql::new(format!("({column}, f.number) > (?, ?)"));
                key.clone().bind_to(bound).bind(*after)
            }
        };
        Sql::new("FROM ")
            .then(scan.clone())
            .then(Sql::new(" "))
            .then(joined)
            .then(Sql::new(" WHERE "))
            .then(filter.clone())
            .and(bound)
    }

    /// Leads from what was scanned to `f`, each file looked up by itself. Without the offset
    /// PostgreSQL may merge or hash the two, for which it would read all files of the tenant, or, as
    /// long as it knows nothing of a new table, whatever comes to its mind.
    pub(super) fn files(&self, tenant: &Tenant) -> Sql {
        let Some(found_in) = self.driver.found_in else { return Sql::default() };
        Sql::new("CROSS JOIN LATERAL (SELECT * FROM filestore.file f WHERE f.tenant = ")
            .then(tenant_number(tenant))
            .then(Sql::new(format!(" AND f.number = {found_in}.number OFFSET 0) f ")))
    }

    /// What the rows are ordered by.
    pub(super) fn order(&self) -> String {
        let column = &self.driver.column;
        match self.driver.order {
            _ if self.sorted => "f.number".to_owned(),
            Order::Key => format!("{column}, f.number"),
            Order::Number => column.clone(),
        }
    }

    /// Where a row is in the walk; its number is at this place, and the driver's column behind it.
    pub(super) fn position(&self, row: &Row, number: usize) -> DbResult<Position> {
        let (number, key) = (get(row, number)?, number + 1);
        Ok(match (self.driver.order, &self.driver.low) {
            (Order::Key, Some(Key::Int(_))) if !self.sorted => {
                Position::Key(Key::Int(get(row, key)?), number)
            }
            (Order::Key, _) if !self.sorted => Position::Key(Key::Text(get(row, key)?), number),
            _ => Position::Number(number),
        })
    }
}
