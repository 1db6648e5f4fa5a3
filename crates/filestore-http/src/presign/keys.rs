//! The keys that presigned URLs are signed with, and how they are replaced.

use std::fmt;

use filestore::{Error, Result, Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::MAX_LIFETIME;
use crate::auth::Secret;

/// A signing key and the id that URLs name it by. The key itself is never displayed.
#[derive(Clone)]
pub struct PresignKey {
    id: String,
    mac: Hmac<Sha256>,
}

impl PresignKey {
    /// Fewest bytes of a key: as many as HMAC-SHA256 puts out (RFC 2104 section 3).
    pub const MIN_LEN: usize = 32;

    /// A key from elsewhere. URLs show the id.
    ///
    /// # Errors
    /// [`InvalidArgument`](filestore::ErrorKind::InvalidArgument) for a key below
    /// [`PresignKey::MIN_LEN`] bytes, or an id that is not 1 to 64 visible ASCII characters.
    pub fn new(id: &str, key: &[u8]) -> Result<Self> {
        if key.len() < Self::MIN_LEN {
            return Err(Error::invalid("a presigning key has at least 32 bytes"));
        }
        if id.is_empty() || id.len() > 64 || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::invalid(
                "the id of a presigning key is 1 to 64 visible ASCII characters",
            ));
        }
        Ok(Self { id: id.to_owned(), mac: keyed(key)? })
    }

    /// The key that goes with the secret of our tokens. It tells nothing about the secret, and
    /// its id is made from it, so that servers with one secret agree on both.
    ///
    /// # Errors
    /// None that has a cause; the hash function's interface has them.
    pub fn derive(secret: &Secret) -> Result<Self> {
        let key =
            keyed(secret.as_bytes())?.chain_update("filestore presign v1").finalize().into_bytes();
        let mac = keyed(&key)?;
        let id = mac.clone().chain_update("key id").finalize().into_bytes();
        Ok(Self { id: id.iter().take(6).map(|byte| format!("{byte:02x}")).collect(), mac })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// 64 lower-case hex digits.
    pub(super) fn sign(&self, text: &str) -> String {
        let signature = self.mac.clone().chain_update(text).finalize();
        hex::encode(signature.into_bytes())
    }
}

impl fmt::Debug for PresignKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresignKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The key in use, and those it replaced.
#[derive(Clone, Debug)]
pub struct PresignKeys {
    current: PresignKey,
    replaced: Vec<(PresignKey, Timestamp)>,
}

impl PresignKeys {
    /// One key, which replaced none.
    pub fn new(current: PresignKey) -> Self {
        Self { current, replaced: Vec::new() }
    }

    /// Adds a key that was in use until the moment `at`. What it signed is accepted for
    /// [`MAX_LIFETIME`] from then; every URL of its is over by that time.
    #[must_use]
    pub fn replaced(mut self, key: PresignKey, at: Timestamp) -> Self {
        self.replaced.push((key, at));
        self
    }

    pub(super) fn current(&self) -> &PresignKey {
        &self.current
    }

    pub(super) fn find(&self, id: &str, now: Timestamp) -> Option<&PresignKey> {
        if self.current.id == id {
            return Some(&self.current);
        }
        let mut still_good = self.replaced.iter().filter(|(_, at)| now < at.after(MAX_LIFETIME));
        still_good.find(|(key, _)| key.id == id).map(|(key, _)| key)
    }
}

fn keyed(key: &[u8]) -> Result<Hmac<Sha256>> {
    Hmac::new_from_slice(key)
        .map_err(|error| Error::internal("HMAC did not take a key").with_source(error))
}
