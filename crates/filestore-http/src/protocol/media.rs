//! Media types: of a file's name, as clients declare them, and which of them a browser may show.

use std::collections::BTreeSet;

use filestore::{Error, Result};
use http::HeaderValue;

use super::disposition::Kind;
use super::parameters::{Parameters, is_token};

/// The type of what nothing is known of (RFC 2046, section 4.5.1).
pub const OCTET_STREAM: &str = "application/octet-stream";

/// The media type that a file's name suggests by its extension, in either case.
pub fn of_name(name: &str) -> &'static str {
    let Some((_, extension)) = name.rsplit_once('.') else { return OCTET_STREAM };
    of_extension(extension).unwrap_or(OCTET_STREAM)
}

fn of_extension(extension: &str) -> Option<&'static str> {
    mime_guess::from_ext(extension).first_raw()
}

/// `Content-Type` for what a client declared when it stored the file, which may be anything: what
/// is no media type is served as [`OCTET_STREAM`].
pub fn served_type(declared: Option<&str>) -> HeaderValue {
    declared
        .map(str::trim_ascii)
        .filter(|text| is_media_type(text))
        .and_then(|text| HeaderValue::from_str(text).ok())
        .unwrap_or_else(|| HeaderValue::from_static(OCTET_STREAM))
}

/// RFC 9110, section 8.3.1.
fn is_media_type(text: &str) -> bool {
    let names_two_tokens = || {
        let (kind, subtype) = essence(text).split_once('/')?;
        Some(is_token(kind.as_bytes()) && is_token(subtype.as_bytes()))
    };
    text.is_ascii()
        && names_two_tokens().unwrap_or(false)
        && Parameters::parse(text.as_bytes()).is_ok()
}

/// A media type without its parameters.
pub fn essence(media_type: &str) -> &str {
    let end = media_type.find(';').unwrap_or(media_type.len());
    media_type.get(..end).unwrap_or(media_type).trim_ascii()
}

/// Which content browsers may show in place; all other content they are told to save.
///
/// It looks at the type that is served and never at the name: with `nosniff` the type is what a
/// browser goes by, so `page.pdf` served as `text/html` must not pass for a PDF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InlinePolicy {
    types: BTreeSet<&'static str>,
}

impl InlinePolicy {
    /// Allows the media types of these file extensions, and no other.
    ///
    /// # Errors
    /// [`InvalidArgument`](filestore::ErrorKind::InvalidArgument) for an extension without a known
    /// media type.
    pub fn of_extensions<'a>(extensions: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let types = extensions.into_iter().map(|extension| {
            of_extension(extension).ok_or_else(|| {
                Error::invalid(format!("no media type is known for files {extension:?}"))
            })
        });
        Ok(Self { types: types.collect::<Result<_>>()? })
    }

    /// What a browser is told to do with content served with this `Content-Type`.
    pub fn kind(&self, content_type: &HeaderValue) -> Kind {
        match content_type.to_str() {
            Ok(text) if self.allows(text) => Kind::Inline,
            _ => Kind::Attachment,
        }
    }

    /// Whether content served with this `Content-Type` may be shown.
    pub fn allows(&self, content_type: &str) -> bool {
        let served = essence(content_type);
        self.types.iter().any(|allowed| allowed.eq_ignore_ascii_case(served))
    }
}

/// JPEG, PNG and PDF.
impl Default for InlinePolicy {
    fn default() -> Self {
        Self { types: BTreeSet::from(["application/pdf", "image/jpeg", "image/png"]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_suggest_types() {
        for (name, expected) in [
            ("a.html", "text/html"),
            ("a.HTM", "text/html"),
            ("a.txt", "text/plain"),
            ("a.log", "text/plain"),
            ("a.csv", "text/csv"),
            ("a.json", "application/json"),
            ("a.pdf", "application/pdf"),
            ("cat.JPG", "image/jpeg"),
            ("cat.tar.jpeg", "image/jpeg"),
            ("cat.png", "image/png"),
            ("cat.svg", "image/svg+xml"),
            ("dir.png/cat", OCTET_STREAM),
            ("a.unheard-of", OCTET_STREAM),
            ("png", OCTET_STREAM),
            ("a.", OCTET_STREAM),
            ("", OCTET_STREAM),
        ] {
            assert_eq!(of_name(name), expected, "{name}");
        }
    }

    #[test]
    fn declared_types_are_served_if_they_are_types() {
        for (declared, expected) in [
            (Some("text/plain"), "text/plain"),
            (Some(" text/plain; charset=\"utf-8\" "), "text/plain; charset=\"utf-8\""),
            (Some("application/vnd.ms-excel.sheet+x"), "application/vnd.ms-excel.sheet+x"),
            (Some("None"), OCTET_STREAM),
            (Some("text/plain\r\nX: y"), OCTET_STREAM),
            (Some("text/pläin"), OCTET_STREAM),
            (Some("text/plain/html"), OCTET_STREAM),
            (Some("text/"), OCTET_STREAM),
            (Some("text/plain; charset"), OCTET_STREAM),
            (Some("text/html,text/plain"), OCTET_STREAM),
            (Some(""), OCTET_STREAM),
            (None, OCTET_STREAM),
        ] {
            assert_eq!(served_type(declared), expected, "{declared:?}");
        }
    }

    #[test]
    fn only_listed_types_are_shown() {
        let policy = InlinePolicy::default();
        assert_eq!(policy, InlinePolicy::of_extensions(["jpg", "png", "jpeg", "pdf"]).unwrap());
        for shown in ["image/png", "IMAGE/JPEG", "application/pdf; x=y"] {
            assert!(policy.allows(shown), "{shown}");
        }
        for saved in ["text/html", "image/svg+xml", OCTET_STREAM, "image/pngx", "", "text/xml"] {
            assert!(!policy.allows(saved), "{saved}");
        }
        assert!(InlinePolicy::of_extensions(["webp"]).unwrap().allows("image/webp"));
        assert!(InlinePolicy::of_extensions(["unheard-of"]).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn any_text_has_a_type(text in any::<String>()) {
            let _ = of_name(&text);
            prop_assert!(served_type(Some(&text)).to_str().unwrap().contains('/'));
        }
    }
}
