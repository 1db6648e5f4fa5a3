//! Bodies in both directions.

use filestore::{Digest, Error, Result};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::plain;
use crate::dialect::Fault;

/// Longest name, and longest media type, in characters.
const MAX_TEXT: usize = 255;
/// Seconds a session lives unless it says otherwise.
const DEFAULT_LIFE: u64 = 86_400;

/// The body that begins an upload.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BeginBody {
    file_name: Option<String>,
    content_type: Option<String>,
    file_size: Option<i64>,
    chunk_size: Option<i64>,
    sha256: Option<String>,
    upload_location: Option<String>,
    #[serde(alias = "expireInSeconds")]
    expires_in_seconds: Option<i64>,
}

/// What it says, checked.
#[derive(Debug)]
pub(super) struct Begin {
    pub(super) file_name: String,
    pub(super) content_type: Option<String>,
    /// `None` when it is not known.
    pub(super) file_size: Option<u64>,
    /// For information only.
    pub(super) chunk_size: u64,
    pub(super) sha256: Digest,
    pub(super) location: Location,
    pub(super) life: u64,
}

impl BeginBody {
    pub(super) fn checked(self) -> Result<Begin, Fault> {
        let name = self.file_name.filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| Error::invalid("fileName is required"))?;
        let content_type = self.content_type.filter(|text| !text.is_empty());
        for text in [Some(&name), content_type.as_ref()].into_iter().flatten() {
            if text.chars().count() > MAX_TEXT || text.chars().any(char::is_control) {
                let message = "fileName and contentType are limited to 255 characters without control characters";
                return Err(Error::invalid(message).into());
            }
        }
        let sha256 = self.sha256.ok_or_else(|| Error::invalid("sha256 is required"))?;
        let positive = |number: Option<i64>, what: &str| {
            u64::try_from(number.unwrap_or_default())
                .map_err(|_| Error::invalid(format!("{what} must not be negative")))
        };
        let location = match self.upload_location.as_deref() {
            None => Location::Archive,
            Some(text) => {
                Location::parse(text).ok_or_else(|| plain("Invalid uploadLocation in request."))?
            }
        };
        let life = self.expires_in_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        Ok(Begin {
            file_name: name,
            content_type,
            file_size: Some(positive(self.file_size, "fileSize")?).filter(|size| *size > 0),
            chunk_size: positive(self.chunk_size, "chunkSize")?,
            sha256: sha256.parse()?,
            location,
            life: life.filter(|seconds| *seconds > 0).unwrap_or(DEFAULT_LIFE),
        })
    }
}

/// Where an upload, or a copy of it, belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Location {
    Archive,
    Attachment,
    Image,
}

impl Location {
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "ARCHIVE" => Some(Self::Archive),
            "ATTACHMENT" => Some(Self::Attachment),
            "IMAGE" => Some(Self::Image),
            _ => None,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Archive => "ARCHIVE",
            Self::Attachment => "ATTACHMENT",
            Self::Image => "IMAGE",
        }
    }
}

/// The answer to the beginning of an upload.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Begun {
    pub(super) upload_id: String,
    pub(super) chunk_size: u64,
    pub(super) expires_at: String,
    #[serde(rename = "presignedURL")]
    pub(super) presigned_url: String,
}

/// The answer to a chunk.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChunkReceived {
    pub(super) upload_id: String,
    pub(super) chunk_order: u32,
    pub(super) received_size: u64,
    pub(super) message: String,
    pub(super) is_last_chunk: bool,
}

/// The status of an upload.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    pub(super) upload_id: String,
    pub(super) file_name: String,
    pub(super) file_size: u64,
    pub(super) image_id: u32,
    pub(super) chunk_size: u64,
    pub(super) status: &'static str,
    pub(super) uploaded_chunks: Vec<Chunk>,
    pub(super) total_received_size: u64,
    pub(super) message: String,
    #[serde(rename = "presignedURL")]
    pub(super) presigned_url: Option<String>,
}

/// A chunk that is there.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Chunk {
    pub(super) chunk_order: u32,
    pub(super) received_size: u64,
}

/// The list of one's own uploads.
#[derive(Debug, Serialize)]
pub(super) struct Uploads {
    pub(super) uploads: Vec<Status>,
}

/// A sentence.
#[derive(Debug, Serialize)]
pub(super) struct Message {
    pub(super) message: String,
}

/// The body that asks for a copy.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CopyBody {
    copy_location: Option<String>,
    table_name: Option<String>,
    record_id: Option<RecordId>,
}

/// The platform's own clients send text; a number is taken as well.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum RecordId {
    Text(String),
    Number(u32),
}

impl CopyBody {
    /// Where the copy goes, and to which record unless it is an image.
    pub(super) fn checked(self) -> Result<(Location, Option<RecordRef>), Fault> {
        let location = self.copy_location.filter(|text| !text.is_empty());
        let location = location.ok_or_else(|| plain("copyLocation is required in request."))?;
        let location =
            Location::parse(&location).ok_or_else(|| plain("Invalid copyLocation in request."))?;
        if location == Location::Image {
            return Ok((location, None));
        }
        let record = match self.record_id {
            Some(RecordId::Text(text)) => Some(text),
            Some(RecordId::Number(number)) => Some(number.to_string()),
            None => None,
        };
        match (self.table_name, record) {
            (Some(table), Some(record)) if !table.is_empty() && !record.is_empty() => {
                Ok((location, Some(RecordRef::parse(&table, &record)?)))
            }
            _ => Err(plain("tableName and recordId are required in request.")),
        }
    }
}

/// The answer to a copy.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Copied {
    pub(super) upload_id: String,
    pub(super) table_name: String,
    pub(super) record_id: u32,
    #[serde(rename = "recordUU")]
    pub(super) record_uu: String,
    pub(super) copy_location: &'static str,
    pub(super) file_name: String,
    pub(super) content_type: Option<String>,
    pub(super) file_size: u64,
}

/// The attachments of a record.
#[derive(Debug, Serialize)]
pub(super) struct Attachments {
    pub(super) attachments: Vec<Attachment>,
}

/// One of them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Attachment {
    pub(super) name: String,
    pub(super) content_type: Option<String>,
    pub(super) size: u64,
}

/// A record of a table, as a request names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordRef {
    pub(super) table: String,
    pub(super) id: RecordKey,
}

/// Records have a number and a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecordKey {
    Id(u32),
    Uuid(Uuid),
}

impl RecordRef {
    /// Tables are named by letters, digits and underscores.
    pub(super) fn parse(table: &str, id: &str) -> Result<Self, Fault> {
        let plain_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !(1..=60).contains(&table.len()) || !table.chars().all(plain_name) {
            return Err(Error::not_found(format!("Invalid table name\n{table}")).into());
        }
        let number = id.parse::<u32>().ok().filter(|id| i32::try_from(*id).is_ok());
        let key = match number {
            Some(number) => Some(RecordKey::Id(number)),
            None => Uuid::try_parse(id).ok().filter(|_| id.len() == 36).map(RecordKey::Uuid),
        };
        let id = key.ok_or_else(|| Error::not_found(format!("Record not found\n{id}")))?;
        Ok(Self { table: table.to_owned(), id })
    }
}
