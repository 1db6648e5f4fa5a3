use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use filestore::{ErrorKind, ManualClock};
use futures::future::join_all;
use serde_json::json;
use tokio::sync::Semaphore;

use super::super::super::testing::{NOW, TestKey};
use super::*;

const RULES: RefreshRules =
    RefreshRules { refresh_after: Duration::from_secs(600), cool_down: Duration::from_secs(30) };

/// A source under control: what it answers, when it does, and how often it was asked.
#[derive(Debug)]
struct Source {
    kid: Mutex<Option<&'static str>>,
    asked: AtomicUsize,
    gate: Semaphore,
}

impl Source {
    fn set(&self, kid: Option<&'static str>) {
        *self.kid.lock().unwrap() = kid;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn close(&self) {
        self.gate.forget_permits(usize::MAX);
    }

    fn open(&self) {
        self.gate.add_permits(1000);
    }
}

#[async_trait]
impl KeySource for Arc<Source> {
    async fn load(&self) -> Result<KeySet> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.gate.acquire().await.unwrap().forget();
        let kid = *self.kid.lock().unwrap();
        let kid = kid.ok_or_else(|| Error::unavailable("down"))?;
        let set = json!({ "keys": [TestKey::es256(kid).jwk()] });
        KeySet::parse(set.to_string().as_bytes())
    }
}

fn setup(kid: Option<&'static str>) -> (Arc<CachedKeys>, Arc<Source>, Arc<ManualClock>) {
    let source = Arc::new(Source {
        kid: Mutex::new(kid),
        asked: AtomicUsize::new(0),
        gate: Semaphore::new(1000),
    });
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(NOW)));
    let keys =
        CachedKeys::new(Box::new(Arc::clone(&source)), RULES, Arc::clone(&clock) as Arc<dyn Clock>);
    (Arc::new(keys), source, clock)
}

async fn outcome(keys: &CachedKeys, kid: &str) -> Option<ErrorKind> {
    let found = keys.find(Some(kid), Algorithm::ES256).await;
    found.err().map(|error| error.kind())
}

const FOUND: Option<ErrorKind> = None;
const UNKNOWN: Option<ErrorKind> = Some(ErrorKind::Unauthenticated);
const DOWN: Option<ErrorKind> = Some(ErrorKind::Unavailable);

async fn until_asked(source: &Source, times: usize) {
    while source.asked() < times {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn keys_are_fetched_when_first_needed_and_when_they_come_of_age() {
    let (keys, source, clock) = setup(Some("a"));
    assert_eq!(source.asked(), 0);
    for _ in 0..3 {
        assert_eq!(outcome(&keys, "a").await, FOUND);
    }
    assert_eq!(source.asked(), 1);
    clock.advance(Duration::from_secs(599));
    assert_eq!(outcome(&keys, "a").await, FOUND);
    assert_eq!(source.asked(), 1);
    clock.advance(Duration::from_secs(1));
    assert_eq!(outcome(&keys, "a").await, FOUND);
    assert_eq!(source.asked(), 2);
}

#[tokio::test]
async fn a_key_that_was_taken_out_is_gone_when_the_set_comes_of_age() {
    let (keys, source, clock) = setup(Some("a"));
    assert_eq!(outcome(&keys, "a").await, FOUND);
    source.set(Some("b"));
    clock.advance(Duration::from_secs(600));
    assert_eq!(outcome(&keys, "a").await, UNKNOWN);
    assert_eq!(outcome(&keys, "b").await, FOUND);
}

#[tokio::test]
async fn an_unknown_key_asks_again_once_per_cool_down() {
    let (keys, source, clock) = setup(Some("a"));
    assert_eq!(outcome(&keys, "a").await, FOUND);
    clock.advance(Duration::from_millis(1));
    for forged in ["x", "y", "z"] {
        assert_eq!(outcome(&keys, forged).await, UNKNOWN);
    }
    assert_eq!(source.asked(), 2);
    source.set(Some("b"));
    clock.advance(Duration::from_millis(29_999));
    assert_eq!(outcome(&keys, "b").await, UNKNOWN);
    clock.advance(Duration::from_millis(1));
    assert_eq!(outcome(&keys, "b").await, FOUND);
    assert_eq!(source.asked(), 3);
}

#[tokio::test]
async fn the_first_fetch_answers_an_unknown_key_too() {
    let (keys, source, _) = setup(Some("a"));
    assert_eq!(outcome(&keys, "x").await, UNKNOWN);
    assert_eq!(source.asked(), 1);
}

#[tokio::test]
async fn many_askers_share_one_fetch() {
    let (keys, source, clock) = setup(Some("a"));
    let all = join_all((0..50).map(|_| outcome(&keys, "a"))).await;
    assert!(all.iter().all(|kind| *kind == FOUND));
    assert_eq!(source.asked(), 1);
    clock.advance(Duration::from_secs(1));
    let all = join_all((0..50).map(|_| outcome(&keys, "x"))).await;
    assert!(all.iter().all(|kind| *kind == UNKNOWN));
    assert_eq!(source.asked(), 2);
}

#[tokio::test]
async fn without_keys_and_source_nobody_can_tell() {
    let (keys, source, clock) = setup(None);
    assert_eq!(outcome(&keys, "a").await, DOWN);
    assert_eq!(outcome(&keys, "a").await, DOWN);
    assert_eq!(source.asked(), 1);
    source.set(Some("a"));
    clock.advance(Duration::from_secs(30));
    assert_eq!(outcome(&keys, "a").await, FOUND);
}

#[tokio::test]
async fn an_outage_is_bridged_for_a_day() {
    let (keys, source, clock) = setup(Some("a"));
    assert_eq!(outcome(&keys, "a").await, FOUND);
    source.set(None);
    clock.advance(MAX_STALE - Duration::from_millis(1));
    assert_eq!(outcome(&keys, "a").await, FOUND);
    clock.advance(Duration::from_millis(1));
    assert_eq!(outcome(&keys, "a").await, DOWN);
    source.set(Some("a"));
    clock.advance(RULES.cool_down);
    assert_eq!(outcome(&keys, "a").await, FOUND);
}

#[tokio::test]
async fn during_an_outage_nobody_waits_for_the_source() {
    let (keys, source, clock) = setup(Some("a"));
    assert_eq!(outcome(&keys, "a").await, FOUND);
    source.set(None);
    clock.advance(RULES.refresh_after);
    assert_eq!(outcome(&keys, "a").await, FOUND);
    assert_eq!(source.asked(), 2);

    source.close();
    clock.advance(RULES.cool_down);
    for _ in 0..3 {
        assert_eq!(outcome(&keys, "a").await, FOUND);
    }
    until_asked(&source, 3).await;
    source.set(Some("b"));
    source.open();
    while outcome(&keys, "b").await != FOUND {
        tokio::task::yield_now().await;
    }
    assert_eq!(source.asked(), 3);
}

#[tokio::test]
async fn who_hangs_up_does_not_break_the_fetch_off() {
    let (keys, source, _) = setup(Some("a"));
    source.close();
    let asker = tokio::spawn({
        let keys = Arc::clone(&keys);
        async move { outcome(&keys, "a").await }
    });
    until_asked(&source, 1).await;
    asker.abort();
    assert!(asker.await.unwrap_err().is_cancelled());
    source.open();
    assert_eq!(outcome(&keys, "a").await, FOUND);
    assert_eq!(source.asked(), 1);
}
