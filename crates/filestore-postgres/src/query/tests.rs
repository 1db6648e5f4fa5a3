//! What lists cost: how many rows PostgreSQL reads for a page, by its own account.

use filestore::backend::{Change, FileRepository};
use filestore::{
    Attributes, Durability, Extent, FileId, FileNumber, FileRecord, NameMatch, Revision, SetField,
    Subject, Term, TextField, TimeField, Timestamp,
};
use filestore_test_postgres::Database;

use super::cursor::{Key, Position};
use super::plan::{choose, resume};
use super::*;
use crate::PostgresOptions;

const FILES: u64 = 3000;
const PAGE: i64 = 50;

/// A tenant among others, whose files all have everything in common.
async fn full(database: &Database, files: u64) -> (PostgresRepository, Tenant) {
    let options = PostgresOptions { durability: Durability::Relaxed, ..Default::default() };
    let repository = PostgresRepository::connect(&database.url(), options).await.unwrap();
    for name in ["before", "here", "after"] {
        let numbers: Vec<_> = (1..=files).collect();
        for some in numbers.chunks(1000) {
            let changes =
                some.iter().map(|n| Change::Insert { record: record(*n), content: None }).collect();
            repository.apply(&Tenant::new(name).unwrap(), changes).await.unwrap();
        }
    }
    vacuum(database).await;
    (repository, Tenant::new("here").unwrap())
}

/// Lets PostgreSQL know what is in the tables.
async fn vacuum(database: &Database) {
    let connected = tokio_postgres::connect(&database.url(), tokio_postgres::NoTls).await;
    let (client, connection) = connected.unwrap();
    tokio::spawn(connection);
    client.batch_execute("VACUUM ANALYZE").await.unwrap();
}

fn record(n: u64) -> FileRecord {
    // Neither order is that of the numbers.
    let time = Timestamp::from_millis(1_000_000 + n * 7919 % 1009);
    let mixed = format!("{:03}", n * 7919 % 997);
    FileRecord {
        id: FileId::from_bytes(u128::from(n).to_be_bytes()),
        number: FileNumber::new(n).unwrap(),
        revision: Revision::FIRST,
        owner: Subject::new("ann").unwrap(),
        created: time,
        updated: time,
        content: None,
        attributes: Attributes {
            external_id: Some(format!("ext-{mixed}-{n}")),
            directory: Some(format!("/a/{mixed}")),
            source: Some("same".to_owned()),
            labels: vec!["red".to_owned()],
            metadata: [("k".to_owned(), "v".to_owned())].into(),
            source_created: Some(time),
            extent: Some(Extent { min_x: 0.0, max_x: 1.0, min_y: 0.0, max_y: 1.0 }),
            ..Attributes::named(format!("report {mixed}"))
        },
    }
}

/// Conditions that hold for all files, each with a driver of its own.
fn wide() -> Vec<Cond> {
    let all_time = Timestamp::default()..=Timestamp::MAX;
    vec![
        Cond::Is(TextField::Source, "same".to_owned()),
        Cond::Owner(Subject::new("ann").unwrap()),
        Cond::HasContent(false),
        Cond::Metadata("k".to_owned(), "v".to_owned()),
        Cond::AllOf(SetField::Labels, vec![Term::from("red")]),
        Cond::AnyOf(SetField::Labels, vec![Term::from("red")]),
        Cond::AnyOf(SetField::Labels, vec![Term::from("red"), Term::from("blue")]),
        Cond::Prefix(TextField::Directory, "/a/".to_owned()),
        Cond::Prefix(TextField::Directory, String::new()),
        Cond::Prefix(TextField::ExternalId, "ext".to_owned()),
        Cond::Prefix(TextField::Name, "rep".to_owned()),
        Cond::Name(NameMatch::Prefix, "report".to_owned()),
        Cond::Time(TimeField::Created, all_time.clone()),
        Cond::Time(TimeField::Updated, all_time.clone()),
        Cond::Time(TimeField::SourceCreated, all_time),
    ]
}

/// How PostgreSQL carries out a statement, and how many rows all its scans read.
async fn plan_of(repository: &PostgresRepository, sql: Sql) -> (String, u64) {
    let explain = "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ";
    let rows = repository.rows(Sql::new(explain).then(sql)).await.unwrap();
    let lines: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let number = |line: &str, before: &str| -> u64 {
        let rest = line.split(before).nth(1).unwrap_or("0");
        rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0)
    };
    let read = |line: &String| {
        if line.contains("Rows Removed by") {
            return number(line, ": ");
        }
        // What an index alone answers to a bitmap is read again from the table.
        let is_scan = line.contains("Scan ") && !line.contains("never executed");
        if is_scan { number(line, "actual rows=") * number(line, "loops=") } else { 0 }
    };
    let work = lines.iter().map(read).sum();
    (lines.join("\n"), work)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_page_takes_no_more_work_than_the_first() {
    let database = Database::new();
    let (repository, tenant) = full(&database, FILES).await;
    for cond in wide() {
        let conds = [cond];
        let first = choose(&repository, &tenant, &conds, Wanted::Page).await.unwrap();
        assert_eq!(first.index, 1, "{conds:?}");
        let mut walk = first;
        let mut seen = 0;
        let mut most = None;
        loop {
            let page = page_of(&tenant, &conds, &walk, PAGE);
            let (plan, work) = plan_of(&repository, page.clone()).await;
            // A file for each row, and for one of the scans its content or term.
            let most = *most.get_or_insert(work + work / 4);
            assert!(work <= most && work <= 5 * PAGE as u64, "{conds:?} reads {work}\n{plan}");
            assert!(!plan.contains("Seq Scan on file"), "{conds:?}\n{plan}");
            let rows = repository.rows(page).await.unwrap();
            seen += rows.len() as u64;
            let Some(last) = rows.last() else { break };
            let position = walk.position(last, COLUMN_COUNT).unwrap();
            let cursor = Cursor { driver: walk.index, position };
            walk = resume(&tenant, &conds, cursor).unwrap();
        }
        assert_eq!(seen, FILES, "{conds:?}");
    }
}

/// What is found by an index in no order is found by it, all the same.
#[tokio::test(flavor = "multi_thread")]
async fn few_candidates_are_found_by_their_index() {
    let database = Database::new();
    let (repository, tenant) = full(&database, FILES).await;
    let Change::Insert { mut record, .. } =
        (Change::Insert { record: record(FILES + 1), content: None })
    else {
        unreachable!()
    };
    record.attributes.name = "quite another".to_owned();
    record.attributes.extent = Some(Extent { min_x: 7.0, max_x: 8.0, min_y: 7.0, max_y: 8.0 });
    repository.apply(&tenant, vec![Change::Insert { record, content: None }]).await.unwrap();
    vacuum(&database).await;
    let place = Extent { min_x: 7.5, max_x: 7.6, min_y: 7.5, max_y: 7.6 };
    for cond in [
        Cond::Name(NameMatch::Contains, "anothe".to_owned()),
        Cond::Name(NameMatch::Similar, "quiet anothr".to_owned()),
        Cond::Overlaps(place),
        Cond::Is(TextField::ExternalId, "ext-000-997".to_owned()),
    ] {
        for conds in [vec![cond.clone()], [vec![cond], wide()].concat()] {
            let walk = choose(&repository, &tenant, &conds, Wanted::Page).await.unwrap();
            let (plan, work) = plan_of(&repository, page_of(&tenant, &conds, &walk, PAGE)).await;
            assert!(work < 100, "{conds:?} reads {work}\n{plan}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_of_another_list_is_refused() {
    let database = Database::new();
    let (repository, tenant) = full(&database, 30).await;
    let owner = |name: &str| vec![Cond::Owner(Subject::new(name).unwrap())];
    let query = FileQuery { all: owner("ann"), after: None, limit: 10 };
    let after = repository.list(&tenant, &query).await.unwrap().next;
    let query = FileQuery { after, ..query };
    assert_eq!(repository.list(&tenant, &query).await.unwrap().items.len(), 10);
    for all in [owner("bob"), Vec::new()] {
        let query = FileQuery { all, ..query.clone() };
        let listed = repository.list(&tenant, &query).await;
        assert_eq!(listed.unwrap_err().kind(), filestore::ErrorKind::InvalidArgument);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_cursor_leads_to_no_other_tenant() {
    let database = Database::new();
    let (repository, _) = full(&database, 30).await;
    let nobody = Tenant::new("nobody").unwrap();
    for cond in wide() {
        let conds = [cond];
        for position in [
            Position::Number(0),
            Position::Key(Key::Text(String::new()), 0),
            Position::Key(Key::Int(0), 0),
        ] {
            for driver in 0..3 {
                let cursor = Cursor { driver, position: position.clone() };
                let Ok(walk) = resume(&nobody, &conds, cursor) else { continue };
                let rows = repository.rows(page_of(&nobody, &conds, &walk, PAGE)).await.unwrap();
                assert!(rows.is_empty(), "{conds:?}");
            }
        }
    }
}
