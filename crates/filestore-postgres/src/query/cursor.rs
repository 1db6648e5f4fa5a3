//! Places in a list, as text: a letter for the kind, what the list was of, the driver, the place.

use filestore::{Cond, Digest, Error, Tenant};

use crate::error::DbResult;
use crate::sql::{Sql, is_text};

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
    Key(Key, i64),
}

/// What an index is over.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Key {
    Int(i64),
    Text(String),
}

impl Key {
    pub(super) fn bind_to(self, sql: Sql) -> Sql {
        match self {
            Self::Int(int) => sql.bind(int),
            Self::Text(text) => sql.bind(text),
        }
    }
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
        Position::Key(Key::Int(key), number) => format!("i{mark}-{driver}-{key}-{number}"),
        Position::Key(Key::Text(key), number) => {
            format!("t{mark}-{driver}-{}-{number}", hex::encode(key))
        }
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
        'i' => Position::Key(Key::Int(whole(fields.next()?)?), whole(fields.next()?)?),
        't' => Position::Key(Key::Text(decode(fields.next()?)?), whole(fields.next()?)?),
        _ => return None,
    };
    fields.next().is_none().then_some(Cursor { driver, position })
}

/// Positions are never negative: `-` stands between fields.
fn whole(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// Text that the database can have.
fn decode(hex: &str) -> Option<String> {
    String::from_utf8(hex::decode(hex).ok()?).ok().filter(|text| is_text(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: &str = "0123456789abcdef";

    #[test]
    fn cursors_are_read_as_they_were_written() {
        for position in [
            Position::Number(7),
            Position::Key(Key::Int(i64::MAX), 0),
            Position::Key(Key::Text("\u{1}é\u{10FFFF}".to_owned()), 3),
            Position::Key(Key::Text(String::new()), 3),
            Position::Key(Key::Text("\u{10FFFF}".repeat(64)), i64::MAX),
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
        for rest in ["-0-0g-1", "-0-abc-1", "-0-00-1", "-0-ff-1"] {
            assert!(parse(&format!("t{MARK}{rest}"), MARK).is_none(), "{rest}");
        }
        for text in ["", "n", "é"] {
            assert!(parse(text, MARK).is_none(), "{text}");
        }
    }
}
