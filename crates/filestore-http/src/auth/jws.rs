//! The signed envelope of a token (RFC 7515), read as narrowly as RFC 8725 asks.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use filestore::Result;
use jsonwebtoken::crypto::{self, aws_lc};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::refused;
use crate::protocol::{Object, from_json};

/// Longest token in bytes.
const MAX_LEN: usize = 16 << 10;

/// A token in compact form whose signature nobody has looked at yet. Its claims come out of
/// [`Jws::verify`] and no other way.
#[derive(Debug)]
pub(super) struct Jws<'a> {
    /// One of HS256, RS256, ES256 and EdDSA. The client names it, so that it chooses among our
    /// keys by their own algorithm, and never how a key is used.
    pub(super) alg: Algorithm,
    pub(super) kid: Option<String>,
    signed: &'a str,
    payload: &'a str,
    signature: &'a str,
}

/// What we understand of the header. Places to have a key from (`jku`, `jwk`, `x5u`, `x5c`) are
/// not even read (RFC 8725 section 3.10).
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
    zip: Option<Value>,
}

impl<'a> Jws<'a> {
    pub(super) fn parse(token: &'a str) -> Result<Self> {
        if token.len() > MAX_LEN {
            return Err(refused("the token is longer than 16 KiB"));
        }
        let malformed = || refused("the token is not a signed JWT");
        let (signed, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
        let (header, payload) = signed.split_once('.').ok_or_else(malformed)?;
        if payload.contains('.') {
            return Err(malformed());
        }
        let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| malformed())?;
        let Object(header): Object<Header> = from_json(&header).map_err(|_| malformed())?;
        header.check()?;
        Ok(Self { alg: algorithm(&header.alg)?, kid: header.kid, signed, payload, signature })
    }

    /// The claims, if `key` signed them. The caller chose a key of this token's `alg`.
    pub(super) fn verify(&self, key: &DecodingKey) -> Result<Map<String, Value>> {
        use_our_provider();
        match crypto::verify(self.signature, self.signed.as_bytes(), key, self.alg) {
            Ok(true) => {}
            Ok(false) | Err(_) => return Err(refused("the token's signature does not match")),
        }
        let malformed = |_| refused("the token's claims are not a JSON object");
        let payload = URL_SAFE_NO_PAD
            .decode(self.payload)
            .map_err(|_| refused("the token's claims are not base64url"))?;
        serde_json::from_slice(&payload).map_err(malformed)
    }
}

impl Header {
    fn check(&self) -> Result<()> {
        if self.crit.is_some() {
            return Err(refused("the token needs an extension that is unknown here"));
        }
        if self.zip.is_some() {
            return Err(refused("the token is compressed"));
        }
        if !self.typ.as_deref().is_none_or(is_access_token) {
            return Err(refused("the token is of another type"));
        }
        Ok(())
    }
}

/// Media types have no case, and `application/` may be left out (RFC 7515 section 4.1.9).
fn is_access_token(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    let typ = typ.strip_prefix("application/").unwrap_or(&typ);
    matches!(typ, "jwt" | "at+jwt")
}

fn algorithm(name: &str) -> Result<Algorithm> {
    match name {
        "HS256" => Ok(Algorithm::HS256),
        "RS256" => Ok(Algorithm::RS256),
        "ES256" => Ok(Algorithm::ES256),
        "EdDSA" => Ok(Algorithm::EdDSA),
        _ => Err(refused("the token's algorithm is not accepted")),
    }
}

/// The signing crate panics when another crate of the application has switched on a second
/// implementation and none was chosen. An application's own choice stands.
pub(super) fn use_our_provider() {
    let _ = aws_lc::DEFAULT_PROVIDER.install_default();
}
