//! The secret that our own tokens are signed with.

use std::fmt;
use std::sync::Arc;

use filestore::{Error, Result};

/// A signing secret: text whose UTF-8 bytes are the key. Never displayed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Fewest bytes: a key of HS256 is at least as long as its hash (RFC 7518 section 3.2).
    pub const MIN_LEN: usize = 32;

    /// Takes the text as it is; whoever reads it from a file cuts the line's end off first.
    ///
    /// # Errors
    /// [`InvalidArgument`](filestore::ErrorKind::InvalidArgument) below [`Secret::MIN_LEN`] bytes.
    pub fn new(text: &str) -> Result<Self> {
        if text.len() < Self::MIN_LEN {
            return Err(Error::invalid("a JWT secret has at least 32 bytes"));
        }
        Ok(Self(text.into()))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_long_enough_and_stays_hidden() {
        assert!(Secret::new(&"x".repeat(31)).is_err());
        let secret = Secret::new(&"x".repeat(32)).unwrap();
        assert!(!format!("{secret:?}").contains('x'));
    }
}
