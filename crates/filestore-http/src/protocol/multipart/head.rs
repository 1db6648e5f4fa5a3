//! The head of a part: its header fields.

use filestore::{Error, Result};
use httparse::{EMPTY_HEADER, Header, Status};

use crate::protocol::disposition::FormData;
use crate::protocol::lenient_text;

/// What the head of a part says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartHead {
    /// The form's field.
    pub name: String,
    /// The file's name as the client has it; absent for fields that are no files. Data: it may
    /// hold separators of folders and control characters.
    pub filename: Option<String>,
    /// The media type that the client declared, unchecked.
    pub content_type: Option<String>,
}

impl PartHead {
    /// Reads a head with the empty line at its end.
    pub(super) fn parse(head: &[u8], max_headers: usize) -> Result<Self> {
        if has_bare_line_feed(head) {
            return Err(malformed());
        }
        let mut headers = vec![EMPTY_HEADER; max_headers];
        let headers = match httparse::parse_headers(head, &mut headers) {
            Ok(Status::Complete((_, headers))) => headers,
            Ok(Status::Partial) => return Err(malformed()),
            Err(httparse::Error::TooManyHeaders) => {
                return Err(Error::too_large("a part of the form has too many headers"));
            }
            Err(error) => return Err(malformed().with_source(error)),
        };
        refuse_encoding(headers)?;
        let disposition = sole_value(headers, "content-disposition")?
            .ok_or_else(|| Error::invalid("a part of the form has no Content-Disposition"))?;
        let FormData { name, filename } = FormData::parse(disposition)?;
        Ok(Self {
            name,
            filename,
            content_type: sole_value(headers, "content-type")?.map(lenient_text),
        })
    }
}

/// `httparse` takes lines that end without CR, and other readers do not: two that see different
/// heads in the same bytes can be played against each other.
fn has_bare_line_feed(head: &[u8]) -> bool {
    let mut before = 0;
    head.iter().any(|byte| std::mem::replace(&mut before, *byte) != b'\r' && *byte == b'\n')
}

/// RFC 7578, section 4.7, deprecates encodings, and no browser uses them. Content in one would be
/// stored as something that it is not.
fn refuse_encoding(headers: &[Header<'_>]) -> Result<()> {
    let encoding = sole_value(headers, "content-transfer-encoding")?.unwrap_or(b"binary");
    let as_it_is = [&b"binary"[..], b"8bit", b"7bit"];
    if as_it_is.iter().any(|name| encoding.eq_ignore_ascii_case(name)) {
        return Ok(());
    }
    Err(Error::invalid("a part of the form has a transfer encoding"))
}

fn sole_value<'h>(headers: &[Header<'h>], name: &str) -> Result<Option<&'h [u8]>> {
    let mut values = headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case(name))
        .map(|header| header.value.trim_ascii());
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(Error::invalid("a part of the form has a header twice")),
    }
}

fn malformed() -> Error {
    Error::invalid("the head of a part is malformed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use filestore::ErrorKind;

    const NAMED: &str = "Content-Disposition: form-data; name=\"f\"\r\n";

    #[test]
    fn heads_are_read() {
        let head =
            format!("content-TYPE:text/plain \r\n{NAMED}X-Other: 1\r\nContent-Length: 3\r\n\r\n");
        let head = PartHead::parse(head.as_bytes(), 16).unwrap();
        assert_eq!(head.name, "f");
        assert_eq!(head.filename, None);
        assert_eq!(head.content_type.as_deref(), Some("text/plain"));
    }

    #[test]
    fn heads_that_are_malformed_or_ambiguous_are_refused() {
        for head in [
            "\r\n".to_owned(),
            "Content-Type: text/plain\r\n\r\n".to_owned(),
            format!("{NAMED}{NAMED}\r\n"),
            format!("{NAMED}Content-Type: a/b\r\nContent-Type: a/c\r\n\r\n"),
            format!("{NAMED}no colon\r\n\r\n"),
            format!("{NAMED} folded\r\n\r\n"),
            format!("{NAMED}A: b\nC: d\r\n\r\n"),
            format!("{NAMED}\n\r\n\r\n"),
            format!("{NAMED}A: b\0\r\n\r\n"),
            format!("{NAMED}A : b\r\n\r\n"),
            format!("{NAMED}Content-Transfer-Encoding: base64\r\n\r\n"),
        ] {
            let error = PartHead::parse(head.as_bytes(), 16).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{head:?}");
        }
        for encoding in ["binary", "8BIT", "7bit"] {
            let head = format!("{NAMED}Content-Transfer-Encoding: {encoding}\r\n\r\n");
            assert!(PartHead::parse(head.as_bytes(), 16).is_ok());
        }
    }

    #[test]
    fn headers_are_counted() {
        let head = |count| format!("{NAMED}{}\r\n", "A: b\r\n".repeat(count));
        assert!(PartHead::parse(head(15).as_bytes(), 16).is_ok());
        let error = PartHead::parse(head(16).as_bytes(), 16).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
    }
}
