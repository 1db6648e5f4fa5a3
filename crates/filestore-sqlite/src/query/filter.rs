//! Conditions as SQL over the row `f` of a file.
//!
//! Every column has a `+` before it: it keeps SQLite from walking an index for the filter, which is
//! the driver's to choose.

use filestore::backend::TermHash;
use filestore::{Cond, NameMatch, TextField, TimeField, prefix_bound, runs};
use rusqlite::types::Value;

use crate::index::KEY_LEN;
use crate::sql::millis;

/// Conditions that are said in SQL at most; SQLite bounds the depth of an expression.
pub(super) const MOST: usize = 64;

/// A comparison with the hashes that [`json`] wrote.
pub(super) const HASHES: &str = "IN (SELECT unhex(value) FROM json_each(?))";

/// A piece of SQL and its parameters, in the order of their marks.
#[derive(Clone, Debug, Default)]
pub(super) struct Sql {
    pub(super) text: String,
    pub(super) params: Vec<Value>,
}

impl Sql {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), params: Vec::new() }
    }

    pub(super) fn with(text: impl Into<String>, params: impl IntoIterator<Item = Value>) -> Self {
        Self { text: text.into(), params: params.into_iter().collect() }
    }

    pub(super) fn then(mut self, more: Self) -> Self {
        self.text.push_str(&more.text);
        self.params.extend(more.params);
        self
    }

    pub(super) fn and(self, more: Self) -> Self {
        self.then(Self::new(" AND ")).then(more)
    }

    pub(super) fn and_all(self, more: Vec<Self>) -> Self {
        more.into_iter().fold(self, Self::and)
    }
}

/// What SQL can say of the conditions, and the conditions that it cannot.
pub(super) fn filters(tenant: i64, conds: &[Cond]) -> (Vec<Sql>, Vec<&Cond>) {
    let (mut filters, mut rest) = (Vec::new(), Vec::new());
    for cond in conds {
        match filter(tenant, cond) {
            Some(filter) if filters.len() < MOST => filters.push(filter),
            _ => rest.push(cond),
        }
    }
    (filters, rest)
}

/// Whether a condition holds for no file at all. SQLite finds no plan for a `WHERE` that names an
/// index and is never true.
pub(super) fn never(cond: &Cond) -> bool {
    match cond {
        Cond::AnyOf(_, values) => values.is_empty(),
        Cond::Name(NameMatch::Similar, text) => runs(text).is_empty(),
        // Folding leaves nothing of this character, and full-text queries end at it.
        Cond::Name(_, text) => text.contains('\0'),
        _ => false,
    }
}

/// A condition in SQL that holds for exactly the same rows.
fn filter(tenant: i64, cond: &Cond) -> Option<Sql> {
    Some(match cond {
        Cond::Is(field, value) => {
            Sql::with(format!("+f.{} = ?", text_column(*field)), [text(value)])
        }
        Cond::Prefix(field, prefix) => starts_with(text_column(*field), prefix),
        Cond::Name(how, value) => return name(*how, value),
        Cond::Time(field, range) => Sql::with(
            format!("+f.{} BETWEEN ? AND ?", time_column(*field)),
            [millis(*range.start()), millis(*range.end())].map(Value::Integer),
        ),
        Cond::Owner(subject) => Sql::with("+f.owner = ?", [text(subject.as_str())]),
        Cond::HasContent(true) => Sql::new("+f.content IS NOT NULL"),
        Cond::HasContent(false) => Sql::new("+f.content IS NULL"),
        Cond::Overlaps(extent) => Sql::with(
            "+f.min_x <= ? AND +f.max_x >= ? AND +f.min_y <= ? AND +f.max_y >= ?",
            [extent.max_x, extent.min_x, extent.max_y, extent.min_y].map(Value::Real),
        ),
        _ => return numbered(tenant, "f.number", cond),
    })
}

/// A condition that can be told by a file's number alone, which is in the column `number`.
pub(super) fn numbered(tenant: i64, number: &str, cond: &Cond) -> Option<Sql> {
    Some(match cond {
        Cond::Number(range) => Sql::with(
            format!("+{number} BETWEEN ? AND ?"),
            [*range.start(), *range.end()].map(clamped_int),
        ),
        Cond::Metadata(key, value) => any_of(tenant, number, &[TermHash::of_pair(key, value)]),
        Cond::AnyOf(field, values) => any_of(tenant, number, &TermHash::of_values(field, values)),
        Cond::AllOf(_, values) if values.is_empty() => Sql::new("1"),
        Cond::AllOf(field, values) => all_of(tenant, number, &TermHash::of_values(field, values)),
        _ => return None,
    })
}

fn starts_with(column: &str, prefix: &str) -> Sql {
    if prefix.is_empty() {
        return Sql::new(format!("+f.{column} IS NOT NULL"));
    }
    Sql::with(
        format!("substr(CAST(f.{column} AS BLOB), 1, ?) = ?"),
        [Value::Integer(prefix.len() as i64), bytes(prefix)],
    )
}

fn name(how: NameMatch, value: &str) -> Option<Sql> {
    match how {
        NameMatch::Is if value.len() < KEY_LEN => {
            Some(Sql::with("+f.name_key = ?", [bytes(value)]))
        }
        NameMatch::Prefix if value.len() <= KEY_LEN => Some(match prefix_bound(value) {
            Some(bound) => Sql::with(
                "+f.name_key >= ? AND +f.name_key < ?",
                [bytes(value), Value::Blob(bound)],
            ),
            None => Sql::new("1"),
        }),
        _ => None,
    }
}

/// A hash stands for its value here: two values with the same 128 bits are not to be found.
fn any_of(tenant: i64, number: &str, hashes: &[TermHash]) -> Sql {
    let (among, value) = match hashes {
        [hash] => ("= ?", Value::Blob(hash.as_bytes().to_vec())),
        hashes => (HASHES, json(hashes)),
    };
    Sql::with(
        format!(
            "EXISTS (SELECT 1 FROM term x WHERE x.tenant = ? AND x.number = {number} \
             AND x.hash {among})"
        ),
        [Value::Integer(tenant), value],
    )
}

fn all_of(tenant: i64, number: &str, hashes: &[TermHash]) -> Sql {
    Sql::with(
        format!(
            "(SELECT count(*) FROM term x WHERE x.tenant = ? AND x.number = {number} \
             AND x.hash {HASHES}) = ?"
        ),
        [Value::Integer(tenant), json(hashes), Value::Integer(hashes.len() as i64)],
    )
}

/// Hashes as one parameter, so that their number does not make another statement.
pub(super) fn json(hashes: &[TermHash]) -> Value {
    let list: Vec<_> =
        hashes.iter().map(|hash| format!("\"{}\"", hex::encode(hash.as_bytes()))).collect();
    Value::Text(format!("[{}]", list.join(",")))
}

fn text_column(field: TextField) -> &'static str {
    match field {
        TextField::Name => "name",
        TextField::ExternalId => "external_id",
        TextField::Directory => "directory",
        TextField::Source => "source",
        TextField::ContentType => "content_type",
    }
}

fn time_column(field: TimeField) -> &'static str {
    match field {
        TimeField::Created => "created",
        TimeField::Updated => "updated",
        TimeField::Stored => "stored",
        TimeField::SourceCreated => "source_created",
        TimeField::SourceModified => "source_modified",
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub(super) fn bytes(text: &str) -> Value {
    Value::Blob(text.as_bytes().to_vec())
}

pub(super) fn clamped_int(number: u64) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}
