//! When a key set is fetched, and how long a fetched one serves.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use filestore::{Clock, Error, Result, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey};

use super::super::refused;
use super::{KeySet, KeySource};

/// How long keys serve when their source has become unreachable.
const MAX_STALE: Duration = Duration::from_secs(24 * 3600);

/// How often a source may be asked.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct RefreshRules {
    /// A set of this age is fetched again before it is used.
    pub(in super::super) refresh_after: Duration,
    /// Shortest time from a failed fetch, or one for the sake of an unknown key, to the next one
    /// for either reason. Anybody can send unknown keys; this keeps them from flooding the source.
    pub(in super::super) cool_down: Duration,
}

impl RefreshRules {
    /// For a file: reading one is cheap.
    pub(in super::super) const FILE: Self =
        Self { refresh_after: Duration::from_secs(60), cool_down: Duration::from_secs(1) };
    /// For an issuer elsewhere.
    #[cfg(feature = "oidc")]
    pub(in super::super) const ISSUER: Self =
        Self { refresh_after: Duration::from_secs(600), cool_down: Duration::from_secs(30) };
}

/// The keys of a source, fetched when needed, by one fetch at a time.
#[derive(Debug)]
pub(in super::super) struct CachedKeys {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    source: Box<dyn KeySource>,
    rules: RefreshRules,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Held by the one fetch under way.
    flight: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug, Default)]
struct State {
    loaded: Option<Loaded>,
    /// No fetch before this moment, except for a set that has merely come of age.
    not_before: Timestamp,
    outage: bool,
}

#[derive(Debug)]
struct Loaded {
    keys: KeySet,
    at: Timestamp,
}

/// Why a source is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    /// There are no keys, or they have come of age.
    Due,
    /// Somebody named a key that is not among them, at this moment.
    Unknown(Timestamp),
}

impl CachedKeys {
    pub(in super::super) fn new(
        source: Box<dyn KeySource>,
        rules: RefreshRules,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let shared = Arc::new(Shared {
            source,
            rules,
            clock,
            state: Mutex::default(),
            flight: Arc::default(),
        });
        Self { shared }
    }

    /// The key that a token names.
    ///
    /// # Errors
    /// [`Unauthenticated`](filestore::ErrorKind::Unauthenticated) when there is no such key;
    /// [`Unavailable`](filestore::ErrorKind::Unavailable) when no keys are there to look among.
    pub(in super::super) async fn find(
        &self,
        kid: Option<&str>,
        alg: Algorithm,
    ) -> Result<DecodingKey> {
        let asked = self.shared.clock.now();
        self.refresh(Reason::Due).await;
        if let Some(key) = self.shared.find(kid, alg)? {
            return Ok(key);
        }
        self.refresh(Reason::Unknown(asked)).await;
        self.shared.find(kid, alg)?.ok_or_else(|| refused("the token's key is unknown"))
    }

    /// Asks the source if there is `reason` to, and waits for the answer, or for the one that is
    /// already under way. While the source is known to be down, keys at hand are used meanwhile.
    ///
    /// The fetch is a task of its own, so that a client who hangs up cannot break it off.
    async fn refresh(&self, reason: Reason) {
        if !self.shared.wants(reason) {
            return;
        }
        let flight = Arc::clone(&self.shared.flight);
        let (guard, wait) = if self.shared.may_serve_meanwhile(reason) {
            let Ok(guard) = flight.try_lock_owned() else {
                return;
            };
            (guard, false)
        } else {
            (flight.lock_owned().await, true)
        };
        if !self.shared.wants(reason) {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let fetch = tokio::spawn(async move {
            let _guard = guard;
            shared.fetch(reason).await;
        });
        if wait {
            // A fetch that panicked leaves the state as it was.
            let _ = fetch.await;
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wants(&self, reason: Reason) -> bool {
        let now = self.clock.now();
        let state = self.state();
        let cool = now >= state.not_before;
        match (&state.loaded, reason) {
            (None, _) => cool,
            (Some(loaded), Reason::Due) => {
                let due = now.since(loaded.at) >= self.rules.refresh_after;
                due && (cool || !state.outage)
            }
            // What was fetched since the question came up has answered it.
            (Some(loaded), Reason::Unknown(asked)) => cool && loaded.at < asked,
        }
    }

    fn may_serve_meanwhile(&self, reason: Reason) -> bool {
        let now = self.clock.now();
        let state = self.state();
        reason == Reason::Due && state.outage && state.usable(now).is_some()
    }

    async fn fetch(&self, reason: Reason) {
        let answer = self.source.load().await;
        let now = self.clock.now();
        let mut state = self.state();
        state.outage = answer.is_err();
        if state.outage || reason != Reason::Due {
            state.not_before = now.after(self.rules.cool_down);
        }
        match answer {
            Ok(keys) => state.loaded = Some(Loaded { keys, at: now }),
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(%error, cause, "signing keys could not be fetched");
            }
        }
    }

    /// The key, if it is in the set that serves at present.
    fn find(&self, kid: Option<&str>, alg: Algorithm) -> Result<Option<DecodingKey>> {
        let now = self.clock.now();
        let state = self.state();
        let keys = state
            .usable(now)
            .ok_or_else(|| Error::unavailable("the signing keys cannot be fetched now"))?;
        Ok(keys.find(kid, alg).cloned())
    }
}

impl State {
    fn usable(&self, now: Timestamp) -> Option<&KeySet> {
        let loaded = self.loaded.as_ref()?;
        (now.since(loaded.at) < MAX_STALE).then_some(&loaded.keys)
    }
}

#[cfg(test)]
mod tests;
