//! Places in a list, as text: a letter for the kind, what the list was of, the driver, the place.

use filestore::{Cond, Digest, Error, Tenant};
use rusqlite::types::Value;

use crate::error::DbResult;

/// Where a walk goes on, and which driver walks.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cursor {
    /// Position of the driver in the list that [`plan`](super::plan) makes of the conditions.
    pub(super) driver: usize,
    pub(super) position: Position,
}

/// The place of the last row that was seen.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Position {
    /// In ascending order of numbers.
    Number(i64),
    /// In the order of a key, and of numbers where that is equal.
    Key(Value, i64),
    /// In the order of rows.
    Row(i64),
}

/// Tells lists with other conditions apart.
pub(super) fn fingerprint(tenant: &Tenant, conds: &[Cond]) -> String {
    let digest = Digest::of(format!("{tenant:?} {conds:?}").as_bytes());
    digest.to_string().chars().take(16).collect()
}

pub(super) fn write(cursor: &Cursor, mark: &str) -> DbResult<filestore::Cursor> {
    let driver = cursor.driver;
    let text = match &cursor.position {
        Position::Number(number) => format!("n{mark}-{driver}-{number}"),
        Position::Row(row) => format!("r{mark}-{driver}-{row}"),
        Position::Key(Value::Integer(key), number) => format!("i{mark}-{driver}-{key}-{number}"),
        Position::Key(Value::Blob(key), number) => {
            format!("b{mark}-{driver}-{}-{number}", hex::encode(key))
        }
        Position::Key(..) => return Err(Error::internal("an index has a key of no type").into()),
    };
    Ok(filestore::Cursor::new(text)?)
}

pub(super) fn read(cursor: &filestore::Cursor, mark: &str) -> DbResult<Cursor> {
    parse(cursor.as_str(), mark)
        .ok_or_else(|| Error::invalid("the cursor is not from this list").into())
}

fn parse(text: &str, mark: &str) -> Option<Cursor> {
    let kind = text.chars().next()?;
    let rest = text.get(1..)?.strip_prefix(mark)?.strip_prefix('-')?;
    let mut fields = rest.split('-');
    let driver = fields.next()?.parse().ok()?;
    let position = match kind {
        'n' => Position::Number(whole(fields.next()?)?),
        'r' => Position::Row(whole(fields.next()?)?),
        'i' => Position::Key(Value::Integer(whole(fields.next()?)?), whole(fields.next()?)?),
        'b' => {
            Position::Key(Value::Blob(hex::decode(fields.next()?).ok()?), whole(fields.next()?)?)
        }
        _ => return None,
    };
    fields.next().is_none().then_some(Cursor { driver, position })
}

/// Positions are never negative: `-` stands between fields.
fn whole(text: &str) -> Option<i64> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: &str = "0123456789abcdef";

    #[test]
    fn cursors_are_read_as_they_were_written() {
        for position in [
            Position::Number(7),
            Position::Row(1 << 50),
            Position::Key(Value::Integer(i64::MAX), 0),
            Position::Key(Value::Blob(vec![0, 0xff]), 3),
            Position::Key(Value::Blob(Vec::new()), 3),
            Position::Key(Value::Blob(vec![9; 128]), i64::MAX),
        ] {
            let cursor = Cursor { driver: 3, position };
            let text = write(&cursor, MARK).unwrap();
            assert_eq!(read(&text, MARK).unwrap(), cursor);
            assert!(read(&text, "another-list-000").is_err());
        }
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for rest in ["", "-", "-0", "-0-", "-0-x", "-x-0", "-0-1-2", "-99999999999999999999-1"] {
            assert!(parse(&format!("n{MARK}{rest}"), MARK).is_none(), "{rest}");
        }
        for text in ["", "n", "é", "b0123456789abcdef-0-0g-1", "b0123456789abcdef-0-abc-1"] {
            assert!(parse(text, MARK).is_none(), "{text}");
        }
    }
}
