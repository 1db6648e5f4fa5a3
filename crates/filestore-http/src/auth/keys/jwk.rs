//! Reading JSON Web Keys (RFC 7517, RFC 7518 section 6, RFC 8037).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use filestore::{Error, Result};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

use super::VerifyKey;

/// The usable keys of a JWK set, in its order.
///
/// # Errors
/// [`Unavailable`](filestore::ErrorKind::Unavailable) when it is no JWK set at all.
pub(super) fn parse_set(json: &[u8]) -> Result<Vec<VerifyKey>> {
    let set: JwkSet = serde_json::from_slice(json)
        .map_err(|error| Error::unavailable("the key set is malformed").with_source(error))?;
    let keys = set.keys.into_iter();
    Ok(keys.filter_map(usable).collect())
}

#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: Option<String>,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

fn usable(jwk: Value) -> Option<VerifyKey> {
    let jwk: Jwk = serde_json::from_value(jwk).ok()?;
    if !jwk.may_verify() {
        return None;
    }
    let (alg, name, key) = jwk.public_key()?;
    if jwk.alg.is_some_and(|stated| stated != name) {
        return None;
    }
    Some(VerifyKey { kid: jwk.kid, alg, key })
}

impl Jwk {
    fn may_verify(&self) -> bool {
        self.usage.as_deref().is_none_or(|usage| usage == "sig")
            && self.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"))
    }

    /// The key, and the one algorithm its type and curve stand for. The verifier refuses RSA
    /// below 2048 bits and points off the curve.
    fn public_key(&self) -> Option<(Algorithm, &'static str, DecodingKey)> {
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", None) => {
                let (n, e) = (self.n.as_deref()?, self.e.as_deref()?);
                let key = DecodingKey::from_rsa_components(n, e).ok()?;
                Some((Algorithm::RS256, "RS256", key))
            }
            ("EC", Some("P-256")) => {
                let (x, y) = (coordinate(&self.x)?, coordinate(&self.y)?);
                let key = DecodingKey::from_ec_components(x, y).ok()?;
                Some((Algorithm::ES256, "ES256", key))
            }
            ("OKP", Some("Ed25519")) => {
                let key = DecodingKey::from_ed_components(coordinate(&self.x)?).ok()?;
                Some((Algorithm::EdDSA, "EdDSA", key))
            }
            _ => None,
        }
    }
}

/// Text of exactly 32 bytes, as both curves have them.
fn coordinate(text: &Option<String>) -> Option<&str> {
    let text = text.as_deref()?;
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    (bytes.len() == 32).then_some(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::testing::TestKey;
    use super::super::KeySet;
    use super::*;

    fn with(key: &TestKey, name: &str, value: Value) -> Value {
        let mut jwk = key.jwk();
        jwk[name] = value;
        jwk
    }

    fn count(keys: &Value) -> usize {
        parse_set(&serde_json::to_vec(&json!({ "keys": keys })).unwrap()).unwrap().len()
    }

    #[test]
    fn a_key_is_for_one_algorithm() {
        for (key, alg) in [
            (TestKey::rs256("k"), Algorithm::RS256),
            (TestKey::es256("k"), Algorithm::ES256),
            (TestKey::ed25519("k"), Algorithm::EdDSA),
        ] {
            let set = json!({ "keys": [key.jwk()] });
            let set = KeySet::parse(&serde_json::to_vec(&set).unwrap()).unwrap();
            let all = [Algorithm::HS256, Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];
            for tried in all {
                assert_eq!(set.find(Some("k"), tried).is_some(), tried == alg);
                assert_eq!(set.find(None, tried).is_some(), tried == alg);
            }
            assert!(set.find(Some("other"), alg).is_none());
        }
    }

    #[test]
    fn keys_that_must_not_be_used_are_passed_over() {
        let (rsa, ec) = (TestKey::rs256("k"), TestKey::es256("k"));
        let refused = [
            json!({ "kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "alg": "HS256" }),
            with(&rsa, "use", json!("enc")),
            with(&rsa, "key_ops", json!(["encrypt"])),
            with(&rsa, "alg", json!("PS256")),
            with(&rsa, "alg", json!("HS256")),
            with(&rsa, "n", json!("not base64!")),
            with(&rsa, "n", Value::Null),
            with(&ec, "crv", json!("P-384")),
            with(&ec, "crv", json!("secp256k1")),
            with(&ec, "x", json!("AAAA")),
            with(&TestKey::ed25519("k"), "crv", json!("X25519")),
            with(&TestKey::ed25519("k"), "x", json!("AAAA")),
            json!("no object"),
            json!({}),
        ];
        for jwk in refused {
            assert_eq!(count(&json!([jwk])), 0, "{jwk}");
        }
        let usable =
            [rsa.jwk(), with(&rsa, "use", json!("sig")), with(&rsa, "key_ops", json!(["verify"]))];
        assert_eq!(count(&json!(usable)), 3);
    }

    #[test]
    fn a_set_without_a_usable_key_is_an_error() {
        for text in ["{\"keys\":[]}", "{}", "[]", "", "{\"keys\":{}}"] {
            assert!(KeySet::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn without_an_id_only_an_unambiguous_key_is_found() {
        let keys = json!({ "keys": [TestKey::rs256("a").jwk(), TestKey::rs256_next("b").jwk()] });
        let set = KeySet::parse(&serde_json::to_vec(&keys).unwrap()).unwrap();
        assert!(set.find(None, Algorithm::RS256).is_none());
        assert!(set.find(Some("b"), Algorithm::RS256).is_some());
    }
}
