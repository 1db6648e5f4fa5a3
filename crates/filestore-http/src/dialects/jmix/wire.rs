//! What an upload answers, and what errors look like.

use serde::Serialize;

/// The answer to an upload.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Uploaded<'r> {
    pub(super) file_ref: String,
    pub(super) name: &'r str,
    pub(super) size: u64,
}

/// An error.
#[derive(Debug, Serialize)]
pub(super) struct ErrorInfo {
    pub(super) error: String,
    pub(super) details: String,
}
