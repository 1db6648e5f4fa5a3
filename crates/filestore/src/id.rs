//! Identifiers and other small values. All but [`Tenant`] and [`Subject`] are `Copy`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result};

/// Sixteen bytes with a type of their own.
macro_rules! sixteen_bytes {
    ($(#[$doc:meta])* $name:ident, $text:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub struct $name([u8; 16]);

        impl $name {
            /// The value with these bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The raw bytes; text forms other than this crate's are made from them.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let text: fn(&[u8; 16]) -> String = $text;
                f.write_str(&text(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

sixteen_bytes! {
    /// Identity of a file, and of the upload session that becomes it: a UUID of version 7
    /// (RFC 9562), 74 bits of it random. Displayed in the hyphenated form. An id is no credential.
    FileId, |bytes| uuid::Uuid::from_bytes(*bytes).hyphenated().to_string()
}

sixteen_bytes! {
    /// Identity of one version of a file's bytes. Records point at it, and several may share it.
    ContentId, |bytes| hex::encode(bytes)
}

sixteen_bytes! {
    /// Name of one blob: 128 random bits minted by the service, never client text, used once.
    BlobKey, |bytes| hex::encode(bytes)
}

sixteen_bytes! {
    /// Names one store. The metadata and the blobs both carry it, so that neither is opened with
    /// a stranger.
    StoreId, |bytes| hex::encode(bytes)
}

impl FileId {
    /// A new id, of the time `now`.
    ///
    /// # Errors
    /// [`Internal`](crate::ErrorKind::Internal) when the system has no randomness to give.
    pub fn mint(now: Timestamp) -> Result<Self> {
        let random = random::<10>()?;
        let uuid = uuid::Builder::from_unix_timestamp_millis(now.as_millis(), &random).into_uuid();
        Ok(Self(uuid.into_bytes()))
    }

    /// Milliseconds since 1970 that the id carries; for the dates some text forms show.
    pub fn timestamp(&self) -> Timestamp {
        let [a, b, c, d, e, f, ..] = self.0;
        Timestamp::from_millis(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
    }
}

impl ContentId {
    /// A new id, of the time `now`; time-ordered like [`FileId`], so that indexes stay compact.
    ///
    /// # Errors
    /// [`Internal`](crate::ErrorKind::Internal) when the system has no randomness to give.
    pub fn mint(now: Timestamp) -> Result<Self> {
        Ok(Self(FileId::mint(now)?.0))
    }
}

impl BlobKey {
    /// Holds the [`StoreId`] in every blob store; minted keys never are all zero.
    pub const STORE_ID: Self = Self([0; 16]);

    /// A new random key.
    ///
    /// # Errors
    /// [`Internal`](crate::ErrorKind::Internal) when the system has no randomness to give.
    pub fn mint() -> Result<Self> {
        loop {
            let key = Self(random()?);
            if key != Self::STORE_ID {
                return Ok(key);
            }
        }
    }
}

impl StoreId {
    /// A new random id.
    ///
    /// # Errors
    /// [`Internal`](crate::ErrorKind::Internal) when the system has no randomness to give.
    pub fn mint() -> Result<Self> {
        Ok(Self(random()?))
    }
}

/// A number that identifies a file within its tenant, from 1 to 2^53-1: 41 bits of milliseconds
/// since 2020 and 12 random bits, so that order by number is order by creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FileNumber(u64);

impl FileNumber {
    /// The largest number: the largest integer that JSON readers keep exact.
    pub const MAX: Self = Self((1 << 53) - 1);
    const EPOCH_MILLIS: u64 = 1_577_836_800_000;
    const RANDOM_BITS: u32 = 12;

    /// A new number, of the time `now`. Not unique by itself: whoever inserts it draws again when
    /// the tenant has it already.
    ///
    /// # Errors
    /// [`Internal`](crate::ErrorKind::Internal) when the system has no randomness to give.
    pub fn mint(now: Timestamp) -> Result<Self> {
        let random = u64::from(u16::from_be_bytes(random()?)) & ((1 << Self::RANDOM_BITS) - 1);
        let millis = now.as_millis().saturating_sub(Self::EPOCH_MILLIS).max(1);
        Ok(Self(((millis << Self::RANDOM_BITS) | random) & Self::MAX.0))
    }

    /// `None` outside of 1 to 2^53-1.
    pub fn new(number: u64) -> Option<Self> {
        (1..=Self::MAX.0).contains(&number).then_some(Self(number))
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// Counts the changes of a record's attributes, from 1. A compare-and-swap names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Revision(u64);

impl Revision {
    /// The revision of a record that was just made.
    pub const FIRST: Self = Self(1);

    /// The revision with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The one that follows.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A moment: milliseconds since 1970 in UTC, without leap seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Timestamp(u64);

impl Timestamp {
    /// The latest moment.
    pub const MAX: Self = Self(i64::MAX as u64);

    /// The moment this many milliseconds after 1970; clamped to [`Timestamp::MAX`], which signed
    /// columns can hold.
    pub fn from_millis(millis: u64) -> Self {
        Self(millis.min(Self::MAX.0))
    }

    /// Milliseconds since 1970.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// This moment and `duration` more.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self::from_millis(
            self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)),
        )
    }

    /// This moment less `duration`, and never before 1970.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long it is from `earlier` to this moment; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// Short text with a type of its own.
macro_rules! short_text {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Longest text in bytes.
            pub const MAX_LEN: usize = 255;

            /// Takes 1 to 255 bytes without control characters.
            ///
            /// # Errors
            /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) otherwise.
            pub fn new(text: &str) -> Result<Self> {
                if text.is_empty() || text.len() > Self::MAX_LEN || text.chars().any(char::is_control) {
                    return Err(Error::invalid(concat!($what, " is 1 to 255 bytes without control characters")));
                }
                Ok(Self(text.into()))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), self.as_str())
            }
        }
    };
}

short_text! {
    /// Whose files these are. No operation crosses tenants.
    Tenant, "a tenant"
}

short_text! {
    /// Who acts within a tenant: the owner of upload sessions, the creator of files.
    Subject, "a subject"
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::internal("the system has no randomness").with_source(error))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_000_000_123;

    #[test]
    fn a_file_id_is_a_uuid_of_version_7_that_tells_its_time() {
        let id = FileId::mint(Timestamp::from_millis(NOW)).unwrap();
        let uuid = uuid::Uuid::from_bytes(*id.as_bytes());
        assert_eq!(uuid.get_version_num(), 7);
        assert_eq!(uuid.get_variant(), uuid::Variant::RFC4122);
        assert_eq!(id.timestamp().as_millis(), NOW);
    }

    #[test]
    fn numbers_follow_time_and_fit_53_bits() {
        let early = FileNumber::mint(Timestamp::from_millis(NOW)).unwrap();
        let late = FileNumber::mint(Timestamp::from_millis(NOW + 1)).unwrap();
        assert!(early < late && late < FileNumber::MAX);
        assert!(FileNumber::new(0).is_none() && FileNumber::new(1 << 53).is_none());
        assert!(FileNumber::mint(Timestamp::default()).unwrap().get() >= 1);
    }

    #[test]
    fn tenants_and_subjects_are_short_and_printable() {
        assert!(Tenant::new("acme").is_ok());
        assert!(Tenant::new("").is_err());
        assert!(Tenant::new("a\0b").is_err());
        assert!(Subject::new(&"x".repeat(256)).is_err());
    }
}
