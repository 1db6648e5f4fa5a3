//! Records of other systems.

use filestore::{ErrorKind, Expected, ItemError, RecordChange, Records};

use super::rig::{HOUR, Rig, files_of, refused};

super::cases! {
    a_record_comes_back_as_written
    changes_are_all_or_none
    records_are_limited
    a_counter_never_repeats
}

fn change(key: &str, expected: Expected, body: impl Into<Option<&'static str>>) -> RecordChange {
    let body = body.into().map(str::to_owned);
    RecordChange { kind: "product".to_owned(), key: key.to_owned(), expected, body }
}

async fn a_record_comes_back_as_written(rig: Rig) {
    let records = rig.files().records();
    let made = change("1", Expected::Nothing, r#"{"a":1}"#);
    let made = records.write(vec![made]).await.unwrap().remove(0);
    assert_eq!(records.load("product", "1").await.unwrap().as_ref(), Some(&made));
    rig.clock.advance(HOUR);
    let next = change("1", Expected::Revision(made.revision), "{}");
    let next = records.write(vec![next]).await.unwrap().remove(0);
    assert_eq!((next.created, next.updated), (made.created, made.created.after(HOUR)));
    assert_eq!(records.list("product", None, 10).await.unwrap(), [next]);
    records.write(vec![change("1", Expected::Something, None)]).await.unwrap();
    assert_eq!(records.load("product", "1").await.unwrap(), None);
}

async fn changes_are_all_or_none(rig: Rig) {
    let records = rig.files().records();
    let first = change("1", Expected::Nothing, "{}");
    records.write(vec![first.clone()]).await.unwrap();
    let second = change("2", Expected::Anything, "{}");
    let error = records.write(vec![second, first]).await.unwrap_err();
    assert_eq!(error.items(), [ItemError { index: 1, kind: ErrorKind::AlreadyExists }]);
    assert_eq!(records.load("product", "2").await.unwrap(), None);
}

async fn records_are_limited(rig: Rig) {
    let store = rig.limited(|limits| limits.max_record = 10).await;
    let records = files_of(&store).records();
    let (longest, longer) = ("k".repeat(Records::MAX_KEY), "k".repeat(Records::MAX_KEY + 1));
    let sound = change(&longest, Expected::Anything, "0123456789");
    records.write(vec![sound.clone()]).await.unwrap();
    let kind = |kind: &str| RecordChange { kind: kind.to_owned(), ..sound.clone() };
    for (wrong, kind) in [
        (change("1", Expected::Anything, "0123456789x"), ErrorKind::TooLarge),
        (change("1", Expected::Anything, "\0"), ErrorKind::InvalidArgument),
        (change("a\0", Expected::Anything, ""), ErrorKind::InvalidArgument),
        (change("", Expected::Anything, ""), ErrorKind::InvalidArgument),
        (change(&longer, Expected::Anything, ""), ErrorKind::InvalidArgument),
        (kind(""), ErrorKind::InvalidArgument),
        (kind(&longer), ErrorKind::InvalidArgument),
    ] {
        let other = change("2", Expected::Anything, "{}");
        refused(records.write(vec![other, wrong]).await, kind);
    }
    assert_eq!(records.list("product", None, 10).await.unwrap().len(), 1);
}

async fn a_counter_never_repeats(rig: Rig) {
    let records = rig.files().records();
    let numbers = (0..50).map(|_| {
        let records = records.clone();
        tokio::spawn(async move { records.next_number("n").await.unwrap() })
    });
    let mut numbers: Vec<_> =
        futures::future::join_all(numbers).await.into_iter().map(Result::unwrap).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 50);
    assert_eq!(numbers[0], 1);
    assert_eq!(records.next_number("other").await.unwrap(), 1);
}
