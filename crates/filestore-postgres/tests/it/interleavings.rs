//! Calls that meet in the middle: one holds its rows, the other waits for it and then sees what it
//! did, or passes it over.

use std::sync::Arc;

use filestore::backend::{
    BlobState, Change, ContentSource, FileRepository, LedgerRepository, Part, RecordRepository,
    UploadRepository,
};
use filestore::{ErrorKind, FileId, ManualClock, Timestamp, UploadState, UploadTarget};
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

    /// Records a part as another node does, and does not commit.
    async fn put_and_hold(&self, id: FileId, part: &Part) {
        let put = "SELECT filestore.put_part('here', $1::text::uuid, $2, NULL, $3, $4, \
             $5::text::uuid, NULL, $6, NULL, NULL, 0)";
        let hex = |bytes: &[u8; 16]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let Part { number, segment, ticket, .. } = part;
        self.client.batch_execute("BEGIN").await.unwrap();
        self.client
            .query_typed(
                put,
                &[
                    (&hex(id.as_bytes()), Type::TEXT),
                    (&i64::from(*number), Type::INT8),
                    (&(segment.size as i64), Type::INT8),
                    (&segment.sha256.as_bytes().to_vec(), Type::BYTEA),
                    (&hex(segment.key().unwrap().as_bytes()), Type::TEXT),
                    (&(*ticket as i64), Type::INT8),
                ],
            )
            .await
            .unwrap();
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
    let hex: String = held.as_bytes().iter().map(|b| format!("{b:02x}")).collect();
    let adopt = format!("BEGIN; DELETE FROM filestore.ledger WHERE key = '{hex}'");
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
    let impatient = PostgresOptions { timeout: std::time::Duration::from_millis(50), ..options() };
    let repo = PostgresRepository::connect(&rig.database.url(), impatient).await.unwrap();
    rig.client.batch_execute("BEGIN; SELECT 1 FROM filestore.session FOR UPDATE").await.unwrap();
    let put = repo.put_part(&here(), session.id, None, part.clone()).await;
    assert_eq!(put.unwrap_err().kind(), ErrorKind::Unavailable);
    rig.client.batch_execute("COMMIT").await.unwrap();
    assert_eq!(rig.repo.session(&here(), session.id).await.unwrap().parts, 0);
    assert_eq!(state_of(&rig.repo, &part.segment).await, Some(BlobState::Pending));
}
