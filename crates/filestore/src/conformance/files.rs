//! Cases of [`FileRepository`](crate::backend::FileRepository): records, changes, and contents that
//! records share. Lists are in [`queries`](super::queries).

use std::ops::Range;
use std::sync::Arc;

use super::Fixture;
use super::samples::*;
use crate::backend::{Change, ContentSource, Repository, Segment};
use crate::error::{ErrorKind, Result};
use crate::id::{FileNumber, Revision};
use crate::query::FileQuery;
use crate::range::RangeSpec;
use crate::record::{Attributes, ContentInfo, FileKey, FileRecord};

/// A record is found by id, number and external id: one answer for each key, in order.
pub async fn a_file_is_found_by_every_key<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let one = change(repo, insert(record_of(1, "one"))).await;
    let two = change(repo, insert(record(2))).await;
    let external = |text: &str| FileKey::External(text.to_owned());
    let keys = [
        two.id.into(),
        external("nobody"),
        one.number.into(),
        external("one"),
        file_id().into(),
        FileKey::Number(FileNumber::MAX),
        one.id.into(),
        external("One"),
        two.number.into(),
        one.id.into(),
    ];
    let (one, two) = (Some(one), Some(two));
    let answers = [&two, &None, &one, &one, &None, &None, &one, &None, &two, &one];
    let found = repo.find(&here(), &keys).await.unwrap();
    assert_eq!(found.iter().collect::<Vec<_>>(), answers);
    assert_eq!(repo.find(&here(), &[]).await.unwrap(), []);

    for (key, answer) in keys.iter().zip(answers) {
        match (repo.load(&here(), key, None).await, answer) {
            (Ok(stored), Some(record)) => assert_eq!(stored.record, *record),
            (Err(error), None) => assert_eq!(error.kind(), ErrorKind::NotFound),
            (other, _) => panic!("{key:?}: {other:?}"),
        }
    }
}

/// Everything that was said of a file comes back as it was, from every method.
pub async fn what_is_said_of_a_file_comes_back<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let mut full = record(FileNumber::MAX.get());
    full.attributes = full_attributes();
    full.owner = subject("Ünï \u{10FFFF}");
    assert_eq!(change(repo, insert(full.clone())).await, full);
    assert_eq!(find(repo, full.id).await.unwrap(), full);
    let key = FileKey::External(full.attributes.external_id.clone().unwrap());
    assert_eq!(repo.load(&here(), &key, None).await.unwrap().record, full);
    let page = repo.list(&here(), &FileQuery::default()).await.unwrap();
    assert_eq!(page.items, [full]);

    let mut empty = record(1);
    empty.attributes = Attributes::default();
    assert_eq!(change(repo, insert(empty.clone())).await, empty);
    assert_eq!(find(repo, empty.id).await.unwrap(), empty);
}

/// Content is described by what it was stored with; the record's own is not looked at.
pub async fn a_file_is_stored_with_its_content<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let segments = [blob(10), blob(20)];
    announce(repo, &segments).await;
    let mut content = content(&segments);
    content.sha256 = Some(segments[0].sha256);
    let expected = ContentInfo {
        id: content.id,
        size: 30,
        tag: content.tag.clone(),
        sha256: content.sha256,
        stored: content.stored,
    };
    let made = change(repo, insert_with(record(1), ContentSource::New(content))).await;
    assert_eq!(made.content.as_ref(), Some(&expected));
    let stored = repo.load(&here(), &made.id.into(), None).await.unwrap();
    assert_eq!((stored.record, stored.offset), (made, 0));
    assert_eq!(stored.segments, segments);

    let mut boastful = record(2);
    boastful.content = Some(expected);
    assert_eq!(change(repo, insert(boastful)).await.content, None);
}

/// External ids compare by bytes: neither case nor composition of characters is folded.
pub async fn external_ids_compare_by_bytes<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let names = ["a", "A", "a ", "é", "e\u{301}", "É", "\u{10FFFF}", "\u{FFFF}", "1", "01"];
    for (n, name) in names.iter().enumerate() {
        change(repo, insert(record_of(n as u64 + 1, name))).await;
    }
    let keys = names.map(|name| FileKey::External(name.to_owned()));
    let found = repo.find(&here(), &keys).await.unwrap();
    let numbers: Vec<_> = found.into_iter().flatten().map(|record| record.number.get()).collect();
    assert_eq!(numbers, (1..=names.len() as u64).collect::<Vec<_>>());
}

/// No method reaches past the tenant it is given; numbers and external ids are a tenant's own.
pub async fn tenants_never_meet<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let mine = store(repo, record_of(1, "same"), &[blob(10)]).await;
    let shared = ContentSource::Shared(mine.content.clone().unwrap().id);
    let id = mine.id;

    let keys = [id.into(), mine.number.into(), FileKey::External("same".to_owned())];
    assert_eq!(repo.find(&elsewhere(), &keys).await.unwrap(), [None, None, None]);
    for key in &keys {
        let loaded = repo.load(&elsewhere(), key, None).await;
        assert_eq!(refused(loaded), ErrorKind::NotFound);
    }
    let page = repo.list(&elsewhere(), &FileQuery::default()).await.unwrap();
    assert_eq!(page.items, []);
    assert_eq!(repo.count(&elsewhere(), &[]).await.unwrap(), 0);
    for (change, kind) in [
        (update(&mine, "stolen"), ErrorKind::NotFound),
        (replace(id, shared.clone()), ErrorKind::NotFound),
        (remove(id), ErrorKind::NotFound),
        (insert_with(record(9), shared), ErrorKind::Conflict),
    ] {
        assert_eq!(refused(repo.apply(&elsewhere(), vec![change]).await), kind);
    }

    let theirs = insert(record_of(1, "same"));
    let theirs = repo.apply(&elsewhere(), vec![theirs]).await.unwrap().remove(0);
    assert_eq!(find(repo, id).await.unwrap(), mine);
    let found = repo.find(&elsewhere(), &keys[1..]).await.unwrap();
    assert_eq!(found, [Some(theirs.clone()), Some(theirs)]);
}

/// An update sets all attributes and the time, and takes the next revision; nothing else moves.
pub async fn an_update_takes_the_next_revision<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let first = store(repo, record_of(1, "one"), &[blob(10)]).await;
    let mut expected =
        FileRecord { revision: first.revision.next(), updated: moment(99), ..first.clone() };
    expected.attributes = full_attributes();
    let update = Change::Update {
        id: first.id,
        expected: first.revision,
        attributes: full_attributes(),
        updated: moment(99),
    };
    assert_eq!(change(repo, update.clone()).await, expected);
    assert_eq!(find(repo, first.id).await.unwrap(), expected);
    let again = repo.apply(&here(), vec![update]).await;
    assert_eq!(refused(again), ErrorKind::PreconditionFailed);
    assert_eq!(find(repo, first.id).await.unwrap(), expected);
}

/// An update may keep its external id or leave it to another file, and take none that is taken.
pub async fn an_update_moves_the_external_id<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let one = change(repo, insert(record_of(1, "one"))).await;
    let two = change(repo, insert(record_of(2, "two"))).await;
    let one = change(repo, update(&one, "one")).await;
    let taken = repo.apply(&here(), vec![update(&one, "two")]).await;
    assert_eq!(refused(taken), ErrorKind::AlreadyExists);
    let one = change(repo, update(&one, "free")).await;
    let two = change(repo, update(&two, "one")).await;
    let keys = ["one", "two", "free"].map(|name| FileKey::External(name.to_owned()));
    assert_eq!(repo.find(&here(), &keys).await.unwrap(), [Some(two), None, Some(one)]);
}

/// A batch is all or none, and its refusal names every refused element and why.
pub async fn a_refused_batch_changes_nothing<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let old = store(repo, record_of(1, "taken"), &[blob(10)]).await;
    let two = change(repo, insert(record(2))).await;
    let stale = FileRecord { revision: Revision::new(7), ..two };
    let fresh = [blob(5)];
    announce(repo, &fresh).await;
    let mut same_id = record(8);
    same_id.id = old.id;
    let batch = vec![
        insert_with(record(3), ContentSource::New(content(&fresh))),
        update(&stale, "new"),
        remove(file_id()),
        insert(record_of(4, "taken")),
        insert(record(1)),
        Change::Replace {
            id: old.id,
            expected: Some(content_id()),
            content: ContentSource::New(content(&[inline("")])),
        },
        insert_with(record(5), ContentSource::Shared(content_id())),
        insert(same_id),
        insert(record_of(6, "free")),
    ];
    let error = repo.apply(&here(), batch).await.unwrap_err();
    let items: Vec<_> = error.items().iter().map(|item| (item.index, item.kind)).collect();
    let expected = [
        (1, ErrorKind::PreconditionFailed),
        (2, ErrorKind::NotFound),
        (3, ErrorKind::AlreadyExists),
        (4, ErrorKind::AlreadyExists),
        (5, ErrorKind::Conflict),
        (6, ErrorKind::Conflict),
        (7, ErrorKind::AlreadyExists),
    ];
    assert_eq!(items, expected);
    assert_eq!(error.kind(), ErrorKind::PreconditionFailed);
    assert_eq!(repo.count(&here(), &[]).await.unwrap(), 2);
    assert_eq!(find(repo, old.id).await.unwrap(), old);
    assert_eq!(fate(repo, &fresh[0]).await, Fate::Pending);
}

/// Two elements of a batch cannot take the same external id or number.
pub async fn a_batch_may_not_want_one_name_twice<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let old = change(repo, insert(record(1))).await;
    for batch in [
        vec![insert(record_of(2, "same")), insert(record_of(3, "same"))],
        vec![insert(record_of(2, "same")), update(&old, "same")],
        vec![insert(record(2)), insert(record(2))],
    ] {
        let error = repo.apply(&here(), batch).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert!(error.items().iter().any(|item| item.index == 1), "{error:?}");
        assert_eq!(repo.count(&here(), &[]).await.unwrap(), 1);
    }
    assert_eq!(find(repo, old.id).await.unwrap(), old);
}

/// The changes of a batch may be of every kind; answers come in their order.
pub async fn a_batch_answers_in_order<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let old = [blob(10), blob(11)];
    let removed = store(repo, record(1), &old[..1]).await;
    let replaced = store(repo, record(2), &old[1..]).await;
    let updated = change(repo, insert(record(3))).await;
    let fresh = [blob(20), blob(21)];
    announce(repo, &fresh).await;
    let contents = [content(&fresh[..1]), content(&fresh[1..])];
    let batch = vec![
        replace(replaced.id, ContentSource::New(contents[0].clone())),
        remove(removed.id),
        insert_with(record(4), ContentSource::New(contents[1].clone())),
        update(&updated, "new"),
    ];
    let answers = repo.apply(&here(), batch).await.unwrap();
    let ids: Vec<_> = answers.iter().map(|record| record.id).collect();
    assert_eq!(ids[..2], [replaced.id, removed.id]);
    assert_eq!(ids[3], updated.id);
    assert_eq!(answers[1], removed, "as it was last");
    assert_eq!(answers[3].revision, updated.revision.next());
    for (answer, content) in [(&answers[0], &contents[0]), (&answers[2], &contents[1])] {
        assert_eq!(answer.content.as_ref().unwrap().id, content.id);
        assert_eq!(find(repo, answer.id).await.as_ref(), Some(answer));
    }
    for segment in &fresh {
        assert_eq!(fate(repo, segment).await, Fate::Live);
    }
    for segment in &old {
        assert_eq!(fate(repo, segment).await, Fate::Garbage);
    }
}

/// A thousand changes go into one batch.
pub async fn a_batch_holds_a_thousand<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let batch: Vec<_> = (1..=1000).map(|n| insert(record_of(n, &format!("x{n}")))).collect();
    let made = repo.apply(&here(), batch).await.unwrap();
    let numbers: Vec<_> = made.iter().map(|record| record.number.get()).collect();
    assert_eq!(numbers, (1..=1000).collect::<Vec<_>>());
    assert_eq!(repo.count(&here(), &[]).await.unwrap(), 1000);
    let keys: Vec<_> = made.iter().map(|record| record.number.into()).collect();
    let found = repo.find(&here(), &keys).await.unwrap();
    assert!(found.into_iter().flatten().eq(made.iter().cloned()));
    let batch = made.iter().map(|record| remove(record.id)).collect();
    assert_eq!(repo.apply(&here(), batch).await.unwrap(), made);
    assert_eq!(repo.count(&here(), &[]).await.unwrap(), 0);
}

/// A key that is not pending cannot become a segment, and then nothing else happens.
pub async fn a_key_must_be_pending_to_be_used<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let (live, garbage, claimed, unknown) = (blob(1), blob(2), blob(3), blob(4));
    let file = store(repo, record(1), std::slice::from_ref(&live)).await;
    let gone = store(repo, record(2), std::slice::from_ref(&garbage)).await;
    change(repo, remove(gone.id)).await;
    repo.pend(claimed.key().unwrap(), TICK).await.unwrap();
    fixture.clock().advance(TICK * 10);
    let claim = repo.claim(HOUR, HOUR, 10).await.unwrap();
    assert_eq!(claim, [claimed.key().unwrap()]);

    let before = repo.known(None, 100).await.unwrap();
    let fresh = blob(5);
    announce(repo, std::slice::from_ref(&fresh)).await;
    for bad in [&live, &garbage, &claimed, &unknown] {
        let mixed = [fresh.clone(), bad.clone()];
        for last in [
            insert_with(record(3), ContentSource::New(content(&mixed))),
            replace(file.id, ContentSource::New(content(&mixed))),
        ] {
            let batch = vec![insert(record(9)), last];
            assert_eq!(refused(repo.apply(&here(), batch).await), ErrorKind::Conflict);
        }
        assert_eq!(fate(repo, &fresh).await, Fate::Pending);
    }
    assert_eq!(find(repo, file.id).await.unwrap(), file);
    assert_eq!(repo.count(&here(), &[]).await.unwrap(), 1);
    repo.settle(&[claimed.key().unwrap()]).await.unwrap();
    let after = repo.known(None, 100).await.unwrap();
    assert_eq!(after.len(), before.len(), "one came, one went");
}

/// Replacing content leaves revision and `updated` alone, and the old bytes become garbage.
pub async fn replacing_content_leaves_the_revision_alone<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let (old, new) = (blob(10), blob(20));
    let first = store(repo, record_of(1, "one"), std::slice::from_ref(&old)).await;
    announce(repo, std::slice::from_ref(&new)).await;
    let fresh = content(std::slice::from_ref(&new));
    let second = change(repo, replace(first.id, ContentSource::New(fresh.clone()))).await;
    let mut expected = first.clone();
    expected.content = second.content.clone();
    assert_eq!(second, expected);
    assert_eq!(second.content.as_ref().unwrap().id, fresh.id);
    assert_eq!(find(repo, first.id).await.unwrap(), second);
    assert_eq!(segments(repo, first.id).await, std::slice::from_ref(&new));
    assert_eq!(fate(repo, &old).await, Fate::Garbage);
    assert_eq!(fate(repo, &new).await, Fate::Live);
}

/// A replacement that names other content than there is, or any where there is none, is refused.
pub async fn a_replacement_may_name_what_it_replaces<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let file = store(repo, record(1), &[blob(10)]).await;
    let bare = change(repo, insert(record(2))).await;
    let id = file.content.clone().unwrap().id;
    let fresh = blob(5);
    announce(repo, std::slice::from_ref(&fresh)).await;
    let swap = |file: &FileRecord, expected| Change::Replace {
        id: file.id,
        expected: Some(expected),
        content: ContentSource::New(content(std::slice::from_ref(&fresh))),
    };
    for wrong in [swap(&file, content_id()), swap(&bare, id)] {
        assert_eq!(refused(repo.apply(&here(), vec![wrong]).await), ErrorKind::Conflict);
    }
    assert_eq!(find(repo, file.id).await.unwrap(), file);
    assert_eq!(find(repo, bare.id).await.unwrap(), bare);
    let swapped = change(repo, swap(&file, id)).await;
    assert_ne!(swapped.content, file.content);
}

/// A removal may name the revision; afterwards id, number and external id are free.
pub async fn a_removal_frees_every_name<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let file = store(repo, record_of(1, "one"), &[blob(10)]).await;
    let remove_at = |revision| Change::Remove { id: file.id, expected: Some(revision) };
    let stale = repo.apply(&here(), vec![remove_at(file.revision.next())]).await;
    assert_eq!(refused(stale), ErrorKind::PreconditionFailed);
    assert_eq!(find(repo, file.id).await.unwrap(), file);
    assert_eq!(change(repo, remove_at(file.revision)).await, file);

    assert_eq!(find(repo, file.id).await, None);
    let loaded = repo.load(&here(), &file.id.into(), None).await;
    assert_eq!(refused(loaded), ErrorKind::NotFound);
    assert_eq!(refused(repo.apply(&here(), vec![remove(file.id)]).await), ErrorKind::NotFound);
    let mut next = record_of(1, "one");
    next.id = file.id;
    assert_eq!(change(repo, insert(next.clone())).await, next);
}

/// Content that several records share stays until the last of them is gone.
pub async fn shared_content_stays_for_its_last_user<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let held = [blob(10), blob(20)];
    let original = store(repo, record(1), &held).await;
    let shared = ContentSource::Shared(original.content.clone().unwrap().id);
    let copy = change(repo, insert_with(record(2), shared.clone())).await;
    assert_eq!(copy.content, original.content);
    let other = store(repo, record(3), &[blob(30)]).await;
    let other_segment = segments(repo, other.id).await.remove(0);
    let other = change(repo, replace(other.id, shared)).await;
    assert_eq!(other.content, original.content);
    assert_eq!(fate(repo, &other_segment).await, Fate::Garbage);

    change(repo, remove(original.id)).await;
    assert_eq!(segments(repo, copy.id).await, held);
    let fresh = ContentSource::New(content(&[inline("")]));
    change(repo, replace(other.id, fresh)).await;
    assert_eq!(segments(repo, copy.id).await, held);
    for segment in &held {
        assert_eq!(fate(repo, segment).await, Fate::Live);
    }
    change(repo, remove(copy.id)).await;
    for segment in &held {
        assert_eq!(fate(repo, segment).await, Fate::Garbage);
    }
    let late = ContentSource::Shared(original.content.unwrap().id);
    let late = repo.apply(&here(), vec![insert_with(record(4), late)]).await;
    assert_eq!(refused(late), ErrorKind::Conflict);
}

/// One batch can copy content and remove its original, and can remove all of its users.
pub async fn one_batch_counts_every_user<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let held = [blob(10)];
    let original = store(repo, record(1), &held).await;
    let shared = ContentSource::Shared(original.content.clone().unwrap().id);
    let batch = vec![
        insert_with(record(2), shared.clone()),
        insert_with(record(3), shared.clone()),
        remove(original.id),
    ];
    let made = repo.apply(&here(), batch).await.unwrap();
    assert_eq!(segments(repo, made[0].id).await, held);
    // To be given what one has changes nothing.
    change(repo, replace(made[0].id, shared)).await;
    assert_eq!(fate(repo, &held[0]).await, Fate::Live);
    let batch = made[..2].iter().map(|record| remove(record.id)).collect();
    repo.apply(&here(), batch).await.unwrap();
    assert_eq!(fate(repo, &held[0]).await, Fate::Garbage);
}

/// A file alone with its content may be given that same content.
pub async fn a_file_may_keep_its_content<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let held = [blob(10)];
    let file = store(repo, record(1), &held).await;
    let own = ContentSource::Shared(file.content.clone().unwrap().id);
    assert_eq!(change(repo, replace(file.id, own)).await, file);
    assert_eq!(segments(repo, file.id).await, held);
    assert_eq!(fate(repo, &held[0]).await, Fate::Live);
}

/// A load answers with exactly the segments that hold the range, and where the first one starts.
pub async fn a_load_answers_what_the_range_needs<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let held = [blob(5), small(repo, "1234"), blob(6)];
    let bounds = [0..5, 5..9, 9..15_u64];
    let file = store(repo, record(1), &held).await;
    let mut asked = vec![None, Some(RangeSpec::FromTo(3, u64::MAX))];
    for start in 0..15 {
        asked.push(Some(RangeSpec::From(start)));
        asked.push(Some(RangeSpec::Last(start + 1)));
        asked.extend((start..17).map(|last| Some(RangeSpec::FromTo(start, last))));
    }
    for range in asked {
        let bytes = range.map_or(Ok(0..15), |range| range.resolve(15)).unwrap();
        let needed = |bound: &Range<u64>| bound.start < bytes.end && bytes.start < bound.end;
        let offset = bounds.iter().find(|bound| needed(bound)).unwrap().start;
        let expected: Vec<_> = held
            .iter()
            .zip(&bounds)
            .filter(|(_, bound)| needed(bound))
            .map(|(segment, _)| segment.clone())
            .collect();
        let stored = repo.load(&here(), &file.id.into(), range).await.unwrap();
        assert_eq!((stored.segments, stored.offset), (expected, offset), "{range:?}");
        assert_eq!(stored.record, file);
    }
}

/// A load answers without segments when there is no content or the range cannot be satisfied.
pub async fn a_load_may_need_no_segments<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let bare = change(repo, insert(record(1))).await;
    let file = store(repo, record(2), &[blob(5), blob(5)]).await;
    let empty = store(repo, record(3), &[inline("")]).await;
    for (record, range) in [
        (&bare, None),
        (&bare, Some(RangeSpec::From(0))),
        (&file, Some(RangeSpec::From(10))),
        (&file, Some(RangeSpec::From(u64::MAX))),
        (&file, Some(RangeSpec::Last(0))),
        (&file, Some(RangeSpec::FromTo(5, 4))),
        (&empty, Some(RangeSpec::From(0))),
        (&empty, Some(RangeSpec::Last(1))),
    ] {
        let stored = repo.load(&here(), &record.id.into(), range).await.unwrap();
        assert_eq!(stored.segments, [], "{range:?}");
        assert_eq!(stored.record, *record);
    }
    let held = segments(repo, empty.id).await;
    assert!(held.iter().all(|segment| segment.size == 0 && segment.key().is_none()));
}

/// Bytes up to the limit are taken inline and come back; a blob store is not needed for them.
pub async fn inline_bytes_come_back<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let bytes = noise(repo.inline_limit());
    let segment = Segment {
        size: bytes.len() as u64,
        sha256: crate::hash::Digest::of(&bytes),
        place: crate::backend::Place::Inline(bytes),
    };
    let file = store(repo, record(1), std::slice::from_ref(&segment)).await;
    assert_eq!(segments(repo, file.id).await, [segment]);
    assert_eq!(repo.known(None, 10).await.unwrap(), []);
}

/// Content in quarantine is refused to readers until it is sound again; records stay readable.
pub async fn damaged_content_is_refused<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let file = store(repo, record(1), &[blob(10)]).await;
    let copied = ContentSource::Shared(file.content.clone().unwrap().id);
    let copy = change(repo, insert_with(record(2), copied)).await;
    let other = store(repo, record(3), &[blob(10)]).await;
    let id = file.content.clone().unwrap().id;
    repo.quarantine(id, true).await.unwrap();
    for file in [&file, &copy] {
        for range in [None, Some(RangeSpec::From(1))] {
            let loaded = repo.load(&here(), &file.id.into(), range).await;
            assert_eq!(refused(loaded), ErrorKind::Unavailable);
        }
    }
    assert_eq!(find(repo, file.id).await.unwrap(), file);
    assert_eq!(segments(repo, other.id).await.len(), 1);
    change(repo, replace(copy.id, ContentSource::New(content(&[inline("")])))).await;
    segments(repo, copy.id).await;
    repo.quarantine(id, false).await.unwrap();
    assert_eq!(segments(repo, file.id).await.len(), 1);
}

/// Of changes that start from one revision at the same time, one is made.
pub async fn of_two_updates_one_wins<R: Repository>(fixture: Fixture<R>) {
    let repo = &fixture.store;
    let mut file = change(&**repo, insert(record(1))).await;
    for round in 0..20 {
        let answers = apply_together(repo, (0..4).map(|n| update(&file, &format!("{round}-{n}"))));
        let wins = one_wins(answers.await, ErrorKind::PreconditionFailed);
        file = find(&**repo, file.id).await.unwrap();
        assert_eq!(file, wins);
    }
}

/// Of new files that want one external id at the same time, one is made.
pub async fn of_two_files_of_one_name_one_wins<R: Repository>(fixture: Fixture<R>) {
    let repo = &fixture.store;
    for round in 0..20 {
        let name = format!("name {round}");
        let files = (0..4).map(|n| insert(record_of(round * 4 + n + 1, &name)));
        one_wins(apply_together(repo, files).await, ErrorKind::AlreadyExists);
    }
    assert_eq!(repo.count(&here(), &[]).await.unwrap(), 20);
}

/// Of replacements of one content at the same time, one is made.
pub async fn of_two_replacements_one_wins<R: Repository>(fixture: Fixture<R>) {
    let repo = &fixture.store;
    let mut file = store(&**repo, record(1), &[inline("")]).await;
    for _ in 0..20 {
        let swaps = (0..4).map(|_| Change::Replace {
            id: file.id,
            expected: file.content.as_ref().map(|content| content.id),
            content: ContentSource::New(content(&[inline("")])),
        });
        let wins = one_wins(apply_together(repo, swaps).await, ErrorKind::Conflict);
        file = find(&**repo, file.id).await.unwrap();
        assert_eq!(file, wins);
    }
}

async fn apply_together<R: Repository>(
    repo: &Arc<R>,
    changes: impl Iterator<Item = Change>,
) -> Vec<Result<Vec<FileRecord>>> {
    for_each_at_once(repo, changes, |repo, change| async move {
        repo.apply(&here(), vec![change]).await
    })
    .await
}

/// The one success, when all others were refused like this.
fn one_wins(answers: Vec<Result<Vec<FileRecord>>>, kind: ErrorKind) -> FileRecord {
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1, "exactly one wins");
    for answer in lost {
        assert_eq!(refused(answer), kind);
    }
    won.into_iter().flatten().flatten().next().unwrap()
}

/// A change of the external id and the time.
fn update(record: &FileRecord, external_id: &str) -> Change {
    let mut attributes = record.attributes.clone();
    attributes.external_id = Some(external_id.to_owned());
    Change::Update { id: record.id, expected: record.revision, attributes, updated: moment(50) }
}
