//! Cases of [`FileRepository::list`](crate::backend::FileRepository::list) among many files: long
//! lists, whatever index a backend walks.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::Fixture;
use super::samples::*;
use crate::backend::{Change, ContentSource, Repository};
use crate::error::ErrorKind;
use crate::id::Timestamp;
use crate::query::{
    Cond, Cursor, FileQuery, NameMatch, Page, SetField, TextField, TimeField, fold,
};
use crate::record::{Attributes, Extent, FileRecord, Term};

const FILES: u64 = 2000;
/// A prime below it, for orders that are not that of the numbers.
const PRIME: u64 = 1999;

/// Every list has every file once that its conditions hold for, and the count is that of them.
pub async fn every_list_is_complete<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let all = fill(repo, 1..=FILES).await;
    for conds in conditions() {
        let matching = |file: &&FileRecord| conds.iter().all(|cond| cond.matches(file));
        let wanted: Vec<_> = all.iter().filter(matching).cloned().collect();
        let count = repo.count(&here(), &conds).await.unwrap();
        assert_eq!(count, wanted.len() as u64, "{conds:?}");
        for limit in [97, 1000] {
            let mut found = pages(repo, &conds, limit).await;
            if !conds.iter().all(is_equality) {
                found.sort_by_key(|file| file.number);
            }
            let numbers = |files: &[FileRecord]| files.iter().map(|f| f.number).collect::<Vec<_>>();
            assert_eq!(numbers(&found), numbers(&wanted), "{conds:?}");
            assert!(found == wanted, "{conds:?}");
        }
    }
}

/// Files come and go between pages; those that stay come once.
pub async fn a_long_list_bears_changes<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let all = fill(repo, 1..=FILES).await;
    let mut next = FILES;
    let mut gone = BTreeSet::new();
    for (round, conds) in conditions().into_iter().enumerate() {
        let stays = |n: u64| n % 40 != round as u64 % 40;
        let (mut found, mut after) = (Vec::new(), None);
        let mut victims = all.iter().filter(|file| !stays(file.number.get()));
        loop {
            let page = page(repo, &conds, 311, after).await;
            found.extend(page.items);
            let mut changes = Vec::new();
            for file in victims.by_ref().filter(|file| !gone.contains(&file.number)).take(15) {
                changes.push(remove(file.id));
            }
            changes.extend((next + 1..=next + 15).map(file));
            next += 15;
            let changed = repo.apply(&here(), changes).await.unwrap();
            gone.extend(changed.iter().map(|file| file.number).filter(|n| n.get() <= FILES));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let mut numbers: Vec<_> = found.iter().map(|file| file.number).collect();
        numbers.sort_unstable();
        let distinct = numbers.len();
        numbers.dedup();
        assert_eq!(numbers.len(), distinct, "{conds:?}");
        for file in &all {
            let n = file.number;
            let there = stays(n.get()) && !gone.contains(&n);
            if there && conds.iter().all(|cond| cond.matches(file)) {
                assert!(numbers.binary_search(&n).is_ok(), "{conds:?} lost {n:?}");
            }
        }
    }
}

/// Whatever a client makes of a cursor leads to files that it asked for, or nowhere.
pub async fn an_altered_cursor_leads_to_nothing_else<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    fill(repo, 1..=300).await;
    let mut followed = 0;
    for conds in conditions() {
        let Some(next) = page(repo, &conds, 3, None).await.next else { continue };
        let text = next.as_str();
        for at in (0..text.len()).filter(|at| text.is_char_boundary(*at)) {
            let put = ["", "0", "9", "-", "f"][at % 5];
            let Some(rest) = text.get(at + 1..) else { continue };
            let altered = format!("{}{put}{rest}", &text[..at]);
            let after = Cursor::new(altered.as_str()).ok();
            let query = FileQuery { all: conds.clone(), after, limit: 3 };
            match repo.list(&here(), &query).await {
                Ok(page) => {
                    let is_asked_for = |file| conds.iter().all(|cond: &Cond| cond.matches(file));
                    assert!(page.items.iter().all(is_asked_for), "{altered}");
                    followed += 1;
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{altered}"),
            }
        }
    }
    assert!(followed > 0, "no altered cursor was followed");
}

/// An update changes what a file is found by, all at once; a removal takes it out of everything.
pub async fn lists_follow_their_files<R: Repository>(fixture: Fixture<R>) {
    let repo = &*fixture.store;
    let mut files = fill(repo, 1..=60).await;
    for n in [102, 102, 104, 107, 101] {
        let update = Change::Update {
            id: files[0].id,
            expected: files[0].revision,
            attributes: attributes(n),
            updated: moment(n),
        };
        files[0] = change(repo, update).await;
        let named = |n| {
            let name = fold(&attributes(n).name);
            vec![Cond::Name(NameMatch::Contains, name)]
        };
        for conds in conditions().into_iter().chain((101..108).map(named)) {
            let matching = |file: &&FileRecord| conds.iter().all(|cond| cond.matches(file));
            let wanted = files.iter().filter(matching).count();
            let count = repo.count(&here(), &conds).await.unwrap();
            assert_eq!(count, wanted as u64, "{conds:?}");
            assert_eq!(pages(repo, &conds, 10).await.len(), wanted, "{conds:?}");
        }
    }
    let removals = files.iter().map(|file| remove(file.id)).collect();
    repo.apply(&here(), removals).await.unwrap();
    for conds in conditions() {
        assert_eq!(repo.count(&here(), &conds).await.unwrap(), 0, "{conds:?}");
    }
}

async fn fill(repository: &impl Repository, numbers: RangeInclusive<u64>) -> Vec<FileRecord> {
    let numbers: Vec<u64> = numbers.collect();
    let mut all = Vec::new();
    for batch in numbers.chunks(1000) {
        let changes = batch.iter().copied().map(file).collect();
        all.extend(repository.apply(&here(), changes).await.unwrap());
    }
    all
}

/// Adds the file of this number; every tenth is without content.
fn file(n: u64) -> Change {
    let record = FileRecord {
        owner: subject("ann"),
        created: moment(n),
        updated: moment(n),
        attributes: attributes(n),
        ..record(n)
    };
    if n.is_multiple_of(10) {
        return insert(record);
    }
    let mut content = content(&[inline("")]);
    content.stored = moment(n);
    insert_with(record, ContentSource::New(content))
}

/// Some of everything, in other orders than that of the numbers.
fn attributes(n: u64) -> Attributes {
    let mixed = n * 7919 % PRIME;
    let long = "x".repeat(200);
    Attributes {
        external_id: Some(format!("ext-{mixed}-{n}")),
        directory: Some(format!("/dir/{}", mixed % 3)),
        source: (n.is_multiple_of(2)).then(|| format!("{long}{mixed}")),
        content_type: Some(if n.is_multiple_of(50) {
            String::new()
        } else {
            "text/plain".to_owned()
        }),
        metadata: [("half".to_owned(), (n % 2).to_string())].into(),
        labels: vec![
            format!("l{}", n % 3),
            "all".to_owned(),
            format!("a{}", n % 70),
            format!("b{}", n % 70),
        ],
        source_created: Some(moment(mixed / 7)),
        extent: (!n.is_multiple_of(4)).then(|| {
            let x = (mixed % 100) as f64 / 3.0;
            Extent { min_x: x, max_x: x + 0.1, min_y: -x, max_y: 0.0 }
        }),
        ..Attributes::named(format!("Report_{mixed} ähnlich.PDF"))
    }
}

fn conditions() -> Vec<Vec<Cond>> {
    use NameMatch::{Contains, Is, Prefix, Similar};
    use TextField::{ContentType, Directory, ExternalId, Name, Source};
    let text = str::to_owned;
    let labels = |labels: &[&str]| labels.iter().map(|label| Term::from(*label)).collect();
    let everywhere = Extent { min_x: -1e300, max_x: f64::INFINITY, min_y: -1e9, max_y: 1e9 };
    let corner = Extent { min_x: 0.0, max_x: 2.0, min_y: -0.5, max_y: -0.4 };
    // Some files end right before it: in an index of fewer bits they do not.
    let past = (10.0_f64 / 3.0 + 0.1).next_up();
    let third = Extent { min_x: past, max_x: 40.0 / 3.0, min_y: -20.0 / 3.0, max_y: 0.0 };
    let many: Vec<Term> = (0..30).map(|n| Term::from(format!("a{n}").as_str())).collect();
    let half = |n: &str| Cond::Metadata(text("half"), text(n));
    vec![
        vec![],
        vec![Cond::Number(100..=1700)],
        vec![Cond::Number(0..=u64::MAX), Cond::Number(1990..=u64::MAX)],
        vec![Cond::Is(Directory, text("/dir/1"))],
        vec![Cond::Is(ContentType, text(""))],
        vec![Cond::Is(Name, text("Report_17 ähnlich.PDF"))],
        vec![Cond::Is(Source, format!("{}17", "x".repeat(200)))],
        vec![Cond::Owner(subject("ann")), Cond::HasContent(true)],
        vec![Cond::HasContent(false)],
        vec![Cond::Metadata(text("half"), text("1"))],
        vec![Cond::AnyOf(SetField::Labels, labels(&["l1"]))],
        vec![Cond::AnyOf(SetField::Labels, labels(&["l1", "all", "l2"]))],
        vec![Cond::AnyOf(SetField::Labels, labels(&["l1", "l2"])), Cond::Number(1..=900)],
        vec![Cond::AnyOf(SetField::Labels, labels(&["a7", "b7", "a8", "none"]))],
        vec![Cond::AllOf(SetField::Labels, labels(&["l1", "all"]))],
        vec![Cond::Prefix(Directory, text("/d"))],
        vec![Cond::Prefix(ContentType, text(""))],
        vec![Cond::Prefix(ExternalId, text("ext-12"))],
        vec![Cond::Prefix(ExternalId, text("e"))],
        vec![Cond::Prefix(Source, "x".repeat(150))],
        vec![Cond::Prefix(Source, format!("{}4", "x".repeat(200)))],
        vec![Cond::Prefix(Name, text("Report_"))],
        vec![Cond::Prefix(Name, text("report_"))],
        vec![Cond::Name(Is, text("report 17 ähnlich pdf"))],
        vec![Cond::Name(Prefix, text("report 1"))],
        vec![Cond::Name(Prefix, text(""))],
        vec![Cond::Name(Contains, text("ähnlich"))],
        vec![Cond::Name(Contains, text("t 123"))],
        vec![Cond::Name(Contains, text("ä"))],
        vec![Cond::Name(Similar, text("ähnliche reparatur"))],
        vec![Cond::Name(Similar, text("a 1234"))],
        vec![Cond::Name(Contains, text("\"port\0"))],
        vec![Cond::Name(Contains, text("\" OR \"rep"))],
        vec![Cond::Time(TimeField::SourceCreated, moment(100)..=moment(500))],
        vec![Cond::Time(TimeField::SourceCreated, moment(100)..=moment(110))],
        vec![Cond::Time(TimeField::Stored, Timestamp::default()..=Timestamp::MAX)],
        vec![Cond::Overlaps(everywhere)],
        vec![Cond::Overlaps(corner)],
        vec![Cond::Overlaps(third)],
        vec![Cond::Overlaps(third), half("0"), Cond::Number(100..=1700)],
        vec![Cond::AnyOf(SetField::Labels, many.clone())],
        vec![Cond::AnyOf(SetField::Labels, many.clone()), half("0")],
        vec![half("1"), Cond::AllOf(SetField::Labels, labels(&["l1"]))],
        vec![
            half("1"),
            Cond::AllOf(SetField::Labels, labels(&["l1", "all"])),
            Cond::Owner(subject("ann")),
        ],
        vec![Cond::Is(Directory, text("/dir/1")), half("0"), Cond::Number(100..=1700)],
        vec![Cond::Prefix(Directory, text("/dir/")), Cond::AnyOf(SetField::Labels, many)],
        vec![Cond::Time(TimeField::SourceCreated, moment(100)..=moment(500)), half("1")],
        vec![
            Cond::Time(TimeField::SourceCreated, moment(100)..=moment(650)),
            Cond::Time(TimeField::SourceCreated, moment(90)..=moment(600)),
            Cond::Prefix(Name, text("Report")),
            Cond::Owner(subject("ann")),
        ],
    ]
}

async fn page(
    repository: &impl Repository,
    all: &[Cond],
    limit: u32,
    after: Option<Cursor>,
) -> Page<FileRecord> {
    let query = FileQuery { all: all.to_vec(), after, limit };
    repository.list(&here(), &query).await.unwrap()
}

async fn pages(repository: &impl Repository, all: &[Cond], limit: u32) -> Vec<FileRecord> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = page(repository, all, limit, after).await;
        found.extend(page.items);
        after = page.next;
        if after.is_none() {
            return found;
        }
    }
}

fn is_equality(cond: &Cond) -> bool {
    use Cond::{HasContent, Is, Metadata, Name, Owner};
    matches!(cond, Is(..) | Owner(_) | HasContent(_) | Metadata(..) | Name(NameMatch::Is, _))
}
