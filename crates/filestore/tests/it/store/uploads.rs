//! Chunked uploads: parts in any order, in parallel and again; one end, whoever asks for it.

use bytes::Bytes;
use filestore::{
    Attributes, Digest, ErrorKind, FileId, NewUpload, PartInfo, UploadSession, UploadState,
    UploadTarget, Uploads,
};
use futures::future::join_all;

use super::rig::{
    BIG, HOUR, MINUTE, NOTHING, Rig, channel, files_of, frames, noise, refused, size,
};

super::cases! {
    a_session_opens_as_asked
    parts_come_in_any_order_and_again
    parts_come_in_parallel
    of_two_sends_the_one_admitted_later_stays
    only_the_first_parts_stay_inline
    the_total_is_said_once
    parts_are_limited
    bytes_of_a_session_are_limited
    parts_in_parallel_do_not_pass_the_limit
    a_part_at_the_limit_can_be_sent_again
    a_gap_leaves_the_session_open
    an_upload_may_replace_content
    a_target_that_goes_fails_its_sessions
    a_taken_name_fails_the_session
    one_completion_is_the_first
    a_completion_that_another_overtakes_answers_the_same
    a_completion_is_repeated
    an_ended_session_takes_nothing
    an_abort_is_repeated
    a_completion_that_is_canceled_publishes_nothing
    a_session_expires
    time_counts_at_admission_only
}

async fn begin(rig: &Rig, name: &str) -> FileId {
    rig.uploads().begin(NewUpload::new(name)).await.unwrap().id
}

async fn put(uploads: &Uploads, id: FileId, number: u32, content: Bytes) -> UploadSession {
    uploads.put_part(id, number, None, frames(&content, 9_999), NOTHING).await.unwrap()
}

async fn a_session_opens_as_asked(rig: Rig) {
    let store = rig.limited(|limits| limits.max_lifetime = 3 * HOUR).await;
    let uploads = files_of(&store).uploads();
    let new = NewUpload { total: Some(2), expect: size(5), ..NewUpload::new("file") };
    let session = uploads.begin(new.clone()).await.unwrap();
    assert_eq!(session.expires, session.created.after(3 * HOUR));
    assert_eq!((session.total, session.expect), (Some(2), size(5)));
    assert_eq!((session.parts, session.received), (0, 0));
    assert_eq!((&session.state, &session.target), (&UploadState::Open, &UploadTarget::NewFile));
    let short = NewUpload { lifetime: HOUR, ..new };
    let short = uploads.begin(short).await.unwrap();
    assert_eq!(short.expires, short.created.after(HOUR));

    let mut both = [session, short];
    both.sort_by_key(|session| session.id);
    assert_eq!(uploads.list(None, 10).await.unwrap(), both);
    assert_eq!(uploads.list(Some(both[0].id), 10).await.unwrap(), both[1..]);
    assert_eq!(uploads.list(None, 1).await.unwrap(), both[..1]);
    // A session is no file.
    refused(rig.files().stat(both[0].id).await, ErrorKind::NotFound);
}

async fn parts_come_in_any_order_and_again(rig: Rig) {
    let id = begin(&rig, "file").await;
    let uploads = rig.uploads();
    for (number, len) in [(3, BIG), (1, 5), (2, BIG + 1), (4, 0), (3, 7), (1, BIG + 2)] {
        put(&uploads, id, number, noise(len)).await;
    }
    let sizes = [BIG as u64 + 2, BIG as u64 + 1, 7, 0];
    let parts = uploads.parts(id).await.unwrap();
    let expected = sizes.iter().zip(1..).map(|(size, number)| PartInfo { number, size: *size });
    assert_eq!(parts, expected.collect::<Vec<_>>());
    let session = uploads.status(id).await.unwrap();
    assert_eq!((session.parts, session.received), (4, sizes.iter().sum()));

    let record = uploads.complete(id).await.unwrap().record.unwrap();
    let content = [noise(BIG + 2), noise(BIG + 1), noise(7), noise(0)].concat();
    assert_eq!(record.id, id);
    assert_eq!(rig.read(id).await, content);
    let known = record.content.unwrap();
    assert!(known.tag.ends_with("-4"));
    assert_eq!((known.size, known.sha256), (content.len() as u64, None));
    assert_eq!(uploads.parts(id).await.unwrap(), []);
    rig.assert_nothing_leaks().await;
    assert_eq!(rig.live().await.len(), 2);
}

async fn parts_come_in_parallel(rig: Rig) {
    let id = begin(&rig, "file").await;
    let lens: Vec<usize> = (0..30).map(|n| if n % 3 == 0 { BIG + n } else { n }).collect();
    let puts = lens.iter().zip(1..).map(|(len, number)| {
        let (uploads, content) = (rig.uploads(), noise(*len));
        tokio::spawn(async move {
            uploads.put_part(id, number, Some(30), frames(&content, 9_999), NOTHING).await.unwrap()
        })
    });
    let sessions: Vec<_> = join_all(puts).await.into_iter().map(Result::unwrap).collect();
    let last = sessions.iter().filter(|session| session.has_all_parts()).count();
    assert_eq!(last, 1, "one part is told that all are there");
    rig.uploads().complete(id).await.unwrap();
    let content: Vec<_> = lens.iter().map(|len| noise(*len)).collect();
    assert_eq!(rig.read(id).await, content.concat());
    rig.assert_nothing_leaks().await;
}

async fn of_two_sends_the_one_admitted_later_stays(rig: Rig) {
    let id = begin(&rig, "file").await;
    let (sender, slow) = channel();
    let uploads = rig.uploads();
    let first =
        tokio::spawn(async move { uploads.put_part(id, 1, None, slow, NOTHING).await.unwrap() });
    sender.unbounded_send(Ok(noise(BIG))).unwrap();
    while rig.hooks.count("admit done") < 1 {
        tokio::task::yield_now().await;
    }
    put(&rig.uploads(), id, 1, noise(BIG + 5)).await;
    drop(sender);
    assert_eq!(first.await.unwrap().received, BIG as u64 + 5);
    rig.uploads().complete(id).await.unwrap();
    assert_eq!(rig.read(id).await, noise(BIG + 5));
    rig.assert_nothing_leaks().await;
    assert_eq!(rig.live().await.len(), 1);
}

async fn only_the_first_parts_stay_inline(rig: Rig) {
    let id = begin(&rig, "file").await;
    for number in 1..=20 {
        let len = if number == 19 { 0 } else { 10 };
        put(&rig.uploads(), id, number, noise(len)).await;
    }
    // Four are past the sixteenth, one of which is empty.
    assert_eq!(rig.live().await.len(), 3);
    rig.uploads().complete(id).await.unwrap();
    let content: Vec<_> = (1..=20).map(|n| noise(if n == 19 { 0 } else { 10 })).collect();
    assert_eq!(rig.read(id).await, content.concat());
}

async fn the_total_is_said_once(rig: Rig) {
    let id = begin(&rig, "file").await;
    let uploads = rig.uploads();
    let put = async |number, total| uploads.put_part(id, number, total, "part", NOTHING).await;
    refused(put(3, Some(2)).await, ErrorKind::InvalidArgument);
    refused(put(1, Some(0)).await, ErrorKind::InvalidArgument);
    put(1, None).await.unwrap();
    assert_eq!(put(2, Some(3)).await.unwrap().total, Some(3));
    refused(put(3, Some(4)).await, ErrorKind::Conflict);
    refused(put(4, None).await, ErrorKind::InvalidArgument);
    assert!(put(3, None).await.unwrap().has_all_parts());
    uploads.complete(id).await.unwrap();
    assert_eq!(rig.read(id).await, "partpartpart");
}

async fn parts_are_limited(rig: Rig) {
    let store = rig.limited(|limits| (limits.max_segments, limits.max_file) = (3, 10)).await;
    let uploads = files_of(&store).uploads();
    for total in [0, 4] {
        let new = NewUpload { total: Some(total), ..NewUpload::new("file") };
        refused(uploads.begin(new).await, ErrorKind::InvalidArgument);
    }
    let id = uploads.begin(NewUpload::new("file")).await.unwrap().id;
    for (number, total) in [(0, None), (4, None), (1, Some(4))] {
        let (_sender, endless) = channel();
        let part = uploads.put_part(id, number, total, endless, NOTHING).await;
        refused(part, ErrorKind::InvalidArgument);
    }
    for number in 1..=3 {
        put(&uploads, id, number, noise(10)).await;
    }
    refused(uploads.put_part(id, 3, None, noise(11), NOTHING).await, ErrorKind::TooLarge);
    let (_sender, endless) = channel();
    refused(uploads.put_part(id, 3, None, endless, size(11)).await, ErrorKind::TooLarge);
    assert_eq!(uploads.complete(id).await.unwrap().session.received, 30);
}

async fn bytes_of_a_session_are_limited(rig: Rig) {
    let limit = 2 * BIG;
    let store = rig.limited(|limits| limits.max_session = limit as u64).await;
    let uploads = files_of(&store).uploads();
    let new = |len| NewUpload { expect: size(len), ..NewUpload::new("file") };
    refused(uploads.begin(new(limit + 1)).await, ErrorKind::TooLarge);
    let id = uploads.begin(new(limit)).await.unwrap().id;
    put(&uploads, id, 1, noise(BIG)).await;
    refused(uploads.put_part(id, 2, None, noise(BIG + 1), NOTHING).await, ErrorKind::TooLarge);
    put(&uploads, id, 2, noise(BIG)).await;
    refused(uploads.put_part(id, 3, None, noise(1), NOTHING).await, ErrorKind::TooLarge);
    uploads.complete(id).await.unwrap();
    rig.assert_nothing_leaks().await;
}

async fn parts_in_parallel_do_not_pass_the_limit(rig: Rig) {
    let store = rig.limited(|limits| limits.max_session = BIG as u64).await;
    let uploads = files_of(&store).uploads();
    let id = uploads.begin(NewUpload::new("file")).await.unwrap().id;
    // The second part is admitted, and stored, while the first has its leave already.
    let other = uploads.clone();
    rig.hooks.at("put done", async move {
        other.put_part(id, 2, None, noise(BIG), NOTHING).await.map(drop)
    });
    let session = put(&uploads, id, 1, noise(BIG)).await;
    assert_eq!(session.received, 2 * BIG as u64);
    refused(uploads.complete(id).await, ErrorKind::TooLarge);
    assert!(matches!(uploads.status(id).await.unwrap().state, UploadState::Failed(_)));
    rig.assert_empty().await;
}

async fn a_part_at_the_limit_can_be_sent_again(rig: Rig) {
    let store = rig.limited(|limits| limits.max_session = 2 * BIG as u64).await;
    let uploads = files_of(&store).uploads();
    let id = uploads.begin(NewUpload::new("file")).await.unwrap().id;
    for number in [1, 2, 2, 1] {
        put(&uploads, id, number, noise(BIG)).await;
    }
    refused(uploads.put_part(id, 2, None, noise(BIG + 1), NOTHING).await, ErrorKind::TooLarge);
    assert_eq!(uploads.complete(id).await.unwrap().session.received, 2 * BIG as u64);
}

async fn a_gap_leaves_the_session_open(rig: Rig) {
    let new = NewUpload { total: Some(3), expect: size(30), ..NewUpload::new("file") };
    let id = rig.uploads().begin(new).await.unwrap().id;
    for (number, len) in [(1, 10), (3, 10), (2, 9)] {
        refused(rig.uploads().complete(id).await, ErrorKind::Incomplete);
        put(&rig.uploads(), id, number, noise(len)).await;
    }
    // All are there, and hold less than was announced.
    refused(rig.uploads().complete(id).await, ErrorKind::Incomplete);
    assert_eq!(rig.uploads().status(id).await.unwrap().state, UploadState::Open);
    put(&rig.uploads(), id, 2, noise(10)).await;
    assert!(rig.uploads().complete(id).await.unwrap().now);
}

async fn an_upload_may_replace_content(rig: Rig) {
    let file = rig.file("file", &noise(BIG)).await;
    let new = NewUpload { target: Some(file.number.into()), ..NewUpload::new("ignored") };
    let id = rig.uploads().begin(new).await.unwrap().id;
    let reader = rig.files().open(file.id, None).await.unwrap();
    put(&rig.uploads(), id, 1, noise(BIG + 1)).await;
    put(&rig.uploads(), id, 2, noise(3)).await;
    assert_eq!(rig.read(file.id).await, noise(BIG));
    let record = rig.uploads().complete(id).await.unwrap().record.unwrap();
    assert_eq!((record.id, record.attributes, record.revision), {
        (file.id, file.attributes, file.revision)
    });
    assert_eq!(rig.read(file.id).await, [noise(BIG + 1), noise(3)].concat());
    assert_eq!(reader.read_all().await.unwrap().collect().await.unwrap(), noise(BIG));
    refused(rig.files().stat(id).await, ErrorKind::NotFound);
    rig.assert_nothing_leaks().await;
    assert_eq!(rig.live().await.len(), 1);
}

async fn a_target_that_goes_fails_its_sessions(rig: Rig) {
    let unknown = NewUpload { target: Some(rig.files().new_id().unwrap().into()), ..new() };
    refused(rig.uploads().begin(unknown).await, ErrorKind::NotFound);
    // It goes while parts come, or between the seal and the publication.
    for place in [None, Some("finish")] {
        let file = rig.file("file", &noise(BIG)).await;
        let new = NewUpload { target: Some(file.id.into()), ..new() };
        let id = rig.uploads().begin(new).await.unwrap().id;
        put(&rig.uploads(), id, 1, noise(BIG)).await;
        let files = rig.files();
        let delete = async move { files.delete(file.id).await };
        match place {
            Some(place) => rig.hooks.at(place, delete),
            None => delete.await.unwrap(),
        }
        refused(rig.uploads().complete(id).await, ErrorKind::Conflict);
        assert!(matches!(rig.uploads().status(id).await.unwrap().state, UploadState::Failed(_)));
        refused(rig.uploads().complete(id).await, ErrorKind::Conflict);
    }
    rig.assert_empty().await;
}

fn new() -> NewUpload {
    NewUpload::new("file")
}

async fn a_taken_name_fails_the_session(rig: Rig) {
    let named = Attributes { external_id: Some("x".into()), ..Attributes::named("file") };
    let id = rig.uploads().begin(NewUpload::new(named.clone())).await.unwrap().id;
    put(&rig.uploads(), id, 1, noise(BIG)).await;
    let file = rig.files().reserve(named).await.unwrap();
    refused(rig.uploads().complete(id).await, ErrorKind::AlreadyExists);
    assert!(matches!(rig.uploads().status(id).await.unwrap().state, UploadState::Failed(_)));
    refused(rig.uploads().complete(id).await, ErrorKind::Conflict);
    rig.files().delete(file.id).await.unwrap();
    rig.assert_empty().await;
}

async fn one_completion_is_the_first(rig: Rig) {
    for len in [10, BIG] {
        let content = [noise(len), noise(len + 1)].concat();
        let expect = super::rig::digest_of(&content);
        let id = rig.uploads().begin(NewUpload { expect, ..new() }).await.unwrap().id;
        put(&rig.uploads(), id, 2, noise(len + 1)).await;
        put(&rig.uploads(), id, 1, noise(len)).await;
        let completions = (0..8).map(|_| {
            let uploads = rig.uploads();
            tokio::spawn(async move { uploads.complete(id).await.unwrap() })
        });
        let done: Vec<_> = join_all(completions).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(done.iter().filter(|completion| completion.now).count(), 1);
        assert!(done.iter().all(|completion| completion.record == done[0].record));
        assert_eq!(done[0].record.as_ref().unwrap().content.as_ref().unwrap().sha256, {
            Some(Digest::of(&content))
        });
        assert_eq!(rig.read(id).await, content);
    }
    assert_eq!(rig.files().count(&[]).await.unwrap(), 2);
}

/// Another completion ends while this one verifies: the parts are gone then, and nothing is wrong.
async fn a_completion_that_another_overtakes_answers_the_same(rig: Rig) {
    for place in ["parts", "parts done", "save_chains", "get", "finish", "finish done"] {
        let content = [noise(BIG), noise(BIG + 1)].concat();
        let expect = super::rig::digest_of(&content);
        let id = rig.uploads().begin(NewUpload { expect, ..new() }).await.unwrap().id;
        put(&rig.uploads(), id, 2, noise(BIG + 1)).await;
        put(&rig.uploads(), id, 1, noise(BIG)).await;
        let other = rig.uploads();
        rig.hooks.at(place, async move {
            assert!(!other.complete(id).await?.now);
            Ok(())
        });
        let done = rig.uploads().complete(id).await.unwrap();
        assert!(done.now, "{place}");
        assert_eq!(done.session.state, UploadState::Completed);
        assert_eq!(done.record, Some(rig.files().stat(id).await.unwrap()));
        assert_eq!(rig.read(id).await, content);
    }
    rig.assert_nothing_leaks().await;
}

async fn a_completion_is_repeated(rig: Rig) {
    let id = begin(&rig, "file").await;
    put(&rig.uploads(), id, 1, noise(BIG)).await;
    let first = rig.uploads().complete(id).await.unwrap();
    let again = rig.uploads().complete(id).await.unwrap();
    assert!(first.now && !again.now);
    assert_eq!((&again.session, &again.record), (&first.session, &first.record));
    rig.files().delete(id).await.unwrap();
    let gone = rig.uploads().complete(id).await.unwrap();
    assert_eq!((gone.session.state, gone.record), (UploadState::Completed, None));
    rig.assert_empty().await;
}

async fn an_ended_session_takes_nothing(rig: Rig) {
    let completed = begin(&rig, "completed").await;
    put(&rig.uploads(), completed, 1, noise(10)).await;
    rig.uploads().complete(completed).await.unwrap();
    let canceled = begin(&rig, "canceled").await;
    rig.uploads().abort(canceled).await.unwrap();
    for id in [completed, canceled] {
        let (_sender, endless) = channel();
        let part = rig.uploads().put_part(id, 1, None, endless, NOTHING).await;
        refused(part, ErrorKind::Conflict);
    }
    refused(rig.uploads().abort(completed).await, ErrorKind::Conflict);
    refused(rig.uploads().complete(canceled).await, ErrorKind::Conflict);
    // One that ends while bytes come takes them neither.
    let id = begin(&rig, "ends").await;
    let uploads = rig.uploads();
    rig.hooks.at("put_part", async move { uploads.abort(id).await.map(drop) });
    let part = rig.uploads().put_part(id, 1, None, noise(BIG), NOTHING).await;
    refused(part, ErrorKind::Conflict);
    assert_eq!(rig.read(completed).await, noise(10));
    rig.files().delete(completed).await.unwrap();
    rig.assert_empty().await;
}

async fn an_abort_is_repeated(rig: Rig) {
    let id = begin(&rig, "file").await;
    put(&rig.uploads(), id, 1, noise(BIG)).await;
    let first = rig.uploads().abort(id).await.unwrap();
    assert_eq!(first.state, UploadState::Canceled);
    assert_eq!(rig.uploads().abort(id).await.unwrap(), first);
    assert_eq!(rig.uploads().status(id).await.unwrap(), first);
    assert_eq!(rig.uploads().parts(id).await.unwrap(), []);
    rig.assert_empty().await;
}

async fn a_completion_that_is_canceled_publishes_nothing(rig: Rig) {
    for place in ["parts", "parts done", "save_chains", "get", "finish"] {
        let content = [noise(BIG), noise(BIG + 1)].concat();
        let expect = super::rig::digest_of(&content);
        let id = rig.uploads().begin(NewUpload { expect, ..new() }).await.unwrap().id;
        put(&rig.uploads(), id, 2, noise(BIG + 1)).await;
        put(&rig.uploads(), id, 1, noise(BIG)).await;
        let other = rig.uploads();
        rig.hooks.at(place, async move { other.abort(id).await.map(drop) });
        refused(rig.uploads().complete(id).await, ErrorKind::Conflict);
        assert_eq!(rig.uploads().status(id).await.unwrap().state, UploadState::Canceled);
    }
    rig.assert_empty().await;
}

async fn a_session_expires(rig: Rig) {
    let new = NewUpload { lifetime: HOUR, ..new() };
    let id = rig.uploads().begin(new).await.unwrap().id;
    put(&rig.uploads(), id, 1, noise(BIG)).await;
    rig.clock.advance(HOUR - MINUTE);
    assert_eq!(rig.sweep().await.sessions_expired, 0);
    put(&rig.uploads(), id, 2, noise(BIG)).await;
    rig.clock.advance(MINUTE);
    let (_sender, endless) = channel();
    let part = rig.uploads().put_part(id, 3, None, endless, NOTHING).await;
    refused(part, ErrorKind::Expired);
    assert_eq!(rig.sweep().await.sessions_expired, 1);
    assert_eq!(rig.uploads().status(id).await.unwrap().state, UploadState::Expired);
    refused(rig.uploads().complete(id).await, ErrorKind::Expired);
    refused(rig.uploads().put_part(id, 3, None, "", NOTHING).await, ErrorKind::Expired);
    rig.assert_empty().await;
}

async fn time_counts_at_admission_only(rig: Rig) {
    let new = NewUpload { lifetime: HOUR, ..new() };
    let id = rig.uploads().begin(new).await.unwrap().id;
    let clock = rig.clock.clone();
    rig.hooks.at("put_part", async move {
        clock.advance(2 * HOUR);
        Ok(())
    });
    put(&rig.uploads(), id, 1, noise(BIG)).await;
    assert!(rig.uploads().complete(id).await.unwrap().now);
    rig.sweep().await;
    assert_eq!(rig.read(id).await, noise(BIG));
}
