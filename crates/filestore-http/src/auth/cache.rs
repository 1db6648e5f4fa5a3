//! Tokens that were verified a moment ago.

use std::collections::HashMap;
use std::mem;
use std::sync::{Mutex, PoisonError};

use filestore::Timestamp;
use sha2::{Digest, Sha256};

use super::principal::Principal;

/// Spares the signature check of a token that is sent again and again.
///
/// Bounded: when the young half is full it becomes the old half, and the former old half is
/// dropped. Entries live for a minute at most, so that hardly anything dropped was still of use.
#[derive(Debug)]
pub(super) struct TokenCache {
    half: usize,
    halves: Mutex<Halves>,
}

#[derive(Debug, Default)]
struct Halves {
    young: HashMap<TokenHash, Entry>,
    old: HashMap<TokenHash, Entry>,
}

#[derive(Debug)]
struct Entry {
    principal: Principal,
    until: Timestamp,
}

/// Stands for a token, so that the cache holds nothing that could be presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct TokenHash([u8; 32]);

impl TokenHash {
    pub(super) fn of(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }
}

impl TokenCache {
    pub(super) fn new(capacity: usize) -> Self {
        Self { half: capacity / 2, halves: Mutex::default() }
    }

    /// The principal, before the moment up to which it was put.
    pub(super) fn find(&self, token: TokenHash, now: Timestamp) -> Option<Principal> {
        let halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = halves.young.get(&token).or_else(|| halves.old.get(&token))?;
        (now < entry.until).then(|| entry.principal.clone())
    }

    pub(super) fn put(&self, token: TokenHash, principal: Principal, until: Timestamp) {
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        if halves.young.len() >= self.half {
            halves.old = mem::take(&mut halves.young);
        }
        halves.young.insert(token, Entry { principal, until });
    }
}

#[cfg(test)]
mod tests {
    use filestore::{Subject, Tenant};

    use super::super::principal::Rights;
    use super::*;

    fn principal() -> Principal {
        Principal {
            tenant: Tenant::new("t").unwrap(),
            subject: Subject::new("s").unwrap(),
            rights: Rights::READ,
            security_categories: Vec::new(),
        }
    }

    #[test]
    fn an_entry_ends_at_its_moment() {
        let cache = TokenCache::new(8);
        let token = TokenHash::of("a");
        cache.put(token, principal(), Timestamp::from_millis(10));
        assert!(cache.find(token, Timestamp::from_millis(9)).is_some());
        assert!(cache.find(token, Timestamp::from_millis(10)).is_none());
        assert!(cache.find(TokenHash::of("b"), Timestamp::default()).is_none());
    }

    #[test]
    fn it_never_holds_more_than_its_capacity_and_keeps_the_newest() {
        let cache = TokenCache::new(8);
        for n in 0..100 {
            let token = TokenHash::of(&n.to_string());
            cache.put(token, principal(), Timestamp::MAX);
            assert!(cache.find(token, Timestamp::default()).is_some());
            let halves = cache.halves.lock().unwrap();
            assert!(halves.young.len() + halves.old.len() <= 8);
        }
    }

    #[test]
    fn a_newer_entry_hides_an_older_one_of_the_same_token() {
        let cache = TokenCache::new(2);
        let token = TokenHash::of("a");
        cache.put(token, principal(), Timestamp::from_millis(1));
        cache.put(token, principal(), Timestamp::from_millis(9));
        assert!(cache.find(token, Timestamp::from_millis(5)).is_some());
    }
}
