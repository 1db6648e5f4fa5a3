//! Filters: what a client asks for becomes conditions of the store.

use std::collections::BTreeMap;

use filestore::{Cond, Error, FileRecord, Result, SetField, Term, TextField, TimeField, Timestamp};
use serde::Deserialize;

use super::geo::{GeoFilter, PlaceTest};
use super::limits::{MAX_PAIRS, check_count, check_id, time};
use super::patch::Label;
use super::{ASSET_IDS, DATA_SET_ID};
use crate::protocol::Object;

/// Most values that one member lists.
const MAX_VALUES: usize = 1000;

/// Which files; all members must fit.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::dialects::cdf) struct Filter {
    pub(super) name: Option<String>,
    pub(super) mime_type: Option<String>,
    pub(super) source: Option<String>,
    pub(super) directory_prefix: Option<String>,
    pub(super) external_id_prefix: Option<String>,
    pub(super) metadata: Option<BTreeMap<String, String>>,
    pub(super) asset_ids: Option<Vec<i64>>,
    pub(super) asset_external_ids: Option<Vec<String>>,
    pub(super) root_asset_ids: Option<Vec<Object<Reference>>>,
    pub(super) asset_subtree_ids: Option<Vec<Object<Reference>>>,
    pub(super) data_set_ids: Option<Vec<Object<Reference>>>,
    pub(super) created_time: Option<Object<Range>>,
    pub(super) last_updated_time: Option<Object<Range>>,
    pub(super) uploaded_time: Option<Object<Range>>,
    pub(super) source_created_time: Option<Object<Range>>,
    pub(super) source_modified_time: Option<Object<Range>>,
    pub(super) uploaded: Option<bool>,
    pub(super) labels: Option<Object<LabelFilter>>,
    pub(super) geo_location: Option<Object<GeoFilter>>,
}

/// Something of another store, by our id or the client's.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reference {
    pub(super) id: Option<i64>,
    pub(super) external_id: Option<String>,
}

/// Milliseconds since 1970, both ends included.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Range {
    pub(super) min: Option<i64>,
    pub(super) max: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LabelFilter {
    contains_all: Option<Vec<Object<Label>>>,
    contains_any: Option<Vec<Object<Label>>>,
}

/// What a filter means.
#[derive(Debug, Default)]
pub(in crate::dialects::cdf) struct Conditions {
    /// What the store looks at.
    pub(in crate::dialects::cdf) all: Vec<Cond>,
    /// What is looked at on the files it finds.
    pub(in crate::dialects::cdf) place: Option<PlaceTest>,
}

impl Conditions {
    /// Whether a file fits that the store found.
    pub(in crate::dialects::cdf) fn fit(&self, record: &FileRecord) -> bool {
        self.place.as_ref().is_none_or(|place| place.holds(record))
    }
}

impl Filter {
    pub(in crate::dialects::cdf) fn conditions(&self) -> Result<Conditions> {
        let mut all = Vec::new();
        self.texts(&mut all);
        self.times(&mut all)?;
        self.sets(&mut all)?;
        all.extend(self.uploaded.map(Cond::HasContent));
        let place = self.geo_location.as_ref();
        let place = place.map(|Object(filter)| PlaceTest::parse(filter)).transpose()?;
        all.extend(place.as_ref().map(PlaceTest::condition));
        Ok(Conditions { all, place })
    }

    fn texts(&self, all: &mut Vec<Cond>) {
        for (field, text) in [
            (TextField::Name, &self.name),
            (TextField::ContentType, &self.mime_type),
            (TextField::Source, &self.source),
        ] {
            all.extend(text.iter().map(|text| Cond::Is(field, text.clone())));
        }
        for (field, prefix) in [
            (TextField::Directory, &self.directory_prefix),
            (TextField::ExternalId, &self.external_id_prefix),
        ] {
            all.extend(prefix.iter().map(|prefix| Cond::Prefix(field, prefix.clone())));
        }
    }

    fn times(&self, all: &mut Vec<Cond>) -> Result<()> {
        for (field, name, range) in [
            (TimeField::Created, "createdTime", &self.created_time),
            (TimeField::Updated, "lastUpdatedTime", &self.last_updated_time),
            (TimeField::Stored, "uploadedTime", &self.uploaded_time),
            (TimeField::SourceCreated, "sourceCreatedTime", &self.source_created_time),
            (TimeField::SourceModified, "sourceModifiedTime", &self.source_modified_time),
        ] {
            let Some(Object(range)) = range else { continue };
            let min = range.min.map_or(Ok(Timestamp::default()), |min| time(name, min))?;
            let max = range.max.map_or(Ok(Timestamp::MAX), |max| time(name, max))?;
            all.push(Cond::Time(field, min..=max));
        }
        Ok(())
    }

    fn sets(&self, all: &mut Vec<Cond>) -> Result<()> {
        for (key, value) in self.metadata.iter().flatten() {
            all.push(Cond::Metadata(key.clone(), value.clone()));
        }
        check_count("filter.metadata", all.len(), MAX_PAIRS)?;
        if let Some(ids) = &self.asset_ids {
            all.push(any_of(ASSET_IDS, "assetIds", ids.iter().copied())?);
        }
        if let Some(sets) = &self.data_set_ids {
            // Data sets are no store of ours: only their ids are known, on the files themselves.
            let ids = references("dataSetIds", sets)?;
            all.push(any_of(DATA_SET_ID, "dataSetIds", ids.into_iter())?);
        }
        // Nor are assets: nothing is known of trees, nor of names in them.
        for (name, subtree) in
            [("rootAssetIds", &self.root_asset_ids), ("assetSubtreeIds", &self.asset_subtree_ids)]
        {
            let Some(assets) = subtree else { continue };
            references(name, assets)?;
            all.push(nothing());
        }
        all.extend(self.asset_external_ids.is_some().then(nothing));
        self.label_sets(all)
    }

    fn label_sets(&self, all: &mut Vec<Cond>) -> Result<()> {
        let Some(Object(labels)) = &self.labels else { return Ok(()) };
        let terms = |labels: &[Object<Label>]| -> Result<Vec<Term>> {
            check_count("labels", labels.len(), MAX_VALUES)?;
            Ok(labels.iter().map(|Object(label)| Term::Text(label.external_id.clone())).collect())
        };
        match (&labels.contains_all, &labels.contains_any) {
            (Some(wanted), None) => all.push(Cond::AllOf(SetField::Labels, terms(wanted)?)),
            (None, Some(wanted)) => all.push(Cond::AnyOf(SetField::Labels, terms(wanted)?)),
            _ => return Err(Error::invalid("labels has one of containsAll and containsAny")),
        }
        Ok(())
    }
}

/// Holds for no file.
fn nothing() -> Cond {
    Cond::AnyOf(SetField::Labels, Vec::new())
}

fn any_of(name: &str, field: &str, ids: impl ExactSizeIterator<Item = i64>) -> Result<Cond> {
    check_count(field, ids.len(), MAX_VALUES)?;
    let terms = ids.map(|id| check_id(field, id).map(|()| Term::Int(id))).collect::<Result<_>>()?;
    Ok(Cond::AnyOf(SetField::Terms(name.to_owned()), terms))
}

/// The ids among references; what is named otherwise is unknown.
fn references(field: &str, references: &[Object<Reference>]) -> Result<Vec<i64>> {
    let mut ids = Vec::new();
    for Object(reference) in references {
        match (reference.id, &reference.external_id) {
            (Some(id), None) => {
                check_id(field, id)?;
                ids.push(id);
            }
            (None, Some(_)) => {}
            _ => return Err(Error::invalid(format!("{field}: one of id and externalId"))),
        }
    }
    Ok(ids)
}
