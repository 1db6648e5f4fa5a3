//! Making tokens with our own secret.

use std::time::Duration;

use filestore::{Clock, Error, Result, Subject, Tenant};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

use super::jws;
use super::principal::Rights;
use super::secret::Secret;

/// What a token shall say.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Who shall act with it.
    pub subject: Subject,
    /// In whose files.
    pub tenant: Tenant,
    /// What it allows.
    pub rights: Rights,
    /// How long it holds; cut to whole seconds.
    pub lifetime: Duration,
    /// Written as the claim `security_categories` unless empty.
    pub security_categories: Vec<i64>,
    /// Written as the claim `aud`; needed where the authenticator's audience is configured and
    /// other services share the secret.
    pub audience: Option<String>,
}

/// A token signed with `secret` by HS256, which a
/// [`JwtAuthenticator`](super::JwtAuthenticator) with the same secret accepts from now on.
///
/// # Errors
/// [`Internal`](filestore::ErrorKind::Internal) when signing fails, which it has no reason to.
pub fn mint(secret: &Secret, token: &NewToken, clock: &dyn Clock) -> Result<String> {
    jws::use_our_provider();
    let now = clock.now();
    let claims = Claims {
        sub: token.subject.as_str(),
        tenant: token.tenant.as_str(),
        scope: token.rights.to_string(),
        iat: now.as_millis() / 1000,
        exp: now.after(token.lifetime).as_millis() / 1000,
        aud: token.audience.as_deref(),
        security_categories: &token.security_categories,
    };
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key)
        .map_err(|error| Error::internal("a token could not be signed").with_source(error))
}

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    tenant: &'a str,
    scope: String,
    iat: u64,
    exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
    #[serde(skip_serializing_if = "<[i64]>::is_empty")]
    security_categories: &'a [i64],
}
