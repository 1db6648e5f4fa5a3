//! Cases of [`UploadRepository`](crate::backend::UploadRepository): sessions and their parts. How
//! they are completed is in [`completions`](super::completions), how they end otherwise in
//! [`endings`](super::endings).

use std::time::Duration;

use super::Fixture;
use super::samples::*;
use crate::backend::{
    Announcement, BeginUpload, Chain, Ending, Hashed, Part, PartChain, Repository,
};
use crate::clock::Clock;
use crate::error::ErrorKind;
use crate::hash::{Digest, Hasher};
use crate::id::FileId;
use crate::record::Expect;
use crate::upload::{UploadSession, UploadState, UploadTarget};

/// A session opens as it was asked for, at the time of the backend's clock.
pub async fn a_session_opens_as_asked<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let now = fixture.clock().now();
    let file = change(repo, insert(record(1))).await;
    for target in [UploadTarget::NewFile, UploadTarget::Existing(file.id)] {
        let upload = BeginUpload {
            owner: subject("Ünï \u{10FFFF}"),
            target,
            attributes: full_attributes(),
            expect: Expect { size: Some(u64::from(u32::MAX)), sha256: Some(Digest::of(b"x")) },
            total: Some(10_000),
            lifetime: Duration::from_millis(86_400_001),
            ..upload()
        };
        let expected = UploadSession {
            id: upload.id,
            owner: upload.owner.clone(),
            target,
            content: upload.content,
            attributes: upload.attributes.clone(),
            expect: upload.expect,
            total: upload.total,
            created: now,
            expires: now.after(upload.lifetime),
            state: UploadState::Open,
            parts: 0,
            received: 0,
        };
        assert_eq!(repo.begin(&here(), upload).await.unwrap(), expected);
        assert_eq!(session(repo, expected.id).await, expected);
    }
}

/// The id must be new among sessions and files, and the target must be there.
pub async fn a_session_needs_a_new_id_and_its_target<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let file = change(repo, insert(record(1))).await;
    let open = begin(repo, upload()).await;
    for taken in [open, file.id] {
        let again = repo.begin(&here(), BeginUpload { id: taken, ..upload() }).await;
        assert_eq!(refused(again), ErrorKind::AlreadyExists);
    }
    let unknown = repo.begin(&here(), upload_to(file_id())).await;
    assert_eq!(refused(unknown), ErrorKind::NotFound);
    let strange = repo.begin(&elsewhere(), upload_to(file.id)).await;
    assert_eq!(refused(strange), ErrorKind::NotFound);
    assert_eq!(session(repo, open).await.state, UploadState::Open);
}

/// An unknown session is `NotFound`.
pub async fn an_unknown_session_is_not_found<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    assert_all_not_found(repo, &here(), file_id()).await;
}

/// No method reaches a session of another tenant.
pub async fn sessions_of_tenants_never_meet<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let open = begin(repo, upload()).await;
    send(repo, open, 1, 10).await;
    let (sealed, _) = sealed(repo, upload()).await;
    let canceled = begin(repo, upload()).await;
    repo.end(&here(), canceled, Ending::Canceled).await.unwrap();
    let ids = [open, sealed, canceled];
    let mut before = Vec::new();
    for id in ids {
        before.push((session(repo, id).await, parts(repo, id).await));
    }
    for id in ids {
        assert_all_not_found(repo, &elsewhere(), id).await;
        repo.forget(&elsewhere(), id).await.unwrap();
        let of = |ticket| PartChain { number: 1, ticket, chain: chain() };
        repo.save_chains(&elsewhere(), id, (0..4).map(of).collect()).await.unwrap();
    }
    let listed = repo.sessions(&elsewhere(), &subject("ann"), None, 10).await.unwrap();
    assert_eq!(listed, []);
    for (id, (then, held)) in ids.into_iter().zip(before) {
        assert_eq!(session(repo, id).await, then);
        assert_eq!(parts(repo, id).await, held);
    }
}

async fn assert_all_not_found(repo: &impl Repository, tenant: &crate::id::Tenant, id: FileId) {
    let segment = blob(1);
    announce(repo, std::slice::from_ref(&segment)).await;
    let part = Part { number: 1, segment, ticket: u64::from(u32::MAX), chain: None };
    let fate_before = fate(repo, &part.segment).await;
    let kinds = [
        refused(repo.session(tenant, id).await),
        refused(repo.parts(tenant, id, 0, 10).await),
        refused(repo.admit(tenant, id, 1, None).await),
        refused(repo.put_part(tenant, id, None, part.clone()).await),
        refused(repo.seal(tenant, id).await),
        refused(repo.finish(tenant, id, publication(77)).await),
        refused(repo.end(tenant, id, Ending::Canceled).await),
    ];
    assert_eq!(kinds, [ErrorKind::NotFound; 7]);
    assert_eq!(fate(repo, &part.segment).await, fate_before);
}

/// Sessions of an owner come oldest first, in any state, and the list goes on after any id.
pub async fn sessions_are_listed_by_owner<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let mut mine = Vec::new();
    for n in 0..9 {
        mine.push(begin(repo, upload()).await);
        begin(repo, BeginUpload { owner: subject("Ann"), ..upload() }).await;
        if n % 3 == 0 {
            repo.end(&here(), mine[n], Ending::Canceled).await.unwrap();
        }
    }
    mine.sort_unstable();
    let ann = subject("ann");
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let some = repo.sessions(&here(), &ann, after, 2).await.unwrap();
        assert!(some.len() <= 2);
        let Some(last) = some.last() else { break };
        after = Some(last.id);
        for listed in some {
            assert_eq!(listed, session(repo, listed.id).await);
            seen.push(listed.id);
        }
    }
    assert_eq!(seen, mine);
    let nobody = repo.sessions(&here(), &subject("nobody"), None, 10).await.unwrap();
    assert_eq!(nobody, []);
}

/// Parts come as they were put, by number, and the list goes on after any number.
pub async fn parts_are_listed_by_number<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let id = begin(repo, upload()).await;
    let mut held = Vec::new();
    for number in [5, 1, 3, 10_000, 2] {
        let segment = if number == 3 { small(repo, "three") } else { blob(number.into()) };
        let mut part = admitted(repo, id, number, segment).await;
        part.chain = (number == 2).then(chain);
        put_part(repo, id, part.clone()).await;
        held.push(part);
    }
    held.sort_unstable_by_key(|part| part.number);
    assert_eq!(parts(repo, id).await, held);
    for (after, limit) in [(0, 2), (1, 3), (2, 1), (4, 10), (5, 2), (10_000, 5)] {
        let expected: Vec<_> = held.iter().filter(|part| part.number > after).collect();
        let got = repo.parts(&here(), id, after, limit).await.unwrap();
        assert!(got.iter().eq(expected.into_iter().take(limit as usize)));
    }
}

/// Every admission draws a greater ticket than all before it in its session.
pub async fn tickets_ascend<R: Repository>(fixture: Fixture<R>) {
    let repo = &fixture.store;
    let id = begin(&**repo, upload()).await;
    let mut last = None;
    for round in 0..20 {
        let calls = for_each_at_once(repo, 0..4, |repo, n| async move {
            repo.admit(&here(), id, 1 + (round + n) % 3, None).await.unwrap().ticket
        });
        let mut tickets = calls.await;
        tickets.sort_unstable();
        assert!(tickets.is_sorted_by(|a, b| a < b), "no ticket is drawn twice");
        assert!(last < tickets.first().copied());
        last = tickets.last().copied();
    }
}

/// Parts are admitted until the session's time is past, and taken later as long as it is open.
pub async fn time_counts_at_admission_only<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let id = begin(repo, BeginUpload { lifetime: HOUR, ..upload() }).await;
    fixture.clock().advance(HOUR - TICK);
    let part = admitted(repo, id, 1, blob(10)).await;
    fixture.clock().advance(TICK * 2);
    assert_eq!(refused(repo.admit(&here(), id, 1, None).await), ErrorKind::Expired);
    let taken = put_part(repo, id, part).await;
    assert_eq!((taken.state, taken.parts), (UploadState::Open, 1));
    // Whether it has expired is a matter of its state, which nobody has changed.
    assert!(repo.seal(&here(), id).await.unwrap().now);
}

/// In a session that is not open nothing is admitted and nothing is put; its key stays pending.
pub async fn only_an_open_session_takes_parts<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    for (state, id, part) in one_in_every_state(&fixture).await {
        let kind = match state {
            UploadState::Open => continue,
            UploadState::Expired => ErrorKind::Expired,
            _ => ErrorKind::Conflict,
        };
        let before = (session(repo, id).await, parts(repo, id).await);
        assert_eq!(before.0.state, state);
        assert_eq!(refused(repo.admit(&here(), id, 2, None).await), kind, "{state:?}");
        for late in [part.clone(), Part { number: 2, ..part.clone() }] {
            let put = repo.put_part(&here(), id, None, late).await;
            assert_eq!(refused(put), ErrorKind::Conflict, "{state:?}");
        }
        assert_eq!(fate(repo, &part.segment).await, Fate::Pending, "{state:?}");
        assert_eq!((session(repo, id).await, parts(repo, id).await), before);
    }
}

/// An admission tells how far the hash of the whole has come, of the parts shortly before.
pub async fn an_admission_knows_the_hash_before<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let id = begin(repo, upload()).await;
    let hashed = async |number| repo.admit(&here(), id, number, None).await.unwrap().hashed;
    for number in [2, 3] {
        let mut part = admitted(repo, id, number, blob(10)).await;
        part.chain = Some(chain());
        put_part(repo, id, part).await;
    }
    send(repo, id, 5, 10).await;
    let after = |number| Some(Hashed { number, state: chain().after });
    assert_eq!(hashed(1).await, None);
    assert_eq!(hashed(2).await, None, "it is not before itself");
    assert_eq!(hashed(3).await, after(2));
    assert_eq!(hashed(4).await, after(3), "the last one counts");
    assert_eq!(hashed(6).await, after(3), "part 4 is not there, part 5 has none");
    assert_eq!(hashed(3 + Hashed::WITHIN).await, after(3));
    assert_eq!(hashed(4 + Hashed::WITHIN).await, None, "it is too far away");
    let admission = repo.admit(&here(), id, 2, None).await.unwrap();
    assert_eq!(admission.session, session(repo, id).await);
}

/// A key that comes along is announced or left to the caller, as the answer says; of a session that
/// takes no part it is left alone.
pub async fn an_admission_says_what_it_announced<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let id = begin(repo, upload()).await;
    let segment = blob(10);
    let key = segment.key().unwrap();
    let announce = Some(Announcement { key, ttl: HOUR });
    let admission = repo.admit(&here(), id, 1, announce).await.unwrap();
    if admission.announced {
        assert_eq!(fate_of(repo, key).await, Fate::Pending);
        let again = repo.admit(&here(), id, 1, announce).await;
        assert_eq!(refused(again), ErrorKind::AlreadyExists);
    } else {
        assert_eq!(fate_of(repo, key).await, Fate::Unknown);
        repo.pend(key, HOUR).await.unwrap();
    }
    let part = Part { number: 1, segment, ticket: admission.ticket, chain: None };
    assert_eq!(put_part(repo, id, part).await.parts, 1);
    assert_eq!(fate_of(repo, key).await, Fate::Live);

    let announced = repo.admit(&here(), id, 2, None).await.unwrap().announced;
    assert!(!announced, "there is nothing to announce");
    let key = blob(10).key().unwrap();
    let announce = Some(Announcement { key, ttl: HOUR });
    fixture.clock().advance(upload().lifetime + TICK);
    assert_eq!(refused(repo.admit(&here(), id, 2, announce).await), ErrorKind::Expired);
    repo.end(&here(), id, Ending::Canceled).await.unwrap();
    assert_eq!(refused(repo.admit(&here(), id, 2, announce).await), ErrorKind::Conflict);
    assert_eq!(fate_of(repo, key).await, Fate::Unknown);
}

/// The answer to a part counts it, and so does the session from then on.
pub async fn a_part_is_counted_at_once<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let id = begin(repo, BeginUpload { total: Some(3), ..upload() }).await;
    for (n, (number, size)) in [(2, 20), (3, 30), (1, 10)].into_iter().enumerate() {
        let part = admitted(repo, id, number, blob(size)).await;
        let taken = put_part(repo, id, part.clone()).await;
        assert_eq!(taken.parts as usize, n + 1);
        assert_eq!(taken.received, [20, 50, 60][n]);
        assert_eq!(taken.has_all_parts(), n == 2);
        assert_eq!(session(repo, id).await, taken);
        assert_eq!(fate(repo, &part.segment).await, Fate::Live);
    }
}

/// The total is remembered from the first part on; another is refused, and so are parts past it.
pub async fn the_total_is_said_once<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let told = begin(repo, BeginUpload { total: Some(3), ..upload() }).await;
    let learned = begin(repo, upload()).await;
    let first = admitted(repo, learned, 1, blob(10)).await;
    let first = repo.put_part(&here(), learned, Some(3), first).await.unwrap();
    assert_eq!(first.total, Some(3));
    for id in [told, learned] {
        let before = session(repo, id).await;
        for (number, total, kind) in [
            (2, Some(4), ErrorKind::Conflict),
            (2, Some(2), ErrorKind::Conflict),
            (4, None, ErrorKind::InvalidArgument),
            (4, Some(3), ErrorKind::InvalidArgument),
        ] {
            let part = Part { number, ..admitted(repo, id, 2, blob(10)).await };
            let put = repo.put_part(&here(), id, total, part.clone()).await;
            assert_eq!(refused(put), kind, "part {number} of {total:?}");
            assert_eq!(fate(repo, &part.segment).await, Fate::Pending);
        }
        assert_eq!(session(repo, id).await, before);
        for (number, total) in [(2, Some(3)), (3, None)] {
            let part = admitted(repo, id, number, blob(10)).await;
            let taken = repo.put_part(&here(), id, total, part).await.unwrap();
            assert_eq!(taken.total, Some(3));
        }
    }
    let past = begin(repo, upload()).await;
    let part = admitted(repo, past, 4, blob(10)).await;
    let put = repo.put_part(&here(), past, Some(3), part).await;
    assert_eq!(refused(put), ErrorKind::InvalidArgument);
    assert_eq!(session(repo, past).await.total, None, "a refused part says nothing");
}

/// A part that is sent again is replaced, and its first blob becomes garbage.
pub async fn a_part_sent_again_is_replaced<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let id = begin(repo, upload()).await;
    let other = send(repo, id, 1, 10).await;
    let old = send(repo, id, 2, 20).await;
    let new = send(repo, id, 2, 25).await;
    assert_eq!(parts(repo, id).await, [other, new.clone()]);
    let now = session(repo, id).await;
    assert_eq!((now.parts, now.received), (2, 35));
    assert_eq!(fate(repo, &old.segment).await, Fate::Garbage);
    assert_eq!(fate(repo, &new.segment).await, Fate::Live);
}

/// Of two sends of one part the one admitted later stays, also when it comes first; the answer is
/// as if it had come last.
pub async fn the_later_ticket_stays<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let id = begin(repo, upload()).await;
    let older = admitted(repo, id, 1, blob(10)).await;
    let newer = send(repo, id, 1, 20).await;
    let before = session(repo, id).await;
    assert_eq!(put_part(repo, id, older.clone()).await, before);
    assert_eq!(parts(repo, id).await, std::slice::from_ref(&newer));
    assert_eq!(fate(repo, &older.segment).await, Fate::Garbage);
    assert_eq!(fate(repo, &newer.segment).await, Fate::Live);
}

/// A key that is not pending cannot become a part.
pub async fn a_part_needs_a_pending_key<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let id = begin(repo, upload()).await;
    let live = send(repo, id, 1, 10).await;
    let garbage = send(repo, id, 2, 10).await;
    send(repo, id, 2, 10).await;
    let claimed = Part { number: 3, segment: blob(5), ..garbage.clone() };
    repo.pend(claimed.segment.key().unwrap(), TICK).await.unwrap();
    fixture.clock().advance(TICK * 2);
    assert_eq!(repo.claim(HOUR, HOUR, 10).await.unwrap().len(), 1);
    let unknown = Part { segment: blob(5), ..claimed.clone() };
    let before = (session(repo, id).await, parts(repo, id).await);
    for part in [live, garbage, claimed, unknown] {
        for number in [1, 3] {
            let ticket = repo.admit(&here(), id, number, None).await.unwrap().ticket;
            let part = Part { number, ticket, ..part.clone() };
            let put = repo.put_part(&here(), id, None, part).await;
            assert_eq!(refused(put), ErrorKind::Conflict);
        }
    }
    assert_eq!((session(repo, id).await, parts(repo, id).await), before);
}

/// The chain that a reader found is added to the part that it read, until the session has ended.
pub async fn a_chain_is_saved_until_the_end<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let id = begin(repo, upload()).await;
    let mut expected = Vec::new();
    for number in 1..=3 {
        expected.push(send(repo, id, number, 10).await);
    }
    let found =
        |part: &Part| PartChain { number: part.number, ticket: part.ticket, chain: chain() };
    repo.save_chains(&here(), id, vec![found(&expected[1])]).await.unwrap();
    expected[1].chain = Some(chain());
    assert_eq!(parts(repo, id).await, expected, "it is open");
    repo.seal(&here(), id).await.unwrap();
    let beyond = PartChain { number: 4, ..found(&expected[0]) };
    repo.save_chains(&here(), id, vec![found(&expected[0]), beyond]).await.unwrap();
    expected[0].chain = Some(chain());
    assert_eq!(parts(repo, id).await, expected, "it is sealed");
    repo.save_chains(&here(), file_id(), vec![found(&expected[2])]).await.unwrap();
    repo.save_chains(&here(), id, Vec::new()).await.unwrap();
    assert_eq!(parts(repo, id).await, expected);
    repo.end(&here(), id, Ending::Canceled).await.unwrap();
    repo.save_chains(&here(), id, vec![found(&expected[2])]).await.unwrap();
    assert_eq!(parts(repo, id).await, []);
}

/// What was found of a part says nothing of another send of it.
pub async fn a_replaced_part_takes_no_chain<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let id = begin(repo, upload()).await;
    let read = send(repo, id, 1, 10).await;
    let replaced = send(repo, id, 1, 10).await;
    let found = PartChain { number: 1, ticket: read.ticket, chain: chain() };
    repo.save_chains(&here(), id, vec![found]).await.unwrap();
    assert_eq!(parts(repo, id).await, [replaced]);
}

fn chain() -> Chain {
    let mut hasher = Hasher::default();
    hasher.update(b"some bytes");
    Chain { before: Digest::of(b"before"), after: hasher.save() }
}

/// A session in each state, and a part for it that was admitted while it was open.
pub(super) async fn one_in_every_state<R: Repository>(
    fixture: &Fixture<R>,
) -> Vec<(UploadState, FileId, Part)> {
    let repo = &*fixture.store;
    let states = [
        UploadState::Open,
        UploadState::Sealed,
        UploadState::Completed,
        UploadState::Failed("bad luck \u{10FFFF}".to_owned()),
        UploadState::Canceled,
        UploadState::Expired,
    ];
    let mut made = Vec::new();
    for (n, state) in states.into_iter().enumerate() {
        let id = begin(repo, BeginUpload { lifetime: TICK, ..upload() }).await;
        send(repo, id, 1, 10).await;
        made.push((state, id, admitted(repo, id, 1, blob(20)).await));
        let (state, id, _) = &made[n];
        if !matches!(state, UploadState::Open | UploadState::Canceled | UploadState::Expired) {
            repo.seal(&here(), *id).await.unwrap();
        }
    }
    fixture.clock().advance(TICK * 2);
    for (n, (state, id, _)) in made.iter().enumerate() {
        let ending = match state {
            UploadState::Open | UploadState::Sealed => continue,
            UploadState::Completed => {
                repo.finish(&here(), *id, publication(1000 + n as u64)).await.unwrap();
                continue;
            }
            UploadState::Failed(reason) => Ending::Failed(reason.clone()),
            UploadState::Canceled => Ending::Canceled,
            UploadState::Expired => Ending::Expired,
        };
        let ended = repo.end(&here(), *id, ending).await.unwrap();
        assert_eq!(ended.state, *state);
    }
    made
}
