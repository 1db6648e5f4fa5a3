//! Who asks: tokens, and the principal they stand for.
//!
//! [`Authenticator`] is the one thing the adapter needs. [`JwtAuthenticator`] is the
//! implementation that comes with this crate; an application with its own sessions writes another.

mod cache;
mod claims;
mod jws;
mod jwt;
mod keys;
mod mint;
mod principal;
mod secret;
#[cfg(test)]
mod testing;
pub mod token;

use std::fmt::Debug;

use async_trait::async_trait;
use filestore::{Error, ErrorKind, Result};

pub use claims::ClaimMapping;
pub use jwt::{JwtAuthenticator, JwtAuthenticatorBuilder};
pub use mint::{NewToken, mint};
pub use principal::{Principal, Right, Rights};
pub use secret::Secret;

/// Finds out who a token stands for.
#[async_trait]
pub trait Authenticator: Debug + Send + Sync + 'static {
    /// The principal of `token`, which is client text of any length and content.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthenticated`] when the token proves nothing; the message says why and
    /// never repeats the token. [`ErrorKind::Unavailable`] when it cannot be told now, and the
    /// same token may be good later.
    async fn authenticate(&self, token: &str) -> Result<Principal>;
}

/// The refusal of a token, for this reason.
#[cold]
fn refused(reason: &'static str) -> Error {
    Error::new(ErrorKind::Unauthenticated, reason)
}
