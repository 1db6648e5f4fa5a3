//! The public keys that other parties sign their tokens with.

mod cached;
mod file;
#[cfg(feature = "oidc")]
mod issuer;
mod jwk;

use std::fmt::Debug;

use async_trait::async_trait;
use filestore::{Error, Result};
use jsonwebtoken::{Algorithm, DecodingKey};

pub(super) use cached::{CachedKeys, RefreshRules};
pub(super) use file::JwksFile;
#[cfg(feature = "oidc")]
pub(super) use issuer::Issuer;

/// Largest key set, and largest discovery document, in bytes.
const MAX_DOCUMENT: usize = 256 << 10;

/// Where a key set comes from.
#[async_trait]
pub(super) trait KeySource: Debug + Send + Sync + 'static {
    /// The present key set, fetched anew.
    async fn load(&self) -> Result<KeySet>;
}

/// The usable keys of a JWK set (RFC 7517); never empty.
#[derive(Clone, Debug)]
pub(super) struct KeySet(Vec<VerifyKey>);

/// A public key, with the one algorithm it may be used for (RFC 8725 section 3.1).
#[derive(Clone, Debug)]
struct VerifyKey {
    kid: Option<String>,
    alg: Algorithm,
    key: DecodingKey,
}

impl KeySet {
    /// Reads a JWK set. Keys that are not for checking signatures by RS256, ES256 or EdDSA are
    /// passed over (RFC 7517 section 5), symmetric ones above all.
    ///
    /// # Errors
    /// [`Unavailable`](filestore::ErrorKind::Unavailable) when no usable key remains: that is a
    /// broken set more likely than the wish to lock everybody out.
    pub(super) fn parse(json: &[u8]) -> Result<Self> {
        let keys = jwk::parse_set(json)?;
        if keys.is_empty() {
            return Err(Error::unavailable("the key set has no usable key"));
        }
        Ok(Self(keys))
    }

    /// The key with this id and algorithm. A token without an id is served by the only key of
    /// its algorithm; where there are several, trying one after the other is not for us.
    pub(super) fn find(&self, kid: Option<&str>, alg: Algorithm) -> Option<&DecodingKey> {
        let mut of_alg = self.0.iter().filter(|key| key.alg == alg);
        let found = match kid {
            Some(_) => of_alg.find(|key| key.kid.as_deref() == kid)?,
            None => {
                let only = of_alg.next()?;
                of_alg.next().is_none().then_some(only)?
            }
        };
        Some(&found.key)
    }
}
