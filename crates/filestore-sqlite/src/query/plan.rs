//! Which index a list walks, and from where.

use filestore::Cond;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use super::cursor::{Cursor, Position};
use super::driver::{Driver, Order, drivers};
use super::filter::{MOST, Sql, numbered};
use crate::error::DbResult;
use crate::row::FileRow;
use crate::sql::int;

/// Candidates are counted up to here.
const COUNTED: i64 = 25_000;

/// Fewer candidates than this are sorted by number, whatever order they come in.
const SORTED: i64 = 1000;

/// Fewer candidates than this are not worth a look at other drivers.
const FEW: i64 = 20;

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

/// Chooses the driver with the fewest candidates. One that yields nothing but the files that are wanted,
/// in their order, reads no more rows than are shown: nothing is counted then.
pub(super) fn choose(
    db: &Connection,
    tenant: i64,
    conds: &[Cond],
    wanted: Wanted,
) -> DbResult<Walk> {
    let mut drivers = drivers(tenant, conds);
    if let Some(index) = drivers.iter().position(|driver| driver.is_all_of(conds)) {
        let driver = drivers.swap_remove(index);
        return Ok(Walk { driver, index, sorted: false, after: None });
    }
    let mut best: Option<(i64, Walk)> = None;
    let single = drivers.len() == 1;
    for (index, driver) in drivers.into_iter().enumerate() {
        let count = if single { COUNTED } else { candidates(db, &driver)? };
        let cost = (count, driver.rank);
        let is_better = best.as_ref().is_none_or(|(count, walk)| cost < (*count, walk.driver.rank));
        let is_too_much = driver.is_gathered && count >= COUNTED && wanted == Wanted::Page;
        if !is_better || is_too_much {
            continue;
        }
        let sorted = driver.order != Order::Number && count < SORTED;
        let walk = Walk { driver, index, sorted, after: None };
        best = Some((count, walk));
        if count < FEW {
            break;
        }
    }
    let (_, walk) = best.ok_or_else(|| filestore::Error::internal("no driver for a list"))?;
    Ok(walk)
}

/// Goes on where a page ended. The choice of its first page stands, so that no row comes twice.
pub(super) fn resume(tenant: i64, conds: &[Cond], cursor: Cursor) -> DbResult<Walk> {
    let invalid = || filestore::Error::invalid("the cursor is not from this list");
    let Cursor { driver: index, position } = cursor;
    let driver = drivers(tenant, conds).into_iter().nth(index).ok_or_else(invalid)?;
    let sorted = match (&driver.order, &position) {
        (Order::Number, Position::Number(_))
        | (Order::Key, Position::Key(..))
        | (Order::Row, Position::Row(_)) => false,
        (_, Position::Number(_)) => true,
        _ => return Err(invalid().into()),
    };
    Ok(Walk { driver, index, sorted, after: Some(position) })
}

fn candidates(db: &Connection, driver: &Driver) -> DbResult<i64> {
    let counted = Sql::new("SELECT count(*) FROM (SELECT 1 FROM ")
        .then(driver.scan.clone())
        .then(Sql::new(" WHERE "))
        .then(driver.filter.clone())
        .and(start(driver))
        .then(Sql::new(format!(" LIMIT {COUNTED})")));
    let mut statement = db.prepare_cached(&counted.text)?;
    Ok(statement.query_row(params_from_iter(&counted.params), |row| row.get(0))?)
}

/// Bounds the candidates from below.
fn start(driver: &Driver) -> Sql {
    match &driver.low {
        Some(low) => Sql::with(format!("{} >= ?", driver.column), [low.clone()]),
        None => Sql::new("1"),
    }
}

impl Walk {
    /// How many files there are for which all conditions hold, when the index of the driver and
    /// that of terms tell without a look at the files.
    pub(super) fn counted(&self, tenant: i64, conds: &[Cond]) -> Option<Sql> {
        let others = conds.iter().enumerate().filter(|(at, _)| Some(*at) != self.driver.settles);
        let filters = others.map(|(_, cond)| numbered(tenant, self.driver.number?, cond));
        let filters = filters.collect::<Option<Vec<_>>>()?;
        let counted =
            Sql::new("SELECT count(*) ").then(self.scanned(Sql::default(), start(&self.driver)));
        (filters.len() <= MOST).then(|| counted.and_all(filters))
    }

    /// `FROM … WHERE …`: the candidates from the walk's place on, and what `join` adds to them.
    ///
    /// There is one lower bound for the index: of two, SQLite might take the first page's, and read
    /// everything from there again.
    pub(super) fn candidates(&self, join: &str) -> Sql {
        let column = self.driver.column;
        let bound = match &self.after {
            None => start(&self.driver),
            Some(Position::Number(after)) if self.sorted => {
                start(&self.driver).and(Sql::with("+f.number > ?", [Value::Integer(*after)]))
            }
            Some(Position::Number(after) | Position::Row(after)) => {
                Sql::with(format!("{column} > ?"), [Value::Integer(*after)])
            }
            Some(Position::Key(key, after)) => Sql::with(
                format!("({column}, f.number) > (?, ?)"),
                [key.clone(), Value::Integer(*after)],
            ),
        };
        let join = self.driver.join.clone().then(Sql::new(format!(" {join}")));
        self.scanned(join, bound)
    }

    /// `FROM … WHERE …`: the driver's candidates within a bound, each once.
    fn scanned(&self, join: Sql, bound: Sql) -> Sql {
        let Driver { scan, filter, column, .. } = &self.driver;
        let from = Sql::new("FROM ");
        if !self.driver.is_gathered {
            return from
                .then(scan.clone())
                .then(Sql::new(" "))
                .then(join)
                .then(Sql::new(" WHERE "))
                .then(filter.clone())
                .and(bound);
        }
        // With a limit the gathering stays a query of its own, of which rows are taken as needed:
        // SQLite would otherwise join all of them before it sorts.
        let (table, _) = column.split_once('.').unwrap_or_default();
        from.then(Sql::new(format!("(SELECT DISTINCT {column} FROM ")))
            .then(scan.clone())
            .then(Sql::new(" WHERE "))
            .then(filter.clone())
            .then(Sql::new(format!(" ORDER BY {column} LIMIT -1) {table} ")))
            .then(join)
            .then(Sql::new(" WHERE "))
            .then(bound)
    }

    /// What the rows are ordered by.
    pub(super) fn order(&self) -> String {
        let column = self.driver.column;
        match self.driver.order {
            _ if self.sorted => "f.number".to_owned(),
            Order::Key => format!("{column}, f.number"),
            _ => column.to_owned(),
        }
    }

    /// Where a row is in the walk; `key` is the place of the driver's column in it.
    pub(super) fn position(&self, row: &Row<'_>, key: usize, file: &FileRow) -> DbResult<Position> {
        let number = int(file.record.number.get())?;
        Ok(match self.driver.order {
            Order::Key if !self.sorted => Position::Key(row.get(key)?, number),
            Order::Row if !self.sorted => Position::Row(file.row),
            _ => Position::Number(number),
        })
    }
}
