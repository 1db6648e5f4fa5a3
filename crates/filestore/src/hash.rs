//! SHA-256: digests, and a running hash whose state another node can take up.

use std::fmt;
use std::str::FromStr;

use sha2::digest::common::hazmat::SerializableState;
use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};

/// A SHA-256 digest. Its text form is 64 lower-case hex digits; both cases are read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// A digest from its 32 bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)
            .map_err(|_| Error::invalid("a SHA-256 digest is 64 hex digits"))?;
        Ok(Self(bytes))
    }
}

/// A running SHA-256.
#[derive(Clone, Debug, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// Takes in more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes so far; the hasher may go on.
    pub fn digest(&self) -> Digest {
        Digest(self.0.clone().finalize().into())
    }

    /// What another hasher, on any node, needs to go on from here.
    pub fn save(&self) -> HashState {
        let mut state = [HashState::FORMAT; HashState::LEN];
        let (_, rest) = state.split_at_mut(1);
        rest.copy_from_slice(&self.0.serialize());
        HashState(state)
    }

    /// Goes on from a saved state.
    ///
    /// # Errors
    /// [`Internal`](crate::ErrorKind::Internal) when the state is damaged.
    pub fn resume(state: &HashState) -> Result<Self> {
        let (_, raw) = state.0.split_at(1);
        let raw = raw.try_into().map_err(|_| Error::internal("hash state has the wrong length"))?;
        Sha256::deserialize(&raw).map(Self).map_err(|_| Error::internal("hash state is damaged"))
    }
}

/// A saved [`Hasher`]: a format byte and the 104 bytes of the hash's own state.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HashState([u8; HashState::LEN]);

impl HashState {
    /// Length of the saved form in bytes.
    pub const LEN: usize = 105;
    const FORMAT: u8 = 1;

    /// The saved form.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reads a saved form. `None` when another version of this library wrote it: the reader then
    /// hashes the bytes again.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let state: [u8; Self::LEN] = bytes.try_into().ok()?;
        (state.first() == Some(&Self::FORMAT)).then_some(Self(state))
    }
}

impl fmt::Debug for HashState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashState(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_hash_goes_on_where_it_stopped() {
        let mut first = Hasher::default();
        first.update(b"hello ");
        let saved = HashState::from_bytes(first.save().as_bytes()).unwrap();
        let mut second = Hasher::resume(&saved).unwrap();
        second.update(b"world");
        assert_eq!(second.digest(), Digest::of(b"hello world"));
    }

    #[test]
    fn a_state_of_another_format_is_not_taken_up() {
        let mut bytes = Hasher::default().save().as_bytes().to_vec();
        bytes[0] = 2;
        assert!(HashState::from_bytes(&bytes).is_none());
        assert!(HashState::from_bytes(&bytes[1..]).is_none());
    }

    #[test]
    fn digests_are_read_in_either_case_and_written_in_lower() {
        let digest = Digest::of(b"abc");
        assert_eq!(digest.to_string().to_uppercase().parse::<Digest>().unwrap(), digest);
        assert!("abc".parse::<Digest>().is_err());
    }
}
