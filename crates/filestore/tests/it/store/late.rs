//! Calls that come to their end when something else has happened long since.

use futures::future::join_all;

use filestore::{Attributes, ErrorKind, FileKey, NewUpload, Sweep, UploadState};

use super::rig::{BIG, HOUR, NOTHING, Rig, digest_of, noise, refused};

super::cases! {
    a_slow_completion_does_not_bring_a_deleted_file_back
    a_slow_completion_does_not_bring_old_content_back
    two_sweeps_and_a_commit_of_one_key
}

/// Where a completion stops while another overtakes it.
const PLACES: [&str; 6] = ["seal done", "parts", "parts done", "save_chains", "get", "finish"];

/// A session whose parts are there, in an order that makes its completion read them.
async fn filled(rig: &Rig, new: NewUpload) -> filestore::FileId {
    let expect = digest_of(&[noise(BIG), noise(BIG + 1)].concat());
    let id = rig.uploads().begin(NewUpload { expect, ..new }).await.unwrap().id;
    for (number, len) in [(2, BIG + 1), (1, BIG)] {
        rig.uploads().put_part(id, number, None, noise(len), NOTHING).await.unwrap();
    }
    id
}

async fn a_slow_completion_does_not_bring_a_deleted_file_back(rig: Rig) {
    for place in PLACES {
        let id = filled(&rig, NewUpload::new("file")).await;
        let files = rig.files();
        rig.hooks.at(place, async move {
            assert!(files.uploads().complete(id).await?.record.is_some());
            files.delete(id).await
        });
        let slow = rig.uploads().complete(id).await.unwrap();
        assert_eq!((slow.session.state, slow.record), (UploadState::Completed, None), "{place}");
        refused(rig.files().stat(id).await, ErrorKind::NotFound);
        assert_eq!(rig.uploads().complete(id).await.unwrap().record, None);
    }
    rig.assert_empty().await;
}

async fn a_slow_completion_does_not_bring_old_content_back(rig: Rig) {
    for place in PLACES {
        let file = rig.file("file", &noise(10)).await;
        let target = Some(FileKey::Id(file.id));
        let id = filled(&rig, NewUpload { target, ..NewUpload::new("ignored") }).await;
        let files = rig.files();
        rig.hooks.at(place, async move {
            files.uploads().complete(id).await?;
            files.write(file.id, noise(BIG + 7), NOTHING).await.map(drop)
        });
        let slow = rig.uploads().complete(id).await.unwrap();
        for now in [slow.record, rig.uploads().complete(id).await.unwrap().record] {
            assert_eq!(now.unwrap().content.unwrap().size, BIG as u64 + 7, "{place}");
        }
        assert_eq!(rig.read(file.id).await, noise(BIG + 7));
        rig.files().delete(file.id).await.unwrap();
    }
    rig.assert_empty().await;
}

/// Two nodes sweep while the commit that refers to an overdue key first is made: the file is there
/// with its bytes, or refused and gone without a trace.
async fn two_sweeps_and_a_commit_of_one_key(rig: Rig) {
    for round in 0..10 {
        let nodes = [rig.limited(|_| ()).await, rig.limited(|_| ()).await];
        let clock = rig.clock.clone();
        let (started, sweeps) = futures::channel::oneshot::channel();
        rig.hooks.at("put done", async move {
            clock.advance(7 * HOUR);
            let sweep = |node: filestore::FileStore| {
                tokio::spawn(async move { node.sweep(&Sweep::default()).await.unwrap() })
            };
            let _ = started.send(nodes.map(sweep));
            for _ in 0..round {
                tokio::task::yield_now().await;
            }
            Ok(())
        });
        let named = Attributes { external_id: Some("x".into()), ..Attributes::named("file") };
        let made = rig.files().create(named, noise(BIG)).await;
        join_all(sweeps.await.unwrap()).await;
        let key = FileKey::External("x".into());
        match made {
            Ok(file) => {
                assert_eq!(rig.read(key).await, noise(BIG));
                rig.files().delete(file.id).await.unwrap();
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Conflict);
                refused(rig.files().stat(key).await, ErrorKind::NotFound);
            }
        }
    }
    rig.assert_empty().await;
}
