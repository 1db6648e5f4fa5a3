//! Calls that meet in the middle: one holds its rows, the other waits for it and then sees what it
//! did, or passes it over.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use filestore::backend::{
    BeginUpload, BlobState, Change, ContentSource, FileRepository, LedgerRepository, Part,
    Publication, RecordRepository, UploadRepository,
};
use filestore::{ErrorKind, FileId, FileNumber, ManualClock, Timestamp, UploadState, UploadTarget};
use filestore_postgres::{PostgresOptions, PostgresRepository};
use filestore_test_postgres::Database;
use tokio_postgres::{Client, types::Type};

use crate::support::*;

struct Rig {
    repo: Arc<PostgresRepository>,
    clock: Arc<ManualClock>,
    /// Holds rows.
    client: Client,
    /// Looks who waits.
    watch: Client,
    // Dropped last.
    database: Database,
}

async fn rig() -> Rig {
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_790_000_000_000)));
    let database = Database::new();
    let repo = Arc::new(connect(&database, clock.clone()).await);
    let (client, watch) = (client(&database).await, client(&database).await);
    Rig { repo, clock, client, watch, database }
}

impl Rig {
    /// Makes a call while a transaction of another holds what it needs; commits that when the call
    /// waits for it.
    async fn meet<F>(&self, call: impl FnOnce(Arc<PostgresRepository>) -> F) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let call = tokio::spawn(call(Arc::clone(&self.repo)));
        until_waiting(&self.watch, 1).await;
        assert!(!call.is_finished());
        self.client.batch_execute("COMMIT").await.unwrap();
        call.await.unwrap()
    }

    /// A session of one part that is sealed.
    async fn sealed(&self, upload: BeginUpload) -> FileId {
        let id = self.repo.begin(&here(), upload).await.unwrap().id;
        let part = admitted(&self.repo, id, 1).await;
        self.repo.put_part(&here(), id, None, part).await.unwrap();
        assert!(self.repo.seal(&here(), id).await.unwrap().now);
        id
    }

    /// Records a part as another node does, and does not commit.
    async fn put_and_hold(&self, id: FileId, part: &Part) {
        let put = "SELECT filestore.put_part('here', $1::text::uuid, $2, NULL, $3, $4, \
             $5::text::uuid, NULL, $6, NULL, NULL, 0)";
        let Part { number, segment, ticket, .. } = part;
        self.client.batch_execute("BEGIN").await.unwrap();
        self.client
            .query_typed(
                put,
                &[
                    (&id.to_string(), Type::TEXT),
                    (&i64::from(*number), Type::INT8),
                    (&(segment.size as i64), Type::INT8),
                    (&segment.sha256.as_bytes().to_vec(), Type::BYTEA),
                    (&segment.key().unwrap().to_string(), Type::TEXT),
                    (&(*ticket as i64), Type::INT8),
                ],
            )
            .await
            .unwrap();
    }
}

fn publication() -> Publication {
    Publication {
        number: FileNumber::new(7).unwrap(),
        tag: "tag".to_owned(),
        sha256: None,
        stored: Timestamp::from_millis(1_790_000_000_000),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seal_waits_for_a_part_and_counts_it() {
    let rig = rig().await;
    let session = rig.repo.begin(&here(), upload()).await.unwrap();
    let part = admitted(&rig.repo, session.id, 1).await;
    rig.put_and_hold(session.id, &part).await;
    let sealed =
        rig.meet(|repo| async move { repo.seal(&here(), session.id).await }).await.unwrap();
    assert!(sealed.now);
    assert_eq!((sealed.session.parts, sealed.session.received), (1, 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_send_that_stalled_does_not_win() {
    let rig = rig().await;
    let session = rig.repo.begin(&here(), upload()).await.unwrap();
    let stalled = admitted(&rig.repo, session.id, 1).await;
    let newer = admitted(&rig.repo, session.id, 1).await;
    rig.put_and_hold(session.id, &newer).await;
    let late = stalled.clone();
    let put = rig.meet(|repo| async move { repo.put_part(&here(), session.id, None, late).await });
    assert_eq!(put.await.unwrap().parts, 1);
    assert_eq!(rig.repo.parts(&here(), session.id, 0, 9).await.unwrap(), [newer]);
    assert_eq!(state_of(&rig.repo, &stalled.segment).await, Some(BlobState::Garbage));
}

/// A part that was sent again and is about to be recorded when the seal comes.
#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_comes_after_the_seal_is_refused() {
    let rig = rig().await;
    let session = rig.repo.begin(&here(), upload()).await.unwrap();
    let first = admitted(&rig.repo, session.id, 1).await;
    rig.repo.put_part(&here(), session.id, None, first.clone()).await.unwrap();
    let again = admitted(&rig.repo, session.id, 1).await;
    rig.client.batch_execute("BEGIN; UPDATE filestore.session SET state = 1").await.unwrap();
    let late = again.clone();
    let put =
        rig.meet(|repo| async move { repo.put_part(&here(), session.id, None, late).await }).await;
    assert_eq!(put.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(rig.repo.parts(&here(), session.id, 0, 9).await.unwrap(), [first]);
    assert_eq!(state_of(&rig.repo, &again.segment).await, Some(BlobState::Pending));
}

/// A first completion has answered, and its file is being deleted, when a slow second one comes.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_completion_does_not_bring_a_deleted_file_back() {
    let rig = rig().await;
    let id = rig.sealed(upload()).await;
    let finished = rig.repo.finish(&here(), id, publication()).await.unwrap();
    assert_eq!(finished.record.unwrap().id, id);
    rig.client
        .batch_execute(
            "BEGIN; DELETE FROM filestore.file; UPDATE filestore.session SET has_file = false",
        )
        .await
        .unwrap();
    let slow = rig.meet(|repo| async move { repo.finish(&here(), id, publication()).await }).await;
    let slow = slow.unwrap();
    assert_eq!((slow.session.state, slow.record), (UploadState::Completed, None));
    assert_eq!(rig.repo.count(&here(), &[]).await.unwrap(), 0);
}

/// Two completions at once, on two nodes: the second waits for the first and makes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_completions_the_second_makes_no_file() {
    let rig = rig().await;
    let id = rig.sealed(upload()).await;
    rig.client
        .batch_execute("BEGIN; UPDATE filestore.session SET state = 2, has_file = true")
        .await
        .unwrap();
    let second = rig.meet(|repo| async move { repo.finish(&here(), id, publication()).await });
    let second = second.await.unwrap();
    assert_eq!((second.session.state, second.record), (UploadState::Completed, None));
    assert_eq!(rig.repo.count(&here(), &[]).await.unwrap(), 0, "the first one would have made it");
}

/// The content of a repeated completion is older by now than what the file has been given since.
#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_completion_does_not_swap_old_content_over_newer() {
    let rig = rig().await;
    let file = rig.repo.apply(&here(), vec![insert(1)]).await.unwrap().remove(0);
    let target = UploadTarget::Existing(file.id);
    let id = rig.sealed(BeginUpload { target, ..upload() }).await;
    rig.repo.finish(&here(), id, publication()).await.unwrap();
    let segment = blob(77);
    rig.repo.pend(segment.key().unwrap(), HOUR).await.unwrap();
    let newer = content(segment);
    let newer_id = newer.id;
    let content = ContentSource::New(newer);
    let replace = Change::Replace { id: file.id, expected: None, content };
    rig.repo.apply(&here(), vec![replace]).await.unwrap();
    // Whoever replaces holds the file.
    rig.client.batch_execute("BEGIN; SELECT 1 FROM filestore.file FOR UPDATE").await.unwrap();
    let again = rig.meet(|repo| async move { repo.finish(&here(), id, publication()).await }).await;
    let told = again.unwrap().record.unwrap().content.unwrap();
    assert_eq!((told.id, told.size), (newer_id, 77));
    let found = rig.repo.find(&here(), &[file.id.into()]).await.unwrap().remove(0).unwrap();
    assert_eq!(found.content.unwrap().id, newer_id);
}

/// A sweep of another node has claimed the key that a commit is about to reference first.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_comes_after_the_claim_is_refused() {
    let rig = rig().await;
    let segment = blob(10);
    rig.repo.pend(segment.key().unwrap(), HOUR).await.unwrap();
    rig.client.batch_execute("BEGIN; UPDATE filestore.ledger SET state = 2").await.unwrap();
    let Change::Insert { record, .. } = insert(1) else { unreachable!() };
    let stored =
        Change::Insert { record, content: Some(ContentSource::New(content(segment.clone()))) };
    let stored = rig.meet(|repo| async move { repo.apply(&here(), vec![stored]).await }).await;
    assert_eq!(stored.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(state_of(&rig.repo, &segment).await, Some(BlobState::Garbage));

    // And one that is about to be a part.
    let session = rig.repo.begin(&here(), upload()).await.unwrap();
    let part = admitted(&rig.repo, session.id, 1).await;
    rig.client
        .batch_execute("BEGIN; UPDATE filestore.ledger SET state = 2 WHERE state = 0")
        .await
        .unwrap();
    let put =
        rig.meet(|repo| async move { repo.put_part(&here(), session.id, None, part).await }).await;
    assert_eq!(put.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(rig.repo.session(&here(), session.id).await.unwrap().parts, 0);
}

/// Two nodes sweep at once: no key is claimed by both.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_sweeps_each_claims_its_own() {
    let rig = rig().await;
    let keys: Vec<_> = (0..200).map(|n| blob(n).key().unwrap()).collect();
    rig.repo.collect(&keys).await.unwrap();
    let other = Arc::new(connect(&rig.database, rig.clock.clone()).await);
    let sweep = |repo: &Arc<PostgresRepository>| {
        let repo = Arc::clone(repo);
        tokio::spawn(async move {
            let mut claimed = Vec::new();
            loop {
                let more = repo.claim(Duration::ZERO, HOUR, 7).await.unwrap();
                if more.is_empty() {
                    return claimed;
                }
                claimed.extend(more);
            }
        })
    };
    let (one, two) = tokio::join!(sweep(&rig.repo), sweep(&other));
    let mut claimed = [one.unwrap(), two.unwrap()].concat();
    claimed.extend(rig.repo.claim(Duration::ZERO, HOUR, 1000).await.unwrap());
    let distinct: HashSet<_> = claimed.iter().collect();
    assert_eq!((claimed.len(), distinct.len()), (200, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_last_parts_the_second_knows() {
    let rig = rig().await;
    let session = rig.repo.begin(&here(), upload()).await.unwrap();
    let (one, two) =
        (admitted(&rig.repo, session.id, 1).await, admitted(&rig.repo, session.id, 2).await);
    rig.put_and_hold(session.id, &one).await;
    let told = rig
        .meet(|repo| async move { repo.put_part(&here(), session.id, Some(2), two).await })
        .await
        .unwrap();
    assert!(told.has_all_parts());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_begins_while_its_file_goes_is_refused() {
    let rig = rig().await;
    let file = rig.repo.apply(&here(), vec![insert(1)]).await.unwrap().remove(0);
    rig.client.batch_execute("BEGIN; DELETE FROM filestore.file").await.unwrap();
    let mut upload = upload();
    upload.target = UploadTarget::Existing(file.id);
    let begun = rig.meet(|repo| async move { repo.begin(&here(), upload).await }).await;
    assert_eq!(begun.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_goes_while_a_session_begins_ends_it() {
    let rig = rig().await;
    let file = rig.repo.apply(&here(), vec![insert(1)]).await.unwrap().remove(0);
    let mut upload = upload();
    upload.target = UploadTarget::Existing(file.id);
    let id = upload.id;
    // What begins a session does, up to its commit.
    let begun = rig.repo.begin(&here(), upload).await.unwrap();
    rig.client
        .batch_execute(
            "BEGIN; SELECT 1 FROM filestore.file FOR KEY SHARE; \
             UPDATE filestore.session SET owner = 'bob'",
        )
        .await
        .unwrap();
    let remove = Change::Remove { id: file.id, expected: None };
    rig.meet(|repo| async move { repo.apply(&here(), vec![remove]).await }).await.unwrap();
    assert_eq!(begun.state, UploadState::Open);
    let state = rig.repo.session(&here(), id).await.unwrap().state;
    assert!(matches!(state, UploadState::Failed(_)), "{state:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn content_that_is_shared_while_it_goes_is_gone() {
    let rig = rig().await;
    let segment = blob(10);
    rig.repo.pend(segment.key().unwrap(), HOUR).await.unwrap();
    let content = content(segment);
    let id = content.id;
    let Change::Insert { record, .. } = insert(1) else { unreachable!() };
    let stored = Change::Insert { record, content: Some(ContentSource::New(content)) };
    rig.repo.apply(&here(), vec![stored]).await.unwrap();
    rig.client.batch_execute("BEGIN; DELETE FROM filestore.content").await.unwrap();
    let Change::Insert { record, .. } = insert(2) else { unreachable!() };
    let copy = Change::Insert { record, content: Some(ContentSource::Shared(id)) };
    let copied = rig.meet(|repo| async move { repo.apply(&here(), vec![copy]).await }).await;
    assert_eq!(copied.unwrap_err().kind(), ErrorKind::Conflict);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_files_of_one_name_the_second_is_refused() {
    let rig = rig().await;
    rig.repo.next_number(&here(), "tenant").await.unwrap();
    rig.client
        .batch_execute(
            "BEGIN; INSERT INTO filestore.file (tenant, id, number, revision, owner, created, \
             updated, name, folded) VALUES (1, gen_random_uuid(), 1, 1, 'ann', 0, 0, 'a', 'a')",
        )
        .await
        .unwrap();
    let inserted = rig.meet(|repo| async move { repo.apply(&here(), vec![insert(1)]).await }).await;
    assert_eq!(inserted.unwrap_err().kind(), ErrorKind::AlreadyExists);
}

/// A transaction that the server ends to let others on is made again, but not for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_stood_in_the_way_is_made_again() {
    let rig = rig().await;
    rig.client
        .batch_execute(
            "CREATE SEQUENCE times; CREATE FUNCTION stand_in_the_way() RETURNS trigger \
             LANGUAGE plpgsql AS $$ BEGIN \
                 IF nextval('times') <= 3 THEN RAISE EXCEPTION USING ERRCODE = '40P01'; END IF; \
                 RETURN NEW; \
             END $$; \
             CREATE TRIGGER stand BEFORE INSERT ON filestore.file FOR EACH ROW \
                 EXECUTE FUNCTION stand_in_the_way()",
        )
        .await
        .unwrap();
    rig.repo.apply(&here(), vec![insert(1)]).await.unwrap();
    assert_eq!(rig.repo.count(&here(), &[]).await.unwrap(), 1);
    rig.client.batch_execute("ALTER SEQUENCE times MINVALUE -1000 RESTART -1000").await.unwrap();
    let refused = rig.repo.apply(&here(), vec![insert(2)]).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(rig.repo.count(&here(), &[]).await.unwrap(), 1);
}

/// A sweep passes over what a commit has hold of, and does not wait.
#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_waits_for_nobody() {
    let rig = rig().await;
    let (held, due) = (blob(1).key().unwrap(), blob(2).key().unwrap());
    for key in [held, due] {
        rig.repo.pend(key, HOUR).await.unwrap();
    }
    rig.clock.advance(HOUR * 2);
    let adopt = format!("BEGIN; DELETE FROM filestore.ledger WHERE key = '{held}'");
    rig.client.batch_execute(&adopt).await.unwrap();
    assert_eq!(rig.repo.claim(HOUR, HOUR, 10).await.unwrap(), [due]);
    rig.client.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(rig.repo.claim(HOUR, HOUR, 10).await.unwrap(), [held]);
}

/// Whoever waits longer than it may is told so, and nothing comes of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_wait_has_an_end() {
    let rig = rig().await;
    let session = rig.repo.begin(&here(), upload()).await.unwrap();
    let part = admitted(&rig.repo, session.id, 1).await;
    let impatient = PostgresOptions { timeout: Duration::from_millis(50), ..options() };
    let repo = PostgresRepository::connect(&rig.database.url(), impatient).await.unwrap();
    rig.client.batch_execute("BEGIN; SELECT 1 FROM filestore.session FOR UPDATE").await.unwrap();
    let put = repo.put_part(&here(), session.id, None, part.clone()).await;
    assert_eq!(put.unwrap_err().kind(), ErrorKind::Unavailable);
    rig.client.batch_execute("COMMIT").await.unwrap();
    assert_eq!(rig.repo.session(&here(), session.id).await.unwrap().parts, 0);
    assert_eq!(state_of(&rig.repo, &part.segment).await, Some(BlobState::Pending));
}

/// Nor does the server go on with what nobody waits for any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_read_has_an_end_on_the_server() {
    let rig = rig().await;
    let impatient = PostgresOptions { timeout: Duration::from_millis(50), ..options() };
    let repo = PostgresRepository::connect(&rig.database.url(), impatient).await.unwrap();
    rig.client.batch_execute("BEGIN; LOCK TABLE filestore.file").await.unwrap();
    let count = repo.count(&here(), &[]).await;
    assert_eq!(count.unwrap_err().kind(), ErrorKind::Unavailable);
    // Though the lock is still held.
    let waiting = "SELECT count(*) FROM pg_stat_activity \
         WHERE datname = current_database() AND wait_event_type = 'Lock'";
    assert_eq!(rig.watch.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0), 0);
    rig.client.batch_execute("COMMIT").await.unwrap();
    assert_eq!(repo.count(&here(), &[]).await.unwrap(), 0);
}
