//! Futures dropped at each of their awaits, and commits whose outcome is not told.

use std::time::Duration;

use filestore::{Attributes, Error, ErrorKind, FileKey, FileQuery, NewUpload, Sweep, UploadState};

use super::rig::{BIG, NOTHING, Rig, digest_of, dropped_after, files_of, frames, noise, refused};

super::cases! {
    a_dropped_creation_is_all_or_nothing
    a_dropped_overwrite_is_all_or_nothing
    a_dropped_part_is_all_or_nothing
    a_dropped_completion_is_resumed_by_the_next
    a_dropped_completion_is_resumed_by_a_look_at_it
    a_dropped_completion_is_resumed_by_a_sweep
    a_dropped_sweep_is_made_up_for
    a_commit_of_unknown_outcome_harms_nothing
}

async fn a_dropped_creation_is_all_or_nothing(rig: Rig) {
    rig.hooks.yield_everywhere();
    let files = rig.files();
    for len in [100, BIG] {
        let content = noise(len);
        for stops in 0.. {
            let mut new = Attributes::named("file");
            new.external_id = Some(format!("{len}/{stops}"));
            let create = files.create(new, frames(&content, 9_999));
            if dropped_after(stops, create).await.is_some() {
                assert!(stops > 1);
                break;
            }
            let key = FileKey::External(format!("{len}/{stops}"));
            if files.stat(key.clone()).await.is_ok() {
                assert_eq!(rig.read(key).await, content);
            }
        }
    }
    let page = files.list(&FileQuery { limit: 1000, ..FileQuery::default() }).await.unwrap();
    for file in page.items {
        assert_eq!(rig.read(file.id).await.len() as u64, file.content.unwrap().size);
    }
    rig.assert_nothing_leaks().await;
}

async fn a_dropped_overwrite_is_all_or_nothing(rig: Rig) {
    let (old, new) = (noise(BIG), noise(BIG + 1));
    let file = rig.file("file", &old).await;
    rig.hooks.yield_everywhere();
    for stops in 0.. {
        rig.files().write(file.id, old.clone(), NOTHING).await.unwrap();
        let files = rig.files();
        let write = files.write(file.id, frames(&new, 9_999), NOTHING);
        let done = dropped_after(stops, write).await.is_some();
        let now = rig.read(file.id).await;
        assert!(now == new || (now == old && !done));
        if done {
            break;
        }
    }
    rig.assert_nothing_leaks().await;
    assert_eq!(rig.live().await.len(), 1);
}

async fn a_dropped_part_is_all_or_nothing(rig: Rig) {
    rig.hooks.yield_everywhere();
    let content = noise(BIG);
    let uploads = rig.uploads();
    let id = uploads.begin(NewUpload::new("file")).await.unwrap().id;
    for stops in 0.. {
        let number = stops as u32 + 1;
        let put = uploads.put_part(id, number, None, frames(&content, 9_999), NOTHING);
        let done = dropped_after(stops, put).await.is_some();
        let parts = uploads.parts(id).await.unwrap();
        assert!(parts.iter().all(|part| part.size == BIG as u64));
        if done {
            break;
        }
        uploads.put_part(id, number, None, content.clone(), NOTHING).await.unwrap();
    }
    let session = uploads.complete(id).await.unwrap().session;
    assert_eq!(session.received, u64::from(session.parts) * BIG as u64);
    rig.assert_nothing_leaks().await;
    assert_eq!(rig.live().await.len(), session.parts as usize);
}

/// Drops a completion at each of its awaits, and passes what is left of it to `resume`.
async fn completions_dropped(
    rig: &Rig,
    resume: impl AsyncFn(&Rig, filestore::FileId, UploadState),
) {
    let parts = [noise(BIG), noise(10), noise(BIG + 1)];
    let expect = digest_of(&parts.concat());
    rig.hooks.yield_everywhere();
    let mut seen = Vec::new();
    for stops in 0.. {
        let uploads = rig.uploads();
        let new = NewUpload { expect, ..NewUpload::new("file") };
        let id = uploads.begin(new).await.unwrap().id;
        for number in [3, 2, 1] {
            let content = parts[number - 1].clone();
            uploads.put_part(id, number as u32, None, content, NOTHING).await.unwrap();
        }
        let done = dropped_after(stops, uploads.complete(id)).await.is_some();
        let tenant = filestore::Tenant::new("acme").unwrap();
        let state = {
            use filestore::backend::UploadRepository;
            rig.repository.session(&tenant, id).await.unwrap().state
        };
        seen.push(state.clone());
        resume(rig, id, state).await;
        if uploads.status(id).await.unwrap().state == UploadState::Open {
            uploads.complete(id).await.unwrap();
        }
        assert_eq!(uploads.status(id).await.unwrap().state, UploadState::Completed);
        assert_eq!(rig.read(id).await, parts.concat());
        if done {
            break;
        }
    }
    for state in [UploadState::Open, UploadState::Sealed, UploadState::Completed] {
        assert!(seen.contains(&state), "never dropped while {state:?}");
    }
    rig.assert_nothing_leaks().await;
}

async fn a_dropped_completion_is_resumed_by_the_next(rig: Rig) {
    completions_dropped(&rig, async |rig, id, _| {
        let done = rig.uploads().complete(id).await.unwrap();
        assert_eq!(done.session.state, UploadState::Completed);
        assert!(done.record.is_some());
    })
    .await;
}

async fn a_dropped_completion_is_resumed_by_a_look_at_it(rig: Rig) {
    completions_dropped(&rig, async |rig, id, before| {
        let session = rig.uploads().status(id).await.unwrap();
        if before != UploadState::Open {
            assert_eq!(session.state, UploadState::Completed);
        }
    })
    .await;
}

async fn a_dropped_completion_is_resumed_by_a_sweep(rig: Rig) {
    completions_dropped(&rig, async |rig, id, before| {
        // Another node than the one that was interrupted.
        let node = rig.limited(|_| ()).await;
        let early = node.sweep(&Sweep::default()).await.unwrap();
        assert_eq!(early.sessions_resumed, 0);
        rig.clock.advance(Duration::from_secs(60));
        node.sweep(&Sweep::default()).await.unwrap();
        // A commit that was dropped may have come through meanwhile; one way or the other it ended.
        if before == UploadState::Sealed {
            assert!(files_of(&node).stat(id).await.is_ok());
        }
    })
    .await;
}

async fn a_dropped_sweep_is_made_up_for(rig: Rig) {
    rig.hooks.yield_everywhere();
    for stops in 0.. {
        let parts = vec![noise(1000); 70];
        let merged = rig.file_of_parts(&parts).await;
        let gone = rig.file("gone", &noise(BIG)).await;
        rig.files().delete(gone.id).await.unwrap();
        rig.clock.advance(Duration::from_secs(3 * 3600));
        let done = dropped_after(stops, rig.store.sweep(&Sweep::default())).await.is_some();
        assert_eq!(rig.read(merged.id).await, parts.concat());
        if done {
            break;
        }
        rig.files().delete(merged.id).await.unwrap();
        // Somebody else's sweep does the rest, once nobody can hold a claim.
        if stops % 10 == 0 {
            rig.assert_nothing_leaks().await;
        }
    }
    rig.assert_nothing_leaks().await;
}

/// The answer of a commit is lost: its bytes stay until it is known what became of it.
async fn a_commit_of_unknown_outcome_harms_nothing(rig: Rig) {
    let lost = || async { Err(Error::unavailable("the line went dead")) };
    for place in ["apply", "apply done"] {
        rig.hooks.at(place, lost());
        let named = Attributes { external_id: Some(place.into()), ..Attributes::named("file") };
        refused(rig.files().create(named, noise(BIG)).await, ErrorKind::Unavailable);
        let found = rig.files().stat(FileKey::External(place.into())).await;
        assert_eq!(found.is_ok(), place == "apply done");
        if let Ok(file) = found {
            assert_eq!(rig.read(file.id).await, noise(BIG));
        }
    }
    let id = rig.uploads().begin(NewUpload::new("file")).await.unwrap().id;
    for place in ["put_part", "put_part done"] {
        rig.hooks.at(place, lost());
        let part = rig.uploads().put_part(id, 1, None, noise(BIG), NOTHING).await;
        refused(part, ErrorKind::Unavailable);
    }
    rig.uploads().put_part(id, 2, None, noise(BIG), NOTHING).await.unwrap();
    for place in ["seal done", "finish", "finish done"] {
        rig.hooks.at(place, lost());
        refused(rig.uploads().complete(id).await, ErrorKind::Unavailable);
    }
    let done = rig.uploads().complete(id).await.unwrap();
    assert_eq!((done.now, done.session.state), (false, UploadState::Completed));
    assert_eq!(rig.read(id).await, [noise(BIG), noise(BIG)].concat());
    rig.assert_nothing_leaks().await;
    assert_eq!(rig.live().await.len(), 3);
}
