//! Cases of [`UploadRepository`](crate::backend::UploadRepository): sealing and publishing.

use super::Fixture;
use super::samples::*;
use super::uploads::one_in_every_state;
use crate::backend::{BeginUpload, BlobState, ContentSource, Ending, Finished, Part, Repository};
use crate::error::ErrorKind;
use crate::id::{FileId, Revision};
use crate::record::{ContentInfo, Expect, FileRecord};
use crate::upload::UploadState;

/// Sealing freezes the parts, once; sealing again answers the same and says so.
pub async fn a_seal_freezes_the_parts_once<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let id = begin(repo, upload()).await;
    let held = [send(repo, id, 2, 20).await, send(repo, id, 1, 10).await];
    let first = repo.seal(&here(), id).await.unwrap();
    assert!(first.now);
    assert_eq!(first.session.state, UploadState::Sealed);
    assert_eq!((first.session.parts, first.session.received), (2, 30));
    assert_eq!(session(repo, id).await, first.session);
    assert_eq!(parts(repo, id).await, [held[1].clone(), held[0].clone()]);
    for _ in 0..2 {
        let again = repo.seal(&here(), id).await.unwrap();
        assert!(!again.now);
        assert_eq!(again.session, first.session);
    }
}

/// Parts 1 to the total must be there; else the session stays open and can be put right.
pub async fn a_gap_is_incomplete<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    for (total, sent, missing) in [
        (Some(3), vec![1, 3], 2),
        (Some(3), vec![1, 2], 3),
        (Some(3), vec![2, 3], 1),
        (Some(1), vec![], 1),
        (None, vec![2], 1),
        (None, vec![1, 4, 2], 3),
    ] {
        let id = begin(repo, BeginUpload { total, ..upload() }).await;
        for number in &sent {
            send(repo, id, *number, 10).await;
        }
        let before = session(repo, id).await;
        for _ in 0..2 {
            let seal = repo.seal(&here(), id).await;
            assert_eq!(refused(seal), ErrorKind::Incomplete, "{sent:?} of {total:?}");
            assert_eq!(session(repo, id).await, before);
        }
        send(repo, id, missing, 10).await;
        assert!(repo.seal(&here(), id).await.unwrap().now, "{sent:?} of {total:?}");
    }
}

/// The parts must add up to the expected size; else the session stays open and can be put right.
pub async fn another_size_than_expected_is_incomplete<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let expect = Expect { size: Some(30), sha256: None };
    let id = begin(repo, BeginUpload { expect, ..upload() }).await;
    assert_eq!(refused(repo.seal(&here(), id).await), ErrorKind::Incomplete);
    send(repo, id, 1, 10).await;
    assert_eq!(refused(repo.seal(&here(), id).await), ErrorKind::Incomplete);
    send(repo, id, 2, 21).await;
    assert_eq!(refused(repo.seal(&here(), id).await), ErrorKind::Incomplete);
    assert_eq!(session(repo, id).await.state, UploadState::Open);
    send(repo, id, 2, 20).await;
    assert!(repo.seal(&here(), id).await.unwrap().now);
}

/// What can be sealed is decided by the session's state.
pub async fn a_seal_depends_on_the_state<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    for (state, id, _) in one_in_every_state(&fixture).await {
        let before = session(repo, id).await;
        match (repo.seal(&here(), id).await, &state) {
            (Ok(sealed), UploadState::Open) => assert!(sealed.now),
            (Ok(sealed), UploadState::Sealed | UploadState::Completed) => {
                assert!(!sealed.now);
                assert_eq!(sealed.session, before);
            }
            (Err(error), UploadState::Failed(_) | UploadState::Canceled) => {
                assert_eq!(error.kind(), ErrorKind::Conflict);
            }
            (Err(error), UploadState::Expired) => assert_eq!(error.kind(), ErrorKind::Expired),
            (other, _) => panic!("{state:?}: {other:?}"),
        }
    }
}

/// Publishing makes the file: the session's id and attributes, its parts as the content's segments.
pub async fn a_completed_session_is_a_file<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let upload = BeginUpload { attributes: full_attributes(), ..upload() };
    let (id, content, owner) = (upload.id, upload.content, upload.owner.clone());
    begin(repo, upload).await;
    let mut held = vec![send(repo, id, 2, 20).await, send(repo, id, 3, 30).await];
    let first = admitted(repo, id, 1, small(repo, "12345")).await;
    put_part(repo, id, first.clone()).await;
    held.insert(0, first);
    repo.seal(&here(), id).await.unwrap();
    let said = publication(42);
    let finished = repo.finish(&here(), id, said.clone()).await.unwrap();

    assert_eq!(finished.session, session(repo, id).await);
    assert_eq!(finished.session.state, UploadState::Completed);
    let record = finished.record.unwrap();
    assert_eq!(find(repo, id).await.as_ref(), Some(&record));
    assert_eq!((record.id, record.number, record.owner), (id, said.number, owner));
    assert_eq!(record.revision, Revision::FIRST);
    assert_eq!(record.attributes, full_attributes());
    let info = ContentInfo {
        id: content,
        size: 55,
        tag: said.tag,
        sha256: said.sha256,
        stored: said.stored,
    };
    assert_eq!(record.content, Some(info));
    let held: Vec<_> = held.into_iter().map(|part| part.segment).collect();
    assert_eq!(segments(repo, id).await, held);
    assert_eq!(parts(repo, id).await, [], "the session has ended");
    for blob in repo.known(None, 10).await.unwrap() {
        assert!(matches!(blob.state, BlobState::Live { content: whose, .. } if whose == content));
    }
    let key = crate::record::FileKey::External(full_attributes().external_id.unwrap());
    assert!(repo.find(&here(), &[key]).await.unwrap()[0].is_some());
}

/// A session without parts becomes empty content.
pub async fn a_session_without_parts_becomes_empty_content<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let id = begin(repo, upload()).await;
    assert!(repo.seal(&here(), id).await.unwrap().now);
    let record = repo.finish(&here(), id, publication(1)).await.unwrap().record.unwrap();
    let content = record.content.unwrap();
    assert_eq!(content.size, 0);
    assert_eq!(repo.segments(content.id).await.unwrap(), [inline("")]);
    assert!(segments(repo, id).await.iter().all(|segment| segment.size == 0));
}

/// Publishing again changes nothing and answers as the first time, whatever it says.
pub async fn a_completion_is_repeated_without_effect<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let (id, _) = sealed(repo, upload()).await;
    let first = repo.finish(&here(), id, publication(1)).await.unwrap();
    for n in [1, 2] {
        assert_eq!(repo.finish(&here(), id, publication(n)).await.unwrap(), first);
    }
    assert_eq!(repo.count(&here(), &[]).await.unwrap(), 1);
}

/// A completion after the file was deleted does not bring it back.
pub async fn a_deleted_file_stays_deleted<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let (id, part) = sealed(repo, upload()).await;
    let first = repo.finish(&here(), id, publication(1)).await.unwrap();
    change(repo, remove(id)).await;
    let again = repo.finish(&here(), id, publication(1)).await.unwrap();
    assert_eq!(again, Finished { record: None, ..first });
    assert!(!repo.seal(&here(), id).await.unwrap().now);
    assert_eq!(find(repo, id).await, None);
    assert_eq!(fate(repo, &part.segment).await, Fate::Garbage);
}

/// A completion after its file was given newer content does not bring the old back.
pub async fn replaced_content_stays_replaced<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let file = change(repo, insert(record(1))).await;
    for target in [upload(), upload_to(file.id)] {
        let (id, part) = sealed(repo, target).await;
        let done = repo.finish(&here(), id, publication(2)).await.unwrap().record.unwrap();
        let newer = inline("newer");
        let replacement = ContentSource::New(content(std::slice::from_ref(&newer)));
        let now = change(repo, replace(done.id, replacement)).await;
        for n in [2, 3] {
            let again = repo.finish(&here(), id, publication(n)).await.unwrap();
            assert_eq!(again.record.as_ref(), Some(&now));
            assert_eq!(segments(repo, done.id).await, std::slice::from_ref(&newer));
        }
        assert_eq!(fate(repo, &part.segment).await, Fate::Garbage);
    }
}

/// What can be published is decided by the session's state.
pub async fn publishing_depends_on_the_state<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    for (n, (state, id, _)) in one_in_every_state(&fixture).await.into_iter().enumerate() {
        let before = session(repo, id).await;
        match (repo.finish(&here(), id, publication(1 + n as u64)).await, &state) {
            (Err(error), UploadState::Open) => assert_eq!(error.kind(), ErrorKind::Conflict),
            (Ok(finished), UploadState::Sealed | UploadState::Completed) => {
                assert_eq!(finished.session.state, UploadState::Completed);
                assert!(finished.record.is_some());
            }
            (Ok(finished), _) => {
                assert_eq!(finished, Finished { session: before, record: None });
                assert_eq!(find(repo, id).await, None);
            }
            (other, _) => panic!("{state:?}: {other:?}"),
        }
    }
}

/// A taken number or external id is refused; the session stays sealed and goes on with another.
pub async fn a_taken_name_leaves_it_sealed<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let taken = change(repo, insert(record_of(1, "taken"))).await;
    let mut named = upload();
    named.attributes.external_id = Some("taken".to_owned());
    let (id, part) = sealed(repo, named).await;
    let before = session(repo, id).await;
    let finish = repo.finish(&here(), id, publication(2)).await;
    assert_eq!(refused(finish), ErrorKind::AlreadyExists);
    change(repo, remove(taken.id)).await;
    change(repo, insert(record(1))).await;
    let finish = repo.finish(&here(), id, publication(1)).await;
    assert_eq!(refused(finish), ErrorKind::AlreadyExists);
    assert_eq!(session(repo, id).await, before);
    assert_eq!(find(repo, id).await, None);
    assert_eq!(fate(repo, &part.segment).await, Fate::Live);
    let finished = repo.finish(&here(), id, publication(3)).await.unwrap();
    assert_eq!(finished.record.unwrap().number, number(3));
}

/// A session that targets a file swaps its content and nothing else.
pub async fn a_session_may_replace_content<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let old = blob(5);
    let file = store(repo, record_of(1, "one"), std::slice::from_ref(&old)).await;
    let target = BeginUpload { attributes: full_attributes(), ..upload_to(file.id) };
    let (id, part) = sealed(repo, target).await;
    assert_eq!(find(repo, file.id).await.as_ref(), Some(&file));
    // The number is that of the file: not looked at.
    let finished = repo.finish(&here(), id, publication(1)).await.unwrap();
    let record = finished.record.unwrap();
    assert_eq!(finished.session.state, UploadState::Completed);
    let unchanged = FileRecord { content: file.content.clone(), ..record.clone() };
    assert_eq!(unchanged, file);
    assert_eq!(record.content.as_ref().map(|content| content.size), Some(10));
    assert_eq!(find(repo, file.id).await, Some(record));
    assert_eq!(find(repo, id).await, None);
    assert_eq!(segments(repo, file.id).await, [part.segment]);
    assert_eq!(fate(repo, &old).await, Fate::Garbage);
}

/// Replaced content that another record shares stays with it.
pub async fn replaced_content_stays_with_its_other_user<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let held = [blob(5)];
    let file = store(repo, record(1), &held).await;
    let shared = ContentSource::Shared(file.content.unwrap().id);
    let copy = change(repo, insert_with(record(2), shared)).await;
    let (id, _) = sealed(repo, upload_to(file.id)).await;
    repo.finish(&here(), id, publication(9)).await.unwrap();
    assert_eq!(segments(repo, copy.id).await, held);
    assert_eq!(fate(repo, &held[0]).await, Fate::Live);
}

/// The removal of a file ends every open and sealed session that targets it: they have failed, and
/// their parts go.
pub async fn a_removed_target_fails_its_sessions<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let file = change(repo, insert(record(1))).await;
    let other = change(repo, insert(record(2))).await;
    let open = begin(repo, upload_to(file.id)).await;
    let open_part = send(repo, open, 1, 10).await;
    let (sealed_id, sealed_part) = sealed(repo, upload_to(file.id)).await;
    let canceled = begin(repo, upload_to(file.id)).await;
    repo.end(&here(), canceled, Ending::Canceled).await.unwrap();
    let untouched = begin(repo, upload_to(other.id)).await;
    let untouched_part = send(repo, untouched, 1, 10).await;

    change(repo, remove(file.id)).await;
    for (id, part) in [(open, open_part), (sealed_id, sealed_part)] {
        assert_failed(repo, id, &part).await;
        let finished = repo.finish(&here(), id, publication(9)).await.unwrap();
        assert_eq!(finished, Finished { session: session(repo, id).await, record: None });
        assert_failed(repo, id, &part).await;
    }
    assert_eq!(session(repo, canceled).await.state, UploadState::Canceled);
    assert_eq!(session(repo, untouched).await.state, UploadState::Open);
    assert_eq!(parts(repo, untouched).await, [untouched_part]);
    assert_eq!(find(repo, file.id).await, None);
}

async fn assert_failed(repo: &impl Repository, id: FileId, part: &Part) {
    let state = session(repo, id).await.state;
    assert!(matches!(state, UploadState::Failed(_)), "{state:?}");
    assert_eq!(parts(repo, id).await, []);
    assert_eq!(fate(repo, &part.segment).await, Fate::Garbage);
}
