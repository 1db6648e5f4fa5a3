//! Commits whose connection is lost: each is made once, and its caller is told so.

use filestore::backend::{
    Change, ContentSource, FileRepository, LedgerRepository, Publication, RecordRepository,
    UploadRepository,
};
use filestore::{Expected, FileNumber, RecordChange, Timestamp, UploadState};
use filestore_postgres::PostgresRepository;
use filestore_test_postgres::Database;
use tokio::sync::{mpsc, oneshot};

use crate::proxy::{Cut, Proxy};
use crate::support::*;

/// A repository behind a network that breaks.
struct Rig {
    repo: PostgresRepository,
    proxy: Proxy,
    // Dropped last.
    _database: Database,
}

async fn rig() -> Rig {
    let database = Database::new();
    let proxy = Proxy::new(&database.socket());
    let url = proxy.url(database.name());
    let repo = PostgresRepository::connect(&url, options()).await.unwrap();
    // A tenant is there, and so is a connection.
    repo.next_number(&here(), "first").await.unwrap();
    Rig { repo, proxy, _database: database }
}

/// Makes every kind of change while the connection is cut so, and looks at what came of it.
async fn cut_everything(cut: fn() -> Cut) {
    let Rig { repo, proxy, _database } = &rig().await;
    let here = here();

    proxy.cut(cut());
    let made = repo.apply(&here, vec![insert(1)]).await.unwrap();
    assert!(proxy.has_cut());
    assert_eq!(repo.find(&here, &[made[0].id.into()]).await.unwrap(), [Some(made[0].clone())]);

    let segment = blob(5);
    proxy.cut(cut());
    repo.pend(segment.key().unwrap(), HOUR).await.unwrap();
    proxy.cut(cut());
    repo.renew(segment.key().unwrap(), HOUR).await.unwrap();
    let content = ContentSource::New(content(segment));
    proxy.cut(cut());
    let replaced = Change::Replace { id: made[0].id, expected: None, content };
    assert_eq!(
        repo.apply(&here, vec![replaced]).await.unwrap()[0].content.as_ref().unwrap().size,
        5
    );

    proxy.cut(cut());
    let session = repo.begin(&here, upload()).await.unwrap();
    let part = admitted(repo, session.id, 1).await;
    proxy.cut(cut());
    let told = repo.put_part(&here, session.id, Some(1), part.clone()).await.unwrap();
    assert_eq!((told.parts, told.received, told.has_all_parts()), (1, 10, true));
    assert_eq!(repo.parts(&here, session.id, 0, 10).await.unwrap(), [part]);
    proxy.cut(cut());
    assert!(repo.seal(&here, session.id).await.unwrap().now);
    let publication = Publication {
        number: FileNumber::new(7).unwrap(),
        tag: "tag".to_owned(),
        sha256: None,
        stored: Timestamp::from_millis(1_790_000_000_000),
    };
    proxy.cut(cut());
    let finished = repo.finish(&here, session.id, publication).await.unwrap();
    assert_eq!(finished.session.state, UploadState::Completed);
    assert_eq!(finished.record.unwrap().number.get(), 7);
    assert_eq!(repo.count(&here, &[]).await.unwrap(), 2);

    let write = RecordChange {
        kind: "kind".to_owned(),
        key: "key".to_owned(),
        expected: Expected::Nothing,
        body: Some("{}".to_owned()),
    };
    proxy.cut(cut());
    let now = Timestamp::from_millis(1);
    assert_eq!(repo.write_records(&here, vec![write], now).await.unwrap().len(), 1);
    proxy.cut(cut());
    let number = repo.next_number(&here, "first").await.unwrap();
    assert!(number == 2 || number == 3, "{number}");
    proxy.cut(cut());
    repo.ready().await.unwrap();
    assert!(proxy.has_cut());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_got_lost_is_made_again() {
    cut_everything(|| Cut::Before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_was_cut_off_is_made_again() {
    cut_everything(|| Cut::Within).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_got_lost_was_made() {
    cut_everything(|| Cut::After).await;
}

/// A change is made again after its commit got lost on the way; when that arrives after all, it is
/// refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_arrives_late_is_refused() {
    let Rig { repo, proxy, _database } = &rig().await;
    let (let_go, held) = oneshot::channel();
    let (answers, mut answered) = mpsc::unbounded_channel();
    let before = repo.next_number(&here(), "late").await.unwrap();
    proxy.cut(Cut::Late(held, answers));
    let number = repo.next_number(&here(), "late").await.unwrap();
    assert_eq!(number, before + 1, "nothing came of the first");
    let_go.send(()).unwrap();
    let said = answered.recv().await.unwrap();
    assert!(String::from_utf8_lossy(&said).contains("attempt_pkey"));
    assert_eq!(repo.next_number(&here(), "late").await.unwrap(), number + 1);
}

/// Keys that were claimed by a commit whose answer got lost come again when the lease is over.
#[tokio::test(flavor = "multi_thread")]
async fn keys_that_were_claimed_in_vain_come_again() {
    let Rig { repo, proxy, _database } = &rig().await;
    let key = blob(1).key().unwrap();
    repo.collect(&[key]).await.unwrap();
    let none = std::time::Duration::ZERO;
    proxy.cut(Cut::After);
    assert_eq!(repo.claim(none, none, 10).await.unwrap(), []);
    assert_eq!(repo.claim(none, HOUR, 10).await.unwrap(), [key]);
    assert_eq!(repo.claim(none, HOUR, 10).await.unwrap(), []);
}

/// Connections that the server ends, as it does when it is restarted, are replaced.
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_ended_are_replaced() {
    let Rig { repo, _database, .. } = &rig().await;
    let client = client(_database).await;
    let end_all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()";
    for n in 1..=10 {
        client.execute(end_all, &[]).await.unwrap();
        repo.apply(&here(), vec![insert(n)]).await.unwrap();
        client.execute(end_all, &[]).await.unwrap();
        assert_eq!(repo.count(&here(), &[]).await.unwrap(), n);
    }
}
