//! URLs that carry their own permission, as "iDempiere Uploads API" hands them out.
//!
//! A grant is one method on the paths under one prefix, for one principal, until one moment. It
//! travels in four query parameters, the last of which signs the others; nothing is stored, so a
//! URL cannot be called back before its time, other than by taking its key away.

mod grant;
mod keys;
mod query;

use std::sync::Arc;
use std::time::Duration;

use filestore::{Clock, Error, ErrorKind, Result, Timestamp};
use http::Method;
use subtle::ConstantTimeEq;

use crate::auth::Principal;
use crate::protocol::date;
use query::Parameters;

pub use grant::Grant;
pub use keys::{PresignKey, PresignKeys};
pub use query::is_presigned;

/// Longest life of a presigned URL.
pub const MAX_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);

/// Makes presigned URLs and checks them. Servers that share the keys accept each other's.
#[derive(Debug)]
pub struct Presigner {
    keys: PresignKeys,
    clock: Arc<dyn Clock>,
}

impl Presigner {
    /// Signs with the newest of `keys`.
    pub fn new(keys: PresignKeys, clock: Arc<dyn Clock>) -> Self {
        Self { keys, clock }
    }

    /// The query of a URL that grants this from now on for `lifetime`, which is cut to whole
    /// seconds and to [`MAX_LIFETIME`]. It needs no further encoding.
    pub fn sign(&self, grant: &Grant, lifetime: Duration) -> String {
        let key = self.keys.current();
        let credential = grant.encode(key.id());
        let date = date::second(self.clock.now());
        let expires = lifetime.min(MAX_LIFETIME).as_secs().to_string();
        let signature = key.sign(&text_to_sign(&credential, &date, &expires));
        query::write(&Parameters {
            credential: credential.into(),
            date: date.into(),
            expires: expires.into(),
            signature: signature.into(),
        })
    }

    /// The principal that `query` (without its `?`) lets do `method` on `path`. Other parameters
    /// in the query are passed over. `path` begins as the grant's prefix does: whoever mounts a
    /// service elsewhere strips the mount point in both places.
    ///
    /// A grant of GET covers HEAD.
    ///
    /// # Errors
    /// [`Expired`](ErrorKind::Expired) when the grant was good and is over: exactly its lifetime
    /// after it was signed, with no grace. [`Unauthenticated`](ErrorKind::Unauthenticated) for
    /// anything else, with no hint at what is wrong.
    pub fn verify(&self, method: &Method, path: &str, query: &str) -> Result<Principal> {
        let now = self.clock.now();
        let parameters = query::read(query).ok_or_else(mismatch)?;
        let grant = self.signed_grant(&parameters, now).ok_or_else(mismatch)?;
        if !grant.covers(method, path) {
            return Err(mismatch());
        }
        let end = end(&parameters).ok_or_else(mismatch)?;
        if now >= end {
            return Err(Error::new(ErrorKind::Expired, "Presigned URL has expired"));
        }
        Ok(grant.into_principal())
    }

    /// The grant, once its signature is proven to be of one of our keys. Its key's id is read
    /// before that, and nothing else of it.
    fn signed_grant(&self, parameters: &Parameters<'_>, now: Timestamp) -> Option<Grant> {
        let (key_id, grant) = Grant::decode(&parameters.credential)?;
        let key = self.keys.find(&key_id, now)?;
        let text = text_to_sign(&parameters.credential, &parameters.date, &parameters.expires);
        let expected = key.sign(&text);
        let matches = expected.as_bytes().ct_eq(parameters.signature.as_bytes());
        bool::from(matches).then_some(grant)
    }
}

/// What is signed: the parameters as they stand in the URL, so that there is no second way of
/// writing the same grant. None of them contains a line break.
fn text_to_sign(credential: &str, date: &str, expires: &str) -> String {
    format!("filestore presign v1\n{credential}\n{date}\n{expires}")
}

fn end(parameters: &Parameters<'_>) -> Option<Timestamp> {
    let start = date::parse_second(&parameters.date)?;
    let seconds: u64 = parameters.expires.parse().ok()?;
    let lifetime = Duration::from_secs(seconds);
    (lifetime <= MAX_LIFETIME).then(|| start.after(lifetime))
}

#[cold]
fn mismatch() -> Error {
    Error::new(ErrorKind::Unauthenticated, "Signature mismatch")
}

#[cfg(test)]
mod tests;
