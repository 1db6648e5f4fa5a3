//! File metadata, ids and problems.

use data_encoding::BASE32_NOPAD;
use filestore::{FileId, FileRecord};
use serde::Serialize;

use crate::protocol::media::OCTET_STREAM;

/// File metadata, in the order of the page's example.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FileMeta<'r> {
    id: String,
    filename: &'r str,
    content_type: &'r str,
    size: u64,
}

impl<'r> FileMeta<'r> {
    /// `None` for a file that has no content yet: there is no such thing here.
    pub(super) fn of(record: &'r FileRecord) -> Option<Self> {
        Some(Self {
            id: id_text(record.id),
            filename: &record.attributes.name,
            content_type: content_type(record),
            size: record.content.as_ref()?.size,
        })
    }
}

/// The media type a file was stored with, as it was declared.
pub(super) fn content_type(record: &FileRecord) -> &str {
    record.attributes.content_type.as_deref().unwrap_or(OCTET_STREAM)
}

/// Lower-case base32 without padding: 26 characters.
pub(super) fn id_text(id: FileId) -> String {
    BASE32_NOPAD.encode(id.as_bytes()).to_ascii_lowercase()
}

/// The id behind such text; `None` for what is none.
pub(super) fn parse_id(text: &str) -> Option<FileId> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let bytes = BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).ok()?;
    Some(FileId::from_bytes(bytes.try_into().ok()?))
}

/// What is said of an id that names nothing.
pub(super) fn unknown(id: &str) -> String {
    format!("Unknown entity with 'id' '{id}' of type 'sys_FileMeta'.")
}

/// A problem (RFC 9457, of which MOLGENIS speaks the predecessor RFC 7807).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Problem<'p> {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) title: &'p str,
    pub(super) status: u16,
    pub(super) detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error_code: Option<&'static str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_s_own_id_is_read_back_and_nothing_else_is() {
        let text = "aaaac2mp6yoxgaavluayxfiaae";
        assert_eq!(id_text(parse_id(text).unwrap()), text);
        let wrong = ["", "aaaa", "AAAAC2MP6YOXGAAVLUAYXFIAAE", "aaaac2mp6yoxgaavluayxfiaa1"];
        for wrong in
            wrong.into_iter().chain(["aaaac2mp6yoxgaavluayxfiaaf", "../../../etc/passwd......."])
        {
            assert_eq!(parse_id(wrong), None, "{wrong}");
        }
    }
}
