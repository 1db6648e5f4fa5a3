//! What HTTP itself says and no dialect does.

use http::HeaderValue;

pub mod byteranges;
pub mod conditional;
pub mod digest;
pub mod disposition;
pub mod download;
pub mod form;
mod json;
pub mod media;
pub mod multipart;
mod parameters;
pub mod query;
pub mod range;

pub use json::{JSON_LIMIT, json, json_as, read_json, read_json_within};

/// Text of a header or a form as people meant it: UTF-8 where it is valid, else ISO-8859-1, which
/// gives every byte a meaning.
pub fn lenient_text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}

/// A header value from text that was built of visible ASCII. A defect in the building would cost
/// the header and not the process.
fn header_value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}
