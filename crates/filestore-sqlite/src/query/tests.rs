use filestore::{Attributes, Term, TextField, TimeField, Timestamp};
use filestore::{Extent, FileId, FileNumber, FileRecord, NameMatch, Revision, SetField, Subject};
use rusqlite::StatementStatus;

use super::cursor::Position;
use super::*;
use crate::index::{self, Indexed};
use crate::schema;

const FILES: u64 = 3000;
const PAGE: usize = 50;

/// A tenant among others, whose files all have everything in common.
fn full() -> (Connection, i64) {
    let mut db = Connection::open_in_memory().unwrap();
    schema::migrate(&mut db).unwrap();
    db.execute_batch("BEGIN").unwrap();
    let mut last = 0;
    for name in ["before", "here", "after"] {
        last = sql::make_tenant(&db, &Tenant::new(name).unwrap()).unwrap();
    }
    for tenant in 1..=last {
        for n in 1..=FILES {
            insert(&db, tenant, &record(n));
        }
    }
    db.execute_batch("COMMIT").unwrap();
    (db, 2)
}

fn insert(db: &Connection, tenant: i64, record: &FileRecord) {
    let row = row::insert(db, tenant, record).unwrap().unwrap();
    let mut names = Vec::new();
    let number = record.number.get() as i64;
    let file = Indexed { row, tenant, number, attributes: &record.attributes };
    index::reindex(db, &mut names, &file, None).unwrap();
    names.iter().for_each(|name| name.make(db).unwrap());
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
        Cond::Number(1..=u64::MAX),
        Cond::Metadata("k".to_owned(), "v".to_owned()),
        Cond::AllOf(SetField::Labels, vec![Term::from("red")]),
        Cond::AnyOf(SetField::Labels, vec![Term::from("red")]),
        Cond::AnyOf(SetField::Labels, vec![Term::from("red"), Term::from("blue")]),
        Cond::Prefix(TextField::Directory, "/a/".to_owned()),
        Cond::Prefix(TextField::Directory, String::new()),
        Cond::Prefix(TextField::ExternalId, "ext".to_owned()),
        Cond::Prefix(TextField::Name, "rep".to_owned()),
        Cond::Name(NameMatch::Prefix, "report".to_owned()),
        Cond::Name(NameMatch::Contains, "report".to_owned()),
        Cond::Name(NameMatch::Similar, "import".to_owned()),
        Cond::Time(TimeField::Created, all_time.clone()),
        Cond::Time(TimeField::Updated, all_time.clone()),
        Cond::Time(TimeField::SourceCreated, all_time),
    ]
}

/// The steps of SQLite's machine that one page takes, and where it ends.
fn page_work(
    db: &Connection,
    tenant: i64,
    conds: &[Cond],
    after: Option<Position>,
) -> (i32, Option<Position>) {
    let walk = match after {
        None => plan::choose(db, tenant, conds, Wanted::Page).unwrap(),
        Some(position) => plan::resume(tenant, conds, Cursor { driver: 1, position }).unwrap(),
    };
    let rows = rows(tenant, conds, &walk);
    let mut statement = db.prepare(&rows.text).unwrap();
    let mut found = statement.query(params_from_iter(&rows.params)).unwrap();
    let mut last = None;
    for _ in 0..PAGE {
        let Some(row) = found.next().unwrap() else { break };
        last = Some(walk.position(row, COLUMN_COUNT, &row::read(row).unwrap()).unwrap());
    }
    drop(found);
    assert_eq!(statement.get_status(StatementStatus::Sort), 0, "{conds:?} sorts");
    (statement.get_status(StatementStatus::VmStep), last)
}

#[test]
fn the_last_page_takes_no_more_work_than_the_first() {
    let (db, tenant) = full();
    for cond in wide() {
        let conds = [cond];
        let walk = plan::choose(&db, tenant, &conds, Wanted::Page).unwrap();
        let is_range = matches!(conds[0], Cond::Number(_));
        assert_eq!(walk.index, usize::from(!is_range), "{conds:?}");
        if is_range {
            continue;
        }
        let (first, mut last) = page_work(&db, tenant, &conds, None);
        let mut rows = PAGE;
        while rows < FILES as usize {
            let (work, end) = page_work(&db, tenant, &conds, last);
            assert!(work < first + first / 4, "{conds:?}: {work} steps after {first}");
            last = end;
            rows += PAGE;
        }
        let (_, end) = page_work(&db, tenant, &conds, last);
        assert_eq!(end, None, "{conds:?}");
    }
}

/// Where there is no file yet, whoever counts takes the first driver, which is that of all files.
#[test]
fn files_with_one_value_are_not_counted_before_they_are_walked() {
    let mut db = Connection::open_in_memory().unwrap();
    schema::migrate(&mut db).unwrap();
    let same = Cond::Is(TextField::Source, "same".to_owned());
    let chosen = |conds: &[Cond]| plan::choose(&db, 1, conds, Wanted::Page).unwrap().index;
    assert_eq!(chosen(std::slice::from_ref(&same)), 1);
    assert_eq!(chosen(&[Cond::AnyOf(SetField::Labels, vec![Term::from("red")])]), 1);
    assert_eq!(chosen(&[same.clone(), same]), 0, "two are weighed");
    assert_eq!(chosen(&[Cond::Prefix(TextField::Source, "s".to_owned())]), 0, "in another order");
}

#[test]
fn the_driver_with_the_fewest_candidates_is_taken() {
    let (db, tenant) = full();
    let narrow = Cond::Is(TextField::ExternalId, "ext-000-997".to_owned());
    for wide in wide() {
        let conds = [wide, narrow.clone()];
        let walk = plan::choose(&db, tenant, &conds, Wanted::Page).unwrap();
        assert_eq!(walk.driver.scan.text, "file f INDEXED BY file_external");
        let here = Tenant::new("here").unwrap();
        assert_eq!(count(&db, &here, &conds).unwrap(), 1, "{conds:?}");
    }
}

#[test]
fn a_forged_cursor_leads_to_no_other_tenant() {
    let (db, tenant) = full();
    for cond in wide() {
        let conds = [cond];
        for position in [
            Position::Number(0),
            Position::Row(0),
            Position::Key(rusqlite::types::Value::Blob(Vec::new()), 0),
            Position::Key(rusqlite::types::Value::Integer(0), 0),
        ] {
            for driver in 0..3 {
                let cursor = Cursor { driver, position: position.clone() };
                let Ok(walk) = plan::resume(tenant, &conds, cursor) else { continue };
                let rows = rows(tenant, &conds, &walk);
                let mut statement = db.prepare(&rows.text).unwrap();
                let mut found = statement.query(params_from_iter(&rows.params)).unwrap();
                while let Some(row) = found.next().unwrap() {
                    assert_eq!(row.get::<_, i64>(0).unwrap() >> 40, tenant, "{conds:?}");
                }
            }
        }
    }
}
