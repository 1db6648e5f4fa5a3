//! `Repr-Digest` and `Content-Digest` (RFC 9530): the SHA-256 of content, told and checked.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use filestore::{Digest, Error, Result};
use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::header_value;

/// `Repr-Digest` (RFC 9530, section 3).
pub const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");
/// `Content-Digest` (RFC 9530, section 2).
pub const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");

const SHA_256: &[u8] = b"sha-256";

/// Reads what RFC 9651, section 4.2.7, asks of parsers: padding may be missing, and the bits that
/// it stands for may be anything.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// `Repr-Digest` of content with this SHA-256.
pub fn repr_digest(digest: &Digest) -> HeaderValue {
    header_value(format!("sha-256=:{}:", BASE64.encode(digest.as_bytes())))
}

/// The SHA-256 that a request declares of a body which is the content and nothing else, in
/// `Repr-Digest` or `Content-Digest`. Other algorithms are passed over.
///
/// Not for forms: there `Content-Digest` is of the form and not of the file within.
///
/// # Errors
/// [`InvalidArgument`](filestore::ErrorKind::InvalidArgument) when a field is malformed, or when
/// the two declare different digests.
pub fn declared(headers: &HeaderMap) -> Result<Option<Digest>> {
    let repr = read(headers, REPR_DIGEST)?;
    let content = read(headers, CONTENT_DIGEST)?;
    match (repr, content) {
        (Some(one), Some(other)) if one != other => {
            Err(Error::invalid("Repr-Digest and Content-Digest contradict each other"))
        }
        _ => Ok(repr.or(content)),
    }
}

/// The last member of a name counts, as in every dictionary (RFC 9651, section 4.2.2).
fn read(headers: &HeaderMap, field: HeaderName) -> Result<Option<Digest>> {
    let mut found = None;
    for line in headers.get_all(field) {
        let line = line.as_bytes().trim_ascii();
        if line.is_empty() {
            continue;
        }
        for member in line.split(|byte| *byte == b',') {
            let (key, digest) = member_of(member.trim_ascii()).ok_or_else(malformed)?;
            if key == SHA_256 {
                let digest = digest.try_into().map_err(|_| malformed())?;
                found = Some(Digest::from_bytes(digest));
            }
        }
    }
    Ok(found)
}

/// `key=:base64:`. RFC 9530 defines no parameters and no other kind of value.
fn member_of(member: &[u8]) -> Option<(&[u8], Vec<u8>)> {
    let equals = memchr::memchr(b'=', member)?;
    let (key, value) = member.split_at_checked(equals)?;
    let encoded = value.strip_prefix(b"=:")?.strip_suffix(b":")?;
    is_key(key).then_some(())?;
    Some((key, BASE64.decode(encoded).ok()?))
}

fn is_key(key: &[u8]) -> bool {
    let follows =
        |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.*".contains(byte);
    matches!(key, [b'a'..=b'z' | b'*', rest @ ..] if rest.iter().all(follows))
}

fn malformed() -> Error {
    Error::invalid("a digest field is not a dictionary of digests (RFC 9530)")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 9530, appendix A: `{"hello": "world"}` and a line feed.
    const HELLO: &str = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:";
    const HELLO_SHA_512: &str = "sha-512=:YMAam51Jz/jOATT6/zvHrLVgOYTGFy1d6GJiOHTohq4yP+pgk4vf2aCs\
        yRZOtw8MjkM7iw7yZ/WkppmM44T3qg==:";

    fn hello() -> Digest {
        Digest::of(b"{\"hello\": \"world\"}\n")
    }

    fn declared_by(fields: &[(HeaderName, &str)]) -> Result<Option<Digest>> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        declared(&headers)
    }

    #[test]
    fn the_example_of_rfc_9530_is_written_and_read() {
        assert_eq!(repr_digest(&hello()), HELLO);
        for field in [REPR_DIGEST, CONTENT_DIGEST] {
            assert_eq!(declared_by(&[(field, HELLO)]).unwrap(), Some(hello()));
        }
    }

    #[test]
    fn other_algorithms_are_passed_over() {
        let both = format!("{HELLO_SHA_512},\t{HELLO}");
        let unpadded = HELLO.replace('=', "").replacen("256", "256=", 1);
        for (value, expected) in [
            (HELLO_SHA_512, None),
            (both.as_str(), Some(hello())),
            (unpadded.as_str(), Some(hello())),
            ("md5=:AAAA:, unixsum=:AA==:", None),
            ("", None),
        ] {
            assert_eq!(declared_by(&[(REPR_DIGEST, value)]).unwrap(), expected, "{value}");
        }
        let lines = [(REPR_DIGEST, HELLO_SHA_512), (REPR_DIGEST, HELLO)];
        assert_eq!(declared_by(&lines).unwrap(), Some(hello()));
        assert_eq!(declared_by(&[]).unwrap(), None);
    }

    #[test]
    fn what_cannot_be_checked_is_refused() {
        let other = repr_digest(&Digest::of(b"other"));
        let twice = [(REPR_DIGEST, HELLO), (CONTENT_DIGEST, other.to_str().unwrap())];
        assert!(declared_by(&twice).is_err());
        for value in [
            "sha-256",
            "sha-256=",
            "sha-256=abc",
            "sha-256=::",
            "sha-256=:AAAA:",
            "SHA-256=:AAAA:",
            "sha-256=:!!!!:",
            "sha-256=\"abc\"",
            "=:AAAA:",
            "sha-512=1",
            ",",
            "md5=:AAAA:,",
            "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:;x=1",
            "44a7f4ab2d7c32505256",
        ] {
            let error = declared_by(&[(REPR_DIGEST, value)]).unwrap_err();
            assert_eq!(error.kind(), filestore::ErrorKind::InvalidArgument, "{value}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn digests_come_back(bytes in any::<[u8; 32]>()) {
            let digest = Digest::from_bytes(bytes);
            let mut headers = HeaderMap::new();
            headers.insert(REPR_DIGEST, repr_digest(&digest));
            prop_assert_eq!(declared(&headers).unwrap(), Some(digest));
        }

        #[test]
        fn any_field_is_read_or_refused(value in "(sha-256=:)?[-a-z0-9=:,;+/ ]{0,60}") {
            let _ = declared_by(&[(REPR_DIGEST, &value)]);
        }
    }
}
