//! Cases of [`RecordRepository`].

use std::sync::Arc;

use super::Fixture;
use super::samples::*;
use crate::backend::{RecordRepository, Repository};
use crate::error::{ErrorKind, Result};
use crate::id::{Revision, Tenant};
use crate::other::{Expected, OtherRecord, RecordChange};

const KIND: &str = "kind";

/// A record comes back as it was written, byte for byte.
pub async fn a_record_comes_back_as_written<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let long = format!("[{}]", "\"é\u{10FFFF}\",".repeat(20_000));
    for (n, body) in
        ["{}", "{ \"a\" : 1.0,\n \"a\":\"\\u0000\"}", "null", &long].into_iter().enumerate()
    {
        let key = format!("key {n} \u{10FFFF}");
        let expected = OtherRecord {
            kind: KIND.to_owned(),
            key: key.clone(),
            revision: Revision::FIRST,
            created: moment(1),
            updated: moment(1),
            body: body.to_owned(),
        };
        let made = write(repo, set(&key, Expected::Nothing, body), 1).await.unwrap();
        assert_eq!(made, expected);
        assert_eq!(read(repo, &key).await, Some(expected));
    }
    assert_eq!(read(repo, "KEY 0 \u{10FFFF}").await, None);
    assert_eq!(repo.record(&here(), "Kind", "key 0 \u{10FFFF}").await.unwrap(), None);
}

/// What was expected decides whether a change of a record that is there is made.
pub async fn what_is_there_must_be_what_is_expected<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let mut now = write(repo, set("k", Expected::Nothing, "0"), 1).await.unwrap();
    for (n, body) in [(2, Some("1")), (3, None)] {
        for (expected, kind) in [
            (Expected::Nothing, ErrorKind::AlreadyExists),
            (Expected::Revision(now.revision.next()), ErrorKind::PreconditionFailed),
        ] {
            let change = RecordChange { body: body.map(str::to_owned), ..set("k", expected, "") };
            assert_eq!(refused(write(repo, change, n).await), kind);
            assert_eq!(read(repo, "k").await.as_ref(), Some(&now));
        }
    }
    for (n, anything) in [(4, false), (5, true)] {
        let revision = Expected::Revision(now.revision);
        let expected = if anything { Expected::Something } else { revision };
        let next = write(repo, set("k", expected, "next"), n).await.unwrap();
        let wanted = OtherRecord {
            revision: now.revision.next(),
            updated: moment(n),
            body: "next".to_owned(),
            ..now
        };
        assert_eq!(next, wanted);
        assert_eq!(read(repo, "k").await.as_ref(), Some(&next));
        now = next;
    }
    let replaced = write(repo, set("k", Expected::Anything, "any"), 6).await.unwrap();
    assert_eq!((replaced.body.as_str(), replaced.updated), ("any", moment(6)));
    assert_ne!(replaced.revision, now.revision, "readers of the old one must notice");
}

/// What was expected decides whether a change of a record that is not there is made.
pub async fn what_is_not_there_must_not_be_expected<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    for expected in [Expected::Something, Expected::Revision(Revision::FIRST)] {
        for change in [set("k", expected, "x"), unset("k", expected)] {
            assert_eq!(refused(write(repo, change, 1).await), ErrorKind::NotFound);
            assert_eq!(read(repo, "k").await, None);
        }
    }
    let made = write(repo, set("k", Expected::Anything, "x"), 1).await.unwrap();
    assert_eq!(Some(made), read(repo, "k").await);
}

/// A removal answers with the record as it was last.
pub async fn a_removal_answers_what_was_there<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    for (n, how) in [1, 2, 3].into_iter().zip(["any", "some", "revision"]) {
        let made = write(repo, set("k", Expected::Nothing, "x"), n).await.unwrap();
        let expected = match how {
            "any" => Expected::Anything,
            "some" => Expected::Something,
            _ => Expected::Revision(made.revision),
        };
        let gone = write(repo, unset("k", expected), n + 10).await.unwrap();
        assert_eq!((gone.body, gone.revision), (made.body, made.revision));
        assert_eq!(read(repo, "k").await, None);
    }
}

/// A batch is all or none, and its refusal names every refused element and why.
pub async fn a_batch_of_records_is_all_or_none<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let old = write(repo, set("old", Expected::Nothing, "old"), 1).await.unwrap();
    let batch = vec![
        set("new", Expected::Nothing, "new"),
        set("old", Expected::Nothing, "taken"),
        unset("gone", Expected::Something),
        RecordChange { kind: "other".to_owned(), ..set("old", Expected::Nothing, "new") },
    ];
    let error = repo.write_records(&here(), batch, moment(2)).await.unwrap_err();
    let items: Vec<_> = error.items().iter().map(|item| (item.index, item.kind)).collect();
    assert_eq!(items, [(1, ErrorKind::AlreadyExists), (2, ErrorKind::NotFound)]);
    assert_eq!(read(repo, "new").await, None);
    assert_eq!(read(repo, "old").await.as_ref(), Some(&old));

    let batch = vec![
        set("b", Expected::Nothing, "1"),
        unset("old", Expected::Something),
        set("a", Expected::Anything, "2"),
    ];
    let answers = repo.write_records(&here(), batch, moment(3)).await.unwrap();
    let bodies: Vec<_> = answers.iter().map(|record| record.body.as_str()).collect();
    assert_eq!(bodies, ["1", "old", "2"]);
    assert_eq!(read(repo, "old").await, None);
}

/// Records of a kind are listed by the bytes of their keys, and the list goes on after any.
pub async fn records_are_listed_by_the_bytes_of_their_keys<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let mut keys =
        vec!["b", "B", "a", "aa", "a b", "é", "e\u{301}", "z", "10", "9", "\u{FFFF}", "\u{10FFFF}"];
    for key in &keys {
        write(repo, set(key, Expected::Nothing, key), 1).await.unwrap();
        let other = RecordChange { kind: "kind2".to_owned(), ..set(key, Expected::Nothing, "") };
        write(repo, other, 1).await.unwrap();
        let strange = vec![set(key, Expected::Nothing, "strange")];
        repo.write_records(&elsewhere(), strange, moment(1)).await.unwrap();
    }
    keys.sort_unstable();
    let mut seen: Vec<OtherRecord> = Vec::new();
    loop {
        let after = seen.last().map(|record| record.key.clone());
        let page = list(repo, &here(), after.as_deref(), 5).await;
        assert!(page.len() <= 5);
        if page.is_empty() {
            break;
        }
        seen.extend(page);
    }
    assert_eq!(seen.iter().map(|record| record.key.as_str()).collect::<Vec<_>>(), keys);
    assert!(seen.iter().all(|record| record.body == record.key && record.kind == KIND));
    let between = list(repo, &here(), Some("aab"), 2).await;
    assert_eq!(
        between.iter().map(|record| record.key.as_str()).collect::<Vec<_>>(),
        ["b", "e\u{301}"]
    );
    let nothing = repo.records(&here(), "nothing", None, 10).await.unwrap();
    assert_eq!(nothing, []);
}

/// Records and counters of tenants never meet.
pub async fn records_of_tenants_never_meet<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let mine = write(repo, set("k", Expected::Nothing, "mine"), 1).await.unwrap();
    assert_eq!(repo.record(&elsewhere(), KIND, "k").await.unwrap(), None);
    assert_eq!(list(repo, &elsewhere(), None, 10).await, []);
    let theft = vec![unset("k", Expected::Something)];
    let theft = repo.write_records(&elsewhere(), theft, moment(2)).await;
    assert_eq!(refused(theft), ErrorKind::NotFound);
    let theirs = vec![set("k", Expected::Nothing, "theirs")];
    repo.write_records(&elsewhere(), theirs, moment(2)).await.unwrap();
    assert_eq!(read(repo, "k").await, Some(mine));
    for _ in 0..3 {
        repo.next_number(&here(), "c").await.unwrap();
    }
    assert_eq!(repo.next_number(&elsewhere(), "c").await.unwrap(), 1);
}

/// Of changes that start from one state at the same time, one is made.
pub async fn of_two_writers_one_wins<R: Repository>(fixture: Fixture<R>) {
    let repo = &fixture.store;
    let mut expected = Expected::Nothing;
    for round in 0..20 {
        let calls = for_each_at_once(repo, 0..4, |repo, n| async move {
            write(&*repo, set("k", expected, &format!("{round} {n}")), round).await
        });
        let answers = calls.await;
        let mut won = answers.into_iter().flatten();
        let winner = won.next().unwrap();
        assert!(won.next().is_none(), "exactly one wins");
        assert_eq!(read(&**repo, "k").await.as_ref(), Some(&winner));
        expected = Expected::Revision(winner.revision);
    }
}

/// A counter starts at 1 and never gives a number twice, whoever asks.
pub async fn a_counter_never_repeats<R: Repository>(fixture: Fixture<R>) {
    let repo = &fixture.store;
    assert_eq!(repo.next_number(&here(), "other").await.unwrap(), 1);
    let mut all = Vec::new();
    for drawn in for_each_at_once(repo, 0..4, |repo, _| numbers(repo)).await {
        assert!(drawn.is_sorted_by(|a, b| a < b), "the next one is greater");
        all.extend(drawn);
    }
    all.extend(numbers(repo.clone()).await);
    all.sort_unstable();
    assert!(all.is_sorted_by(|a, b| a < b), "none twice");
    assert!(all[0] >= 1);
    assert!(repo.next_number(&here(), "other").await.unwrap() > 1);
}

async fn numbers<R: Repository>(repo: Arc<R>) -> Vec<u32> {
    let mut drawn = Vec::new();
    for _ in 0..25 {
        drawn.push(repo.next_number(&here(), "c").await.unwrap());
    }
    drawn
}

fn set(key: &str, expected: Expected, body: &str) -> RecordChange {
    RecordChange {
        kind: KIND.to_owned(),
        key: key.to_owned(),
        expected,
        body: Some(body.to_owned()),
    }
}

fn unset(key: &str, expected: Expected) -> RecordChange {
    RecordChange { body: None, ..set(key, expected, "") }
}

async fn write(repo: &impl RecordRepository, change: RecordChange, n: u64) -> Result<OtherRecord> {
    let mut written = repo.write_records(&here(), vec![change], moment(n)).await?;
    assert_eq!(written.len(), 1, "one answer for one change");
    Ok(written.remove(0))
}

async fn read(repo: &impl RecordRepository, key: &str) -> Option<OtherRecord> {
    repo.record(&here(), KIND, key).await.unwrap()
}

async fn list(
    repo: &impl RecordRepository,
    tenant: &Tenant,
    after: Option<&str>,
    limit: u32,
) -> Vec<OtherRecord> {
    repo.records(tenant, KIND, after, limit).await.unwrap()
}
