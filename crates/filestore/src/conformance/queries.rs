//! Cases of lists and counts. [`Cond::matches`] is the oracle.

use std::collections::BTreeSet;

use super::Fixture;
use super::samples::*;
use crate::backend::{Change, ContentSource, Repository};
use crate::error::{ErrorKind, Result};
use crate::id::Timestamp;
use crate::query::{Cond, Cursor, FileQuery, NameMatch, Page, SetField, TextField, TimeField};
use crate::record::{Attributes, Extent, FileRecord, Term};

const FILES: u64 = 60;
const LAST: &str = "\u{10FFFF}";

/// Each condition, and each pair of them, finds exactly the records it holds for, each once over
/// all pages; and as many as are counted.
pub async fn every_pair_of_conditions_is_answered<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let records = fill(repo).await;
    let conditions = conditions();
    for (n, one) in conditions.iter().enumerate() {
        assert_answers(repo, &records, vec![one.clone()]).await;
        for other in &conditions[n + 1..] {
            assert_answers(repo, &records, vec![one.clone(), other.clone()]).await;
        }
    }
    assert_answers(repo, &records, Vec::new()).await;
}

/// Conditions see a changed record as it is now, and a removed one no more.
pub async fn conditions_see_what_is_there_now<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let before = fill(repo).await;
    let mut changes = Vec::new();
    for (n, record) in before.iter().enumerate() {
        let mut attributes = before[(n + 7) % before.len()].attributes.clone();
        attributes.external_id = record.attributes.external_id.as_ref().map(|id| format!("{id}!"));
        changes.push(Change::Update {
            id: record.id,
            expected: record.revision,
            attributes,
            updated: moment(5000 + n as u64),
        });
    }
    repo.apply(&here(), changes).await.unwrap();
    let third = before.iter().step_by(3).map(|record| remove(record.id));
    repo.apply(&here(), third.collect()).await.unwrap();
    let swaps = before.iter().skip(1).step_by(3).map(|record| {
        let mut content = content(&[inline("")]);
        content.stored = moment(record.number.get());
        replace(record.id, ContentSource::New(content))
    });
    repo.apply(&here(), swaps.collect()).await.unwrap();

    let keys: Vec<_> = before.iter().map(|record| record.id.into()).collect();
    let now: Vec<_> = repo.find(&here(), &keys).await.unwrap().into_iter().flatten().collect();
    assert_eq!(now.len(), before.len() - before.len().div_ceil(3));
    for condition in conditions() {
        assert_answers(repo, &now, vec![condition]).await;
    }
}

/// Three and more conditions hold together.
pub async fn many_conditions_hold_together<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let records = fill(repo).await;
    let conditions = conditions();
    let mut random = Random(2);
    for _ in 0..100 {
        let many = 3 + random.below(4);
        let some = (0..many)
            .map(|_| conditions[random.below(conditions.len() as u64) as usize].clone())
            .collect();
        assert_answers(repo, &records, some).await;
    }
    assert_answers(repo, &records, conditions).await;
}

/// Without conditions, and with none but equalities, pages ascend by number.
pub async fn equalities_are_answered_by_number<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    fill(repo).await;
    let equalities = [
        Cond::Is(TextField::Source, "scanner".to_owned()),
        Cond::Is(TextField::ContentType, "text/plain".to_owned()),
        Cond::Name(NameMatch::Is, "report 3 pdf".to_owned()),
        Cond::Owner(subject("ann")),
        Cond::HasContent(true),
        Cond::Metadata("site".to_owned(), "Oslo".to_owned()),
    ];
    assert_ascending(repo, Vec::new()).await;
    for one in &equalities {
        assert_ascending(repo, vec![one.clone()]).await;
        for other in &equalities {
            assert_ascending(repo, vec![one.clone(), other.clone()]).await;
        }
    }
}

/// A page has 1 to 1000 records; other limits are refused.
pub async fn a_page_has_1_to_1000_records<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    fill(repo).await;
    for limit in [0, FileQuery::MAX_LIMIT + 1, u32::MAX] {
        for all in [Vec::new(), vec![Cond::HasContent(true)]] {
            let query = FileQuery { all, limit, after: None };
            assert_eq!(refused(repo.list(&here(), &query).await), ErrorKind::InvalidArgument);
        }
    }
    assert_eq!(pages(repo, &[], FileQuery::MAX_LIMIT).await.len(), FILES as usize);
    assert_eq!(pages(repo, &[], 1).await.len(), FILES as usize);
}

/// A cursor that no list has given is refused, and one from other conditions does no harm.
pub async fn a_strange_cursor_is_refused<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    fill(repo).await;
    let owned = vec![Cond::Owner(subject("ann"))];
    for all in [Vec::new(), owned.clone(), vec![conditions().remove(9)]] {
        for text in ["not-a-cursor", "-", "_____________________"] {
            let after = Some(Cursor::new(text).unwrap());
            let answer = list(repo, &all, after, 10).await;
            assert_eq!(refused(answer), ErrorKind::InvalidArgument, "{text}");
        }
    }
    let own = list(repo, &owned, None, 3).await.unwrap().next;
    for all in conditions() {
        if let Err(error) = list(repo, &[all], own.clone(), 10).await {
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        }
    }
}

/// A record that is there all along comes exactly once, whatever comes and goes between pages.
pub async fn pages_bear_changes<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let records = fill(repo).await;
    let mut lists = vec![Vec::new()];
    lists.extend(conditions().into_iter().map(|condition| vec![condition]));
    let mut next_number = 100_000;
    for all in lists {
        let mut seen = Vec::new();
        let mut passing: Vec<FileRecord> = Vec::new();
        let mut after = None;
        let first_number = next_number;
        loop {
            let page = list(repo, &all, after, 7).await.unwrap();
            seen.extend(page.items.iter().map(|record| record.id));
            let mut changes: Vec<_> = passing.drain(..).map(|record| remove(record.id)).collect();
            // Copies of what is on the page, above and below everything.
            next_number += 1;
            let busy = next_number < first_number + 20;
            for n in [next_number, 1 + next_number % 150].into_iter().filter(|_| busy) {
                let mut record = page.items.first().unwrap_or(&records[0]).clone();
                record.id = file_id();
                record.number = number(n);
                record.content = None;
                record.attributes.external_id = None;
                passing.push(record.clone());
                changes.push(insert(record));
            }
            repo.apply(&here(), changes).await.unwrap();
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let changes = passing.iter().map(|record| remove(record.id)).collect();
        repo.apply(&here(), changes).await.unwrap();
        for record in &records {
            let times = seen.iter().filter(|id| **id == record.id).count();
            let wanted = all.iter().all(|condition| condition.matches(record));
            assert_eq!(times, usize::from(wanted), "{} under {all:?}", record.number.get());
        }
    }
}

/// A list of nothing is one empty page.
pub async fn a_list_of_nothing_is_empty<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let mut lists = vec![Vec::new()];
    lists.extend(conditions().into_iter().map(|condition| vec![condition]));
    for all in lists {
        assert_eq!(pages(repo, &all, 7).await, []);
        assert_eq!(repo.count(&here(), &all).await.unwrap(), 0);
    }
}

async fn list(
    repo: &impl Repository,
    all: &[Cond],
    after: Option<Cursor>,
    limit: u32,
) -> Result<Page<FileRecord>> {
    let query = FileQuery { all: all.to_vec(), after, limit };
    repo.list(&here(), &query).await
}

/// All pages of a list, one after the other.
async fn pages(repo: &impl Repository, all: &[Cond], limit: u32) -> Vec<FileRecord> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = list(repo, all, after, limit).await.unwrap();
        assert!(page.items.len() <= limit as usize, "too long a page");
        found.extend(page.items);
        assert!(found.len() <= 10 * FILES as usize, "a list without end: {all:?}");
        after = page.next;
        if let Some(cursor) = &after {
            assert!(Cursor::new(cursor.as_str()).is_ok(), "{cursor:?}");
        } else {
            return found;
        }
    }
}

async fn assert_answers(repo: &impl Repository, records: &[FileRecord], all: Vec<Cond>) {
    let mut found = pages(repo, &all, 7).await;
    found.sort_unstable_by_key(|record| record.number);
    let expected: Vec<_> = records
        .iter()
        .filter(|record| all.iter().all(|condition| condition.matches(record)))
        .collect();
    let numbers = |records: &mut dyn Iterator<Item = &FileRecord>| -> Vec<u64> {
        records.map(|record| record.number.get()).collect()
    };
    assert_eq!(numbers(&mut found.iter()), numbers(&mut expected.iter().copied()), "{all:?}");
    assert!(found.iter().eq(expected.iter().copied()), "other records than were stored");
    assert_eq!(repo.count(&here(), &all).await.unwrap(), found.len() as u64, "{all:?}");
}

async fn assert_ascending(repo: &impl Repository, all: Vec<Cond>) {
    let found = pages(repo, &all, 7).await;
    assert!(found.is_sorted_by_key(|record| record.number), "{all:?}");
}

/// Stores records of many sorts, and their doubles with another tenant; answers ascending by
/// number. They are made in another order.
async fn fill(repo: &impl Repository) -> Vec<FileRecord> {
    let mut numbers: Vec<_> = (0..FILES).map(|n| (n * 37) % FILES).collect();
    assert_eq!(numbers.iter().collect::<BTreeSet<_>>().len() as u64, FILES);
    numbers.rotate_left(11);
    for tenant in [here(), elsewhere()] {
        let changes = numbers.iter().map(|n| varied(*n)).collect();
        repo.apply(&tenant, changes).await.unwrap();
    }
    let keys: Vec<_> = (0..FILES).map(|n| number(200 + n * 3).into()).collect();
    let found = repo.find(&here(), &keys).await.unwrap();
    found.into_iter().flatten().collect()
}

fn varied(n: u64) -> Change {
    let pick = |texts: &[&str], by: u64| texts[(by % texts.len() as u64) as usize].to_owned();
    let some = |every: u64, text: String| (!n.is_multiple_of(every)).then_some(text);
    let mut record = record(200 + n * 3);
    record.owner = subject(&pick(&["ann", "bob", "Ann", "ann "], n));
    record.updated = moment(n / 2 * 1000);
    let a = &mut record.attributes;
    *a = Attributes::named(
        pick(&["", "Report_%N.pdf", "report %N.PDF", "Übung-%N", "文件%N.txt", "a", "ab", LAST], n)
            .replace("%N", &n.to_string()),
    );
    a.external_id = some(3, format!("{}{n}", pick(&["ext-", "EXT-", "ext_", LAST], n / 2)));
    a.directory = some(4, pick(&["", "/a", "/a/", "/a/b", "/a_b", "/A/b", "/a%b", LAST], n));
    a.source = some(5, pick(&["scanner", "Scanner", "scanner "], n / 3));
    a.content_type = some(2, pick(&["text/plain", "text/html", "image/png"], n / 4));
    if !n.is_multiple_of(3) {
        a.metadata.insert("site".to_owned(), pick(&["Oslo", "oslo", ""], n / 5));
        a.metadata.insert(pick(&["k", "K"], n), "v".to_owned());
    }
    a.labels = ["red", "green", "blue", "red"][..(n % 5).min(4) as usize]
        .iter()
        .map(|s| (*s).to_owned())
        .collect();
    let term = |text: &str| Term::from(text);
    let terms = match n % 6 {
        0 => vec![Term::Int(1)],
        1 => vec![term("1")],
        2 => vec![Term::Int(1), Term::Int(-2), term("x")],
        3 => vec![Term::Int(i64::MAX), term(LAST)],
        4 => Vec::new(),
        _ => return with_content(record, n),
    };
    a.terms.insert("t".to_owned(), terms);
    a.terms.insert("other".to_owned(), vec![Term::Int(7), Term::Int(1)]);
    a.source_created = n.is_multiple_of(2).then(|| moment(n * 100));
    a.source_modified = (n % 4 == 1).then_some(Timestamp::MAX);
    a.extent = (!n.is_multiple_of(3)).then(|| {
        let (x, y) = ((n % 7) as f64 * 10.0, (n % 5) as f64 * 10.0 - 20.0);
        Extent { min_x: x, max_x: x + 10.0, min_y: y, max_y: y + (n % 2) as f64 }
    });
    with_content(record, n)
}

fn with_content(record: FileRecord, n: u64) -> Change {
    if n.is_multiple_of(4) {
        return insert(record);
    }
    let mut content = content(&[inline("")]);
    content.stored = moment(n * 10);
    insert_with(record, ContentSource::New(content))
}

fn conditions() -> Vec<Cond> {
    let is = |field, text: &str| Cond::Is(field, text.to_owned());
    let prefix = |field, text: &str| Cond::Prefix(field, text.to_owned());
    let name = |how, text: &str| Cond::Name(how, text.to_owned());
    let labels = |texts: &[&str]| texts.iter().map(|text| Term::from(*text)).collect::<Vec<_>>();
    let terms = || SetField::Terms("t".to_owned());
    let metadata = |key: &str, value: &str| Cond::Metadata(key.to_owned(), value.to_owned());
    let extent = |min_x, max_x, min_y, max_y| Cond::Overlaps(Extent { min_x, max_x, min_y, max_y });
    vec![
        is(TextField::Name, ""),
        is(TextField::ExternalId, "ext-4"),
        is(TextField::Directory, "/a"),
        is(TextField::Source, "scanner"),
        is(TextField::ContentType, "text/html"),
        prefix(TextField::Name, "Report_"),
        prefix(TextField::ExternalId, "ext"),
        prefix(TextField::Directory, "/a_"),
        prefix(TextField::Directory, ""),
        prefix(TextField::Directory, LAST),
        prefix(TextField::Source, "scanner "),
        name(NameMatch::Is, "report 9 pdf"),
        name(NameMatch::Prefix, "report"),
        name(NameMatch::Prefix, ""),
        name(NameMatch::Contains, "件"),
        name(NameMatch::Contains, "2"),
        name(NameMatch::Similar, "bungalow reporter"),
        name(NameMatch::Similar, "re"),
        Cond::Time(TimeField::Created, moment(230)..=moment(300)),
        Cond::Time(TimeField::Updated, moment(5000)..=moment(17_000)),
        Cond::Time(TimeField::Stored, moment(0)..=moment(310)),
        Cond::Time(TimeField::SourceCreated, Timestamp::default()..=Timestamp::MAX),
        Cond::Time(TimeField::SourceModified, Timestamp::MAX..=Timestamp::MAX),
        Cond::Time(TimeField::Created, moment(300)..=moment(230)),
        Cond::Number(0..=260),
        Cond::Number(230..=u64::MAX),
        Cond::Owner(subject("ann")),
        Cond::HasContent(true),
        Cond::HasContent(false),
        metadata("site", "Oslo"),
        metadata("site", ""),
        metadata("K", "v"),
        Cond::AnyOf(SetField::Labels, labels(&["red", "blue", "red", "none"])),
        Cond::AnyOf(SetField::Labels, vec![Term::Int(1)]),
        Cond::AnyOf(SetField::Labels, Vec::new()),
        Cond::AllOf(SetField::Labels, labels(&["green", "red"])),
        Cond::AllOf(terms(), Vec::new()),
        Cond::NoneBut(SetField::Labels, labels(&["green", "red"])),
        Cond::NoneBut(terms(), vec![Term::Int(1), Term::from("x")]),
        Cond::NoneBut(terms(), Vec::new()),
        Cond::AllOf(terms(), vec![Term::Int(1), Term::from("x"), Term::Int(1)]),
        Cond::AnyOf(terms(), vec![Term::Int(1), Term::Int(i64::MAX)]),
        Cond::AnyOf(terms(), vec![Term::from("1"), Term::from(LAST)]),
        extent(10.0, 20.0, -20.0, 0.0),
        extent(-500.0, -100.0, -500.0, 500.0),
    ]
}
