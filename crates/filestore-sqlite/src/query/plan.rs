//! Which index a list walks, and from where.

use filestore::Cond;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use super::cursor::{Cursor, Position};
use super::driver::{Driver, Order, drivers, is_exact};
use super::filter::Sql;
use crate::error::DbResult;
use crate::row::{CONTENT, FileRow};
use crate::sql::int;

/// Candidates are counted up to here. Fewer are sorted by number, whatever order they come in.
const COUNTED: i64 = 1000;

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

/// Chooses the driver with the fewest candidates for a first page.
pub(super) fn choose(db: &Connection, tenant: i64, conds: &[Cond]) -> DbResult<Walk> {
    let mut best: Option<(i64, Walk)> = None;
    let drivers = drivers(tenant, conds);
    let single = drivers.len() == 1;
    for (index, driver) in drivers.into_iter().enumerate() {
        let count = if single { COUNTED } else { candidates(db, &driver)? };
        let cost = (count, driver.rank);
        let is_better = best.as_ref().is_none_or(|(count, walk)| cost < (*count, walk.driver.rank));
        if !is_better || (driver.order == Order::Any && count >= COUNTED) {
            continue;
        }
        let sorted =
            driver.order == Order::Any || (driver.order != Order::Number && count < COUNTED);
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
    let counted = Sql::new("SELECT count(*) FROM (")
        .then(scanned("1", driver))
        .then(Sql::new(format!(" LIMIT {COUNTED})")));
    let mut statement = db.prepare_cached(&counted.text)?;
    Ok(statement.query_row(params_from_iter(&counted.params), |row| row.get(0))?)
}

/// Selects from the driver's index alone.
fn scanned(what: &str, driver: &Driver) -> Sql {
    Sql::new(format!("SELECT {what} FROM {} WHERE ", driver.scan))
        .then(driver.filter.clone())
        .and(start(driver))
}

/// Bounds the candidates from below.
fn start(driver: &Driver) -> Sql {
    match &driver.low {
        Some(low) => Sql::with(format!("{} >= ?", driver.column), [low.clone()]),
        None => Sql::new("1"),
    }
}

impl Walk {
    /// Whether its candidates are the files for which all conditions hold, and no others: then an
    /// index tells how many there are, and no file need be looked at.
    pub(super) fn covers(&self, conds: &[Cond]) -> bool {
        match conds {
            [] | [Cond::Number(_)] => true,
            // After all files by number, which are always the first driver.
            [one] => self.index == 1 && is_exact(one),
            _ => false,
        }
    }

    /// How many candidates there are.
    pub(super) fn counted(&self) -> Sql {
        scanned("count(*)", &self.driver)
    }

    /// `FROM … WHERE …`: the candidates from the walk's place on, with their content.
    ///
    /// There is one lower bound for the index: of two, SQLite might take the first page's, and read
    /// everything from there again.
    pub(super) fn candidates(&self) -> Sql {
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
        Sql::new(format!("FROM {} ", self.driver.scan))
            .then(self.driver.join.clone())
            .then(Sql::new(format!(" {CONTENT} WHERE ")))
            .then(self.driver.filter.clone())
            .and(bound)
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
