//! Where a request carries its token.
//!
//! Each of these finds at most one value. A header that is empty counts as absent, because clients
//! send their unset variables so; two values are refused, since whoever stands in front of this
//! server may have looked at the other one.

use filestore::Result;
use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE};

use super::refused;

/// The token of `Authorization: Bearer` (RFC 6750 section 2.1). The scheme's name has no case
/// (RFC 9110 section 11.1); another scheme counts as no token.
///
/// # Errors
/// [`Unauthenticated`](filestore::ErrorKind::Unauthenticated) for two such headers, or bytes that
/// are not visible ASCII.
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>> {
    let Some(credentials) = header(headers, AUTHORIZATION.as_str())? else {
        return Ok(None);
    };
    let (scheme, token) = credentials.split_once(' ').unwrap_or((credentials, ""));
    let token = token.trim_matches(' ');
    let found = scheme.eq_ignore_ascii_case("bearer") && !token.is_empty();
    Ok(found.then_some(token))
}

/// The value of the header `name`, which is in lower case.
///
/// # Errors
/// As [`bearer`].
pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>> {
    let mut found = None;
    for value in headers.get_all(name) {
        let value = value
            .to_str()
            .map_err(|_| refused("a credential header has unusual bytes"))?
            .trim_matches([' ', '\t']);
        if value.is_empty() {
            continue;
        }
        if found.replace(value).is_some() {
            return Err(refused("the request carries two credentials of one kind"));
        }
    }
    Ok(found)
}

/// The value of the cookie `name`, without the quotes it may stand in (RFC 6265 section 4.1.1).
/// The case of the name counts. A request may have several `Cookie` fields (RFC 9113 section
/// 8.2.3).
///
/// # Errors
/// As [`bearer`].
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>> {
    let mut found = None;
    for field in headers.get_all(COOKIE) {
        let Ok(field) = field.to_str() else {
            return Err(refused("a cookie has unusual bytes"));
        };
        let pairs = field.split(';').filter_map(|pair| pair.split_once('='));
        for (_, value) in pairs.filter(|(key, _)| key.trim_matches(BLANK) == name) {
            let value = unquoted(value.trim_matches(BLANK));
            if value.is_empty() {
                continue;
            }
            if found.replace(value).is_some() {
                return Err(refused("the request carries two credentials of one kind"));
            }
        }
    }
    Ok(found)
}

const BLANK: [char; 2] = [' ', '\t'];

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(lines: &[(&'static str, &[u8])]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| {
                (HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap())
            })
            .collect()
    }

    #[test]
    fn bearer_tokens() {
        let cases: [(&[&[u8]], Option<&str>); 9] = [
            (&[b"Bearer abc"], Some("abc")),
            (&[b"bEARER   abc "], Some("abc")),
            (&[b"", b"Bearer abc"], Some("abc")),
            (&[], None),
            (&[b""], None),
            (&[b"Bearer"], None),
            (&[b"Bearer "], None),
            (&[b"Basic abc"], None),
            (&[b"Bearerabc"], None),
        ];
        for (values, expected) in cases {
            let lines: Vec<_> = values.iter().map(|v| ("authorization", *v)).collect();
            let headers = headers(&lines);
            assert_eq!(bearer(&headers).unwrap(), expected, "{values:?}");
        }
    }

    #[test]
    fn two_credentials_or_unusual_bytes_are_refused() {
        let twice: [&[u8]; 2] = [b"Bearer abc", b"Bearer abc"];
        let twice = headers(&twice.map(|v| ("authorization", v)));
        assert!(bearer(&twice).is_err());
        assert!(bearer(&headers(&[("authorization", b"Bearer \xff")])).is_err());
        assert!(cookie(&headers(&[("cookie", b"t=a; t=b")]), "t").is_err());
        assert!(cookie(&headers(&[("cookie", b"t=a"), ("cookie", b"t=b")]), "t").is_err());
        assert!(cookie(&headers(&[("cookie", b"t=\xff")]), "t").is_err());
    }

    #[test]
    fn cookies() {
        let headers = headers(&[
            ("cookie", b"a=1; session_token=\"abc=\" ; empty=; flag"),
            ("cookie", b"b=2"),
        ]);
        for (name, expected) in [
            ("a", Some("1")),
            ("b", Some("2")),
            ("session_token", Some("abc=")),
            ("Session_Token", None),
            ("empty", None),
            ("flag", None),
        ] {
            assert_eq!(cookie(&headers, name).unwrap(), expected, "{name}");
        }
    }
}
