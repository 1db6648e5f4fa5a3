//! What a presigned URL grants, and its text form.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use filestore::{Error, Result, Subject, Tenant};
use http::Method;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use crate::auth::{Principal, Rights};

/// One method on the paths under one prefix, for one principal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    method: Method,
    prefix: String,
    principal: Principal,
}

/// The parameter `X-ID-CREDENTIAL` is this as JSON, in base64url without padding.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Credential {
    key: String,
    tenant: String,
    subject: String,
    rights: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    security_categories: Vec<i64>,
    method: String,
    prefix: String,
}

impl Grant {
    /// Grants `method` on the path `prefix` and on all paths that go on from it with a `/`.
    /// `prefix` is compared byte by byte with the path as the client sends it.
    ///
    /// # Errors
    /// [`InvalidArgument`](filestore::ErrorKind::InvalidArgument) when `prefix` is empty or ends
    /// with a `/`, or has control characters, empty or dot segments, a query or a fragment.
    pub fn new(method: Method, prefix: impl Into<String>, principal: Principal) -> Result<Self> {
        let prefix = prefix.into();
        let whole = !prefix.is_empty() && !prefix.ends_with('/') && !prefix.contains(['?', '#']);
        if !whole || !is_plain(&prefix) {
            return Err(Error::invalid(
                "a presigned prefix is a plain path without a slash at its end",
            ));
        }
        Ok(Self { method, prefix, principal })
    }

    pub(super) fn into_principal(self) -> Principal {
        self.principal
    }

    /// Whether a request is covered. Paths that a lenient reader could take for another one, by
    /// dot segments for instance, are covered by nothing.
    pub(super) fn covers(&self, method: &Method, path: &str) -> bool {
        let same_method =
            *method == self.method || (*method == Method::HEAD && self.method == Method::GET);
        let below = path
            .strip_prefix(&self.prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        same_method && below && is_plain(path)
    }

    pub(super) fn encode(&self, key_id: &str) -> String {
        let principal = &self.principal;
        let credential = serde_json::json!(Credential {
            key: key_id.to_owned(),
            tenant: principal.tenant.as_str().to_owned(),
            subject: principal.subject.as_str().to_owned(),
            rights: principal.rights.to_string(),
            security_categories: principal.security_categories.clone(),
            method: self.method.as_str().to_owned(),
            prefix: self.prefix.clone(),
        });
        URL_SAFE_NO_PAD.encode(credential.to_string())
    }

    /// The id of the key that shall have signed it, and the grant.
    pub(super) fn decode(text: &str) -> Option<(String, Self)> {
        let json = URL_SAFE_NO_PAD.decode(text).ok()?;
        let credential: Credential = serde_json::from_slice(&json).ok()?;
        let principal = Principal {
            tenant: Tenant::new(&credential.tenant).ok()?,
            subject: Subject::new(&credential.subject).ok()?,
            rights: credential.rights.parse::<Rights>().ok()?,
            security_categories: credential.security_categories,
        };
        let method = Method::from_bytes(credential.method.as_bytes()).ok()?;
        let grant = Self::new(method, credential.prefix, principal).ok()?;
        Some((credential.key, grant))
    }
}

/// No control character and no backslash, and no segment that is empty or dots, however encoded.
/// One slash at either end is fine.
fn is_plain(path: &str) -> bool {
    let decoded: Vec<u8> = percent_decode_str(path).collect();
    let odd = |byte: &u8| byte.is_ascii_control() || *byte == b'\\';
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut segments = path.split('/').map(|segment| {
        let decoded: Vec<u8> = percent_decode_str(segment).collect();
        decoded
    });
    !decoded.iter().any(odd)
        && segments.all(|segment| !matches!(segment.as_slice(), b"" | b"." | b".."))
}
