//! JSON bodies: read through a limit, written whole.

use filestore::{Error, Result};
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::body::{RequestBody, ResponseBody};
use crate::dialect::Answer;

/// Most bytes of a JSON body.
pub const JSON_LIMIT: usize = 1 << 20;

/// Reads a JSON body, whatever its media type says.
///
/// # Errors
/// [`TooLarge`](filestore::ErrorKind::TooLarge) past [`JSON_LIMIT`];
/// [`InvalidArgument`](filestore::ErrorKind::InvalidArgument) with the place of the mistake.
pub async fn read_json<T: DeserializeOwned>(body: &mut RequestBody) -> Result<T> {
    let bytes = body.collect(JSON_LIMIT).await?;
    serde_json::from_slice(&bytes).map_err(|error| Error::invalid(format!("invalid JSON: {error}")))
}

/// A JSON answer.
pub fn json<T: Serialize>(status: StatusCode, body: &T) -> Answer {
    json_as(status, HeaderValue::from_static("application/json"), body)
}

/// A JSON answer of another media type.
pub fn json_as<T: Serialize>(status: StatusCode, media: HeaderValue, body: &T) -> Answer {
    // Our own types have string keys only, so that this cannot fail.
    let text = serde_json::to_vec(body).unwrap_or_default();
    let mut answer = Response::new(ResponseBody::from(text));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, media);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
