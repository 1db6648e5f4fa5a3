//! The indexes that can yield candidates for conditions.

use filestore::backend::{TermHash, clamped_edges};
use filestore::{
    Cond, Extent, NameMatch, TextField, TimeField, fold, prefix_bound, runs, trigrams,
};
use rusqlite::types::Value;

use super::filter::{HASHES, Sql, bytes, clamped_int, json};
use crate::index::{KEY_LEN, key_of};
use crate::sql::millis;

/// Drivers among which is chosen at most: counting the candidates of each takes its time.
const DRIVERS: usize = 16;

/// Trigrams that are looked up for one text at most, and texts for one list.
const TRIGRAMS: usize = 100;
const RUNS: usize = 100;

/// Values whose files are merged while they are walked at most.
const MERGED: usize = 16;

/// One way to find candidates: every file that a condition holds for, and maybe more.
#[derive(Clone, Debug)]
pub(super) struct Driver {
    /// Where candidates come from: an index of `file f`, or another table.
    pub(super) scan: Sql,
    /// Leads from there to `f`, and to the tenant's files only.
    pub(super) join: Sql,
    /// What bounds the candidates, but for [`low`](Self::low).
    pub(super) filter: Sql,
    pub(super) order: Order,
    /// Whether the scan yields candidates in another order, and some of them several times: then
    /// all are gathered and sorted before the first is walked.
    pub(super) is_gathered: bool,
    /// The column that is walked.
    pub(super) column: &'static str,
    /// The column of the scan that holds the file's number, if there is one.
    pub(super) number: Option<&'static str>,
    /// The position of the condition that holds for all candidates, if there is one.
    pub(super) settles: Option<usize>,
    /// Its least value.
    pub(super) low: Option<Value>,
    /// Of drivers with as many candidates the one with the least rank is taken.
    pub(super) rank: u8,
}

impl Driver {
    /// Whether its candidates are the files for which all of `conds` hold, in the order of numbers.
    pub(super) fn is_all_of(&self, conds: &[Cond]) -> bool {
        let settles_all = self.settles.is_some() && conds.len() == 1;
        settles_all && self.order == Order::Number && !self.is_gathered
    }
}

/// The order in which a driver yields its candidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// By the column, which is a number.
    Number,
    /// By the column, and by number where it is equal.
    Key,
    /// By the column, which is a row.
    Row,
}

/// The drivers for conditions, always in the same order. All files by number is the first.
pub(super) fn drivers(tenant: i64, conds: &[Cond]) -> Vec<Driver> {
    let specific = conds.iter().enumerate().flat_map(|(index, cond)| {
        let settles = is_exact(cond).then_some(index);
        of_cond(tenant, cond).into_iter().map(move |driver| Driver { settles, ..driver })
    });
    std::iter::once(all_files(tenant, conds)).chain(specific).take(DRIVERS).collect()
}

/// All files by number, between the bounds that conditions on the number set.
fn all_files(tenant: i64, conds: &[Cond]) -> Driver {
    let ranges = conds.iter().filter_map(|cond| match cond {
        Cond::Number(range) => Some(range),
        _ => None,
    });
    let low = ranges.clone().map(|range| *range.start()).max().unwrap_or(0);
    let high = ranges.map(|range| *range.end()).min().unwrap_or(u64::MAX);
    let filter =
        Sql::with("f.tenant = ? AND f.number <= ?", [Value::Integer(tenant), clamped_int(high)]);
    Driver {
        rank: 9,
        low: Some(clamped_int(low)),
        ..by_number("file f INDEXED BY file_number", filter)
    }
}

fn of_cond(tenant: i64, cond: &Cond) -> Vec<Driver> {
    let driver = match cond {
        Cond::Is(field, value) => equal_text(tenant, *field, value),
        Cond::Prefix(TextField::Name, prefix) => name_prefix(tenant, &fold(prefix)),
        Cond::Prefix(field, prefix) => {
            let (scan, column) = text_index(*field);
            prefixed(tenant, scan, column, prefix)
        }
        Cond::Name(NameMatch::Is, name) => equal_name(tenant, name),
        Cond::Name(NameMatch::Prefix, prefix) => name_prefix(tenant, prefix),
        Cond::Name(NameMatch::Contains, part) => {
            return named(tenant, &[part]).into_iter().collect();
        }
        Cond::Name(NameMatch::Similar, text) => {
            let runs = runs(text);
            let runs = if runs.len() > RUNS { &[] } else { runs.as_slice() };
            return named(tenant, runs).into_iter().collect();
        }
        Cond::Time(field, range) => {
            timed(tenant, *field, millis(*range.start()), millis(*range.end()))
        }
        Cond::Owner(owner) => equal(
            tenant,
            "file f INDEXED BY file_owner",
            "f.owner",
            Value::Text(owner.as_str().to_owned()),
        ),
        Cond::HasContent(false) => by_number(
            "file f INDEXED BY file_empty",
            Sql::with("f.tenant = ? AND f.content IS NULL", [Value::Integer(tenant)]),
        ),
        Cond::Metadata(key, value) => term(tenant, TermHash::of_pair(key, value)),
        Cond::AnyOf(field, values) => match TermHash::of_values(field, values).as_slice() {
            [hash] => term(tenant, *hash),
            hashes => terms(tenant, hashes),
        },
        Cond::AllOf(field, values) => {
            let hashes = TermHash::of_values(field, values);
            return hashes.into_iter().map(|hash| term(tenant, hash)).collect();
        }
        Cond::Overlaps(extent) => overlapping(tenant, extent),
        Cond::Number(_) | Cond::HasContent(true) | Cond::NoneBut(..) => return Vec::new(),
    };
    vec![driver]
}

/// Whether the driver of a condition finds no files but those it holds for.
fn is_exact(cond: &Cond) -> bool {
    match cond {
        Cond::Time(..)
        | Cond::Owner(_)
        | Cond::HasContent(false)
        | Cond::Metadata(..)
        | Cond::AnyOf(..)
        | Cond::Overlaps(_)
        | Cond::Is(TextField::ExternalId, _) => true,
        Cond::AllOf(field, values) => TermHash::of_values(field, values).len() == 1,
        // Folding makes one of several names.
        Cond::Is(TextField::Name, _) | Cond::Prefix(TextField::Name, _) => false,
        // An index holds the start of a text.
        Cond::Is(_, text) | Cond::Name(NameMatch::Is, text) => text.len() < KEY_LEN,
        Cond::Prefix(_, prefix) | Cond::Name(NameMatch::Prefix, prefix) => prefix.len() <= KEY_LEN,
        _ => false,
    }
}

fn by_number(scan: &'static str, filter: Sql) -> Driver {
    Driver {
        scan: Sql::new(scan),
        join: Sql::default(),
        filter,
        order: Order::Number,
        is_gathered: false,
        column: "f.number",
        number: Some("f.number"),
        settles: None,
        low: None,
        rank: 0,
    }
}

fn equal(tenant: i64, scan: &'static str, column: &str, value: Value) -> Driver {
    let filter = format!("f.tenant = ? AND {column} = ?");
    by_number(scan, Sql::with(filter, [Value::Integer(tenant), value]))
}

fn equal_text(tenant: i64, field: TextField, value: &str) -> Driver {
    match field {
        TextField::Name => equal_name(tenant, &fold(value)),
        TextField::ExternalId => equal(
            tenant,
            "file f INDEXED BY file_external",
            "f.external_id",
            Value::Text(value.to_owned()),
        ),
        _ => {
            let (scan, column) = text_index(field);
            equal(tenant, scan, column, Value::Blob(key_of(value).to_vec()))
        }
    }
}

/// Whoever has a name has its folded form too, so that one index does for both.
fn equal_name(tenant: i64, folded: &str) -> Driver {
    let (scan, column) = text_index(TextField::Name);
    equal(tenant, scan, column, Value::Blob(key_of(folded).to_vec()))
}

fn name_prefix(tenant: i64, folded: &str) -> Driver {
    let (scan, column) = text_index(TextField::Name);
    prefixed(tenant, scan, column, folded)
}

fn prefixed(tenant: i64, scan: &'static str, column: &'static str, prefix: &str) -> Driver {
    let end = prefix.len().min(KEY_LEN);
    let prefix = (0..=end).rev().find_map(|end| prefix.get(..end)).unwrap_or_default();
    // An index without nulls is walked only for a comparison that none can pass, so there is always
    // one: no text reaches this byte.
    let high = prefix_bound(prefix).unwrap_or_else(|| vec![u8::MAX]);
    by_key(tenant, scan, column, bytes(prefix), "<", Value::Blob(high))
}

fn timed(tenant: i64, field: TimeField, low: i64, high: i64) -> Driver {
    let (scan, column) = time_index(field);
    by_key(tenant, scan, column, Value::Integer(low), "<=", Value::Integer(high))
}

fn by_key(
    tenant: i64,
    scan: &'static str,
    column: &'static str,
    low: Value,
    below: &str,
    high: Value,
) -> Driver {
    let filter = format!("f.tenant = ? AND {column} {below} ?");
    let filter = Sql::with(filter, [Value::Integer(tenant), high]);
    Driver { order: Order::Key, column, low: Some(low), rank: 2, ..by_number(scan, filter) }
}

fn term(tenant: i64, hash: TermHash) -> Driver {
    let params = [Value::Integer(tenant), Value::Blob(hash.as_bytes().to_vec())];
    by_term(tenant, Sql::new("term t"), Sql::with("t.tenant = ? AND t.hash = ?", params))
}

/// Files with any of the values. Those of each value are in the order of numbers: a few are merged,
/// and as the bound of the walk reaches into each, a page reads no more than it shows.
fn terms(tenant: i64, hashes: &[TermHash]) -> Driver {
    if hashes.len() > MERGED {
        let filter = format!("t.tenant = ? AND t.hash {HASHES}");
        let filter = Sql::with(filter, [Value::Integer(tenant), json(hashes)]);
        let scan = Sql::new("term t");
        return Driver { is_gathered: true, rank: 1, ..by_term(tenant, scan, filter) };
    }
    let one = "SELECT number FROM term WHERE tenant = ? AND hash = ?";
    let merged = vec![one; hashes.len()].join(" UNION ");
    let params = hashes
        .iter()
        .flat_map(|hash| [Value::Integer(tenant), Value::Blob(hash.as_bytes().to_vec())]);
    let scan = Sql::with(format!("({merged} ORDER BY number) t"), params);
    by_term(tenant, scan, Sql::new("1"))
}

fn by_term(tenant: i64, scan: Sql, filter: Sql) -> Driver {
    let join = "CROSS JOIN file f ON f.tenant = ? AND f.number = t.number";
    Driver {
        scan,
        join: Sql::with(join, [Value::Integer(tenant)]),
        column: "t.number",
        number: Some("t.number"),
        ..by_number("", filter)
    }
}

/// Names that have all trigrams of any of the parts, and the part itself as far as the key tells;
/// `None` when there is no trigram to go by.
fn named(tenant: i64, parts: &[&str]) -> Option<Driver> {
    let quoted = |trigram: String| format!("\"{}\"", trigram.replace('"', "\"\""));
    let all_of = |part: &&str| {
        let trigrams: Vec<_> = trigrams(part).into_iter().take(TRIGRAMS).map(quoted).collect();
        (!trigrams.is_empty()).then(|| format!("({})", trigrams.join(" AND ")))
    };
    let matches = parts.iter().map(all_of).collect::<Option<Vec<_>>>()?;
    if matches.is_empty() {
        return None;
    }
    let params = [Value::Text(matches.join(" OR ")), Value::Integer(((tenant + 1) << 40) - 1)];
    let is_in_key = "OR instr(f.name_key, ?) ".repeat(parts.len());
    let mut keys = vec![Value::Integer(tenant), Value::Integer(KEY_LEN as i64)];
    keys.extend(parts.iter().map(|part| bytes(part)));
    Some(Driver {
        join: Sql::with(
            format!(
                "CROSS JOIN file f ON f.row = n.rowid AND +f.tenant = ? \
                 AND (length(f.name_key) >= ? {is_in_key})"
            ),
            keys,
        ),
        order: Order::Row,
        column: "n.rowid",
        number: None,
        low: Some(Value::Integer(tenant << 40)),
        rank: 1,
        ..by_number("file_trigram n", Sql::with("n.file_trigram MATCH ? AND n.rowid <= ?", params))
    })
}

/// Coordinates in the index are rounded outwards. What overlaps by more than that is a file that
/// is meant; the few others are looked at.
fn overlapping(tenant: i64, extent: &Extent) -> Driver {
    let [min_x, max_x, min_y, max_y] = clamped_edges(extent);
    let edges = [max_x, min_x, max_y, min_y];
    let inner =
        [max_x - slack(max_x), min_x + slack(min_x), max_y - slack(max_y), min_y + slack(min_y)];
    let exact = [extent.max_x, extent.min_x, extent.max_y, extent.min_y];
    let bounds = |alias: &str, edges: [f64; 4]| {
        let text = ["min_x <=", "max_x >=", "min_y <=", "max_y >="]
            .map(|bound| format!("{alias}.{bound} ?"))
            .join(" AND ");
        Sql::with(text, edges.map(Value::Real))
    };
    let tenants = [Value::Integer(tenant), Value::Integer(tenant)];
    let filter = Sql::with("e.min_tenant <= ? AND e.max_tenant >= ?", tenants)
        .and(bounds("e", edges))
        .and(Sql::new("(("))
        .then(bounds("+e", inner))
        .then(Sql::new(") OR EXISTS (SELECT 1 FROM file b WHERE b.row = e.row"))
        .and(bounds("+b", exact))
        .then(Sql::new("))"));
    Driver {
        join: Sql::with(
            "CROSS JOIN file f ON f.row = e.row AND +f.tenant = ?",
            [Value::Integer(tenant)],
        ),
        order: Order::Row,
        is_gathered: true,
        column: "e.row",
        number: None,
        rank: 1,
        ..by_number("file_extent e", filter)
    }
}

/// More than the index is off by at this coordinate.
fn slack(edge: f64) -> f64 {
    edge.abs() * f64::from(f32::EPSILON) * 4.0 + f64::from(f32::MIN_POSITIVE)
}

/// The index over a text, and the column with its first bytes that it is over.
fn text_index(field: TextField) -> (&'static str, &'static str) {
    match field {
        TextField::Name => ("file f INDEXED BY file_name", "f.name_key"),
        TextField::ExternalId => ("file f INDEXED BY file_external_key", "f.external_key"),
        TextField::Directory => ("file f INDEXED BY file_directory", "f.directory_key"),
        TextField::Source => ("file f INDEXED BY file_source", "f.source_key"),
        TextField::ContentType => ("file f INDEXED BY file_type", "f.type_key"),
    }
}

/// The index over a time.
fn time_index(field: TimeField) -> (&'static str, &'static str) {
    match field {
        TimeField::Created => ("file f INDEXED BY file_created", "f.created"),
        TimeField::Updated => ("file f INDEXED BY file_updated", "f.updated"),
        TimeField::Stored => ("file f INDEXED BY file_stored", "f.stored"),
        TimeField::SourceCreated => ("file f INDEXED BY file_source_created", "f.source_created"),
        TimeField::SourceModified => {
            ("file f INDEXED BY file_source_modified", "f.source_modified")
        }
    }
}
