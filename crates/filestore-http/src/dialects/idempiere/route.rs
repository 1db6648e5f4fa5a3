//! Requests become routes.

use filestore::{Error, FileId};
use http::Method;
use uuid::Uuid;

use super::error::unknown_session;
use super::wire::RecordRef;
use crate::dialect::{Fault, Head};
use crate::protocol::query::{Query, segments};

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Route {
    /// `POST /`
    Begin,
    /// `GET /`
    List,
    /// `GET /{uploadId}[?expiresInSeconds=…]`; seconds that a URL is to live
    Status(FileId, Option<u64>),
    /// `DELETE /{uploadId}`
    Cancel(FileId),
    /// `PUT /{uploadId}/chunks/{chunkOrder}`
    Chunk(FileId, i64),
    /// `GET /{uploadId}/file[?asJson]`
    File(FileId, Form),
    /// `POST /{uploadId}/copy`
    Copy(FileId),
    /// `GET /{tableName}/{recordId}/attachments`
    Attachments(RecordRef),
    /// `GET /{tableName}/{recordId}/attachments/{fileName}`
    Attachment(RecordRef, String),
}

/// How a file is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Its bytes.
    Binary,
    /// `{"data": "<base64>"}`
    Json,
}

pub(super) fn of_uploads(head: Head<'_>) -> Result<Route, Fault> {
    let segments = segments(head.path)?;
    let segments: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
    match (head.method(), segments.as_slice()) {
        (&Method::POST, []) => Ok(Route::Begin),
        (&Method::GET | &Method::HEAD, []) => Ok(Route::List),
        (&Method::GET | &Method::HEAD, [id]) => Ok(Route::Status(id_of(id)?, url_life(head)?)),
        (&Method::DELETE, [id]) => Ok(Route::Cancel(id_of(id)?)),
        (&Method::PUT, [id, "chunks", order]) => {
            let order = order.parse().map_err(|_| Fault::NoRoute)?;
            Ok(Route::Chunk(id_of(id)?, order))
        }
        (&Method::GET | &Method::HEAD, [id, "file"]) => Ok(Route::File(id_of(id)?, form(head)?)),
        (&Method::POST, [id, "copy"]) => Ok(Route::Copy(id_of(id)?)),
        (_, []) => Err(Fault::Method("GET, HEAD, POST")),
        (_, [_]) => Err(Fault::Method("GET, HEAD, DELETE")),
        (_, [_, "chunks", _]) => Err(Fault::Method("PUT")),
        (_, [_, "file"]) => Err(Fault::Method("GET, HEAD")),
        (_, [_, "copy"]) => Err(Fault::Method("POST")),
        _ => Err(Fault::NoRoute),
    }
}

pub(super) fn of_models(head: Head<'_>) -> Result<Route, Fault> {
    let segments = segments(head.path)?;
    let segments: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
    let reads = matches!(*head.method(), Method::GET | Method::HEAD);
    match segments.as_slice() {
        [_, _, "attachments"] | [_, _, "attachments", _] if !reads => {
            Err(Fault::Method("GET, HEAD"))
        }
        [table, id, "attachments"] => Ok(Route::Attachments(RecordRef::parse(table, id)?)),
        [table, id, "attachments", name] => {
            Ok(Route::Attachment(RecordRef::parse(table, id)?, (*name).to_owned()))
        }
        _ => Err(Fault::NoRoute),
    }
}

/// A UUID in the hyphenated form; anything else names nothing.
fn id_of(text: &str) -> Result<FileId, Fault> {
    let uuid = Uuid::try_parse(text).ok().filter(|_| text.len() == 36);
    uuid.map(|uuid| FileId::from_bytes(uuid.into_bytes())).ok_or_else(|| unknown_session(text))
}

/// `expiresInSeconds`, which the page also calls `expireInSeconds`. Nothing but a positive number
/// asks for a URL.
fn url_life(head: Head<'_>) -> Result<Option<u64>, Fault> {
    let query = Query::parse(head.query())?;
    let is_life = |name: &str| matches!(name, "expiresInSeconds" | "expireInSeconds");
    let mut texts = query.pairs().filter(|(name, _)| is_life(name)).map(|(_, text)| text);
    let Some(text) = texts.next() else { return Ok(None) };
    if texts.any(|other| other != text) {
        return Err(Error::invalid("expiresInSeconds has two values").into());
    }
    let seconds: i64 =
        text.parse().map_err(|_| Error::invalid("expiresInSeconds is a number of seconds"))?;
    Ok(u64::try_from(seconds).ok().filter(|seconds| *seconds > 0))
}

/// The page's `asJson`, and `json`, which the platform reads. Their presence counts, whatever their
/// value; but `false` means no.
fn form(head: Head<'_>) -> Result<Form, Fault> {
    let query = Query::parse(head.query())?;
    let asked = ["asJson", "json"].into_iter().filter_map(|name| query.first(name));
    let asked = asked.filter(|value| !value.eq_ignore_ascii_case("false")).count();
    Ok(if asked > 0 { Form::Json } else { Form::Binary })
}
