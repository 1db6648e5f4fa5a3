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

#[cfg(test)]
mod tests {
    use filestore::ErrorKind;

    use super::super::keys::KeySet;
    use super::*;

    #[derive(Deserialize)]
    struct Group {
        comment: String,
        key: Value,
        tests: Vec<Vector>,
    }

    #[derive(Deserialize)]
    struct Vector {
        id: u32,
        comment: String,
        jws: String,
        result: String,
    }

    /// Whether `token` proves to be signed with `key`. What is signed is no JSON in these vectors.
    fn accepts(key: &Value, token: &str) -> bool {
        let verified = Jws::parse(token).and_then(|jws| {
            if key["kty"] == "oct" && jws.alg == Algorithm::HS256 {
                let secret = URL_SAFE_NO_PAD.decode(key["k"].as_str().unwrap()).unwrap();
                return jws.verify(&DecodingKey::from_secret(&secret));
            }
            let set = KeySet::parse(serde_json::json!({ "keys": [key] }).to_string().as_bytes())?;
            let key = set.find(jws.kid.as_deref(), jws.alg);
            jws.verify(key.ok_or_else(|| refused("no such key"))?)
        });
        match verified {
            Ok(_) => true,
            Err(error) if error.kind() == ErrorKind::Unavailable => false,
            Err(error) => error.to_string().contains("not a JSON object"),
        }
    }

    /// Vectors that are not what they say: the first two are the text of number 357, which is valid,
    /// and the others have a `?` in their base64url, which RFC 7515 (section 2) has no place for.
    const MISLABELLED: [(u32, bool); 4] = [(367, true), (370, true), (372, false), (373, false)];

    /// Whether the key is for an algorithm that is accepted here.
    fn is_offered(key: &Value) -> bool {
        key["alg"].as_str().is_some_and(|alg| algorithm(alg).is_ok())
    }

    #[test]
    fn the_vectors_of_wycheproof_hold() {
        let text = include_str!("../../tests/wycheproof/json_web_signature.json");
        let groups: Vec<Group> = serde_json::from_str(text).unwrap();
        let (mut accepted, mut refused) = (0, 0);
        for Group { comment, key, tests } in &groups {
            for vector in tests {
                let Vector { id, comment: what, .. } = vector;
                let said = vector.result == "valid" && is_offered(key);
                let known = MISLABELLED.iter().find(|(other, _)| other == id);
                let expected = known.map_or(said, |(_, is_valid)| *is_valid);
                assert_eq!(accepts(key, &vector.jws), expected, "{id}: {comment}: {what}");
                if expected {
                    accepted += 1;
                } else {
                    refused += 1;
                }
            }
        }
        assert_eq!((accepted, refused), (20, 381));
    }

    /// The example of RFC 8037, appendix A.4: the vectors above have none for EdDSA.
    #[test]
    fn the_example_of_rfc_8037_holds() {
        let key = serde_json::json!({
            "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        });
        let token = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
            hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        assert!(accepts(&key, token));
        for at in 0..token.len() {
            let other = if token.as_bytes()[at] == b'A' { "B" } else { "A" };
            let changed = format!("{}{other}{}", &token[..at], &token[at + 1..]);
            assert!(!accepts(&key, &changed), "{at}");
        }
    }
}
