//! Cases of [`TransferRepository`].

use super::Fixture;
use super::samples::*;
use super::uploads::one_in_every_state;
use crate::backend::{BeginUpload, Ending, Kept, Repository, TransferRepository};
use crate::error::ErrorKind;
use crate::id::{FileId, Revision, Subject, Tenant};
use crate::other::{Expected, OtherRecord, RecordChange};
use crate::record::FileRecord;
use crate::upload::{UploadSession, UploadState, UploadTarget};

fn tenant(name: &str) -> Tenant {
    Tenant::new(name).unwrap()
}

fn other(kind: &str, key: &str) -> OtherRecord {
    OtherRecord {
        kind: kind.to_owned(),
        key: key.to_owned(),
        revision: Revision::new(7),
        created: moment(1),
        updated: moment(2),
        body: format!("{{\"{key}\": \u{10FFFF}}}"),
    }
}

/// A session that has ended elsewhere, with something in every field.
fn ended(state: UploadState) -> UploadSession {
    UploadSession {
        id: file_id(),
        owner: subject("bob"),
        target: UploadTarget::NewFile,
        content: content_id(),
        attributes: full_attributes(),
        expect: crate::Expect { size: Some(70), sha256: Some(crate::Digest::of(b"x")) },
        total: Some(3),
        created: moment(3),
        expires: moment(4),
        state,
        parts: 3,
        received: 70,
    }
}

async fn every_tenant(repo: &impl TransferRepository, limit: u32) -> Vec<Tenant> {
    let mut all: Vec<Tenant> = Vec::new();
    loop {
        let page = repo.tenants(all.last(), limit).await.unwrap();
        assert!(page.len() <= limit as usize);
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

/// Whoever has anything is listed once, by the bytes of the name.
pub async fn every_tenant_is_listed<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    assert_eq!(repo.tenants(None, 10).await.unwrap(), []);
    let mut names = ["b", "B", "a", "a-b", "ab", "a.b", "z", "9", "10"].map(tenant).to_vec();
    for (n, name) in (1..).zip(&names) {
        match n % 4 {
            0 => drop(repo.apply(name, vec![insert(record(n))]).await.unwrap()),
            1 => drop(repo.begin(name, upload()).await.unwrap()),
            2 => drop(repo.next_number(name, "c").await.unwrap()),
            _ => {
                let kept = Kept { records: vec![other("kind", "k")], ..Kept::default() };
                repo.adopt(name, kept).await.unwrap();
            }
        }
    }
    names.sort_unstable();
    for limit in [1, 4, 100] {
        assert_eq!(every_tenant(repo, limit).await, names);
    }
    let between = repo.tenants(Some(&tenant("a0")), 2).await.unwrap();
    assert_eq!(between, [tenant("ab"), tenant("b")]);
}

/// Sessions in every state and of every owner are listed by id, those of the tenant alone.
pub async fn sessions_of_every_owner_are_listed<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let mut ids: Vec<FileId> =
        one_in_every_state(&fixture).await.into_iter().map(|(_, id, _)| id).collect();
    for owner in ["bob", "eve"] {
        ids.push(begin(repo, BeginUpload { owner: subject(owner), ..upload() }).await);
    }
    repo.begin(&elsewhere(), upload()).await.unwrap();
    ids.sort_unstable();
    let mut listed: Vec<UploadSession> = Vec::new();
    loop {
        let after = listed.last().map(|session| session.id);
        let page = repo.all_sessions(&here(), after, 3).await.unwrap();
        assert!(page.len() <= 3);
        if page.is_empty() {
            break;
        }
        listed.extend(page);
    }
    assert_eq!(listed.iter().map(|session| session.id).collect::<Vec<_>>(), ids);
    for session in listed {
        assert_eq!(repo.session(&here(), session.id).await.unwrap(), session);
    }
    assert_eq!(repo.all_sessions(&tenant("nobody"), None, 10).await.unwrap(), []);
}

/// Records are listed by kind and key, both by their bytes, those of the tenant alone.
pub async fn records_of_every_kind_are_listed<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let mut names = Vec::new();
    for kind in ["b", "B", "a b", "a", "é"] {
        for key in ["2", "10", "", "\u{10FFFF}"] {
            names.push((kind, key));
            let change = RecordChange {
                kind: kind.to_owned(),
                key: key.to_owned(),
                expected: Expected::Nothing,
                body: Some(format!("{kind}/{key}")),
            };
            repo.write_records(&here(), vec![change.clone()], moment(1)).await.unwrap();
            repo.write_records(&elsewhere(), vec![change], moment(1)).await.unwrap();
        }
    }
    names.sort_unstable();
    let mut listed: Vec<OtherRecord> = Vec::new();
    loop {
        let after = listed.last().map(|last| (last.kind.as_str(), last.key.as_str()));
        let page = repo.all_records(&here(), after, 3).await.unwrap();
        assert!(page.len() <= 3);
        if page.is_empty() {
            break;
        }
        listed.extend(page);
    }
    let found: Vec<_> = listed.iter().map(|it| (it.kind.as_str(), it.key.as_str())).collect();
    assert_eq!(found, names);
    assert!(listed.iter().all(|it| it.body == format!("{}/{}", it.kind, it.key)));
    let between = repo.all_records(&here(), Some(("a", "5")), 2).await.unwrap();
    let between: Vec<_> = between.iter().map(|it| (it.kind.as_str(), it.key.as_str())).collect();
    assert_eq!(between, [("a", "\u{10FFFF}"), ("a b", "")]);
    assert_eq!(repo.all_records(&tenant("nobody"), None, 10).await.unwrap(), []);
}

/// Counters are listed with the last number they gave.
pub async fn every_counter_is_listed<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    assert_eq!(repo.counters(&here()).await.unwrap(), []);
    let mut last = Vec::new();
    for name in ["b", "B", "a", ""] {
        repo.next_number(&here(), name).await.unwrap();
        last.push((name.to_owned(), repo.next_number(&here(), name).await.unwrap()));
    }
    repo.next_number(&elsewhere(), "theirs").await.unwrap();
    last.sort_unstable();
    assert_eq!(repo.counters(&here()).await.unwrap(), last);
}

/// A file can be inserted with any revision and any times.
pub async fn a_file_is_inserted_as_it_was_elsewhere<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let old = FileRecord {
        revision: Revision::new(41),
        owner: Subject::new("\u{10FFFF} bob").unwrap(),
        created: moment(2),
        updated: moment(90),
        attributes: full_attributes(),
        ..record(5)
    };
    let segments = [small(repo, "some"), blob(10), small(repo, "bytes")];
    let stored = store(repo, old.clone(), &segments).await;
    assert_eq!(FileRecord { content: None, ..stored.clone() }, old);
    assert_eq!(find(repo, old.id).await, Some(stored.clone()));
    let content = stored.content.unwrap();
    assert_eq!(repo.segments(content.id).await.unwrap(), segments);
}

/// What comes from elsewhere is here as it was there; the same once more changes nothing.
pub async fn what_is_adopted_is_as_it_was<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let states = [
        UploadState::Completed,
        UploadState::Failed("bad luck \u{10FFFF}".to_owned()),
        UploadState::Canceled,
        UploadState::Expired,
    ];
    let mut sessions: Vec<_> = states.into_iter().map(ended).collect();
    sessions[1].target = UploadTarget::Existing(file_id());
    sessions[2].total = None;
    sessions[2].expect = crate::Expect::default();
    sessions.sort_unstable_by_key(|session| session.id);
    let kept = Kept {
        sessions,
        records: vec![other("a", ""), other("a", "k"), other("b", "k")],
        counters: vec![("c".to_owned(), 5), ("d".to_owned(), i32::MAX.cast_unsigned())],
    };
    for _ in 0..2 {
        repo.adopt(&here(), kept.clone()).await.unwrap();
        assert_eq!(repo.all_sessions(&here(), None, 10).await.unwrap(), kept.sessions);
        assert_eq!(repo.all_records(&here(), None, 10).await.unwrap(), kept.records);
        assert_eq!(repo.counters(&here()).await.unwrap(), kept.counters);
    }
    for session in &kept.sessions {
        assert_eq!(repo.session(&here(), session.id).await.unwrap(), *session);
        assert_eq!(parts(repo, session.id).await, []);
        assert_eq!(refused(repo.session(&elsewhere(), session.id).await), ErrorKind::NotFound);
    }
    assert_eq!(repo.next_number(&here(), "c").await.unwrap(), 6);
    assert_eq!(refused(repo.next_number(&here(), "d").await), ErrorKind::Conflict);
    repo.adopt(&elsewhere(), Kept::default()).await.unwrap();
}

/// Nothing of what is here is replaced, and no counter goes back.
pub async fn what_is_here_stays_as_it_is<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let open = begin(repo, upload()).await;
    let part = send(repo, open, 1, 10).await;
    let before = session(repo, open).await;
    let canceled = ended(UploadState::Canceled);
    for _ in 0..9 {
        repo.next_number(&here(), "c").await.unwrap();
    }
    let mine = Kept {
        records: vec![other("a", "k")],
        sessions: vec![canceled.clone()],
        ..Kept::default()
    };
    repo.adopt(&here(), mine).await.unwrap();

    let stranger = OtherRecord { body: "theirs".to_owned(), ..other("a", "k") };
    let kept = Kept {
        sessions: vec![
            UploadSession { id: open, ..ended(UploadState::Completed) },
            UploadSession { parts: 1, state: UploadState::Expired, ..canceled.clone() },
        ],
        records: vec![stranger, other("a", "new")],
        counters: vec![("c".to_owned(), 3)],
    };
    repo.adopt(&here(), kept).await.unwrap();
    assert_eq!(session(repo, open).await, before);
    assert_eq!(parts(repo, open).await, [part]);
    assert_eq!(session(repo, canceled.id).await, canceled);
    let records = repo.all_records(&here(), None, 10).await.unwrap();
    assert_eq!(records, [other("a", "k"), other("a", "new")]);
    assert!(repo.next_number(&here(), "c").await.unwrap() > 9);
}

/// A session that has not ended has parts, which are not there; nothing of what came with it is
/// taken in.
pub async fn an_open_session_is_not_adopted<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    for state in [UploadState::Open, UploadState::Sealed] {
        let kept = Kept {
            sessions: vec![ended(UploadState::Canceled), ended(state)],
            records: vec![other("a", "k")],
            counters: vec![("c".to_owned(), 1)],
        };
        assert_eq!(refused(repo.adopt(&here(), kept).await), ErrorKind::InvalidArgument);
    }
    assert_eq!(repo.all_sessions(&here(), None, 10).await.unwrap(), []);
    assert_eq!(repo.all_records(&here(), None, 10).await.unwrap(), []);
    assert_eq!(repo.counters(&here()).await.unwrap(), []);
}

/// Upkeep forgets an adopted session when one that ended here at that moment would be forgotten.
pub async fn an_adopted_session_stays_as_long_as_its_file<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let (made, target) = (record(1), record(2));
    for file in [&made, &target] {
        change(repo, insert(file.clone())).await;
    }
    let sessions = vec![
        UploadSession { id: made.id, ..ended(UploadState::Completed) },
        UploadSession {
            target: UploadTarget::Existing(target.id),
            ..ended(UploadState::Completed)
        },
        ended(UploadState::Canceled),
    ];
    repo.adopt(&here(), Kept { sessions: sessions.clone(), ..Kept::default() }).await.unwrap();
    let due = async || {
        let due = repo.due(HOUR * 24, HOUR, 100).await.unwrap();
        let mut due: Vec<_> = due.into_iter().map(|(_, session)| session.id).collect();
        due.sort_unstable();
        due
    };
    fixture.clock().advance(HOUR - TICK);
    assert_eq!(due().await, []);
    fixture.clock().advance(TICK * 2);
    assert_eq!(due().await, [sessions[2].id]);
    for file in [made.id, target.id] {
        change(repo, remove(file)).await;
    }
    let mut all: Vec<_> = sessions.iter().map(|session| session.id).collect();
    all.sort_unstable();
    assert_eq!(due().await, all);
    for id in all {
        assert!(repo.end(&here(), id, Ending::Canceled).await.unwrap().state.has_ended());
        repo.forget(&here(), id).await.unwrap();
    }
    assert_eq!(repo.all_sessions(&here(), None, 10).await.unwrap(), []);
}
