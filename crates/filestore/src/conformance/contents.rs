//! Cases of [`ContentRepository`](crate::backend::ContentRepository).

use super::Fixture;
use super::samples::*;
use crate::backend::{Content, ContentSource, Repository};
use crate::error::ErrorKind;
use crate::id::{ContentId, FileId};

/// Contents of all tenants are listed by id, each once however many share it.
pub async fn contents_are_listed_by_id<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let mut expected = Vec::new();
    for n in 0..7_u64 {
        let tenant = if n % 2 == 0 { here() } else { elsewhere() };
        let held: Vec<_> = (0..=n % 3).map(blob).collect();
        announce(repo, &held).await;
        let mut new = content(&held);
        new.sha256 = (n % 2 == 0).then_some(held[0].sha256);
        expected.push(Content {
            id: new.id,
            size: new.size,
            tag: new.tag.clone(),
            sha256: new.sha256,
            segments: held.len() as u32,
            damaged: false,
        });
        let shared = ContentSource::Shared(new.id);
        let first = insert_with(record(n + 1), ContentSource::New(new));
        repo.apply(&tenant, vec![first]).await.unwrap();
        let copy = insert_with(record(n + 100), shared);
        repo.apply(&tenant, vec![copy]).await.unwrap();
    }
    expected.sort_unstable_by_key(|content| content.id);
    assert_eq!(repo.contents(None, 100).await.unwrap(), expected);
    let mut paged: Vec<Content> = Vec::new();
    loop {
        let after = paged.last().map(|content| content.id);
        let page = repo.contents(after, 2).await.unwrap();
        assert!(page.len() <= 2);
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, expected);
}

/// All segments of a content are answered in order; none when it is gone.
pub async fn segments_come_in_order<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let held: Vec<_> = (0..30).map(blob).chain([small(repo, "last")]).collect();
    let file = store(repo, record(1), &held).await;
    let id = content_of(repo, file.id).await.id;
    assert_eq!(repo.segments(id).await.unwrap(), held);
    change(repo, remove(file.id)).await;
    assert_eq!(repo.segments(id).await.unwrap(), []);
    assert_eq!(repo.contents(None, 10).await.unwrap(), []);
    assert_eq!(repo.segments(content_id()).await.unwrap(), []);
}

/// Drafts are not seen until they are published.
pub async fn drafts_are_not_seen<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let id = begin(repo, upload()).await;
    let part = send(repo, id, 1, 10).await;
    let draft = session(repo, id).await.content;
    for seal in [true, false] {
        assert_eq!(repo.contents(None, 10).await.unwrap(), []);
        assert_eq!(repo.fragmented(0, u64::MAX, 10).await.unwrap(), []);
        assert_eq!(repo.segments(draft).await.unwrap(), []);
        if seal {
            repo.seal(&here(), id).await.unwrap();
        }
    }
    repo.finish(&here(), id, publication(1)).await.unwrap();
    let published = repo.contents(None, 10).await.unwrap();
    assert_eq!(published.iter().map(|content| content.id).collect::<Vec<_>>(), [draft]);
    assert_eq!(published[0].tag, publication(1).tag);
    assert_eq!(published[0].sha256, publication(1).sha256);
    assert_eq!(repo.segments(draft).await.unwrap(), [part.segment]);
}

/// Fragmented is what has more segments than said, and smaller ones on average; nothing damaged.
pub async fn fragmented_contents_are_found<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let mut ids = Vec::new();
    for (n, sizes) in [&[10; 4][..], &[10, 10, 10, 11], &[5; 3], &[100; 9]].iter().enumerate() {
        let held: Vec<_> = sizes.iter().map(|size| blob(*size)).collect();
        let file = store(repo, record(n as u64 + 1), &held).await;
        ids.push(content_of(repo, file.id).await.id);
    }
    let found = async |segments, average| -> Vec<usize> {
        let found = repo.fragmented(segments, average, 10).await.unwrap();
        let place = |id| ids.iter().position(|other| *other == id).unwrap();
        let mut found: Vec<_> = found.iter().map(|content| place(content.id)).collect();
        found.sort_unstable();
        found
    };
    assert_eq!(found(3, 11).await, [0, 1]);
    assert_eq!(found(3, 10).await, [0; 0]);
    assert_eq!(found(2, 10).await, [2]);
    assert_eq!(found(4, 1000).await, [3]);
    assert_eq!(found(9, 1000).await, [0; 0]);
    assert_eq!(found(0, u64::MAX).await, [0, 1, 2, 3]);
    assert_eq!(repo.fragmented(0, 1000, 2).await.unwrap().len(), 2);
    repo.quarantine(ids[0], true).await.unwrap();
    assert_eq!(found(3, 11).await, [1]);
}

/// Other segments take the place of all, and identity, size and tag stay.
pub async fn segments_can_be_merged<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let old = [blob(10), small(repo, "12345"), blob(20)];
    let new = [blob(30), blob(5)];
    let file = store(repo, record(1), &old).await;
    let before = content_of(repo, file.id).await;
    let copied = insert_with(record(2), ContentSource::Shared(before.id));
    let copy = change(repo, copied).await;
    announce(repo, &new).await;
    assert!(repo.replace_segments(before.id, 3, new.to_vec()).await.unwrap());

    for id in [file.id, copy.id] {
        assert_eq!(segments(repo, id).await, new);
    }
    assert_eq!(find(repo, file.id).await, Some(file.clone()));
    let after = content_of(repo, file.id).await;
    assert_eq!(after, Content { segments: 2, ..before });
    for segment in &new {
        assert_eq!(fate(repo, segment).await, Fate::Live);
    }
    for segment in [&old[0], &old[2]] {
        assert_eq!(fate(repo, segment).await, Fate::Garbage);
    }
}

/// A merge happens only while the content exists and has the segments it was made from.
pub async fn a_merge_of_something_else_is_none<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let held = [blob(10), blob(20)];
    let file = store(repo, record(1), &held).await;
    let id = content_of(repo, file.id).await.id;
    let merged = [blob(30)];
    announce(repo, &merged).await;
    for (id, expected) in [(id, 1), (id, 3), (content_id(), 2)] {
        assert!(!repo.replace_segments(id, expected, merged.to_vec()).await.unwrap());
        assert_eq!(fate(repo, &merged[0]).await, Fate::Pending);
        assert_eq!(segments(repo, file.id).await, held);
    }
    change(repo, remove(file.id)).await;
    assert!(!repo.replace_segments(id, 2, merged.to_vec()).await.unwrap());
    assert_eq!(fate(repo, &merged[0]).await, Fate::Pending);
    assert_eq!(repo.segments(id).await.unwrap(), []);
}

/// A merge needs pending keys, like every commit that first references them.
pub async fn a_merge_needs_pending_keys<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let held = [blob(10), blob(20)];
    let file = store(repo, record(1), &held).await;
    let id = content_of(repo, file.id).await.id;
    let announced = blob(15);
    announce(repo, std::slice::from_ref(&announced)).await;
    let merged = vec![announced.clone(), blob(15)];
    let merge = repo.replace_segments(id, 2, merged).await;
    assert_eq!(refused(merge), ErrorKind::Conflict);
    assert_eq!(segments(repo, file.id).await, held);
    assert_eq!(fate(repo, &announced).await, Fate::Pending);
    for segment in &held {
        assert_eq!(fate(repo, segment).await, Fate::Live);
    }
}

/// Of two merges of one content at the same time, one happens.
pub async fn of_two_merges_one_happens<R: Repository>(fixture: Fixture<R>) {
    let repo = &fixture.store;
    for n in 0..20 {
        let file = store(&**repo, record(n + 1), &[blob(10), blob(20)]).await;
        let id = content_of(&**repo, file.id).await.id;
        let merged = [blob(30), blob(30)];
        announce(&**repo, &merged).await;
        let merges = for_each_at_once(repo, merged.clone(), |repo, segment| async move {
            repo.replace_segments(id, 2, vec![segment]).await.unwrap()
        });
        let answers = merges.await;
        assert_eq!(answers.iter().filter(|done| **done).count(), 1);
        for (segment, done) in merged.iter().zip(answers) {
            let expected = if done { Fate::Live } else { Fate::Pending };
            assert_eq!(fate(&**repo, segment).await, expected);
        }
    }
}

/// Whether a content is damaged is seen in lists; that it is gone is success.
pub async fn damage_is_marked_and_lifted<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let (one, two) = ([blob(10)], [blob(20)]);
    let one = store(repo, record(1), &one).await;
    let two = store(repo, record(2), &two).await;
    let id = content_of(repo, one.id).await.id;
    for damaged in [true, true, false, false] {
        repo.quarantine(id, damaged).await.unwrap();
        assert_eq!(content_of(repo, one.id).await.damaged, damaged);
        assert!(!content_of(repo, two.id).await.damaged);
        assert_eq!(repo.segments(id).await.unwrap().len(), 1, "upkeep still sees them");
    }
    change(repo, remove(one.id)).await;
    repo.quarantine(id, true).await.unwrap();
    repo.quarantine(content_id(), false).await.unwrap();
}

/// The content of a file, as upkeep sees it.
async fn content_of(repo: &impl Repository, file: FileId) -> Content {
    let id: ContentId = find(repo, file).await.unwrap().content.unwrap().id;
    let all = repo.contents(None, 1000).await.unwrap();
    all.into_iter().find(|content| content.id == id).unwrap()
}
