//! How requests name files.

use std::fmt;

use filestore::{Error, FileKey, FileNumber, Result};
use serde::{Deserialize, Deserializer, Serialize, de};

use super::limits::{EXTERNAL_ID, MAX_ID};
use crate::protocol::Object;

/// One of the three names a file can have.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::dialects::cdf) enum Identifier {
    /// Ours.
    #[serde(serialize_with = "number")]
    Id(FileNumber),
    /// The client's.
    ExternalId(String),
    /// That of a data model, of which there is none here: nothing has it.
    InstanceId(InstanceId),
}

/// A name in a data model.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::dialects::cdf) struct InstanceId {
    space: String,
    external_id: String,
}

fn number<S: serde::Serializer>(id: &FileNumber, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(id.get())
}

impl Identifier {
    /// Exactly one of them.
    pub(super) fn of(
        id: Option<i64>,
        external_id: Option<String>,
        instance_id: Option<Object<InstanceId>>,
    ) -> Result<Self> {
        match (id, external_id, instance_id) {
            (Some(id), None, None) => u64::try_from(id)
                .ok()
                .and_then(FileNumber::new)
                .map(Self::Id)
                .ok_or_else(|| Error::invalid(format!("id must be between 1 and {MAX_ID}"))),
            (None, Some(text), None) => {
                EXTERNAL_ID.check(&text)?;
                Ok(Self::ExternalId(text))
            }
            (None, None, Some(Object(instance))) => Ok(Self::InstanceId(instance)),
            _ => Err(Error::invalid("exactly one of id, externalId and instanceId is required")),
        }
    }

    /// The store's name for it, if it has one.
    pub(in crate::dialects::cdf) fn key(&self) -> Option<FileKey> {
        match self {
            Self::Id(number) => Some(FileKey::Number(*number)),
            Self::ExternalId(text) => Some(FileKey::External(text.clone())),
            Self::InstanceId(_) => None,
        }
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(number) => write!(f, "{}", number.get()),
            Self::ExternalId(text) => f.write_str(text),
            Self::InstanceId(instance) => write!(f, "{}:{}", instance.space, instance.external_id),
        }
    }
}

impl<'de> Deserialize<'de> for Identifier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Members {
            id: Option<i64>,
            external_id: Option<String>,
            instance_id: Option<Object<InstanceId>>,
        }
        let Object(members) = Object::<Members>::deserialize(deserializer)?;
        Self::of(members.id, members.external_id, members.instance_id).map_err(de::Error::custom)
    }
}
