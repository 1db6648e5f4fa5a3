//! The indexes that can yield candidates for conditions.

use filestore::backend::{TermHash, clamped_edges};
use filestore::{Cond, Extent, NameMatch, Tenant, TextField, TimeField, fold, runs, trigrams};

use super::cursor::Key;
use super::filter::{clamped_int, tenant_number, term_hashes, text_column, time_column};
use crate::index::{KEY_LEN, external_hash, grams, is_within_key, key_of};
use crate::sql::{Id, Sql, millis};

/// Drivers among which is chosen at most: counting the candidates of each takes its time.
const DRIVERS: usize = 16;

/// Runs that are looked up for one list at most.
const RUNS: usize = 100;

/// Values whose files are merged while they are walked at most.
const MERGED: usize = 16;

/// One way to find candidates: every file that a condition holds for, and maybe more.
#[derive(Clone, Debug)]
pub(super) struct Driver {
    /// Where candidates come from: `filestore.file f`, or another table.
    pub(super) scan: Sql,
    /// What that is called there, when it is not `f`; its numbers lead to `f`.
    pub(super) found_in: Option<&'static str>,
    /// What bounds the candidates to the tenant's own, but for [`low`](Self::low).
    pub(super) filter: Sql,
    pub(super) order: Order,
    /// Whether the index yields candidates in no order, so that all are gathered and sorted before
    /// the first is walked.
    pub(super) is_gathered: bool,
    /// What is walked, an expression that an index is over.
    pub(super) column: String,
    /// Its least value.
    pub(super) low: Option<Key>,
    /// The position of the condition that holds for all candidates, if there is one.
    pub(super) settles: Option<usize>,
    /// Of drivers with as many candidates the one with the least rank is taken.
    pub(super) rank: u8,
}

/// The order in which a driver yields its candidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// By number, which is the column.
    Number,
    /// By the column, and by number where it is equal.
    Key,
}

/// The drivers for conditions, always in the same order. All files by number is the first.
pub(super) fn drivers(tenant: &Tenant, conds: &[Cond]) -> Vec<Driver> {
    let specific = conds.iter().enumerate().flat_map(|(index, cond)| {
        let settles = is_exact(cond).then_some(index);
        of_cond(tenant, cond).into_iter().map(move |driver| Driver { settles, ..driver })
    });
    std::iter::once(all_files(tenant, conds)).chain(specific).take(DRIVERS).collect()
}

/// All files by number, between the bounds that conditions on the number set.
fn all_files(tenant: &Tenant, conds: &[Cond]) -> Driver {
    let ranges = conds.iter().filter_map(|cond| match cond {
        Cond::Number(range) => Some(range),
        _ => None,
    });
    let low = ranges.clone().map(|range| *range.start()).max().unwrap_or(0);
    let high = ranges.map(|range| *range.end()).min().unwrap_or(u64::MAX);
    let filter = Sql::new("f.number <= ?").bind(clamped_int(high));
    Driver { rank: 9, low: Some(Key::Int(clamped_int(low))), ..of_files(tenant, filter) }
}

fn of_cond(tenant: &Tenant, cond: &Cond) -> Vec<Driver> {
    let driver = match cond {
        Cond::Is(TextField::ExternalId, value) => {
            of_files(tenant, Sql::new("f.external_hash = ?").bind(external_hash(value)))
        }
        // Whoever has a name has its folded form too, so that one index does for both.
        Cond::Is(TextField::Name, value) => equal(tenant, TextField::Name, &fold(value)),
        Cond::Is(field, value) => equal(tenant, *field, value),
        Cond::Prefix(TextField::Name, prefix) => prefixed(tenant, TextField::Name, &fold(prefix)),
        Cond::Prefix(field, prefix) => prefixed(tenant, *field, prefix),
        Cond::Name(NameMatch::Is, name) => equal(tenant, TextField::Name, name),
        Cond::Name(NameMatch::Prefix, prefix) => prefixed(tenant, TextField::Name, prefix),
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
        Cond::Owner(owner) => {
            of_files(tenant, Sql::new("f.owner = ?").bind(owner.as_str().to_owned()))
        }
        Cond::HasContent(false) => of_files(tenant, Sql::new("f.content IS NULL")),
        Cond::Metadata(key, value) => term(tenant, TermHash::of_pair(key, value).into()),
        Cond::AnyOf(field, values) => match term_hashes(field, values).as_slice() {
            [hash] => term(tenant, *hash),
            hashes => terms(tenant, hashes),
        },
        Cond::AllOf(field, values) => {
            let hashes = term_hashes(field, values);
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
        | Cond::AnyOf(..) => true,
        Cond::AllOf(field, values) => term_hashes(field, values).len() == 1,
        // Folding makes one of several names, and an index holds the start of a text.
        Cond::Is(TextField::Name | TextField::ExternalId, _) => false,
        Cond::Is(_, text) | Cond::Name(NameMatch::Is, text) => is_within_key(text),
        _ => false,
    }
}

/// Files in the order of their numbers.
fn of_files(tenant: &Tenant, filter: Sql) -> Driver {
    let own = Sql::new("f.tenant = ").then(tenant_number(tenant));
    Driver {
        scan: Sql::new("filestore.file f"),
        found_in: None,
        filter: own.and(filter),
        order: Order::Number,
        is_gathered: false,
        column: "f.number".to_owned(),
        low: None,
        settles: None,
        rank: 0,
    }
}

fn equal(tenant: &Tenant, field: TextField, value: &str) -> Driver {
    let filter = Sql::new(format!("{} = ?", key_column(field))).bind(key_of(value).to_owned());
    of_files(tenant, filter.and(is_indexed(field)))
}

fn prefixed(tenant: &Tenant, field: TextField, prefix: &str) -> Driver {
    let prefix = key_of(prefix);
    let bounded = match bound(prefix) {
        Some(bound) => Sql::new(format!("{} < ?", key_column(field))).bind(bound),
        None => Sql::new("true"),
    };
    let low = Some(Key::Text(prefix.to_owned()));
    let filter = bounded.and(is_indexed(field));
    Driver {
        order: Order::Key,
        column: key_column(field),
        low,
        rank: 2,
        ..of_files(tenant, filter)
    }
}

/// What an index over a text is over.
fn key_column(field: TextField) -> String {
    let column = if field == TextField::Name { "folded" } else { text_column(field) };
    format!("left(f.{column}, {KEY_LEN})")
}

/// What an index over a text is bounded to.
fn is_indexed(field: TextField) -> Sql {
    Sql::new(match field {
        TextField::Name => "true".to_owned(),
        field => format!("f.{} IS NOT NULL", text_column(field)),
    })
}

/// The least text that is greater than every text with this prefix; `None` when there is none.
fn bound(prefix: &str) -> Option<String> {
    let mut bound = prefix.to_owned();
    while let Some(last) = bound.pop() {
        // Text in bytes is in the order of its characters, of which there are none between these.
        let next = match last {
            '\u{D7FF}' => Some('\u{E000}'),
            last => char::from_u32(u32::from(last) + 1),
        };
        if let Some(next) = next {
            bound.push(next);
            return Some(bound);
        }
    }
    None
}

fn timed(tenant: &Tenant, field: TimeField, low: i64, high: i64) -> Driver {
    let column = format!("f.{}", time_column(field));
    let filter = Sql::new(format!("{column} <= ?")).bind(high);
    Driver {
        order: Order::Key,
        column,
        low: Some(Key::Int(low)),
        rank: 2,
        ..of_files(tenant, filter)
    }
}

fn term(tenant: &Tenant, hash: Id) -> Driver {
    let filter = Sql::new("t.tenant = ").then(tenant_number(tenant));
    by_term(tenant, Sql::new("filestore.term t"), filter.and(Sql::new("t.hash = ?").bind(hash)))
}

/// Files with any of the values. Those of each value are in the order of numbers: a few are merged
/// while they are walked.
fn terms(tenant: &Tenant, hashes: &[Id]) -> Driver {
    let of = |which: Sql| {
        Sql::new("(SELECT number FROM filestore.term WHERE tenant = ")
            .then(tenant_number(tenant))
            .and(which)
    };
    let is_gathered = hashes.len() > MERGED;
    let all = if is_gathered {
        of(Sql::new("hash = ANY(?))").bind(hashes.to_vec()))
    } else {
        // Only where each is in order by its own account does PostgreSQL merge them.
        let in_order = |hash: &Id| of(Sql::new("hash = ? ORDER BY number)").bind(*hash));
        let both = |all: Sql, more: Sql| all.then(Sql::new(" UNION ALL ")).then(more);
        hashes.iter().map(in_order).reduce(both).unwrap_or_default()
    };
    // Nor does it gather them to leave out duplicates, which it may where order is not asked for.
    let scan = Sql::new("(SELECT DISTINCT ON (number) number FROM (")
        .then(all)
        .then(Sql::new(") a ORDER BY number) t"));
    let rank = u8::from(is_gathered);
    Driver { is_gathered, rank, ..by_term(tenant, scan, Sql::new("true")) }
}

fn by_term(tenant: &Tenant, scan: Sql, filter: Sql) -> Driver {
    let (found_in, column) = (Some("t"), "t.number".to_owned());
    Driver { scan, found_in, filter, column, ..of_files(tenant, Sql::default()) }
}

/// Names that have all trigrams of any of the parts; `None` when there is no trigram to go by.
fn named(tenant: &Tenant, parts: &[&str]) -> Option<Driver> {
    if parts.is_empty() || parts.iter().any(|part| trigrams(part).is_empty()) {
        return None;
    }
    let each = parts.iter().map(|part| Sql::new("n.grams @> ?").bind(grams(tenant, part)));
    let any = each.reduce(|any, more| any.then(Sql::new(" OR ")).then(more)).unwrap_or_default();
    let filter = Sql::new("n.tenant = ")
        .then(tenant_number(tenant))
        .and(Sql::new("("))
        .then(any)
        .then(Sql::new(")"));
    Some(Driver {
        scan: Sql::new("filestore.name n"),
        found_in: Some("n"),
        filter,
        is_gathered: true,
        column: "n.number".to_owned(),
        rank: 1,
        ..of_files(tenant, Sql::default())
    })
}

fn overlapping(tenant: &Tenant, extent: &Extent) -> Driver {
    let [min_x, max_x, min_y, max_y] = clamped_edges(extent);
    let number = || tenant_number(tenant);
    let within = Sql::new("int8range(f.tenant, f.tenant, '[]') && int8range(")
        .then(number())
        .then(Sql::new(", "))
        .then(number())
        .then(Sql::new(", '[]')"));
    let corners = Sql::new("f.extent && box(point(?, ?), point(?, ?))");
    let corners = [max_x, max_y, min_x, min_y].into_iter().fold(corners, Sql::bind);
    let filter = Sql::new("f.extent IS NOT NULL").and(within).and(corners);
    Driver { is_gathered: true, rank: 1, ..of_files(tenant, filter) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_past_every_text_with_the_prefix() {
        assert_eq!(bound("ab").unwrap(), "ac");
        assert_eq!(bound("a\u{D7FF}").unwrap(), "a\u{E000}");
        assert_eq!(bound("a\u{10FFFF}").unwrap(), "b");
        assert_eq!(bound("\u{10FFFF}"), None);
        assert_eq!(bound(""), None);
    }
}
