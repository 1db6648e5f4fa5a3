//! The `; name=value` parameters that follow the first word of many header fields (RFC 9110,
//! section 5.6.6), read as leniently as forms in the wild need it.

use filestore::{Error, Result};

/// One parameter; a value still has the escapes of whoever wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// What stood there without quotes.
    Bare(&'a [u8]),
    /// What stood between the quotes.
    Quoted(&'a [u8]),
}

/// A header value of a first word and parameters.
#[derive(Clone, Debug)]
pub(super) struct Parameters<'a> {
    /// `form-data`, `text/plain`, as written.
    pub(super) word: &'a [u8],
    pairs: Vec<(&'a [u8], Value<'a>)>,
}

impl<'a> Parameters<'a> {
    /// # Errors
    /// [`InvalidArgument`](filestore::ErrorKind::InvalidArgument) when it is malformed or names a
    /// parameter twice: two readers of such a header would choose differently.
    pub(super) fn parse(value: &'a [u8]) -> Result<Self> {
        let end = memchr::memchr(b';', value).unwrap_or(value.len());
        let (word, mut rest) = split(value, end);
        let mut pairs: Vec<(&[u8], Value<'_>)> = Vec::new();
        while let Some(after) = rest.strip_prefix(b";") {
            let after = after.trim_ascii_start();
            if after.is_empty() || after.starts_with(b";") {
                rest = after;
                continue;
            }
            let (pair, remainder) = pair(after)?;
            if pairs.iter().any(|(name, _)| name.eq_ignore_ascii_case(pair.0)) {
                return Err(Error::invalid("a header names a parameter twice"));
            }
            pairs.push(pair);
            rest = remainder;
        }
        if !rest.is_empty() {
            return Err(malformed());
        }
        Ok(Self { word: word.trim_ascii(), pairs })
    }

    /// The parameter of this name, in whatever case it was written.
    pub(super) fn get(&self, name: &str) -> Option<Value<'a>> {
        self.pairs
            .iter()
            .find(|(candidate, _)| candidate.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| *value)
    }
}

impl Value<'_> {
    /// The value without the backslashes of a quoted string (RFC 9110, section 5.6.4).
    pub(super) fn unquoted(&self) -> Vec<u8> {
        let quoted = match self {
            Self::Bare(bare) => return bare.to_vec(),
            Self::Quoted(quoted) => quoted,
        };
        let mut out = Vec::with_capacity(quoted.len());
        let mut bytes = quoted.iter();
        while let Some(byte) = bytes.next() {
            let escaped = if *byte == b'\\' { bytes.next() } else { None };
            out.push(*escaped.unwrap_or(byte));
        }
        out
    }
}

/// A parameter's name and value.
type Pair<'a> = (&'a [u8], Value<'a>);

fn pair(text: &[u8]) -> Result<(Pair<'_>, &[u8])> {
    let equals = memchr::memchr(b'=', text).ok_or_else(malformed)?;
    let (name, value) = split(text, equals);
    let name = name.trim_ascii();
    if !is_token(name) {
        return Err(malformed());
    }
    let value = value.strip_prefix(b"=").unwrap_or_default().trim_ascii_start();
    let (value, rest) = match value.strip_prefix(b"\"") {
        Some(quoted) => {
            let end = closing_quote(quoted).ok_or_else(malformed)?;
            let (inner, rest) = split(quoted, end);
            let rest = rest.strip_prefix(b"\"").unwrap_or_default();
            (Value::Quoted(inner), rest.trim_ascii_start())
        }
        None => {
            let end = memchr::memchr(b';', value).unwrap_or(value.len());
            let (bare, rest) = split(value, end);
            (Value::Bare(bare.trim_ascii()), rest)
        }
    };
    Ok(((name, value), rest))
}

/// Where the quoted string ends. Browsers do not escape a backslash, so that a name which ends
/// with one looks like an escaped quote; at the very end of a header it can be nothing but that.
fn closing_quote(quoted: &[u8]) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in quoted.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at),
            _ => {}
        }
    }
    let last = quoted.trim_ascii_end();
    last.ends_with(b"\\\"").then(|| last.len() - 1)
}

fn split(text: &[u8], at: usize) -> (&[u8], &[u8]) {
    text.split_at_checked(at).unwrap_or((text, &[]))
}

/// RFC 9110, section 5.6.2.
pub(super) fn is_token(text: &[u8]) -> bool {
    !text.is_empty()
        && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

fn malformed() -> Error {
    Error::invalid("a header's parameters are malformed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use Value::{Bare, Quoted};

    #[test]
    fn parameters_are_read_in_every_form_that_occurs() {
        let value = br#"form-data; Name="a;b\"c" ;; file = plain text ; x=; y="";"#;
        let parameters = Parameters::parse(value).unwrap();
        assert_eq!(parameters.word, b"form-data");
        assert_eq!(parameters.get("name"), Some(Quoted(br#"a;b\"c"#)));
        assert_eq!(parameters.get("name").unwrap().unquoted(), br#"a;b"c"#);
        assert_eq!(parameters.get("FILE"), Some(Bare(b"plain text")));
        assert_eq!(parameters.get("x"), Some(Bare(b"")));
        assert_eq!(parameters.get("y"), Some(Quoted(b"")));
        assert_eq!(parameters.get("z"), None);
    }

    #[test]
    fn a_backslash_at_the_end_of_a_header_does_not_hide_its_quote() {
        let parameters = Parameters::parse(br#"form-data; name="f"; filename="dir\" "#).unwrap();
        assert_eq!(parameters.get("filename"), Some(Quoted(br"dir\")));
    }

    #[test]
    fn what_is_malformed_is_refused() {
        for value in [
            &b"form-data; name"[..],
            b"form-data; =x",
            b"form-data; na me=x",
            b"form-data; name=\"x",
            b"form-data; name=\"x\"y",
            b"form-data; name=\"x\" y=z",
            b"form-data; name=x; NAME=y",
        ] {
            assert!(Parameters::parse(value).is_err(), "{value:?}");
        }
    }
}
