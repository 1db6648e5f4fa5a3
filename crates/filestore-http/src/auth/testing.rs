//! Keys and tokens for the tests of this folder.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::sign;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

/// Some moment in 2026, in milliseconds.
pub(in super::super) const NOW: u64 = 1_790_000_000_000;

/// A signing key whose public half can be published.
pub(super) struct TestKey {
    kid: String,
    alg: Algorithm,
    key: EncodingKey,
}

impl TestKey {
    pub(super) fn rs256(kid: &str) -> Self {
        let pem = include_bytes!("../../tests/keys/rs256.pem");
        Self::new(kid, Algorithm::RS256, EncodingKey::from_rsa_pem(pem))
    }

    pub(super) fn rs256_next(kid: &str) -> Self {
        let pem = include_bytes!("../../tests/keys/rs256-next.pem");
        Self::new(kid, Algorithm::RS256, EncodingKey::from_rsa_pem(pem))
    }

    pub(super) fn es256(kid: &str) -> Self {
        let pem = include_bytes!("../../tests/keys/es256.pem");
        Self::new(kid, Algorithm::ES256, EncodingKey::from_ec_pem(pem))
    }

    pub(super) fn ed25519(kid: &str) -> Self {
        let pem = include_bytes!("../../tests/keys/ed25519.pem");
        Self::new(kid, Algorithm::EdDSA, EncodingKey::from_ed_pem(pem))
    }

    fn new(kid: &str, alg: Algorithm, key: jsonwebtoken::errors::Result<EncodingKey>) -> Self {
        let kid = kid.to_owned();
        let key = key.unwrap();
        Self { kid, alg, key }
    }

    /// The public half, as it stands in a JWK set.
    pub(super) fn jwk(&self) -> Value {
        let jwk = Jwk::from_encoding_key(&self.key, self.alg).unwrap();
        let mut jwk = serde_json::to_value(jwk).unwrap();
        jwk["kid"] = json!(self.kid);
        jwk
    }

    pub(super) fn sign(&self, claims: &Value) -> String {
        let header = json!({ "alg": format!("{:?}", self.alg), "kid": self.kid, "typ": "JWT" });
        self.sign_with(&header, claims)
    }

    pub(super) fn sign_with(&self, header: &Value, claims: &Value) -> String {
        signed(header, claims, &self.key, self.alg)
    }
}

/// A token with any header and claims, signed with a shared secret.
pub(super) fn hs256(secret: &[u8], header: &Value, claims: &Value) -> String {
    let key = EncodingKey::from_secret(secret);
    signed(header, claims, &key, Algorithm::HS256)
}

/// A token with any header and claims, signed by `alg` whatever the header says.
pub(super) fn signed(header: &Value, claims: &Value, key: &EncodingKey, alg: Algorithm) -> String {
    let message = format!("{}.{}", encoded(header), encoded(claims));
    let signature = sign(message.as_bytes(), key, alg).unwrap();
    format!("{message}.{signature}")
}

pub(super) fn encoded(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}
