//! Answers.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Whether the request's body had been asked for when the answer was there.
    pub(crate) read_body: bool,
    /// The answer to the request that this one came [after](super::Ask::after).
    pub(crate) first: Option<Box<Self>>,
}

impl Reply {
    /// This answer, if it has this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// A header that there is once, and once only.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        self.find(name).unwrap_or_else(|| panic!("no header {name} in {self:?}"))
    }

    /// A header that there is once or not at all.
    #[track_caller]
    pub(crate) fn find(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?;
        assert!(values.next().is_none(), "two headers {name} in {self:?}");
        Some(value.to_str().unwrap())
    }

    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The names of a JSON object's members, as they stand in the text.
    #[track_caller]
    pub(crate) fn members(&self) -> Vec<String> {
        assert!(self.json().is_object(), "{self:?}");
        let mut members = Vec::new();
        let mut depth = 0;
        let mut rest = self.text();
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            match c {
                '{' | '[' => depth += 1,
                '}' | ']' => depth -= 1,
                '"' => {
                    let end = string_end(rest);
                    if depth == 1 && rest[end + 1..].starts_with(':') {
                        members.push(rest[..end].to_owned());
                    }
                    rest = &rest[end + 1..];
                }
                _ => {}
            }
        }
        members
    }

    /// Everything that the client gets to see, as bytes to search in; but for the request's id,
    /// which is random and may hold any short text.
    pub(crate) fn everything(&self) -> Vec<u8> {
        let mut all = self.body.to_vec();
        for (name, value) in self.headers.iter().filter(|(name, _)| *name != "x-request-id") {
            all.extend_from_slice(name.as_str().as_bytes());
            all.extend_from_slice(value.as_bytes());
        }
        all
    }
}

/// Where the string ends that `text` is within.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    let end = text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.unwrap()
}
