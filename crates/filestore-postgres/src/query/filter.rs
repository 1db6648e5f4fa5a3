//! Conditions as SQL over the row `f` of a file.

use filestore::backend::TermHash;
use filestore::{Cond, NameMatch, SetField, Tenant, Term, TextField, TimeField, runs};

use crate::sql::{Id, Sql, is_text, millis};

/// Conditions that are said in SQL at most. The others are checked on what comes back.
const MOST: usize = 64;

/// The number of a tenant.
pub(super) fn tenant_number(tenant: &Tenant) -> Sql {
    Sql::new("(SELECT number FROM filestore.tenant WHERE name = ?)")
        .bind(tenant.as_str().to_owned())
}

/// The conditions in SQL, without the one that all candidates are known to meet.
pub(super) fn filters(tenant: &Tenant, conds: &[Cond], settled: Option<usize>) -> Vec<Sql> {
    let open = conds.iter().enumerate().filter(|(at, _)| Some(*at) != settled);
    open.take(MOST).map(|(_, cond)| filter(tenant, cond)).collect()
}

/// Whether a condition holds for no file at all.
pub(super) fn never(cond: &Cond) -> bool {
    match cond {
        Cond::AnyOf(_, values) => values.is_empty(),
        Cond::Name(NameMatch::Similar, text) => runs(text).is_empty() || !is_text(text),
        Cond::Name(_, text) | Cond::Is(_, text) | Cond::Prefix(_, text) => !is_text(text),
        _ => false,
    }
}

/// A condition in SQL that holds for exactly the same rows.
fn filter(tenant: &Tenant, cond: &Cond) -> Sql {
    match cond {
        Cond::Is(field, value) => {
            Sql::new(format!("f.{} = ?", text_column(*field))).bind(value.clone())
        }
        Cond::Prefix(field, prefix) => {
            Sql::new(format!("starts_with(f.{}, ?)", text_column(*field))).bind(prefix.clone())
        }
        Cond::Name(NameMatch::Is, text) => Sql::new("f.folded = ?").bind(text.clone()),
        Cond::Name(NameMatch::Prefix, text) => {
            Sql::new("starts_with(f.folded, ?)").bind(text.clone())
        }
        Cond::Name(NameMatch::Contains, text) => {
            Sql::new("strpos(f.folded, ?) > 0").bind(text.clone())
        }
        Cond::Name(NameMatch::Similar, text) => {
            let runs: Vec<_> = runs(text).into_iter().map(str::to_owned).collect();
            let any = "EXISTS (SELECT 1 FROM unnest(?) run WHERE strpos(f.folded, run) > 0)";
            Sql::new(any).bind(runs)
        }
        Cond::Time(field, range) => Sql::new(format!("f.{} BETWEEN ? AND ?", time_column(*field)))
            .bind(millis(*range.start()))
            .bind(millis(*range.end())),
        Cond::Number(range) => Sql::new("f.number BETWEEN ? AND ?")
            .bind(clamped_int(*range.start()))
            .bind(clamped_int(*range.end())),
        Cond::Owner(subject) => Sql::new("f.owner = ?").bind(subject.as_str().to_owned()),
        Cond::HasContent(true) => Sql::new("f.content IS NOT NULL"),
        Cond::HasContent(false) => Sql::new("f.content IS NULL"),
        Cond::Metadata(key, value) => any_of(tenant, vec![TermHash::of_pair(key, value).into()]),
        Cond::AnyOf(field, values) => any_of(tenant, term_hashes(field, values)),
        Cond::AllOf(field, values) => all_of(tenant, term_hashes(field, values)),
        Cond::NoneBut(field, values) => none_but(field, values),
        Cond::Overlaps(extent) => {
            let bounds =
                Sql::new("f.min_x <= ? AND f.max_x >= ? AND f.min_y <= ? AND f.max_y >= ?");
            let edges = [extent.max_x, extent.min_x, extent.max_y, extent.min_y];
            edges.into_iter().fold(bounds, Sql::bind)
        }
    }
}

/// A hash stands for its value here: two values with the same 128 bits are not to be found. Counted,
/// since PostgreSQL makes a join of what `EXISTS`, and chooses by it whose turn it is first.
fn any_of(tenant: &Tenant, hashes: Vec<Id>) -> Sql {
    Sql::new("(SELECT count(*) FROM filestore.term x WHERE x.tenant = ")
        .then(tenant_number(tenant))
        .then(Sql::new(" AND x.number = f.number AND x.hash = ANY(?)) > 0").bind(hashes))
}

fn all_of(tenant: &Tenant, hashes: Vec<Id>) -> Sql {
    if hashes.is_empty() {
        return Sql::new("true");
    }
    let count = hashes.len() as i64;
    Sql::new("(SELECT count(*) FROM filestore.term x WHERE x.tenant = ")
        .then(tenant_number(tenant))
        .then(
            Sql::new(" AND x.number = f.number AND x.hash = ANY(?)) = ?").bind(hashes).bind(count),
        )
}

fn none_but(field: &SetField, values: &[Term]) -> Sql {
    let own = match field {
        SetField::Labels => Sql::new("f.details->'labels'"),
        SetField::Terms(name) if is_text(name) => {
            Sql::new("f.details->'terms'->?").bind(name.clone())
        }
        SetField::Terms(_) => return Sql::new("true"),
    };
    let allowed = values.iter().filter_map(|value| match value {
        Term::Text(text) if !is_text(text) => None,
        value => serde_json::to_string(value).ok(),
    });
    Sql::new("NOT EXISTS (SELECT 1 FROM jsonb_array_elements(coalesce(")
        .then(own)
        .then(Sql::new(", '[]')) v WHERE v <> ALL (?::jsonb[]))").bind(allowed.collect::<Vec<_>>()))
}

/// The distinct hashes of values.
pub(super) fn term_hashes(field: &SetField, values: &[Term]) -> Vec<Id> {
    TermHash::of_values(field, values).into_iter().map(Id::from).collect()
}

pub(super) fn text_column(field: TextField) -> &'static str {
    match field {
        TextField::Name => "name",
        TextField::ExternalId => "external_id",
        TextField::Directory => "directory",
        TextField::Source => "source",
        TextField::ContentType => "content_type",
    }
}

pub(super) fn time_column(field: TimeField) -> &'static str {
    match field {
        TimeField::Created => "created",
        TimeField::Updated => "updated",
        TimeField::Stored => "stored",
        TimeField::SourceCreated => "source_created",
        TimeField::SourceModified => "source_modified",
    }
}

pub(super) fn clamped_int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
