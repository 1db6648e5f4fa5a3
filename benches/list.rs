//! Lists, counts and searches among many files.

use std::cell::LazyCell;
use std::hint::black_box;

use criterion::{Criterion, SamplingMode};
use filestore::{Cond, Extent, FileQuery, Files, SetField, Term, TextField, TimeField, Timestamp};
use filestore_benches::{Backend, Stage, catalog};

/// Files in the store; the variable `FILESTORE_BENCH_FILES` says otherwise.
const FILES: u64 = 200_000;

pub(crate) fn bench(criterion: &mut Criterion) {
    let stage = LazyCell::new(filled);
    let mut group = criterion.benchmark_group("list");
    group.sampling_mode(SamplingMode::Flat);
    for (name, all) in conditions() {
        group.bench_function(format!("page/{name}"), |bencher| {
            let query = FileQuery { all: all.clone(), ..FileQuery::default() };
            bencher.iter(|| black_box(stage.runtime.block_on(stage.files.list(&query)).unwrap()));
        });
        group.bench_function(format!("count/{name}"), |bencher| {
            bencher.iter(|| black_box(stage.runtime.block_on(stage.files.count(&all)).unwrap()));
        });
    }
    for (name, text) in [("word", "report 1234"), ("typo", "reprot 1234"), ("common", "report")] {
        group.bench_function(format!("search/{name}"), |bencher| {
            let search = || stage.files.search(text, &[], 25);
            bencher.iter(|| black_box(stage.runtime.block_on(search()).unwrap()));
        });
    }
    // The last page costs what the first does: a cursor is a place in an index.
    let last = LazyCell::new(|| stage.runtime.block_on(last_page(&stage.files)));
    group.bench_function("page/last", |bencher| {
        bencher.iter(|| black_box(stage.runtime.block_on(stage.files.list(&last)).unwrap()));
    });
}

/// What is asked for, from everything to nearly nothing.
fn conditions() -> Vec<(&'static str, Vec<Cond>)> {
    let label = |text: &str| vec![Term::from(text)];
    let assets = SetField::Terms("cdf.assetIds".into());
    let moment = |step: u64| Timestamp::from_millis(step * 1000);
    let place = Extent { min_x: 10.0, max_x: 10.5, min_y: 10.0, max_y: 10.5 };
    let region = Extent { min_x: 0.0, max_x: 50.0, min_y: 0.0, max_y: 50.0 };
    let some_of = |count: i64| (0..count).map(|n| Term::Int(n * 7)).collect::<Vec<_>>();
    vec![
        ("all", vec![]),
        ("name", vec![Cond::Is(TextField::Name, "report 1234.pdf".into())]),
        ("source", vec![Cond::Is(TextField::Source, "source 7".into())]),
        ("metadata", vec![Cond::Metadata("batch".into(), "321".into())]),
        ("label", vec![Cond::AnyOf(SetField::Labels, label("label 3"))]),
        ("asset", vec![Cond::AnyOf(assets.clone(), vec![Term::Int(77)])]),
        ("ten-assets", vec![Cond::AnyOf(assets.clone(), some_of(10))]),
        ("fifty-assets", vec![Cond::AnyOf(assets, some_of(50))]),
        ("directory-prefix", vec![Cond::Prefix(TextField::Directory, "/plant 12/".into())]),
        ("external-prefix", vec![Cond::Prefix(TextField::ExternalId, "x-1999".into())]),
        ("time", vec![Cond::Time(TimeField::SourceCreated, moment(1000)..=moment(3000))]),
        ("extent", vec![Cond::Overlaps(place)]),
        ("region", vec![Cond::Overlaps(region)]),
        (
            "label-and-metadata",
            vec![
                Cond::AllOf(SetField::Labels, label("label 3")),
                Cond::Metadata("kind".into(), "kind 3".into()),
            ],
        ),
        (
            "source-and-metadata",
            vec![
                Cond::Is(TextField::Source, "source 7".into()),
                Cond::Metadata("kind".into(), "kind 7".into()),
            ],
        ),
    ]
}

fn filled() -> Stage {
    let count = catalog::at_most().unwrap_or(FILES);
    let stage = Stage::open(Backend::Relaxed);
    stage.runtime.block_on(catalog::fill(&stage.files, 0..count, None));
    stage
}

/// Where the last page of everything starts.
async fn last_page(files: &Files) -> FileQuery {
    let mut query = FileQuery { limit: FileQuery::MAX_LIMIT, ..FileQuery::default() };
    loop {
        let page = files.list(&query).await.unwrap();
        match page.next {
            Some(next) => query.after = Some(next),
            None => return FileQuery { limit: 100, ..query },
        }
    }
}
