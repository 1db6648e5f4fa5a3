//! Who acts, where, and what they may do.

use std::fmt;
use std::str::FromStr;

use filestore::{Error, Result, Subject, Tenant};

/// Who acts, in whose files, and what they may do there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Whose files these are.
    pub tenant: Tenant,
    /// Who acts.
    pub subject: Subject,
    /// What they may do.
    pub rights: Rights,
    /// The security categories the subject is a member of, as "Cognite CDF Files" numbers them.
    pub security_categories: Vec<i64>,
}

/// One thing a principal may be allowed to do with the files of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Look at records and download content.
    Read,
    /// Store, change and delete.
    Write,
}

impl Right {
    const ALL: [Self; 2] = [Self::Read, Self::Write];

    /// The word for it in a `scope` (RFC 8693 section 4.2).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "files:read",
            Self::Write => "files:write",
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Read => 1,
            Self::Write => 2,
        }
    }
}

impl FromStr for Right {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|right| right.as_str() == word)
            .ok_or_else(|| Error::invalid("a right is files:read or files:write"))
    }
}

/// A set of [`Right`]s. Displayed, and parsed, as the text of a `scope`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rights(u8);

impl Rights {
    /// No right at all.
    pub const NONE: Self = Self(0);
    /// Reading only.
    pub const READ: Self = Self(Right::Read.bit());
    /// Reading and writing.
    pub const ALL: Self = Self(Right::Read.bit() | Right::Write.bit());

    /// The rights a token's `scope` names. Words of other services are passed over; parsing with
    /// [`FromStr`] refuses them instead, which is what a person's input wants.
    pub fn from_scope(scope: &str) -> Self {
        scope.split_ascii_whitespace().filter_map(|word| word.parse::<Right>().ok()).collect()
    }

    /// Whether `right` is among them.
    pub const fn allows(self, right: Right) -> bool {
        self.0 & right.bit() != 0
    }
}

impl FromIterator<Right> for Rights {
    fn from_iter<I: IntoIterator<Item = Right>>(rights: I) -> Self {
        Self(rights.into_iter().fold(0, |bits, right| bits | right.bit()))
    }
}

impl FromStr for Rights {
    type Err = Error;

    /// # Errors
    /// [`InvalidArgument`](filestore::ErrorKind::InvalidArgument) when a word names no right.
    fn from_str(scope: &str) -> Result<Self> {
        scope.split_ascii_whitespace().map(str::parse::<Right>).collect()
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> =
            Right::ALL.into_iter().filter(|right| self.allows(*right)).map(Right::as_str).collect();
        f.write_str(&words.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_keeps_its_meaning_through_text() {
        for rights in [Rights::NONE, Rights::READ, Rights::ALL, Rights::from_iter([Right::Write])] {
            assert_eq!(Rights::from_scope(&rights.to_string()), rights);
            assert_eq!(rights.to_string().parse::<Rights>().unwrap(), rights);
        }
        assert_eq!(Rights::ALL.to_string(), "files:read files:write");
    }

    #[test]
    fn a_right_is_allowed_only_when_named() {
        assert!(Rights::READ.allows(Right::Read) && !Rights::READ.allows(Right::Write));
        assert!(!Rights::NONE.allows(Right::Read));
        assert_eq!(Rights::from_scope("openid files:readx FILES:READ"), Rights::NONE);
        assert_eq!(Rights::from_scope("openid files:read"), Rights::READ);
    }

    #[test]
    fn a_person_who_mistypes_a_right_is_told() {
        assert!("files:read file:write".parse::<Rights>().is_err());
    }
}
