//! The file object, and what makes one.

use std::collections::BTreeMap;

use filestore::{Attributes, Error, FileRecord, Result, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::limits::NAME;
use super::patch::{Label, Patch, set};
use super::{ASSET_IDS, DATA_SET_ID, GEO_LOCATION, SECURITY_CATEGORIES, ints};
use crate::protocol::Object;

/// A file. What is not set is left out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::dialects::cdf) struct File<'r> {
    id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<&'r str>,
    name: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    directory: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mime_type: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'r BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    asset_ids: Vec<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_set_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_created_time: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_modified_time: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    security_categories: Vec<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<Vec<ShownLabel<'r>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    geo_location: Option<&'r RawValue>,
    uploaded: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    uploaded_time: Option<u64>,
    created_time: u64,
    last_updated_time: u64,
    /// Where the content goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::dialects::cdf) upload_url: Option<String>,
    /// The upload in parts, and where they go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::dialects::cdf) upload_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::dialects::cdf) upload_urls: Option<Vec<String>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownLabel<'r> {
    external_id: &'r str,
}

impl<'r> From<&'r FileRecord> for File<'r> {
    fn from(record: &'r FileRecord) -> Self {
        let attributes = &record.attributes;
        let millis = |time: Option<Timestamp>| time.map(Timestamp::as_millis);
        let location = attributes.extras.get(GEO_LOCATION);
        Self {
            id: record.number.get(),
            external_id: attributes.external_id.as_deref(),
            name: &attributes.name,
            directory: attributes.directory.as_deref(),
            source: attributes.source.as_deref(),
            mime_type: attributes.content_type.as_deref(),
            metadata: Some(&attributes.metadata).filter(|pairs| !pairs.is_empty()),
            asset_ids: ints(attributes, ASSET_IDS).collect(),
            data_set_id: ints(attributes, DATA_SET_ID).next(),
            source_created_time: millis(attributes.source_created),
            source_modified_time: millis(attributes.source_modified),
            security_categories: ints(attributes, SECURITY_CATEGORIES).collect(),
            labels: Some(labels(attributes)).filter(|labels| !labels.is_empty()),
            geo_location: location.and_then(|text| serde_json::from_str(text).ok()),
            uploaded: record.content.is_some(),
            uploaded_time: millis(record.content.as_ref().map(|content| content.stored)),
            created_time: record.created.as_millis(),
            last_updated_time: record.updated.as_millis(),
            upload_url: None,
            upload_id: None,
            upload_urls: None,
        }
    }
}

fn labels(attributes: &Attributes) -> Vec<ShownLabel<'_>> {
    attributes.labels.iter().map(|label| ShownLabel { external_id: label }).collect()
}

impl<'r> File<'r> {
    /// As creating shows it: with labels, if none.
    pub(in crate::dialects::cdf) fn created(record: &'r FileRecord) -> Self {
        Self { labels: Some(labels(&record.attributes)), ..record.into() }
    }

    /// As updating shows it: with metadata, if none.
    pub(in crate::dialects::cdf) fn updated(record: &'r FileRecord) -> Self {
        Self { metadata: Some(&record.attributes.metadata), ..record.into() }
    }
}

/// What a new file is to be, or one that is overwritten.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::dialects::cdf) struct NewFileBody {
    name: String,
    external_id: Option<String>,
    directory: Option<String>,
    source: Option<String>,
    mime_type: Option<String>,
    metadata: Option<BTreeMap<String, String>>,
    asset_ids: Option<Vec<i64>>,
    data_set_id: Option<i64>,
    source_created_time: Option<i64>,
    source_modified_time: Option<i64>,
    security_categories: Option<Vec<i64>>,
    labels: Option<Vec<Object<Label>>>,
    geo_location: Option<Value>,
}

/// A new file, checked as far as it can be before it is held against another.
#[derive(Debug)]
pub(in crate::dialects::cdf) struct NewFields {
    name: String,
    patch: Patch,
}

impl NewFileBody {
    pub(in crate::dialects::cdf) fn checked(self) -> Result<NewFields> {
        NAME.check(&self.name)?;
        if self.asset_ids.as_ref().is_some_and(Vec::is_empty) {
            return Err(Error::invalid("assetIds must have 1 element at least"));
        }
        let patch = Patch {
            external_id: set(self.external_id),
            directory: set(self.directory),
            source: set(self.source),
            mime_type: set(self.mime_type),
            metadata: set(self.metadata),
            asset_ids: set(self.asset_ids),
            data_set_id: set(self.data_set_id),
            source_created_time: set(self.source_created_time),
            source_modified_time: set(self.source_modified_time),
            security_categories: set(self.security_categories),
            labels: set(self.labels),
            geo_location: set(self.geo_location),
        };
        Ok(NewFields { name: self.name, patch })
    }
}

impl NewFields {
    /// Puts what the body has in the place of what is there.
    pub(in crate::dialects::cdf) fn apply(&self, to: &mut Attributes) -> Result<()> {
        to.name.clone_from(&self.name);
        self.patch.apply(to)
    }
}
