//! What HTTP itself says and no dialect does.

use filestore::{Error, Result};
use http::header::AsHeaderName;
use http::{HeaderMap, HeaderValue};

mod answer;
pub mod base64_json;
pub mod byteranges;
pub mod conditional;
pub mod date;
pub mod digest;
pub mod disposition;
pub mod download;
pub mod form;
mod json;
pub mod media;
pub mod multipart;
mod object;
mod parameters;
pub mod query;
pub mod range;

pub use answer::{empty, located};
pub(crate) use json::from_json;
pub use json::{JSON_LIMIT, json, json_as, read_json, read_json_within};
pub use object::Object;

/// Text of a header or a form as people meant it: UTF-8 where it is valid, else ISO-8859-1, which
/// gives every byte a meaning.
pub fn lenient_text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}

/// A header that makes no sense twice. Empty, it counts as absent.
///
/// # Errors
/// [`InvalidArgument`](filestore::ErrorKind::InvalidArgument) when a request has it twice: whoever
/// stands in front of this server may have looked at the other one.
pub fn sole_header(headers: &HeaderMap, name: impl AsHeaderName) -> Result<Option<&[u8]>> {
    let mut lines = headers.get_all(name).iter().map(|line| line.as_bytes().trim_ascii());
    match (lines.next(), lines.next()) {
        (line, None) => Ok(line.filter(|line| !line.is_empty())),
        _ => Err(Error::invalid("a header that has one value was sent twice")),
    }
}

/// A header value from text that was built of visible ASCII. A defect in the building would cost
/// the header and not the process.
fn header_value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}
