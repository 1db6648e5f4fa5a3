//! Lists and search: what to look for, how much of it, and where to go on.

use std::ops::RangeInclusive;

use filestore::{Cond, Cursor, Error, FileNumber, FileQuery, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::filter::{Conditions, Filter, Range, Reference};
use crate::protocol::Object;
use crate::protocol::query::Query;

const DEFAULT_LIMIT: u32 = 100;
const MAX_PARTITIONS: u64 = 10;

/// `{"filter": …, "limit": …, "cursor": …, "partition": …}`
#[derive(Debug, Default, Deserialize)]
pub(in crate::dialects::cdf) struct ListBody {
    filter: Option<Object<Filter>>,
    limit: Option<i64>,
    cursor: Option<String>,
    partition: Option<String>,
}

/// `{"search": …, "filter": …, "limit": …}`
#[derive(Debug, Deserialize)]
pub(in crate::dialects::cdf) struct SearchBody {
    search: Option<Object<Search>>,
    filter: Option<Object<Filter>>,
    limit: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct Search {
    name: Option<String>,
}

impl SearchBody {
    /// The text to look for; without one, everything fits.
    pub(in crate::dialects::cdf) fn text(&self) -> &str {
        let search = self.search.as_ref();
        search.and_then(|Object(search)| search.name.as_deref()).unwrap_or_default()
    }

    pub(in crate::dialects::cdf) fn conditions(&self) -> Result<Conditions> {
        conditions(self.filter.as_ref())
    }

    pub(in crate::dialects::cdf) fn limit(&self) -> Result<u32> {
        limit(self.limit)
    }
}

impl ListBody {
    /// The page it asks for, and what else holds for the files on it.
    pub(in crate::dialects::cdf) fn query(&self) -> Result<(FileQuery, Conditions)> {
        let mut conditions = conditions(self.filter.as_ref())?;
        if let Some(partition) = &self.partition {
            conditions.all.push(Cond::Number(partition_range(partition)?));
        }
        let query = FileQuery {
            all: std::mem::take(&mut conditions.all),
            after: self.cursor.as_deref().map(Cursor::new).transpose()?,
            limit: limit(self.limit)?,
        };
        Ok((query, conditions))
    }

    /// The same from the query of a URL, where a limit past the greatest is cut.
    pub(in crate::dialects::cdf) fn read(query: &Query) -> Result<Self> {
        let text = |name: &str| query.first(name).map(str::to_owned);
        let all_of = |name| {
            let mut values = query.pairs().filter(move |(key, _)| *key == name).peekable();
            values.peek().is_some().then(|| values.map(|(_, value)| value).collect::<Vec<_>>())
        };
        let references = |name| -> Result<_> {
            let Some(ids) = all_of(name) else { return Ok(None) };
            let ids = integers(name, &ids)?.into_iter();
            let reference = |id| Object(Reference { id: Some(id), external_id: None });
            Ok(Some(ids.map(reference).collect::<Vec<_>>()))
        };
        let range = |name: &str| -> Result<_> {
            let end = |end: &str| {
                let name = format!("{name}.{end}");
                query.first(&name).map(|text| integer(&name, text)).transpose()
            };
            let (min, max) = (end("min")?, end("max")?);
            Ok((min.is_some() || max.is_some()).then_some(Object(Range { min, max })))
        };
        let filter = Filter {
            name: text("name"),
            mime_type: text("mimeType"),
            source: text("source"),
            directory_prefix: text("directoryPrefix"),
            external_id_prefix: text("externalIdPrefix"),
            metadata: query.first("metadata").map(|text| json("metadata", text)).transpose()?,
            asset_ids: all_of("assetIds").map(|ids| integers("assetIds", &ids)).transpose()?,
            asset_external_ids: all_of("assetExternalIds")
                .or(all_of("assetSubtreeExternalIds"))
                .map(|_| Vec::new()),
            root_asset_ids: references("rootAssetIds")?,
            asset_subtree_ids: references("assetSubtreeIds")?,
            data_set_ids: references("dataSetIds")?,
            created_time: range("createdTime")?,
            last_updated_time: range("lastUpdatedTime")?,
            uploaded_time: range("uploadedTime")?,
            source_created_time: range("sourceCreatedTime")?,
            source_modified_time: range("sourceModifiedTime")?,
            uploaded: query.first("uploaded").map(boolean).transpose()?,
            labels: None,
            geo_location: None,
        };
        let limit = query.first("limit").map(|text| integer("limit", text)).transpose()?;
        Ok(Self {
            filter: Some(Object(filter)),
            limit: limit.map(|limit| limit.min(i64::from(FileQuery::MAX_LIMIT))),
            cursor: text("cursor"),
            partition: text("partition"),
        })
    }
}

fn conditions(filter: Option<&Object<Filter>>) -> Result<Conditions> {
    filter.map_or_else(|| Ok(Conditions::default()), |Object(filter)| filter.conditions())
}

fn limit(limit: Option<i64>) -> Result<u32> {
    let Some(limit) = limit else { return Ok(DEFAULT_LIMIT) };
    let most = FileQuery::MAX_LIMIT;
    let limit = u32::try_from(limit).ok().filter(|limit| (1..=most).contains(limit));
    limit.ok_or_else(|| Error::invalid(format!("limit must be between 1 and {most}")))
}

/// `"m/n"`: the m-th of n equal shares of all numbers there can be.
fn partition_range(text: &str) -> Result<RangeInclusive<u64>> {
    let wrong =
        || Error::invalid(format!("a partition is m/n with 1 <= m <= n <= {MAX_PARTITIONS}"));
    let (m, n) = text.split_once('/').ok_or_else(wrong)?;
    let (m, n): (u64, u64) = m.parse().ok().zip(n.parse().ok()).ok_or_else(wrong)?;
    if !(1..=MAX_PARTITIONS).contains(&n) || !(1..=n).contains(&m) {
        return Err(wrong());
    }
    let most = FileNumber::MAX.get();
    let end = |share: u64| most / n * share;
    let last = if m == n { most } else { end(m) };
    Ok(end(m - 1) + 1..=last)
}

/// Ids in any of the ways that clients write them: repeated, with commas, as a JSON array.
fn integers(name: &str, values: &[&str]) -> Result<Vec<i64>> {
    let mut ids = Vec::new();
    for value in values {
        let value = value.trim_start_matches('[').trim_end_matches(']');
        for id in value.split(',').filter(|id| !id.trim().is_empty()) {
            ids.push(integer(name, id.trim())?);
        }
    }
    Ok(ids)
}

fn integer(name: &str, text: &str) -> Result<i64> {
    text.parse().map_err(|_| Error::invalid(format!("{name} is an integer, not {text:?}")))
}

fn boolean(text: &str) -> Result<bool> {
    let wrong = || Error::invalid("uploaded is true or false");
    text.to_ascii_lowercase().parse().map_err(|_| wrong())
}

fn json<T: DeserializeOwned>(name: &str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::invalid(format!("{name}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_cover_every_number_once() {
        for n in 1..=MAX_PARTITIONS {
            let mut next = 1;
            for m in 1..=n {
                let range = partition_range(&format!("{m}/{n}")).unwrap();
                assert_eq!(*range.start(), next);
                next = range.end() + 1;
            }
            assert_eq!(next, FileNumber::MAX.get() + 1);
        }
        for wrong in ["", "1", "0/1", "2/1", "1/11", "a/b", "1/0", "-1/2", "1/2/3"] {
            assert!(partition_range(wrong).is_err(), "{wrong}");
        }
    }
}
