//! Cases of [`LedgerRepository`](crate::backend::LedgerRepository): the life of a blob's key.

use std::time::Duration;

use super::Fixture;
use super::samples::*;
use crate::backend::{BlobState, ContentSource, Ending, KnownBlob, Repository, Segment};
use crate::error::ErrorKind;
use crate::id::BlobKey;

const MINUTE: Duration = Duration::from_secs(60);

/// The id of the store is always the same, and changes can be committed.
pub async fn the_store_keeps_its_id<R: Repository>(fixture: Fixture<R>) {
    let repo = &fixture.store;
    let id = repo.store_id().await.unwrap();
    repo.ready().await.unwrap();
    store(&**repo, record(1), &[blob(10)]).await;
    let ids = for_each_at_once(repo, 0..4, |repo, _| async move { repo.store_id().await.unwrap() });
    assert_eq!(ids.await, [id; 4]);
    repo.ready().await.unwrap();
}

/// A key is announced once, in whatever state it is.
pub async fn a_key_is_announced_once<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    for key in one_in_every_state(&fixture).await.all() {
        let before = fate_of(repo, key).await;
        assert_eq!(refused(repo.pend(key, HOUR).await), ErrorKind::AlreadyExists);
        assert_eq!(fate_of(repo, key).await, before);
    }
}

/// A pending key is not claimed before its deadline, which can be moved.
pub async fn a_deadline_can_be_moved<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let (left, renewed) = (key(), key());
    repo.pend(left, MINUTE).await.unwrap();
    repo.pend(renewed, MINUTE).await.unwrap();
    fixture.clock().advance(MINUTE - TICK);
    assert_eq!(claim(repo, MINUTE).await, []);
    repo.renew(renewed, MINUTE).await.unwrap();
    fixture.clock().advance(TICK * 2);
    assert_eq!(claim(repo, MINUTE).await, [left]);
    fixture.clock().advance(MINUTE - TICK * 3);
    assert_eq!(claim(repo, HOUR).await, []);
    fixture.clock().advance(TICK * 2);
    assert_eq!(claim(repo, HOUR).await, [renewed]);
}

/// Only a pending key can be given more time.
pub async fn only_a_pending_key_is_renewed<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let keys = one_in_every_state(&fixture).await;
    repo.renew(keys.pending, HOUR).await.unwrap();
    for key in [keys.live, keys.draft, keys.garbage, keys.claimed, key()] {
        let before = fate_of(repo, key).await;
        assert_eq!(refused(repo.renew(key, HOUR).await), ErrorKind::Conflict);
        assert_eq!(fate_of(repo, key).await, before);
    }
}

/// A deadline that is past takes nothing by itself: until a sweep has claimed it, a key can be used.
pub async fn a_deadline_alone_takes_nothing<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let (kept, renewed) = (blob(10), blob(20));
    for segment in [&kept, &renewed] {
        repo.pend(segment.key().unwrap(), TICK).await.unwrap();
    }
    fixture.clock().advance(HOUR);
    assert_eq!(fate(repo, &kept).await, Fate::Pending);
    repo.renew(renewed.key().unwrap(), HOUR).await.unwrap();
    let used = ContentSource::New(content(std::slice::from_ref(&kept)));
    change(repo, insert_with(record(1), used)).await;
    fixture.clock().advance(MINUTE);
    assert_eq!(claim(repo, MINUTE).await, []);
    assert_eq!(fate(repo, &kept).await, Fate::Live);
}

/// Garbage is claimed when it has been garbage for long enough, whichever way it came to be.
pub async fn garbage_is_kept_for_a_while<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let removed = [blob(1), blob(2)];
    let file = store(repo, record(1), &removed).await;
    let id = begin(repo, upload()).await;
    let canceled = send(repo, id, 1, 10).await.segment;
    let collected = key();
    fixture.clock().advance(HOUR * 2);
    change(repo, remove(file.id)).await;
    repo.end(&here(), id, Ending::Canceled).await.unwrap();
    repo.collect(&[collected]).await.unwrap();

    fixture.clock().advance(MINUTE - TICK);
    assert_eq!(claim(repo, MINUTE).await, []);
    fixture.clock().advance(TICK * 2);
    let mut expected: Vec<_> = removed.iter().chain([&canceled]).filter_map(Segment::key).collect();
    expected.push(collected);
    expected.sort_unstable();
    assert_eq!(claim(repo, MINUTE).await, expected);
    for key in expected {
        assert_eq!(fate_of(repo, key).await, Fate::Garbage);
    }
}

/// No more keys are claimed at once than asked for, and none that are live.
pub async fn a_claim_is_limited<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let live = [blob(1), blob(2)];
    store(repo, record(1), &live).await;
    let id = begin(repo, upload()).await;
    let draft = send(repo, id, 1, 10).await.segment;
    let mut due: Vec<_> = (0..7).map(|_| key()).collect();
    for key in &due {
        repo.pend(*key, TICK).await.unwrap();
    }
    fixture.clock().advance(HOUR * 100);
    let mut claimed = Vec::new();
    for expected in [3, 3, 1, 0] {
        let some = repo.claim(MINUTE, HOUR * 1000, 3).await.unwrap();
        assert_eq!(some.len(), expected);
        claimed.extend(some);
    }
    claimed.sort_unstable();
    due.sort_unstable();
    assert_eq!(claimed, due);
    for segment in live.iter().chain([&draft]) {
        assert_eq!(fate(repo, segment).await, Fate::Live);
    }
}

/// Whoever does not settle within the lease loses the keys to the next; settled keys are gone.
pub async fn a_lease_runs_out<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let mut keys = [key(), key()];
    keys.sort_unstable();
    for key in keys {
        repo.pend(key, TICK).await.unwrap();
    }
    fixture.clock().advance(TICK * 2);
    let claim = async |lease| {
        let mut claimed = repo.claim(Duration::ZERO, lease, 10).await.unwrap();
        claimed.sort_unstable();
        claimed
    };
    assert_eq!(claim(MINUTE).await, keys);
    fixture.clock().advance(MINUTE - TICK);
    assert_eq!(claim(MINUTE).await, []);
    repo.settle(&keys[..1]).await.unwrap();
    assert_eq!(fate_of(repo, keys[0]).await, Fate::Unknown);
    fixture.clock().advance(TICK * 2);
    // The lease is its holder's own, not that of whoever asks.
    assert_eq!(claim(HOUR).await, keys[1..]);
    fixture.clock().advance(HOUR - TICK);
    assert_eq!(claim(TICK).await, []);
    fixture.clock().advance(TICK * 2);
    assert_eq!(claim(HOUR).await, keys[1..]);
    repo.settle(&keys).await.unwrap();
    fixture.clock().advance(HOUR * 2);
    assert_eq!(claim(HOUR).await, []);
    assert_eq!(repo.known(None, 10).await.unwrap(), []);
}

/// Only claimed keys are forgotten.
pub async fn only_claimed_keys_are_settled<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let keys = one_in_every_state(&fixture).await;
    let mut before = repo.known(None, 10).await.unwrap();
    let mut all = keys.all();
    all.push(key());
    repo.settle(&all).await.unwrap();
    before.retain(|known| known.key != keys.claimed);
    assert_eq!(repo.known(None, 10).await.unwrap(), before);
    repo.settle(&[]).await.unwrap();
}

/// Keys of every state are listed in one order, with what is known of them; the list goes on after
/// any key.
pub async fn keys_of_every_state_are_listed_in_order<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let mut expected = Vec::new();
    for n in 0..5 {
        let keys = one_in_every_state(&fixture).await;
        expected.extend([(keys.pending, BlobState::Pending), (keys.garbage, BlobState::Garbage)]);
        expected.push((keys.claimed, BlobState::Garbage));
        let live = blob(100 + n);
        let file = store(repo, record(100 + n), std::slice::from_ref(&live)).await;
        let id = begin(repo, upload()).await;
        let draft = send(repo, id, 1, 200 + n).await.segment;
        let whose = [file.content.unwrap().id, session(repo, id).await.content];
        for (segment, content) in [live, draft].into_iter().zip(whose) {
            let state = BlobState::Live { size: segment.size, sha256: segment.sha256, content };
            expected.push((segment.key().unwrap(), state));
        }
    }
    let listed = pages(repo, 3).await;
    assert!(listed.is_sorted_by(|a, b| a.key < b.key));
    assert_eq!(repo.known(None, 1000).await.unwrap(), listed);
    // What is more than expected are the live ones of the helper.
    assert_eq!(listed.len(), expected.len() + 10);
    for (key, state) in expected {
        assert!(listed.contains(&KnownBlob { key, state }), "{key}: {state:?}");
        let after = listed.iter().position(|known| known.key == key).unwrap() + 1;
        let rest: Vec<_> = listed[after..].iter().take(2).copied().collect();
        assert_eq!(repo.known(Some(key), 2).await.unwrap(), rest);
    }
}

/// Keys in no state become garbage; others are left alone.
pub async fn only_unknown_keys_are_collected<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let keys = one_in_every_state(&fixture).await;
    let mut expected = repo.known(None, 10).await.unwrap();
    let stray = key();
    let mut all = keys.all();
    all.extend([stray, stray]);
    for _ in 0..2 {
        repo.collect(&all).await.unwrap();
    }
    expected.push(KnownBlob { key: stray, state: BlobState::Garbage });
    expected.sort_unstable_by_key(|known| known.key);
    assert_eq!(repo.known(None, 10).await.unwrap(), expected);
    // The claimed one is still held by whoever claimed it.
    fixture.clock().advance(TICK * 2);
    let now = repo.claim(Duration::ZERO, HOUR, 10).await.unwrap();
    assert!(!now.contains(&keys.claimed) && now.contains(&stray) && now.contains(&keys.garbage));
}

/// Keys, one in each state.
struct Keys {
    live: BlobKey,
    draft: BlobKey,
    pending: BlobKey,
    garbage: BlobKey,
    claimed: BlobKey,
}

impl Keys {
    fn all(&self) -> Vec<BlobKey> {
        vec![self.live, self.draft, self.pending, self.garbage, self.claimed]
    }
}

async fn one_in_every_state<R: Repository>(fixture: &Fixture<R>) -> Keys {
    let repo = &*fixture.store;
    let n = repo.count(&here(), &[]).await.unwrap() + 1;
    let claimed = key();
    repo.pend(claimed, TICK).await.unwrap();
    fixture.clock().advance(TICK * 2);
    assert_eq!(repo.claim(HOUR, HOUR * 10, 10).await.unwrap(), [claimed]);
    let (live, garbage) = (blob(1), blob(2));
    store(repo, record(n), std::slice::from_ref(&live)).await;
    let gone = store(repo, record(n + 50), std::slice::from_ref(&garbage)).await;
    change(repo, remove(gone.id)).await;
    let id = begin(repo, upload()).await;
    let draft = send(repo, id, 1, 10).await.segment;
    let pending = key();
    repo.pend(pending, HOUR).await.unwrap();
    Keys {
        live: live.key().unwrap(),
        draft: draft.key().unwrap(),
        pending,
        garbage: garbage.key().unwrap(),
        claimed,
    }
}

/// Claims with a long lease, in order of the keys.
async fn claim(repo: &impl Repository, keep_deleted: Duration) -> Vec<BlobKey> {
    let mut claimed = repo.claim(keep_deleted, HOUR * 1000, 100).await.unwrap();
    claimed.sort_unstable();
    claimed
}

async fn pages(repo: &impl Repository, limit: u32) -> Vec<KnownBlob> {
    let mut all: Vec<KnownBlob> = Vec::new();
    loop {
        let page = repo.known(all.last().map(|known| known.key), limit).await.unwrap();
        assert!(page.len() <= limit as usize);
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}
