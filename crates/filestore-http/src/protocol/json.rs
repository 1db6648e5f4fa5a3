//! JSON bodies: read through a limit, written whole.

use std::io::Read;

use bytes::Bytes;
use filestore::{Error, Result};
use flate2::read::MultiGzDecoder;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use serde::de::{DeserializeOwned, Error as _};

use crate::body::{RequestBody, ResponseBody};
use crate::dialect::Answer;

/// Most bytes of a JSON body.
pub const JSON_LIMIT: usize = 1 << 20;

/// Reads a JSON body, whatever its media type says.
///
/// # Errors
/// [`TooLarge`](filestore::ErrorKind::TooLarge) past [`JSON_LIMIT`], also when unpacked;
/// [`InvalidArgument`](filestore::ErrorKind::InvalidArgument) with the place of the mistake, and
/// for a content coding other than gzip.
pub async fn read_json<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: &mut RequestBody,
) -> Result<T> {
    read_json_within(JSON_LIMIT, headers, body).await
}

/// Reads a JSON body of `limit` bytes at most.
///
/// # Errors
/// As [`read_json`].
pub async fn read_json_within<T: DeserializeOwned>(
    limit: usize,
    headers: &HeaderMap,
    body: &mut RequestBody,
) -> Result<T> {
    let is_packed = is_gzip(headers)?;
    let mut bytes = body.collect(limit).await?;
    if is_packed {
        bytes = unpacked(&bytes, limit)?;
    }
    from_json(&bytes).map_err(|error| Error::invalid(format!("invalid JSON: {error}")))
}

/// Parses JSON, all of which is UTF-8 (RFC 8259, section 8.1): by itself, serde_json does not look
/// at text that nobody asks for.
pub(crate) fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    let text = std::str::from_utf8(bytes).map_err(serde_json::Error::custom)?;
    serde_json::from_str(text)
}

/// RFC 9110, section 8.4.1.3.
fn is_gzip(headers: &HeaderMap) -> Result<bool> {
    let mut codings = headers.get_all(header::CONTENT_ENCODING).iter();
    let coding = codings.next().map(|value| value.as_bytes().trim_ascii().to_ascii_lowercase());
    match (coding.as_deref(), codings.next()) {
        (None | Some(b"" | b"identity"), None) => Ok(false),
        (Some(b"gzip" | b"x-gzip"), None) => Ok(true),
        _ => Err(Error::invalid("the only Content-Encoding of JSON is gzip")),
    }
}

fn unpacked(packed: &[u8], limit: usize) -> Result<Bytes> {
    let mut bytes = Vec::new();
    // One byte more than allowed tells too much from just enough.
    let mut reader = MultiGzDecoder::new(packed).take(limit as u64 + 1);
    reader
        .read_to_end(&mut bytes)
        .map_err(|error| Error::invalid("the body is not gzip").with_source(error))?;
    if bytes.len() > limit {
        return Err(Error::too_large(format!("the body is limited to {limit} bytes")));
    }
    Ok(bytes.into())
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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use filestore::ErrorKind;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use http_body_util::Full;

    use super::*;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    async fn read(coding: &'static str, bytes: Vec<u8>) -> Result<String> {
        let coding = HeaderValue::from_static(coding);
        let headers = HeaderMap::from_iter([(header::CONTENT_ENCODING, coding)]);
        read_json_within(1000, &headers, &mut RequestBody::new(Full::from(bytes))).await
    }

    /// JSON text of so many bytes.
    fn text(size: usize) -> Vec<u8> {
        format!("\"{}\"", "x".repeat(size - 2)).into_bytes()
    }

    #[tokio::test]
    async fn packed_bodies_are_limited_by_what_they_unpack_to() {
        assert!(read("gzip", packed(&text(1000))).await.is_ok());
        assert!(read("X-GZIP", packed(&text(10))).await.is_ok());
        assert!(read("", text(10)).await.is_ok());
        let error = read("gzip", packed(&text(1001))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        let error = read("identity", text(1001)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
    }

    #[tokio::test]
    async fn what_is_not_packed_as_it_says_is_refused() {
        let mut cut = packed(&text(100));
        cut.truncate(30);
        for (coding, bytes) in
            [("gzip", text(10)), ("gzip", cut), ("br", text(10)), ("gzip, gzip", text(10))]
        {
            let error = read(coding, bytes).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{coding}");
        }
    }

    #[tokio::test]
    async fn all_of_a_body_is_utf_8() {
        #[derive(serde::Deserialize)]
        struct Nothing {}

        let read = async |body: &'static [u8]| {
            read_json::<Nothing>(&HeaderMap::new(), &mut RequestBody::new(Full::from(body))).await
        };
        assert!(read("{\"passed over\": \"ä\"}".as_bytes()).await.is_ok());
        for body in [&b"{\"passed over\": \"\xe4\"}"[..], b"{\"\xff\": 1}", b"\xef\xbb\xbf{}"] {
            let error = read(body).await.err().unwrap();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{body:?}");
        }
    }
}
