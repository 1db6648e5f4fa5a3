//! The formats: JSON in both directions, and how files are kept in it.

mod file;
mod filter;
mod geo;
mod identifier;
mod limits;
mod list;
mod patch;

use std::collections::BTreeMap;

use filestore::{Attributes, FileId, Term};
use serde::{Deserialize, Serialize};

use crate::protocol::Object;

pub(super) use file::{File, NewFields, NewFileBody};
pub(super) use filter::{Conditions, Filter};
pub(super) use geo::PlaceTest;
pub(super) use identifier::Identifier;
pub(super) use list::{ListBody, SearchBody};
pub(super) use patch::UpdateItem;

/// The terms that hold what only this API knows, and the geometry as it was given.
const ASSET_IDS: &str = "cdf.assetIds";
const DATA_SET_ID: &str = "cdf.dataSetId";
pub(super) const SECURITY_CATEGORIES: &str = "cdf.securityCategories";
const GEO_LOCATION: &str = "cdf.geoLocation";

/// The numbers kept under `name`.
fn ints<'a>(attributes: &'a Attributes, name: &str) -> impl Iterator<Item = i64> + use<'a> {
    let terms = attributes.terms.get(name).map(Vec::as_slice).unwrap_or_default();
    terms.iter().filter_map(|term| match term {
        Term::Int(value) => Some(*value),
        Term::Text(_) => None,
    })
}

/// `{"items": […], "ignoreUnknownIds": …}`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ItemsBody<T> {
    pub(super) items: Vec<T>,
    ignore_unknown_ids: Option<bool>,
}

impl<T> ItemsBody<T> {
    pub(super) fn ignores_unknown(&self) -> bool {
        self.ignore_unknown_ids == Some(true)
    }
}

/// `{"filter": …}`
#[derive(Debug, Deserialize)]
pub(super) struct AggregateBody {
    pub(super) filter: Option<Object<Filter>>,
}

/// Which upload is complete.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CompleteBody {
    pub(super) id: Option<i64>,
    pub(super) external_id: Option<String>,
    pub(super) instance_id: Option<Object<identifier::InstanceId>>,
    pub(super) upload_id: String,
}

impl CompleteBody {
    pub(super) fn file(&self) -> filestore::Result<Identifier> {
        Identifier::of(self.id, self.external_id.clone(), self.instance_id.clone())
    }
}

/// `{"items": […]}`
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Items<T> {
    pub(super) items: Vec<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_cursor: Option<String>,
}

impl<T> From<Vec<T>> for Items<T> {
    fn from(items: Vec<T>) -> Self {
        Self { items, next_cursor: None }
    }
}

/// How many there are.
#[derive(Debug, Serialize)]
pub(super) struct Count {
    pub(super) count: u64,
}

/// `{}`
#[derive(Debug, Serialize)]
pub(super) struct Nothing {}

/// Where a file's content is, under the name it was asked for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Download {
    #[serde(flatten)]
    pub(super) file: Identifier,
    pub(super) download_url: String,
}

/// What a token is good for.
#[derive(Debug, Serialize)]
pub(super) struct Inspection<'p> {
    pub(super) subject: &'p str,
    pub(super) projects: [InspectedProject<'p>; 1],
    pub(super) capabilities: [Capability<'p>; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InspectedProject<'p> {
    pub(super) project_url_name: &'p str,
    pub(super) groups: [u64; 0],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Capability<'p> {
    pub(super) files_acl: Acl,
    pub(super) project_scope: BTreeMap<&'static str, [&'p str; 1]>,
}

#[derive(Debug, Serialize)]
pub(super) struct Acl {
    pub(super) actions: Vec<&'static str>,
    pub(super) scope: BTreeMap<&'static str, Nothing>,
}

/// 32 lower-case hex digits.
pub(super) fn upload_id(id: FileId) -> String {
    hex::encode(id.as_bytes())
}

/// The upload behind such text; `None` for what is none.
pub(super) fn parse_upload_id(text: &str) -> Option<FileId> {
    let mut bytes = [0; 16];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(FileId::from_bytes(bytes))
}
