//! Cases of [`UploadRepository`](crate::backend::UploadRepository): ends without a file, and upkeep.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Fixture;
use super::samples::*;
use super::uploads::one_in_every_state;
use crate::backend::{BeginUpload, Ending, Repository};
use crate::error::ErrorKind;
use crate::id::{FileId, Tenant};
use crate::record::FileRecord;
use crate::upload::UploadState;

/// A session ends where its state has an arrow; one that has ended answers how it did first.
pub async fn a_session_ends_once<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    for ending in [Ending::Canceled, Ending::Expired, Ending::Failed("late".to_owned())] {
        for (state, id, _) in one_in_every_state(&fixture).await {
            let before = session(repo, id).await;
            let file = find(repo, id).await;
            let answer = repo.end(&here(), id, ending.clone()).await;
            if ending.follows(&state) {
                let ended = answer.unwrap();
                assert_eq!(ended.state, ending.state());
                assert_eq!(session(repo, id).await, ended);
            } else if state.has_ended() {
                assert_eq!(answer.unwrap(), before, "{ending:?} after {state:?}");
                assert_eq!(session(repo, id).await, before);
            } else {
                assert_eq!(refused(answer), ErrorKind::Conflict, "{ending:?} after {state:?}");
                assert_eq!(session(repo, id).await, before);
            }
            assert_eq!(find(repo, id).await, file, "the file of a completed one stays");
            if file.is_some() {
                change(repo, remove(id)).await;
            }
        }
    }
}

/// When a session ends without a file, its parts go and their blobs become garbage.
pub async fn the_parts_of_an_ended_session_are_garbage<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    for seal in [false, true] {
        let id = begin(repo, upload()).await;
        let held = [send(repo, id, 1, 10).await, send(repo, id, 2, 20).await];
        if seal {
            repo.seal(&here(), id).await.unwrap();
        }
        repo.end(&here(), id, Ending::Canceled).await.unwrap();
        assert_eq!(parts(repo, id).await, []);
        for part in &held {
            assert_eq!(fate(repo, &part.segment).await, Fate::Garbage);
        }
    }
}

/// A session expires when its time is past by the backend's clock, not before.
pub async fn a_session_does_not_expire_early<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let id = begin(repo, upload()).await;
    let part = send(repo, id, 1, 10).await;
    fixture.clock().advance(HOUR - TICK);
    let early = repo.end(&here(), id, Ending::Expired).await;
    assert_eq!(refused(early), ErrorKind::Conflict);
    assert_eq!(parts(repo, id).await, [part]);
    fixture.clock().advance(TICK * 2);
    let ended = repo.end(&here(), id, Ending::Expired).await.unwrap();
    assert_eq!(ended.state, UploadState::Expired);
}

/// Upkeep is told of open sessions past their time, of all tenants, and of sealed ones that are
/// stuck; of no others.
pub async fn overdue_sessions_are_due<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let clock = fixture.clock();
    let minute = Duration::from_secs(60);
    let short = begin(repo, BeginUpload { lifetime: minute, ..upload() }).await;
    let strange = BeginUpload { lifetime: minute, ..upload() };
    let strange = repo.begin(&elsewhere(), strange).await.unwrap().id;
    let long = begin(repo, upload()).await;
    clock.advance(minute - TICK);
    let (stuck, _) = sealed(repo, upload()).await;
    assert_eq!(due(repo, minute, HOUR).await, BTreeSet::new());
    clock.advance(TICK * 2);
    let expected = BTreeSet::from([(here(), short), (elsewhere(), strange)]);
    assert_eq!(due(repo, minute, HOUR).await, expected);
    clock.advance(minute);
    let expected = BTreeSet::from([(here(), short), (elsewhere(), strange), (here(), stuck)]);
    assert_eq!(due(repo, minute, HOUR).await, expected);
    for (tenant, told) in repo.due(minute, HOUR, 10).await.unwrap() {
        assert_eq!(repo.session(&tenant, told.id).await.unwrap(), told);
    }
    assert_eq!(repo.due(minute, HOUR, 2).await.unwrap().len(), 2);
    assert_eq!(session(repo, long).await.state, UploadState::Open);
}

/// Upkeep is told of sessions that ended long ago, once their file is not there.
pub async fn sessions_long_ended_are_due<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let canceled = begin(repo, upload()).await;
    repo.end(&here(), canceled, Ending::Canceled).await.unwrap();
    let (completed, _) = sealed(repo, upload()).await;
    repo.finish(&here(), completed, publication(1)).await.unwrap();
    let target = change(repo, insert(record(2))).await;
    let (replaced, _) = sealed(repo, upload_to(target.id)).await;
    repo.finish(&here(), replaced, publication(3)).await.unwrap();

    fixture.clock().advance(HOUR - TICK);
    let day = HOUR * 24;
    assert_eq!(due(repo, day, HOUR).await, BTreeSet::new());
    fixture.clock().advance(TICK * 2);
    assert_eq!(due(repo, day, HOUR).await, BTreeSet::from([(here(), canceled)]));
    change(repo, remove(completed)).await;
    change(repo, remove(target.id)).await;
    let expected = [canceled, completed, replaced].map(|id| (here(), id));
    assert_eq!(due(repo, day, HOUR).await, BTreeSet::from(expected.clone()));
    // A file of the id may be made again.
    let again = change(repo, insert(FileRecord { id: canceled, ..record(4) })).await;
    let others = expected.iter().filter(|(_, id)| *id != canceled).cloned().collect();
    assert_eq!(due(repo, day, HOUR).await, others);
    change(repo, remove(again.id)).await;
    assert_eq!(due(repo, day, HOUR).await, BTreeSet::from(expected.clone()));
    for (tenant, id) in expected {
        repo.forget(&tenant, id).await.unwrap();
    }
    assert_eq!(due(repo, day, HOUR).await, BTreeSet::new());
}

/// Only what has ended is forgotten; its file stays, and forgetting again is success.
pub async fn only_ended_sessions_are_forgotten<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    for (state, id, _) in one_in_every_state(&fixture).await {
        let file = find(repo, id).await;
        let answer = repo.forget(&here(), id).await;
        if state.has_ended() {
            answer.unwrap();
            assert_eq!(refused(repo.session(&here(), id).await), ErrorKind::NotFound);
            repo.forget(&here(), id).await.unwrap();
        } else {
            assert_eq!(refused(answer), ErrorKind::Conflict);
            assert_eq!(session(repo, id).await.state, state);
        }
        assert_eq!(find(repo, id).await, file);
        if let Some(file) = file {
            assert_eq!(segments(repo, file.id).await.len(), 1);
        }
    }
    let left = repo.sessions(&here(), &subject("ann"), None, 10).await.unwrap();
    assert_eq!(left.len(), 2);
    repo.forget(&here(), file_id()).await.unwrap();
}

async fn due(
    repo: &impl Repository,
    stalled: Duration,
    keep: Duration,
) -> BTreeSet<(Tenant, FileId)> {
    let due = repo.due(stalled, keep, 100).await.unwrap();
    due.into_iter().map(|(tenant, session)| (tenant, session.id)).collect()
}
