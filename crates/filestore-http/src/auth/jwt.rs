//! JSON Web Tokens (RFC 7519), checked as RFC 8725 asks.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use filestore::{Clock, Error, Result, SystemClock, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey};

use super::cache::{TokenCache, TokenHash};
use super::claims::{ClaimMapping, ClaimRules, Origin};
use super::jws::Jws;
#[cfg(feature = "oidc")]
use super::keys::Issuer;
use super::keys::{CachedKeys, JwksFile, KeySource, RefreshRules};
use super::{Authenticator, Principal, Secret, refused};

/// How many verified tokens are remembered.
const CACHED_TOKENS: usize = 4096;
/// How long one is remembered before its key is looked at again.
const CACHED_FOR: Duration = Duration::from_secs(60);

/// Accepts tokens signed with a secret (HS256), or with a key of a JWK set or an OpenID Connect
/// issuer (RS256, ES256, EdDSA). A key is used with its own algorithm and with no other.
///
/// Every token needs `exp` and `sub`; `nbf` is honoured. Verified tokens are remembered for a
/// minute at most, so that a key taken out of its set serves no longer than that past the set's
/// own age: a file's keys one minute, an issuer's ten.
///
/// ```
/// use filestore_http::auth::{JwtAuthenticator, Secret};
///
/// # fn main() -> filestore::Result<()> {
/// let secret = Secret::new("at least thirty-two bytes of secret text")?;
/// let authenticator = JwtAuthenticator::builder().secret(secret).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct JwtAuthenticator {
    own: Option<(DecodingKey, ClaimRules)>,
    foreign: Option<(CachedKeys, ClaimRules)>,
    clock: Arc<dyn Clock>,
    cache: TokenCache,
}

impl JwtAuthenticator {
    /// Starts without any key; at least one source of keys has to be named.
    pub fn builder() -> JwtAuthenticatorBuilder {
        JwtAuthenticatorBuilder::default()
    }

    async fn verify(&self, token: &str) -> Result<(Principal, Timestamp)> {
        let jws = Jws::parse(token)?;
        let unwanted = || refused("the token's algorithm is not accepted");
        let (claims, rules) = if jws.alg == Algorithm::HS256 {
            let (key, rules) = self.own.as_ref().ok_or_else(unwanted)?;
            (jws.verify(key)?, rules)
        } else {
            let (keys, rules) = self.foreign.as_ref().ok_or_else(unwanted)?;
            let key = keys.find(jws.kid.as_deref(), jws.alg).await?;
            (jws.verify(&key)?, rules)
        };
        rules.check(&claims, self.clock.now())
    }
}

#[async_trait]
impl Authenticator for JwtAuthenticator {
    async fn authenticate(&self, token: &str) -> Result<Principal> {
        let hash = TokenHash::of(token);
        let now = self.clock.now();
        if let Some(principal) = self.cache.find(hash, now) {
            return Ok(principal);
        }
        let (principal, end) = self.verify(token).await?;
        let until = end.min(now.after(CACHED_FOR));
        self.cache.put(hash, principal.clone(), until);
        Ok(principal)
    }
}

/// Configures a [`JwtAuthenticator`].
#[derive(Debug)]
pub struct JwtAuthenticatorBuilder {
    secret: Option<Secret>,
    jwks_file: Option<PathBuf>,
    #[cfg(feature = "oidc")]
    issuer: Option<String>,
    audiences: Vec<String>,
    expected_issuer: Option<String>,
    mapping: ClaimMapping,
    leeway: Duration,
    clock: Arc<dyn Clock>,
}

impl Default for JwtAuthenticatorBuilder {
    fn default() -> Self {
        Self {
            secret: None,
            jwks_file: None,
            #[cfg(feature = "oidc")]
            issuer: None,
            audiences: Vec::new(),
            expected_issuer: None,
            mapping: ClaimMapping::default(),
            leeway: Duration::from_secs(60),
            clock: Arc::new(SystemClock),
        }
    }
}

impl JwtAuthenticatorBuilder {
    /// Accepts HS256 tokens signed with this secret. Without a claim `tenant` they are for the
    /// tenant `default`, without `scope` they allow everything.
    #[must_use]
    pub fn secret(mut self, secret: Secret) -> Self {
        self.secret = Some(secret);
        self
    }

    /// Accepts tokens signed with a key of this JWK set (RFC 7517). The file may be replaced at
    /// any time: it is read again each minute, and for the sake of a key that is not in it.
    #[must_use]
    pub fn jwks_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.jwks_file = Some(path.into());
        self
    }

    /// Accepts tokens of this OpenID Connect issuer: its URL exactly as in their `iss`. The keys
    /// are fetched when the first token arrives, then every 10 minutes, and once in 30 seconds at
    /// most for a key that is unknown. While the issuer is down, the last keys serve for a day.
    #[cfg(feature = "oidc")]
    #[must_use]
    pub fn issuer(mut self, url: impl Into<String>) -> Self {
        self.issuer = Some(url.into());
        self
    }

    /// A name of this service in the claim `aud`; any one of several suffices. Needed with a JWK
    /// set or an issuer. A token signed with the secret may do without `aud`, but not with a
    /// stranger's.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// The claim `iss`. Needed with a JWK set; an issuer's own URL stands in for it. A token
    /// signed with the secret may do without `iss`, but not with another one.
    #[must_use]
    pub fn expect_issuer(mut self, issuer: impl Into<String>) -> Self {
        self.expected_issuer = Some(issuer.into());
        self
    }

    /// How the tokens of a JWK set or an issuer name tenant and rights.
    #[must_use]
    pub fn claims(mut self, mapping: ClaimMapping) -> Self {
        self.mapping = mapping;
        self
    }

    /// How far the clocks of issuers may be off, for `exp` and `nbf`; 60 seconds by default.
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Where the time comes from; the system's clock by default.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Checks the configuration, and that a key file can be read. Asks no issuer yet.
    ///
    /// # Errors
    /// [`InvalidArgument`](filestore::ErrorKind::InvalidArgument) when there is no source of keys
    /// or more than one besides the secret, when foreign keys come without `aud` or `iss`, or when
    /// the file or the issuer's URL is of no use.
    pub fn build(self) -> Result<JwtAuthenticator> {
        let foreign = self.foreign()?;
        let own = match &self.secret {
            Some(secret) => Some((DecodingKey::from_secret(secret.as_bytes()), self.own_rules()?)),
            None => None,
        };
        if own.is_none() && foreign.is_none() {
            return Err(Error::invalid("tokens need a secret, a key file or an issuer"));
        }
        Ok(JwtAuthenticator {
            own,
            foreign,
            clock: self.clock,
            cache: TokenCache::new(CACHED_TOKENS),
        })
    }

    fn foreign(&self) -> Result<Option<(CachedKeys, ClaimRules)>> {
        let Some((source, refresh, named)) = self.source()? else {
            return Ok(None);
        };
        let issuer = named.or_else(|| self.expected_issuer.clone());
        if issuer.is_none() || self.audiences.is_empty() {
            return Err(Error::invalid("keys of others need an expected issuer and an audience"));
        }
        let keys = CachedKeys::new(source, refresh, Arc::clone(&self.clock));
        let rules = ClaimRules {
            mapping: self.mapping.clone(),
            audiences: self.audiences.clone(),
            issuer,
            origin: Origin::Foreign,
            leeway: self.leeway,
        };
        Ok(Some((keys, rules)))
    }

    /// Where foreign keys come from, how often, and the issuer that goes without saying.
    #[expect(clippy::type_complexity, reason = "taken apart by the only caller")]
    fn source(&self) -> Result<Option<(Box<dyn KeySource>, RefreshRules, Option<String>)>> {
        #[cfg(feature = "oidc")]
        if let Some(url) = &self.issuer {
            if self.jwks_file.is_some() {
                return Err(Error::invalid("keys come from a file or an issuer"));
            }
            let issuer = Box::new(Issuer::new(url)?);
            return Ok(Some((issuer, RefreshRules::ISSUER, Some(url.clone()))));
        }
        let Some(path) = &self.jwks_file else {
            return Ok(None);
        };
        let file = JwksFile::new(path.clone());
        file.read()
            .map_err(|error| Error::invalid("the key file is of no use").with_source(error))?;
        Ok(Some((Box::new(file), RefreshRules::FILE, None)))
    }

    fn own_rules(&self) -> Result<ClaimRules> {
        Ok(ClaimRules {
            mapping: ClaimMapping::of_own_tokens()?,
            audiences: self.audiences.clone(),
            issuer: self.expected_issuer.clone(),
            origin: Origin::Own,
            leeway: self.leeway,
        })
    }
}

#[cfg(test)]
mod tests;
