//! What goes over the wire: how often a call waits for the server, and that nothing is left in the
//! session of a connection.

use filestore::backend::{
    Announcement, BeginUpload, Change, ContentSource, FileRepository, LedgerRepository, Part,
    RecordRepository, UploadRepository,
};
use filestore::{
    Attributes, Cond, Expect, FileQuery, FileStore, MemoryBlobs, NewUpload, PartNumber, RangeSpec,
    Sweep, TextField,
};
use filestore_postgres::{PostgresOptions, PostgresRepository};
use filestore_test_postgres::Database;

use crate::proxy::Proxy;
use crate::support::*;

struct Rig {
    repo: PostgresRepository,
    proxy: Proxy,
    // Dropped last.
    _database: Database,
}

async fn rig() -> Rig {
    let database = Database::new();
    let proxy = Proxy::new(&database.socket());
    // One connection, so that it is there when it is asked for.
    let options = PostgresOptions { connections: 1, ..options() };
    let url = proxy.url(database.name());
    let repo = PostgresRepository::connect(&url, options).await.unwrap();
    Rig { repo, proxy, _database: database }
}

/// No answer gets back before so many statements have been sent: a call that sends them in two round
/// trips waits in vain. Nor are there more.
async fn in_one_round_trip<T>(
    proxy: &Proxy,
    statements: usize,
    call: impl Future<Output = T>,
) -> T {
    proxy.hold_answers(statements);
    let answer = call.await;
    assert_eq!(proxy.statements(), statements);
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn hot_calls_take_one_round_trip() {
    let Rig { repo, proxy, _database } = &rig().await;
    let here = &here();
    // The transaction's beginning, the row of the attempt, the commit; a read has no attempt.
    let (transaction, read) = (3, 2);

    let segment = blob(100);
    let key = segment.key().unwrap();
    in_one_round_trip(proxy, transaction + 1, repo.pend(key, HOUR)).await.unwrap();
    in_one_round_trip(proxy, transaction + 1, repo.renew(key, HOUR)).await.unwrap();
    let Change::Insert { record, .. } = insert(1) else { unreachable!() };
    let id = record.id;
    let stored = Change::Insert { record, content: Some(ContentSource::New(content(segment))) };
    repo.apply(here, vec![stored]).await.unwrap();

    let range = Some(RangeSpec::FromTo(10, 20));
    let loaded =
        in_one_round_trip(proxy, read + 1, repo.load(here, &id.into(), range)).await.unwrap();
    assert_eq!(loaded.segments.len(), 1);
    in_one_round_trip(proxy, read + 1, repo.find(here, &[id.into()])).await.unwrap();

    let session = repo.begin(here, BeginUpload { total: Some(2), ..upload() }).await.unwrap();
    let number: PartNumber = 1;
    let admit = repo.admit(here, session.id, number, None);
    in_one_round_trip(proxy, read + 1, admit).await.unwrap();
    let segment = blob(10);
    let announce = Announcement { key: segment.key().unwrap(), ttl: HOUR };
    let admit = repo.admit(here, session.id, number, Some(announce));
    let admission = in_one_round_trip(proxy, transaction + 2, admit).await.unwrap();
    assert!(admission.announced);
    let part = Part { number, segment, ticket: admission.ticket, chain: None };
    let put = repo.put_part(here, session.id, None, part);
    let told = in_one_round_trip(proxy, transaction + 2, put).await.unwrap();
    assert_eq!(told.parts, 1);
}

/// What the calls of a store ask of the database: transactions that read, and that change something.
/// `docs/scaling.md` has the table.
#[tokio::test(flavor = "multi_thread")]
async fn calls_of_a_store_take_few_transactions() {
    let Rig { repo, proxy, _database } = rig().await;
    let store = FileStore::builder(MemoryBlobs::new(), repo).open().await.unwrap();
    let files = store.files(&here(), &ann());
    let uploads = files.uploads();
    let (small, large) = (vec![1; 1000], vec![1; 20_000]);
    let of_size = |bytes: &[u8]| Expect { size: Some(bytes.len() as u64), sha256: None };
    macro_rules! takes {
        ($transactions:expr, $call:expr) => {{
            proxy.hold_answers(0);
            let answer = $call.await.unwrap();
            assert_eq!(proxy.transactions(), $transactions, "{}", stringify!($call));
            answer
        }};
    }
    let file = takes!((0, 1), files.create("small", small.clone()));
    takes!((0, 2), files.create("large", large.clone()));
    takes!((1, 0), files.stat(file.id));
    takes!((1, 0), files.open(file.id, None));
    takes!((1, 1), files.write(file.id, small.clone(), Expect::default()));
    let edit = |it: &mut Attributes| {
        it.source = Some("source".to_owned());
        Ok(())
    };
    takes!((1, 1), files.update(file.id, edit));

    let all = FileQuery { limit: 1, ..FileQuery::default() };
    let page = takes!((1, 0), files.list(&all));
    takes!((1, 0), files.list(&FileQuery { after: page.next, ..all }));
    let some = vec![Cond::Is(TextField::Source, "source".to_owned())];
    takes!((1, 0), files.list(&FileQuery { all: some.clone(), limit: 1, after: None }));
    takes!((1, 0), files.count(&some));
    // There are indexes to be chosen from.
    let some = [some, vec![Cond::Owner(ann())]].concat();
    takes!((2, 0), files.list(&FileQuery { all: some.clone(), limit: 1, after: None }));
    takes!((2, 0), files.count(&some));

    let id = takes!((0, 1), uploads.begin(NewUpload::new("session"))).id;
    takes!((0, 2), uploads.put_part(id, 1, None, large.clone(), of_size(&large)));
    takes!((0, 2), uploads.put_part(id, 17, None, large.clone(), Expect::default()));
    takes!((1, 1), uploads.put_part(id, 2, None, small.clone(), of_size(&small)));
    takes!((1, 0), uploads.status(id));
    takes!((1, 1), uploads.abort(id));
    let id = uploads.begin(NewUpload::new("session")).await.unwrap().id;
    uploads.put_part(id, 1, None, large.clone(), of_size(&large)).await.unwrap();
    takes!((4, 2), uploads.complete(id));
    takes!((1, 1), files.delete(file.id));
    takes!((2, 1), store.sweep(&Sweep::default()));
}

/// A pooler may give every transaction another connection.
#[tokio::test(flavor = "multi_thread")]
async fn no_connection_remembers_anything() {
    let Rig { repo, proxy, _database } = &rig().await;
    let here = &here();
    for n in 1..=3 {
        repo.apply(here, vec![insert(n)]).await.unwrap();
    }
    let all = vec![Cond::Prefix(TextField::Name, "file".to_owned())];
    let query = FileQuery { all, limit: 2, after: None };
    let page = repo.list(here, &query).await.unwrap();
    repo.list(here, &FileQuery { after: page.next, ..query }).await.unwrap();
    let session = repo.begin(here, upload()).await.unwrap();
    let part = admitted(repo, session.id, 1).await;
    repo.put_part(here, session.id, None, part).await.unwrap();
    repo.next_number(here, "counter").await.unwrap();
    repo.claim(HOUR, HOUR, 10).await.unwrap();
    repo.due(HOUR, HOUR, 10).await.unwrap();

    let said = proxy.said();
    assert!(said.len() > 50);
    for (name, text) in said {
        assert_eq!(name, "", "a named statement: {text}");
        let words = text.to_uppercase();
        for kept in ["LISTEN", "PREPARE", "DECLARE", " TEMP", "PG_ADVISORY_LOCK", "SET SESSION"] {
            assert!(!words.contains(kept), "{text}");
        }
        let settings = words.split(';').filter(|part| part.trim().starts_with("SET"));
        settings.for_each(|part| assert!(part.trim().starts_with("SET LOCAL"), "{text}"));
    }
}
