//! The request target taken apart: each piece is decoded exactly once, after the split.

use std::borrow::Cow;

use filestore::{Error, Result};
use percent_encoding::percent_decode_str;

/// The pairs of a query, in order, decoded as forms are (URL Standard,
/// "application/x-www-form-urlencoded parsing"; strict where that is lenient).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Splits on `&` and then on the first `=`, so that a value may hold an unescaped URL. A piece
    /// without `=` has an empty value; empty pieces are passed over.
    ///
    /// # Errors
    /// [`InvalidArgument`](filestore::ErrorKind::InvalidArgument) for a percent sign without two
    /// hex digits, and for what is not UTF-8.
    pub fn parse(raw: &str) -> Result<Self> {
        let pieces = raw.split('&').filter(|piece| !piece.is_empty());
        let pairs = pieces.map(|piece| {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            Ok((form_decoded(name)?, form_decoded(value)?))
        });
        pairs.collect::<Result<_>>().map(Self)
    }

    /// All pairs.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The first value of this name.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.pairs().find_map(|(candidate, value)| (candidate == name).then_some(value))
    }
}

fn form_decoded(raw: &str) -> Result<String> {
    // A literal plus is written %2B, so that this comes before the decoding.
    let spaced = raw.replace('+', " ");
    decoded(&spaced).map(Cow::into_owned)
}

/// The segments of a path, each decoded once; the leading slash separates nothing. `/a/b/` has an
/// empty third segment, `/` has none at all.
///
/// # Errors
/// [`InvalidArgument`](filestore::ErrorKind::InvalidArgument) for a malformed escape, and for
/// segments that another reader of the path could take for something else: `.` and `..`, encoded
/// or not, an encoded slash, control characters.
pub fn segments(path: &str) -> Result<Vec<Cow<'_, str>>> {
    let path = path.strip_prefix('/').unwrap_or(path);
    if path.is_empty() {
        return Ok(Vec::new());
    }
    path.split('/').map(segment).collect()
}

fn segment(raw: &str) -> Result<Cow<'_, str>> {
    let text = decoded(raw)?;
    if matches!(&*text, "." | "..") || text.contains('/') || text.contains(char::is_control) {
        return Err(Error::invalid("a segment of the path is not allowed"));
    }
    Ok(text)
}

fn decoded(raw: &str) -> Result<Cow<'_, str>> {
    let mut escapes = raw.split('%').skip(1);
    let well_formed = escapes.all(|rest| {
        matches!(rest.as_bytes(), [high, low, ..]
            if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
    });
    if !well_formed {
        return Err(Error::invalid("the URL holds a malformed escape"));
    }
    percent_decode_str(raw).decode_utf8().map_err(|_| Error::invalid("the URL is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn queries_are_split_before_they_are_decoded() {
        for (raw, expected) in [
            ("", vec![]),
            ("a=1&b=2&a=3", vec![("a", "1"), ("b", "2"), ("a", "3")]),
            ("a&=b&&c=", vec![("a", ""), ("", "b"), ("c", "")]),
            ("a+b=c+d%2Be", vec![("a b", "c d+e")]),
            ("n=%26%3D%25", vec![("n", "&=%")]),
            ("n=%2541", vec![("n", "%41")]),
            ("n=%C3%A4ä", vec![("n", "ää")]),
            (
                "fileRef=fs://2026/11/21/x.jpg?name=cat.jpg&attachment=true",
                vec![("fileRef", "fs://2026/11/21/x.jpg?name=cat.jpg"), ("attachment", "true")],
            ),
        ] {
            let query = Query::parse(raw).unwrap();
            assert_eq!(query.pairs().collect::<Vec<_>>(), expected, "{raw}");
        }
        let query = Query::parse("a=1&a=2").unwrap();
        assert_eq!((query.first("a"), query.first("b")), (Some("1"), None));
    }

    #[test]
    fn malformed_escapes_are_refused() {
        for raw in ["a=%", "a=%4", "a=%4g", "%zz=1", "a=%%41", "a=%ff", "a=%c3", "a=%-1", "a=%+1"] {
            assert!(Query::parse(raw).is_err(), "{raw}");
            assert!(segments(raw).is_err(), "{raw}");
        }
    }

    #[test]
    fn segments_are_decoded_once() {
        for (path, expected) in [
            ("/", vec![]),
            ("", vec![]),
            ("/a/b", vec!["a", "b"]),
            ("/a/b/", vec!["a", "b", ""]),
            ("//a", vec!["", "a"]),
            ("/a%20b+c", vec!["a b+c"]),
            ("/%2525", vec!["%25"]),
            ("/%252e%252e", vec!["%2e%2e"]),
            ("/...", vec!["..."]),
            ("/%C3%A4;v=1", vec!["ä;v=1"]),
        ] {
            assert_eq!(segments(path).unwrap(), expected, "{path}");
        }
    }

    #[test]
    fn segments_that_could_be_misread_are_refused() {
        for path in [
            "/a/../b",
            "/a/./b",
            "/..",
            "/%2e%2E/a",
            "/.%2e",
            "/a%2Fb",
            "/a%2fb",
            "/a%00b",
            "/a%0ab",
            "/a%7f",
            "/%C2%85",
            "/\u{1}",
            "/%C0%AE%C0%AE",
            "/%C0%AF",
        ] {
            assert!(segments(path).is_err(), "{path}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn encoded_pairs_come_back(pairs in proptest::collection::vec(any::<(String, String)>(), 0..5)) {
            let encode = |text: &str| {
                percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
            };
            let raw: Vec<_> = pairs.iter().map(|(n, v)| format!("{}={}", encode(n), encode(v))).collect();
            prop_assert_eq!(Query::parse(&raw.join("&")).unwrap(), Query(pairs));
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>(), ascii in "[%/.&=+0-9a-f]{0,30}") {
            for text in [text, ascii] {
                let _ = Query::parse(&text);
                for segment in segments(&text).unwrap_or_default() {
                    prop_assert!(!segment.contains('/') && segment != "..");
                }
            }
        }
    }
}
