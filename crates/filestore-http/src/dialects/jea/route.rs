//! Requests become routes.

use filestore::{Error, FileId};
use http::Method;

use super::wire::parse_handle;
use crate::dialect::{Fault, Head};
use crate::protocol::query::segments;

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Route {
    /// `POST /upload`
    Upload,
    /// `GET /download/{fileHandle}`
    Download(FileId),
    /// `GET /view/{fileHandle}`, which the page calls the callback
    View(FileId),
    /// `DELETE /files/{fileHandle}`
    Delete(FileId),
}

pub(super) fn of(head: Head<'_>) -> Result<Route, Fault> {
    let segments = segments(head.path)?;
    let segments: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
    match (head.method(), segments.as_slice()) {
        (&Method::POST, ["upload"]) => Ok(Route::Upload),
        (&Method::GET | &Method::HEAD, ["download", handle]) => id_of(handle).map(Route::Download),
        (&Method::GET | &Method::HEAD, ["view", handle]) => id_of(handle).map(Route::View),
        (&Method::DELETE, ["files", handle]) => id_of(handle).map(Route::Delete),
        (_, ["upload"]) => Err(Fault::Method("POST")),
        (_, ["download" | "view", _]) => Err(Fault::Method("GET, HEAD")),
        (_, ["files", _]) => Err(Fault::Method("DELETE")),
        _ => Err(Fault::NoRoute),
    }
}

fn id_of(handle: &str) -> Result<FileId, Fault> {
    parse_handle(handle).ok_or_else(|| Error::not_found("no file has this handle").into())
}
