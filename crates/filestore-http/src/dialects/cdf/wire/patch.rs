//! Changes of a file's attributes. Creating and overwriting are changes that only set.
//!
//! Limits hold for what a change results in, and only for the fields it touches: a file that came
//! in by another API may have a longer name, and its labels can be changed all the same.

use std::collections::BTreeMap;

use filestore::{Attributes, Error, Result, Term, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use super::geo::GeoLocation;
use super::limits::{
    DIRECTORY, EXTERNAL_ID, LABEL, MAX_ASSET_IDS, MAX_KEY, MAX_LABELS, MAX_METADATA, MAX_PAIRS,
    MAX_SECURITY_CATEGORIES, MIME_TYPE, SOURCE, Text, check_count, check_id, time,
};
use super::{ASSET_IDS, DATA_SET_ID, GEO_LOCATION, Identifier, SECURITY_CATEGORIES};
use crate::protocol::Object;

/// `{"id": …, "update": {…}}`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::dialects::cdf) struct UpdateItem {
    id: Option<i64>,
    external_id: Option<String>,
    instance_id: Option<Object<super::identifier::InstanceId>>,
    pub(in crate::dialects::cdf) update: Object<Patch>,
}

impl UpdateItem {
    pub(in crate::dialects::cdf) fn file(&self) -> Result<Identifier> {
        Identifier::of(self.id, self.external_id.clone(), self.instance_id.clone())
    }
}

/// What becomes of each field.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::dialects::cdf) struct Patch {
    pub(super) external_id: Op<String>,
    pub(super) directory: Op<String>,
    pub(super) source: Op<String>,
    pub(super) mime_type: Op<String>,
    pub(super) metadata: Op<BTreeMap<String, String>, Vec<String>>,
    pub(super) asset_ids: Op<Vec<i64>>,
    pub(super) data_set_id: Op<i64>,
    pub(super) source_created_time: Op<i64>,
    pub(super) source_modified_time: Op<i64>,
    pub(super) security_categories: Op<Vec<i64>>,
    pub(super) labels: Op<Vec<Object<Label>>>,
    pub(super) geo_location: Op<Value>,
}

/// `{"externalId": …}`
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::dialects::cdf) struct Label {
    pub(super) external_id: String,
}

/// What becomes of one field; by default, nothing.
pub(super) type Op<T, R = T> = Option<Object<Change<T, R>>>;

/// `{"set": …}`, `{"setNull": true}`, or `{"add": …, "remove": …}`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "T: Deserialize<'de>, R: Deserialize<'de>"))]
pub(super) struct Change<T, R> {
    set: Option<T>,
    set_null: Option<bool>,
    add: Option<T>,
    remove: Option<R>,
}

/// A field is made this.
pub(super) fn set<T, R>(value: Option<T>) -> Op<T, R> {
    let set = Some(value?);
    Some(Object(Change { set, set_null: None, add: None, remove: None }))
}

/// A change that makes sense.
enum Step<'c, T, R> {
    Keep,
    Clear,
    Set(&'c T),
    Edit { add: Option<&'c T>, remove: Option<&'c R> },
}

impl<T, R> Change<T, R> {
    fn step(&self, field: &str) -> Result<Step<'_, T, R>> {
        let clears = self.set_null == Some(true);
        match (&self.set, clears, &self.add, &self.remove) {
            (None, false, None, None) => Ok(Step::Keep),
            (None, true, None, None) => Ok(Step::Clear),
            (Some(value), false, None, None) => Ok(Step::Set(value)),
            (None, false, add, remove) => {
                Ok(Step::Edit { add: add.as_ref(), remove: remove.as_ref() })
            }
            _ => {
                Err(Error::invalid(format!("{field}: set, setNull and add/remove exclude another")))
            }
        }
    }
}

fn step<'c, T, R>(op: &'c Op<T, R>, field: &str) -> Result<Step<'c, T, R>> {
    op.as_ref().map_or(Ok(Step::Keep), |Object(change)| change.step(field))
}

impl Patch {
    /// The external id that it sets.
    pub(in crate::dialects::cdf) fn new_external_id(&self) -> Option<&str> {
        self.external_id.as_ref()?.0.set.as_deref()
    }

    /// Makes the changes.
    pub(in crate::dialects::cdf) fn apply(&self, to: &mut Attributes) -> Result<()> {
        text(&self.external_id, "externalId", &EXTERNAL_ID, &mut to.external_id)?;
        self.apply_directory(to)?;
        text(&self.source, "source", &SOURCE, &mut to.source)?;
        text(&self.mime_type, "mimeType", &MIME_TYPE, &mut to.content_type)?;
        self.apply_metadata(to)?;
        let created = (&self.source_created_time, &mut to.source_created);
        moment(created.0, "sourceCreatedTime", created.1)?;
        let modified = (&self.source_modified_time, &mut to.source_modified);
        moment(modified.0, "sourceModifiedTime", modified.1)?;
        self.apply_data_set(to)?;
        ids(&self.asset_ids, "assetIds", MAX_ASSET_IDS, ASSET_IDS, to)?;
        let categories = &self.security_categories;
        let most = MAX_SECURITY_CATEGORIES;
        ids(categories, "securityCategories", most, SECURITY_CATEGORIES, to)?;
        self.apply_labels(to)?;
        self.apply_geo_location(to)
    }

    fn apply_directory(&self, to: &mut Attributes) -> Result<()> {
        let set = self.directory.as_ref().and_then(|Object(change)| change.set.as_ref());
        if set.is_some_and(|path| !path.starts_with('/')) {
            return Err(Error::invalid("directory must be an absolute, unix-style path"));
        }
        text(&self.directory, "directory", &DIRECTORY, &mut to.directory)
    }

    /// Removes before it adds, so that a pair can be exchanged in one go.
    fn apply_metadata(&self, to: &mut Attributes) -> Result<()> {
        match step(&self.metadata, "metadata")? {
            Step::Keep => return Ok(()),
            Step::Clear => to.metadata.clear(),
            Step::Set(pairs) => to.metadata = pairs.clone(),
            Step::Edit { add, remove } => {
                to.metadata.retain(|key, _| !remove.is_some_and(|gone| gone.contains(key)));
                to.metadata.extend(add.cloned().unwrap_or_default());
            }
        }
        check_metadata(&to.metadata)
    }

    fn apply_data_set(&self, to: &mut Attributes) -> Result<()> {
        match one(&self.data_set_id, "dataSetId")? {
            Some(Some(id)) => {
                check_id("dataSetId", *id)?;
                keep(to, DATA_SET_ID, vec![*id]);
            }
            Some(None) => keep(to, DATA_SET_ID, Vec::new()),
            None => {}
        }
        Ok(())
    }

    fn apply_labels(&self, to: &mut Attributes) -> Result<()> {
        let names = |labels: &[Object<Label>]| -> Vec<String> {
            labels.iter().map(|Object(label)| label.external_id.clone()).collect()
        };
        let op = listed(&self.labels, "labels", MAX_LABELS)?;
        let Some(labels) = edited(op, |labels| names(labels), || to.labels.clone()) else {
            return Ok(());
        };
        labels.iter().try_for_each(|label| LABEL.check(label))?;
        check_count("labels", labels.len(), MAX_LABELS)?;
        to.labels = labels;
        Ok(())
    }

    fn apply_geo_location(&self, to: &mut Attributes) -> Result<()> {
        match one(&self.geo_location, "geoLocation")? {
            Some(Some(value)) => {
                let location = GeoLocation::parse(value)?;
                to.extent = Some(location.extent);
                to.extras.insert(GEO_LOCATION.to_owned(), location.text);
            }
            Some(None) => {
                to.extent = None;
                to.extras.remove(GEO_LOCATION);
            }
            None => {}
        }
        Ok(())
    }
}

/// The new value of a field that is one: `None` when it stays.
fn one<'c, T>(op: &'c Op<T>, field: &str) -> Result<Option<Option<&'c T>>> {
    match step(op, field)? {
        Step::Keep => Ok(None),
        Step::Clear => Ok(Some(None)),
        Step::Set(value) => Ok(Some(Some(value))),
        Step::Edit { .. } => Err(Error::invalid(format!("{field} is one value: set or setNull"))),
    }
}

/// The new elements of a field that has several, each once and in order: `None` when they stay.
fn edited<T, E: PartialEq>(
    step: Step<'_, T, T>,
    elements: impl Fn(&T) -> Vec<E>,
    current: impl Fn() -> Vec<E>,
) -> Option<Vec<E>> {
    let wanted = match step {
        Step::Keep => return None,
        Step::Clear => Vec::new(),
        Step::Set(value) => elements(value),
        Step::Edit { add, remove } => {
            let gone = remove.map(&elements).unwrap_or_default();
            let mut wanted = current();
            wanted.retain(|element| !gone.contains(element));
            wanted.extend(add.map(&elements).unwrap_or_default());
            wanted
        }
    };
    let mut distinct = Vec::with_capacity(wanted.len());
    for element in wanted {
        if !distinct.contains(&element) {
            distinct.push(element);
        }
    }
    Some(distinct)
}

fn text(op: &Op<String>, field: &str, limit: &Text, place: &mut Option<String>) -> Result<()> {
    if let Some(value) = one(op, field)? {
        value.map_or(Ok(()), |text| limit.check(text))?;
        *place = value.cloned();
    }
    Ok(())
}

fn moment(op: &Op<i64>, field: &str, place: &mut Option<Timestamp>) -> Result<()> {
    if let Some(value) = one(op, field)? {
        *place = value.map(|millis| time(field, *millis)).transpose()?;
    }
    Ok(())
}

fn ids(op: &Op<Vec<i64>>, field: &str, most: usize, name: &str, to: &mut Attributes) -> Result<()> {
    let op = listed(op, field, most)?;
    let Some(ids) = edited(op, Vec::clone, || super::ints(to, name).collect()) else {
        return Ok(());
    };
    ids.iter().try_for_each(|id| check_id(field, *id))?;
    check_count(field, ids.len(), most)?;
    keep(to, name, ids);
    Ok(())
}

/// The step of a field of lists. One past the limit is not even compared with the others.
fn listed<'c, T>(op: &'c Op<Vec<T>>, field: &str, most: usize) -> Result<Step<'c, Vec<T>, Vec<T>>> {
    if let Some(Object(change)) = op {
        for list in [&change.set, &change.add, &change.remove].into_iter().flatten() {
            check_count(field, list.len(), most)?;
        }
    }
    step(op, field)
}

fn keep(to: &mut Attributes, name: &str, ids: Vec<i64>) {
    if ids.is_empty() {
        to.terms.remove(name);
    } else {
        to.terms.insert(name.to_owned(), ids.into_iter().map(Term::Int).collect());
    }
}

fn check_metadata(metadata: &BTreeMap<String, String>) -> Result<()> {
    let wrong = |what: String| Err(Error::invalid(format!("metadata: {what}")));
    check_count("metadata", metadata.len(), MAX_PAIRS)?;
    if metadata.keys().any(|key| key.len() > MAX_KEY) {
        return wrong(format!("a key is limited to {MAX_KEY} bytes"));
    }
    let bytes: usize = metadata.iter().map(|(key, value)| key.len() + value.len()).sum();
    if bytes > MAX_METADATA {
        return wrong(format!("keys and values are limited to {MAX_METADATA} bytes in all"));
    }
    Ok(())
}
