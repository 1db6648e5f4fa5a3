//! `Content-Disposition`: what a download is called (RFC 6266), and what a part of a form is
//! called (RFC 7578, section 4.2).

use std::borrow::Cow;

use filestore::{Error, Result};
use http::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};

use super::parameters::{Parameters, Value};
use super::{header_value, lenient_text};

/// Longest name in bytes that a download is given; what is longer is cut, as long headers make
/// proxies fail.
pub const MAX_NAME: usize = 1024;

/// What RFC 8187, section 3.2.1, calls `attr-char` stays as it is.
const EXTENDED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// What the client is to do with a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Show it where it can.
    Inline,
    /// Save it.
    Attachment,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Inline => "inline",
            Self::Attachment => "attachment",
        }
    }
}

/// The header of a download called `name`: `filename*` says it exactly (RFC 8187), `filename` says
/// it in ASCII to those who read no better. Made for any text; empty text names nothing.
pub fn content_disposition(kind: Kind, name: &str) -> HeaderValue {
    let kind = kind.as_str();
    let name = cut(name);
    if name.is_empty() {
        return HeaderValue::from_static(kind);
    }
    let fallback = ascii_fallback(name);
    let exact = utf8_percent_encode(name, EXTENDED);
    header_value(format!("{kind}; filename=\"{fallback}\"; filename*=UTF-8''{exact}"))
}

fn cut(name: &str) -> &str {
    let mut end = MAX_NAME.min(name.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.get(..end).unwrap_or(name)
}

/// Replaces what some client would not read as it is meant: other than ASCII, control characters,
/// quotes, what separates folders, and a percent sign that seems to begin an escape (RFC 6266,
/// appendix D).
fn ascii_fallback(name: &str) -> String {
    let mut rest = name.chars();
    let mut out = String::with_capacity(name.len());
    while let Some(c) = rest.next() {
        let safe = match c {
            '"' | '\\' | '/' => false,
            '%' => !begins_with_hex_pair(rest.as_str()),
            _ => c == ' ' || c.is_ascii_graphic(),
        };
        out.push(if safe { c } else { '_' });
    }
    out
}

fn begins_with_hex_pair(text: &str) -> bool {
    matches!(text.as_bytes(), [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

/// What a part of a form is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormData {
    /// The form's field.
    pub name: String,
    /// The file's name as the client has it; absent for fields that are no files. Data: it may
    /// hold separators of folders and control characters.
    pub filename: Option<String>,
}

impl FormData {
    /// Reads the `Content-Disposition` of a part.
    ///
    /// Names are UTF-8, or ISO-8859-1 where they are not. Both kinds of escapes are undone: those
    /// of browsers (`%22`, `%0D`, `%0A`; HTML Standard, "multipart/form-data encoding algorithm")
    /// and backslashes before quotes and backslashes. `filename*`, which RFC 7578 forbids and
    /// clients send, outranks `filename`.
    ///
    /// # Errors
    /// [`InvalidArgument`](filestore::ErrorKind::InvalidArgument) when it is malformed, another
    /// disposition than `form-data`, or without `name`.
    pub fn parse(value: &[u8]) -> Result<Self> {
        let parameters = Parameters::parse(value)?;
        if !parameters.word.eq_ignore_ascii_case(b"form-data") {
            return Err(Error::invalid("a part of a form is no form-data"));
        }
        let name =
            parameters.get("name").ok_or_else(|| Error::invalid("a part of a form has no name"))?;
        Ok(Self { name: form_text(name), filename: filename(&parameters)? })
    }
}

fn filename(parameters: &Parameters<'_>) -> Result<Option<String>> {
    match parameters.get("filename*") {
        Some(extended) => extended_text(extended).map(Some),
        None => Ok(parameters.get("filename").map(form_text)),
    }
}

fn form_text(value: Value<'_>) -> String {
    match value {
        Value::Bare(bare) => lenient_text(bare),
        Value::Quoted(quoted) => lenient_text(&unescape(quoted)),
    }
}

/// A backslash that stands before anything but a quote or a backslash is part of the name.
fn unescape(quoted: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'\\', b'%', quoted).is_none() {
        return Cow::Borrowed(quoted);
    }
    let mut out = Vec::with_capacity(quoted.len());
    let mut rest = quoted;
    while let [first, tail @ ..] = rest {
        let (byte, tail) = match rest {
            [b'\\', escaped @ (b'"' | b'\\'), tail @ ..] => (*escaped, tail),
            [b'%', b'2', b'2', tail @ ..] => (b'"', tail),
            [b'%', b'0', b'D' | b'd', tail @ ..] => (b'\r', tail),
            [b'%', b'0', b'A' | b'a', tail @ ..] => (b'\n', tail),
            _ => (*first, tail),
        };
        out.push(byte);
        rest = tail;
    }
    Cow::Owned(out)
}

/// `charset'language'text` (RFC 8187, section 3.2). Some clients put quotes around it.
fn extended_text(value: Value<'_>) -> Result<String> {
    let malformed = || Error::invalid("a part's filename* is malformed");
    let value = value.unquoted();
    let mut fields = value.splitn(3, |byte| *byte == b'\'');
    let (Some(charset), Some(_language), Some(text)) =
        (fields.next(), fields.next(), fields.next())
    else {
        return Err(malformed());
    };
    let bytes: Cow<'_, [u8]> = percent_decode(text).into();
    if charset.eq_ignore_ascii_case(b"utf-8") {
        return String::from_utf8(bytes.into_owned()).map_err(|_| malformed());
    }
    if charset.eq_ignore_ascii_case(b"iso-8859-1") {
        return Ok(bytes.iter().copied().map(char::from).collect());
    }
    Err(malformed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn downloads_are_named_twice() {
        for (name, expected) in [
            ("foo.html", r#"filename="foo.html"; filename*=UTF-8''foo.html"#),
            // RFC 6266, section 5, and RFC 8187, section 3.2.3.
            ("€ rates", r#"filename="_ rates"; filename*=UTF-8''%E2%82%AC%20rates"#),
            (
                "£ and € rates",
                r#"filename="_ and _ rates"; filename*=UTF-8''%C2%A3%20and%20%E2%82%AC%20rates"#,
            ),
            ("foo-ä.html", r#"filename="foo-_.html"; filename*=UTF-8''foo-%C3%A4.html"#),
            (r#"a"b\c/d.txt"#, r#"filename="a_b_c_d.txt"; filename*=UTF-8''a%22b%5Cc%2Fd.txt"#),
            (
                "a\r\nSet-Cookie: x",
                r#"filename="a__Set-Cookie: x"; filename*=UTF-8''a%0D%0ASet-Cookie%3A%20x"#,
            ),
            ("100% b%41.txt", r#"filename="100% b_41.txt"; filename*=UTF-8''100%25%20b%2541.txt"#),
            ("a;b='c'.txt", r#"filename="a;b='c'.txt"; filename*=UTF-8''a%3Bb%3D%27c%27.txt"#),
            ("!#$&+-.^_`|~", r#"filename="!#$&+-.^_`|~"; filename*=UTF-8''!#$&+-.^_`|~"#),
            ("\0\u{7f}\u{202e}", r#"filename="___"; filename*=UTF-8''%00%7F%E2%80%AE"#),
        ] {
            let header = content_disposition(Kind::Attachment, name);
            assert_eq!(header, format!("attachment; {expected}"), "{name:?}");
        }
        assert_eq!(content_disposition(Kind::Inline, ""), "inline");
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        let header = content_disposition(Kind::Inline, &"ä".repeat(MAX_NAME));
        let exact = "%C3%A4".repeat(MAX_NAME / 2);
        assert!(header.to_str().unwrap().ends_with(&format!("''{exact}")));
        let header = content_disposition(Kind::Inline, &format!("a{}", "ä".repeat(MAX_NAME)));
        assert!(header.to_str().unwrap().ends_with("%C3%A4"));
    }

    fn form(name: &str, filename: Option<&str>) -> FormData {
        FormData { name: name.to_owned(), filename: filename.map(str::to_owned) }
    }

    #[test]
    fn parts_are_named_as_every_client_does_it() {
        for (value, name, filename) in [
            (r#"form-data; name="field""#, "field", None),
            (r#"Form-Data;NAME="field";FileName="a.txt""#, "field", Some("a.txt")),
            (r#"form-data; filename="a.txt"; name="field""#, "field", Some("a.txt")),
            (r#"form-data; name=field; filename=a b.txt"#, "field", Some("a b.txt")),
            (r#"form-data; name="f"; filename="""#, "f", Some("")),
            (r#"form-data; name="""#, "", None),
            // Chrome, Firefox, Safari, Node: raw UTF-8, and three escapes.
            (r#"form-data; name="f"; filename="naïve €.txt""#, "f", Some("naïve €.txt")),
            (r#"form-data; name="f"; filename="a%22b%0D%0Ac.txt""#, "f", Some("a\"b\r\nc.txt")),
            (r#"form-data; name="f"; filename="100%25 %zz.txt""#, "f", Some("100%25 %zz.txt")),
            (
                r#"form-data; name="f"; filename="back\slash;semi.txt""#,
                "f",
                Some(r"back\slash;semi.txt"),
            ),
            (r#"form-data; name="f"; filename="dir\""#, "f", Some(r"dir\")),
            // curl before 7.81 and Java mail.
            (r#"form-data; name="f"; filename="a\"b\\c.txt""#, "f", Some(r#"a"b\c.txt"#)),
            // Internet Explorer.
            (r#"form-data; name="f"; filename="C:\temp\a.txt""#, "f", Some(r"C:\temp\a.txt")),
            // Python urllib3 1.x and .NET.
            ("form-data; name=f; filename*=utf-8''na%C3%AFve.txt", "f", Some("naïve.txt")),
            (
                r#"form-data; name=f; filename="na?ve.txt"; filename*=utf-8''na%C3%AFve.txt"#,
                "f",
                Some("naïve.txt"),
            ),
            (r#"form-data; name=f; filename*="UTF-8'en'a%20b.txt""#, "f", Some("a b.txt")),
            ("form-data; name=f; filename*=iso-8859-1''%A3%20rates", "f", Some("£ rates")),
            // An extension parameter is left alone.
            (r#"form-data; name="f"; size=3; x="y""#, "f", None),
        ] {
            let parsed = FormData::parse(value.as_bytes()).unwrap();
            assert_eq!(parsed, form(name, filename), "{value}");
        }
    }

    #[test]
    fn names_that_are_not_utf_8_are_latin_1() {
        let parsed = FormData::parse(b"form-data; name=\"f\"; filename=\"na\xefve.txt\"").unwrap();
        assert_eq!(parsed, form("f", Some("naïve.txt")));
    }

    #[test]
    fn what_names_no_part_is_refused() {
        for value in [
            &b""[..],
            b"form-data",
            b"attachment; name=\"f\"",
            b"form-data; filename=\"a.txt\"",
            b"form-data; name=\"f\"; name=\"g\"",
            b"form-data; name=\"f\"; filename=\"a\"; filename=\"b\"",
            b"form-data; name=\"f",
            b"form-data; name=f; filename*=a.txt",
            b"form-data; name=f; filename*=utf-8''%ff",
            b"form-data; name=f; filename*=utf-7''a",
        ] {
            assert!(FormData::parse(value).is_err(), "{}", lenient_text(value));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn a_download_s_name_comes_back(name in any::<String>()) {
            let name = cut(&name);
            prop_assume!(!name.is_empty());
            let header = content_disposition(Kind::Attachment, name);
            let parameters = Parameters::parse(header.as_bytes()).unwrap();
            let exact = filename(&parameters).unwrap();
            prop_assert_eq!(exact.as_deref(), Some(name));
            let Some(Value::Quoted(fallback)) = parameters.get("filename") else {
                panic!("a fallback is always given");
            };
            prop_assert!(fallback.iter().all(|byte| matches!(byte, b' '..=b'~')));
            prop_assert!(!fallback.iter().any(|byte| b"\"\\/".contains(byte)));
        }

        /// As the HTML Standard has browsers write it. A name that holds an escape already, or a
        /// backslash where it looks like one, cannot come back from there.
        #[test]
        fn a_browser_s_name_comes_back(name in r#"[^%\\]{0,20}"#, file in "[^%\\\\]{0,20}") {
            let escape = |text: &str| {
                text.replace('\n', "%0A").replace('\r', "%0D").replace('"', "%22")
            };
            let value = format!(
                "form-data; name=\"{}\"; filename=\"{}\"", escape(&name), escape(&file)
            );
            let parsed = FormData::parse(value.as_bytes()).unwrap();
            prop_assert_eq!(parsed, form(&name, Some(&file)));
        }

        #[test]
        fn a_backslash_quoted_name_comes_back(name in "[^%]{0,20}") {
            let escaped = name.replace('\\', "\\\\").replace('"', "\\\"");
            let value = format!("form-data; name=\"{escaped}\"; x=y");
            prop_assert_eq!(FormData::parse(value.as_bytes()).unwrap(), form(&name, None));
        }

        #[test]
        fn any_bytes_are_read_or_refused(value in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = FormData::parse(&value);
            let _ = FormData::parse(&[b"form-data; name=", &value[..]].concat());
        }
    }
}
