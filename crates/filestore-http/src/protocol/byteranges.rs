//! `multipart/byteranges` (RFC 9110, section 14.6): several ranges in one body whose length is
//! known before the first byte is read.

use std::ops::Range;

use bytes::Bytes;
use http::HeaderValue;

use super::header_value;
use super::range::content_range;

/// RFC 2046, section 5.1.1.
const MAX_BOUNDARY: usize = 70;

/// The frame of a `multipart/byteranges` body: what stands before, between and after the ranges.
#[derive(Clone, Debug)]
pub struct Parts {
    boundary: String,
    parts: Vec<Part>,
    tail: Bytes,
}

/// One range of the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Delimiter and header fields; they go before the range's bytes.
    pub head: Bytes,
    /// Which bytes of the content follow.
    pub range: Range<u64>,
}

impl Parts {
    /// Frames `ranges` of content of `size` bytes, which has this tag and is served as
    /// `content_type`.
    ///
    /// The boundary is the tag. It must not occur within the content, and it does not: the tag is
    /// a hash over that content. So no randomness is needed, and the same request gets the same
    /// bytes again.
    pub fn new(tag: &str, content_type: &HeaderValue, ranges: &[Range<u64>], size: u64) -> Self {
        let boundary = boundary(tag);
        let parts = ranges
            .iter()
            .enumerate()
            .map(|(at, range)| Part {
                head: head(at, &boundary, content_type, range, size),
                range: range.clone(),
            })
            .collect();
        let tail = format!("\r\n--{boundary}--\r\n").into();
        Self { boundary, parts, tail }
    }

    /// `Content-Type` of the whole body.
    pub fn content_type(&self) -> HeaderValue {
        header_value(format!("multipart/byteranges; boundary={}", self.boundary))
    }

    /// `Content-Length` of the whole body: exact.
    pub fn content_length(&self) -> u64 {
        let parts = self.parts.iter().map(|part| {
            let bytes = part.range.end.saturating_sub(part.range.start);
            bytes.saturating_add(part.head.len() as u64)
        });
        parts.fold(self.tail.len() as u64, u64::saturating_add)
    }

    /// The parts, in the order in which they are sent.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// What goes after the last range's bytes.
    pub fn tail(&self) -> Bytes {
        self.tail.clone()
    }
}

fn head(
    at: usize,
    boundary: &str,
    content_type: &HeaderValue,
    range: &Range<u64>,
    size: u64,
) -> Bytes {
    let line_end = if at == 0 { "" } else { "\r\n" };
    let mut head = format!("{line_end}--{boundary}\r\nContent-Type: ").into_bytes();
    head.extend_from_slice(content_type.as_bytes());
    head.extend_from_slice(b"\r\nContent-Range: ");
    head.extend_from_slice(content_range(range, size).as_bytes());
    head.extend_from_slice(b"\r\n\r\n");
    head.into()
}

/// Keeps of the tag what a boundary may hold without being quoted.
fn boundary(tag: &str) -> String {
    let kept = tag.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(MAX_BOUNDARY);
    let boundary: String = kept.collect();
    if boundary.is_empty() {
        return "byteranges".to_owned();
    }
    boundary
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(parts: &Parts, content: &[u8]) -> Vec<u8> {
        let mut body = Vec::new();
        for part in parts.parts() {
            body.extend_from_slice(&part.head);
            body.extend_from_slice(&content[part.range.start as usize..part.range.end as usize]);
        }
        body.extend_from_slice(&parts.tail());
        body
    }

    #[test]
    fn a_body_is_framed_as_rfc_9110_shows_it() {
        let pdf = HeaderValue::from_static("application/pdf");
        let parts = Parts::new("THIS-STRING-SEPARATES", &pdf, &[1..3, 5..9], 10);
        let expected = "--THIS-STRING-SEPARATES\r\n\
            Content-Type: application/pdf\r\n\
            Content-Range: bytes 1-2/10\r\n\
            \r\n\
            bc\r\n\
            --THIS-STRING-SEPARATES\r\n\
            Content-Type: application/pdf\r\n\
            Content-Range: bytes 5-8/10\r\n\
            \r\n\
            fghi\r\n\
            --THIS-STRING-SEPARATES--\r\n";
        let body = body(&parts, b"abcdefghij");
        assert_eq!(String::from_utf8(body).unwrap(), expected);
        assert_eq!(parts.content_length(), expected.len() as u64);
        assert_eq!(parts.content_type(), "multipart/byteranges; boundary=THIS-STRING-SEPARATES");
    }

    #[test]
    fn a_boundary_is_a_token_whatever_the_tag_is() {
        let longest = format!("{}-10000", "0123456789abcdef".repeat(4));
        assert_eq!(boundary(&longest), longest);
        assert_eq!(boundary("a b\"c\r\nd;e"), "abcde");
        assert_eq!(boundary(""), "byteranges");
        assert_eq!(boundary(&"x".repeat(100)).len(), MAX_BOUNDARY);
    }
}
