//! Requests become routes.

use filestore::{Error, FileId};
use http::Method;

use super::wire::parse_id;
use crate::dialect::{Fault, Head};
use crate::protocol::query::{Query, segments};

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Route {
    /// `POST /`
    Upload,
    /// `GET /{id}`
    Metadata(FileId),
    /// `GET /{id}?alt=media`
    Download(FileId),
    /// `DELETE /{id}`
    Delete(FileId),
}

pub(super) fn of(head: Head<'_>) -> Result<Route, Fault> {
    let segments = segments(head.path)?;
    let segments: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
    match (head.method(), segments.as_slice()) {
        (&Method::POST, []) => Ok(Route::Upload),
        (&Method::GET | &Method::HEAD, [id]) => {
            let id = id_of(id)?;
            let is_media = Query::parse(head.query())?.first("alt") == Some("media");
            Ok(if is_media { Route::Download(id) } else { Route::Metadata(id) })
        }
        (&Method::DELETE, [id]) => id_of(id).map(Route::Delete),
        (_, []) => Err(Fault::Method("POST")),
        (_, [_]) => Err(Fault::Method("GET, HEAD, DELETE")),
        _ => Err(Fault::NoRoute),
    }
}

fn id_of(text: &str) -> Result<FileId, Fault> {
    parse_id(text).ok_or_else(|| Error::not_found(super::wire::unknown(text)).into())
}
