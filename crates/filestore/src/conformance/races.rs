//! Cases of calls that race: each promise about "one of two" that crosses the traits, with real
//! parallelism and many times over. Races within one trait are beside its other cases.

use std::collections::BTreeSet;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use super::Fixture;
use super::samples::*;
use crate::backend::{
    BeginUpload, BlobState, Change, ContentSource, Ending, Part, Repository, Segment,
};
use crate::error::ErrorKind;
use crate::id::{BlobKey, ContentId, FileId};
use crate::record::FileKey;
use crate::upload::{UploadSession, UploadState};

const ROUNDS: u64 = 20;

/// Of two last parts at the same time, at least one is told that all are there, and both are.
pub async fn one_of_two_last_parts_knows<R: Repository>(fixture: Fixture<R>) {
    let repo = &fixture.store;
    for _ in 0..ROUNDS {
        let id = begin(&**repo, BeginUpload { total: Some(3), ..upload() }).await;
        send(&**repo, id, 2, 20).await;
        let first = admitted(&**repo, id, 1, blob(10)).await;
        let last = admitted(&**repo, id, 3, blob(30)).await;
        let puts = for_each_at_once(repo, [first, last], |repo, part| async move {
            put_part(&*repo, id, part).await
        });
        let told = puts.await;
        assert!(told.iter().any(UploadSession::has_all_parts));
        assert_eq!(parts(&**repo, id).await.len(), 3);
        assert_eq!(session(&**repo, id).await.received, 60);
        assert!(repo.seal(&here(), id).await.unwrap().now);
    }
}

/// A part sent again while its session is sealed is in before, or refused and never live.
pub async fn a_part_sent_again_is_sealed_or_refused<R: Repository>(fixture: Fixture<R>) {
    let repo = &fixture.store;
    for n in 1..=ROUNDS {
        let id = begin(&**repo, upload()).await;
        let old = send(&**repo, id, 1, 10).await;
        let new = admitted(&**repo, id, 1, blob(20)).await;
        let late = new.clone();
        let (put, seal) = both(
            with(repo, |repo| async move { repo.put_part(&here(), id, None, late).await }),
            with(repo, |repo| async move { repo.seal(&here(), id).await }),
        )
        .await;
        assert!(seal.unwrap().now);
        let (held, other) = if put.is_ok() { (&new, &old) } else { (&old, &new) };
        if let Err(error) = put {
            assert_eq!(error.kind(), ErrorKind::Conflict);
        }
        assert_eq!(parts(&**repo, id).await, slice::from_ref(held));
        assert_eq!(fate(&**repo, &held.segment).await, Fate::Live);
        assert_ne!(fate(&**repo, &other.segment).await, Fate::Live);
        let record = repo.finish(&here(), id, publication(n)).await.unwrap().record.unwrap();
        assert_eq!(record.content.unwrap().size, held.segment.size);
    }
}

/// Of seals at the same time, exactly one makes the change.
pub async fn of_two_seals_one_is_first<R: Repository>(fixture: Fixture<R>) {
    let repo = &fixture.store;
    for _ in 0..ROUNDS {
        let id = begin(&**repo, upload()).await;
        send(&**repo, id, 1, 10).await;
        let seals =
            for_each_at_once(
                repo,
                0..4,
                |repo, _| async move { repo.seal(&here(), id).await.unwrap() },
            );
        let answers = seals.await;
        assert_eq!(answers.iter().filter(|sealed| sealed.now).count(), 1);
        assert!(answers.iter().all(|sealed| sealed.session == answers[0].session));
    }
}

/// Completions at the same time make one file, and all answer with it.
pub async fn completions_at_once_make_one_file<R: Repository>(fixture: Fixture<R>) {
    let repo = &fixture.store;
    for round in 1..=ROUNDS {
        let (id, _) = sealed(&**repo, upload()).await;
        let finishes = for_each_at_once(repo, 0..4, |repo, n| async move {
            repo.finish(&here(), id, publication(round * 10 + n)).await.unwrap()
        });
        let answers = finishes.await;
        assert!(answers.iter().all(|answer| *answer == answers[0]));
        assert_eq!(find(&**repo, id).await, answers[0].record);
        assert_eq!(repo.count(&here(), &[]).await.unwrap(), round);
    }
}

/// A completion that is repeated while the file is deleted does not bring it back.
pub async fn a_repeated_completion_does_not_undo_a_deletion<R: Repository>(fixture: Fixture<R>) {
    let repo = &fixture.store;
    for n in 1..=ROUNDS {
        let (id, part) = sealed(&**repo, upload()).await;
        repo.finish(&here(), id, publication(n)).await.unwrap();
        let finishes = for_each_at_once(repo, 0..2, |repo, _| async move {
            repo.finish(&here(), id, publication(n)).await.unwrap();
        });
        let deletion = tokio::spawn(with(repo, |repo| async move {
            change(&*repo, remove(id)).await;
        }));
        finishes.await;
        deletion.await.unwrap();
        assert_eq!(find(&**repo, id).await, None);
        assert_eq!(fate(&**repo, &part.segment).await, Fate::Garbage);
    }
}

/// A cancellation and a completion at the same time: there is a file exactly if it is completed.
pub async fn a_session_is_completed_or_canceled<R: Repository>(fixture: Fixture<R>) {
    let repo = &fixture.store;
    for n in 1..=ROUNDS {
        let (id, part) = sealed(&**repo, upload()).await;
        let (finished, ended) = both(
            with(repo, |repo| async move { repo.finish(&here(), id, publication(n)).await }),
            with(repo, |repo| async move { repo.end(&here(), id, Ending::Canceled).await }),
        )
        .await;
        let (finished, state) = (finished.unwrap(), ended.unwrap().state);
        assert_eq!(finished.session.state, state);
        let completed = state == UploadState::Completed;
        assert!(completed || state == UploadState::Canceled);
        assert_eq!(finished.record.is_some(), completed);
        assert_eq!(find(&**repo, id).await.is_some(), completed);
        let expected = if completed { Fate::Live } else { Fate::Garbage };
        assert_eq!(fate(&**repo, &part.segment).await, expected);
    }
}

/// A part that arrives while its session is canceled is never live afterwards.
pub async fn a_part_of_a_canceled_session_is_not_live<R: Repository>(fixture: Fixture<R>) {
    let repo = &fixture.store;
    for _ in 0..ROUNDS {
        let id = begin(&**repo, upload()).await;
        let part = admitted(&**repo, id, 1, blob(10)).await;
        let late = part.clone();
        let (put, ended) = both(
            with(repo, |repo| async move { repo.put_part(&here(), id, None, late).await }),
            with(repo, |repo| async move { repo.end(&here(), id, Ending::Canceled).await }),
        )
        .await;
        ended.unwrap();
        let expected = if put.is_ok() { Fate::Garbage } else { Fate::Pending };
        assert_eq!(fate(&**repo, &part.segment).await, expected);
        assert_eq!(parts(&**repo, id).await, []);
    }
}

/// Of many sends of one part at the same time the one admitted last stays, whatever order they
/// are recorded in.
pub async fn the_last_ticket_stays<R: Repository>(fixture: Fixture<R>) {
    let repo = &fixture.store;
    for _ in 0..ROUNDS {
        let id = begin(&**repo, upload()).await;
        let mut sends: Vec<Part> = Vec::new();
        for size in 1..=4 {
            sends.push(admitted(&**repo, id, 1, blob(size)).await);
        }
        let reverse = sends.clone().into_iter().rev();
        let puts = for_each_at_once(repo, reverse, |repo, part| async move {
            put_part(&*repo, id, part).await
        });
        puts.await;
        let last = sends.pop().unwrap();
        assert_eq!(parts(&**repo, id).await, slice::from_ref(&last));
        let now = session(&**repo, id).await;
        assert_eq!((now.parts, now.received), (1, last.segment.size));
        assert_eq!(fate(&**repo, &last.segment).await, Fate::Live);
        for older in sends {
            assert_eq!(fate(&**repo, &older.segment).await, Fate::Garbage);
        }
    }
}

/// A sweep and the commit that first references a key: exactly one has it.
pub async fn a_key_is_claimed_or_used<R: Repository>(fixture: Fixture<R>) {
    let repo = &fixture.store;
    let id = begin(&**repo, upload()).await;
    for n in 1..=ROUNDS {
        let (file_segment, part) = (blob(10), blob(20));
        for segment in [&file_segment, &part] {
            repo.pend(segment.key().unwrap(), TICK).await.unwrap();
        }
        let ticket = repo.admit(&here(), id, 1, None).await.unwrap().ticket;
        fixture.clock().advance(TICK * 2);
        let claim = with(repo, |repo| async move { repo.claim(HOUR, HOUR, 100).await.unwrap() });
        let new = ContentSource::New(content(slice::from_ref(&file_segment)));
        let apply = with(repo, |repo| async move {
            repo.apply(&here(), vec![insert_with(record(n), new)]).await
        });
        let taken = Part { number: 1, segment: part.clone(), ticket, chain: None };
        let put = with(repo, |repo| async move { repo.put_part(&here(), id, None, taken).await });
        let (apply, (claim, put)) = both(apply, both(claim, put)).await;
        for (segment, used) in [
            (&file_segment, apply.map_err(|error| error.kind()).map(drop)),
            (&part, put.map_err(|error| error.kind()).map(drop)),
        ] {
            if claim.contains(&segment.key().unwrap()) {
                assert_eq!(used, Err(ErrorKind::Conflict));
                assert_eq!(fate(&**repo, segment).await, Fate::Garbage);
            } else {
                assert_eq!(used, Ok(()));
                assert_eq!(fate(&**repo, segment).await, Fate::Live);
            }
        }
    }
}

/// A sweep and a renewal of a key whose deadline is past: exactly one has it.
pub async fn a_key_is_claimed_or_renewed<R: Repository>(fixture: Fixture<R>) {
    let repo = &fixture.store;
    for _ in 0..ROUNDS {
        let key = key();
        repo.pend(key, TICK).await.unwrap();
        fixture.clock().advance(TICK * 2);
        let (claim, renewed) = both(
            with(repo, |repo| async move { repo.claim(HOUR, HOUR, 100).await.unwrap() }),
            with(repo, |repo| async move { repo.renew(key, HOUR).await }),
        )
        .await;
        assert_ne!(claim.contains(&key), renewed.is_ok());
    }
}

/// No two sweeps hold one key, and between them they claim all that is due.
pub async fn no_key_is_claimed_twice<R: Repository>(fixture: Fixture<R>) {
    let repo = &fixture.store;
    for _ in 0..ROUNDS {
        let keys: BTreeSet<BlobKey> = (0..50).map(|_| key()).collect();
        for key in &keys {
            repo.pend(*key, TICK).await.unwrap();
        }
        fixture.clock().advance(TICK * 2);
        let claims = for_each_at_once(repo, 0..4, |repo, _| async move {
            repo.claim(HOUR, HOUR, 15).await.unwrap()
        });
        let claimed: Vec<_> = claims.await.into_iter().flatten().collect();
        let distinct: BTreeSet<_> = claimed.iter().copied().collect();
        assert_eq!(distinct.len(), claimed.len(), "two sweeps hold one key");
        assert_eq!(distinct, keys);
        repo.settle(&claimed).await.unwrap();
    }
}

/// A target that is removed while its session goes on: the session has failed, or was completed
/// before; nothing of it is live.
pub async fn a_removed_target_leaves_nothing_live<R: Repository>(fixture: Fixture<R>) {
    let repo = &fixture.store;
    for n in 1..=ROUNDS {
        let file = change(&**repo, insert(record(n))).await;
        let open = begin(&**repo, upload_to(file.id)).await;
        let part = admitted(&**repo, open, 1, blob(10)).await;
        let (closed, closed_part) = sealed(&**repo, upload_to(file.id)).await;
        let late = part.clone();
        let put = with(repo, |repo| async move { repo.put_part(&here(), open, None, late).await });
        let finish =
            with(repo, |repo| async move { repo.finish(&here(), closed, publication(n)).await });
        let removal = with(repo, |repo| async move { change(&*repo, remove(file.id)).await });
        let (put, (finish, _)) = both(put, both(finish, removal)).await;

        assert_eq!(find(&**repo, file.id).await, None);
        let open = session(&**repo, open).await.state;
        assert!(matches!(open, UploadState::Failed(_)), "{open:?}");
        let expected = if put.is_ok() { Fate::Garbage } else { Fate::Pending };
        assert_eq!(fate(&**repo, &part.segment).await, expected);
        let state = finish.unwrap().session.state;
        assert!(matches!(state, UploadState::Failed(_) | UploadState::Completed), "{state:?}");
        assert_eq!(session(&**repo, closed).await.state, state);
        assert_eq!(fate(&**repo, &closed_part.segment).await, Fate::Garbage);
    }
}

/// Content that is copied while its last user is removed is shared or gone, never half of each.
pub async fn a_copy_has_content_or_is_refused<R: Repository>(fixture: Fixture<R>) {
    let repo = &fixture.store;
    for n in 1..=ROUNDS {
        let held = [blob(10)];
        let original = store(&**repo, record(n), &held).await;
        let shared = ContentSource::Shared(original.content.unwrap().id);
        let copy = record(n + 1000);
        let id = copy.id;
        let (copied, _) = both(
            with(
                repo,
                |repo| async move { repo.apply(&here(), vec![insert_with(copy, shared)]).await },
            ),
            with(repo, |repo| async move { change(&*repo, remove(original.id)).await }),
        )
        .await;
        match copied {
            Ok(_) => {
                assert_eq!(segments(&**repo, id).await, held);
                assert_eq!(fate(&**repo, &held[0]).await, Fate::Live);
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Conflict);
                assert_eq!(find(&**repo, id).await, None);
                assert_eq!(fate(&**repo, &held[0]).await, Fate::Garbage);
            }
        }
    }
}

/// A load sees record and segments of one moment, however fast contents are swapped.
pub async fn a_load_is_one_snapshot<R: Repository>(fixture: Fixture<R>) {
    let repo = &fixture.store;
    let id = store(&**repo, record(1), &[inline("")]).await.id;
    let writer = tokio::spawn(with(repo, |repo| async move {
        for n in 0..200 {
            let held: Vec<_> = (0..=n % 4).map(|m| blob(100 * n + m + 1)).collect();
            announce(&*repo, &held).await;
            change(&*repo, replace(id, ContentSource::New(content(&held)))).await;
            tokio::task::yield_now().await;
        }
    }));
    let readers = for_each_at_once(repo, 0..3, |repo, _| {
        let writing = writer.abort_handle();
        async move {
            while !writing.is_finished() {
                let stored = repo.load(&here(), &FileKey::Id(id), None).await.unwrap();
                let size: u64 = stored.segments.iter().map(|segment| segment.size).sum();
                let info = stored.record.content.unwrap();
                assert_eq!(size, info.size);
                // The tag is made from the segments.
                assert_eq!(info.tag, content(&stored.segments).tag);
                tokio::task::yield_now().await;
            }
        }
    });
    readers.await;
    writer.await.unwrap();
}

/// A batch whose caller goes away is carried out whole or not at all.
pub async fn a_dropped_batch_is_all_or_none<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let mut made = Vec::new();
    for round in 0..ROUNDS {
        let first = round * 100 + 1;
        made.push(first);
        let batch: Vec<Change> = (first..first + 50).map(|n| insert(record(n))).collect();
        // Polled once or a few times and then dropped.
        let tenant = here();
        let apply = repo.apply(&tenant, batch);
        let _ = tokio::time::timeout(Duration::from_micros(50 * round), apply).await;
        for first in &made {
            let numbers = crate::query::Cond::Number(*first..=first + 49);
            let count = repo.count(&here(), &[numbers]).await.unwrap();
            assert!(count == 0 || count == 50, "{count} of 50");
        }
    }
    change(repo, insert(record(1_000_000))).await;
}

/// Whatever happens at the same time, every live key is a segment of some content, and every
/// segment's key is live.
pub async fn the_ledger_balances_after_a_storm<R: Repository>(fixture: Fixture<R>) {
    let repo = &fixture.store;
    for_each_at_once(repo, 0..4, storm).await;
    let mut held: BTreeSet<(ContentId, BlobKey)> = BTreeSet::new();
    for content in repo.contents(None, 10_000).await.unwrap() {
        let segments = repo.segments(content.id).await.unwrap();
        assert_eq!(segments.len(), content.segments as usize);
        held.extend(segments.iter().filter_map(Segment::key).map(|key| (content.id, key)));
    }
    let live = repo.known(None, 100_000).await.unwrap().into_iter().filter_map(|known| match known
        .state
    {
        BlobState::Live { content, .. } => Some((content, known.key)),
        _ => None,
    });
    assert_eq!(live.collect::<BTreeSet<_>>(), held);
}

/// Makes, copies, replaces and removes files that all storms share; refusals are part of it.
async fn storm<R: Repository>(repo: Arc<R>, seed: u64) {
    let mut random = Random(seed);
    for step in 0..60 {
        let files: Vec<FileId> = {
            let keys: Vec<_> = (1..=12).map(|n| FileKey::Number(number(n))).collect();
            let found = repo.find(&here(), &keys).await.unwrap();
            found.into_iter().flatten().map(|record| record.id).collect()
        };
        let Some(file) = files.get(random.below(files.len().max(1) as u64) as usize).copied()
        else {
            store(&*repo, record(1000 + seed * 1000 + step), &[blob(1)]).await;
            let _ = repo.apply(&here(), vec![insert(record(1 + random.below(12)))]).await;
            continue;
        };
        let held = [blob(1), blob(2)];
        let number = 1 + random.below(12);
        match random.below(5) {
            0 => {
                announce(&*repo, &held).await;
                let new = insert_with(record(number), ContentSource::New(content(&held)));
                let _ = repo.apply(&here(), vec![new]).await;
            }
            1 => {
                announce(&*repo, &held).await;
                let _ = repo
                    .apply(&here(), vec![replace(file, ContentSource::New(content(&held)))])
                    .await;
            }
            2 => {
                let content = find(&*repo, file).await.and_then(|record| record.content);
                if let Some(content) = content {
                    let copy = insert_with(record(number), ContentSource::Shared(content.id));
                    let _ = repo.apply(&here(), vec![copy]).await;
                }
            }
            3 => {
                let _ = repo.apply(&here(), vec![remove(file)]).await;
            }
            _ => {
                let Ok(session) = repo.begin(&here(), upload_to(file)).await else { continue };
                let admission = repo.admit(&here(), session.id, 1, None).await;
                let Ok(admission) = admission else { continue };
                announce(&*repo, &held[..1]).await;
                let [segment, _] = held;
                let part = Part { number: 1, segment, ticket: admission.ticket, chain: None };
                let _ = repo.put_part(&here(), session.id, None, part).await;
                let _ = repo.seal(&here(), session.id).await;
                let _ = repo.finish(&here(), session.id, publication(9)).await;
            }
        }
    }
}

/// A call that has the repository for itself.
fn with<R, F>(repo: &Arc<R>, call: impl FnOnce(Arc<R>) -> F) -> F {
    call(repo.clone())
}

/// Two calls at the same time, each a task of its own.
async fn both<A, B>(one: A, other: B) -> (A::Output, B::Output)
where
    A: Future<Output: Send> + Send + 'static,
    B: Future<Output: Send> + Send + 'static,
{
    let (one, other) = (tokio::spawn(one), tokio::spawn(other));
    (one.await.unwrap(), other.await.unwrap())
}
