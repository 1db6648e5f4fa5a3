//! The secret, and whose tokens are let in.

use std::sync::Arc;

use filestore::SystemClock;
use filestore_http::auth::{JwtAuthenticator, Secret};
use filestore_http::presign::{PresignKey, PresignKeys, Presigner};

use super::config::{Config, Tokens};
use super::data::kept_secret;

/// The secret from the environment, from the file that was named, or from the data folder.
pub(crate) fn secret(config: &Config) -> Result<Secret, String> {
    let text = match std::env::var("FILESTORE_JWT_SECRET") {
        Ok(text) => text,
        Err(std::env::VarError::NotUnicode(_)) => {
            return Err("FILESTORE_JWT_SECRET is not UTF-8".into());
        }
        Err(std::env::VarError::NotPresent) => match &config.tokens.secret_file {
            Some(path) => std::fs::read_to_string(path)
                .map_err(|error| format!("cannot read {}: {error}", path.display()))?,
            None if config.metadata.is_shared() => {
                return Err("nodes that share metadata need one secret: set FILESTORE_JWT_SECRET \
                     or --jwt-secret-file"
                    .into());
            }
            None => kept_secret(&config.data).map_err(|error| {
                format!("cannot keep a secret in {}: {error}", config.data.display())
            })?,
        },
    };
    Secret::new(text.trim_end_matches(['\r', '\n'])).map_err(|error| error.to_string())
}

/// Accepts our own tokens, and those of a JWK set or an issuer that was named.
pub(crate) fn authenticator(secret: Secret, tokens: &Tokens) -> Result<JwtAuthenticator, String> {
    let mut builder = JwtAuthenticator::builder().secret(secret);
    if let Some(path) = &tokens.jwks_file {
        builder = builder.jwks_file(path);
    }
    if let Some(issuer) = &tokens.issuer {
        builder = builder.expect_issuer(issuer);
    }
    if let Some(url) = &tokens.oidc_issuer {
        builder = builder.issuer(url);
    }
    if let Some(audience) = &tokens.audience {
        builder = builder.audience(audience);
    }
    if let Some(claims) = &tokens.claims {
        builder = builder.claims(claims.clone());
    }
    builder.build().map_err(|error| error.to_string())
}

/// Signs URLs with a key derived from the secret, so that nodes which share it verify each other's.
pub(crate) fn presigner(secret: &Secret) -> Result<Presigner, String> {
    let key = PresignKey::derive(secret).map_err(|error| error.to_string())?;
    Ok(Presigner::new(PresignKeys::new(key), Arc::new(SystemClock)))
}
