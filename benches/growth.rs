//! What an operation costs when there is ten times as much of everything: files in the store,
//! callers at a time, segments of a file. A table at the end says by how much it grew.

use std::cell::{LazyCell, RefCell};
use std::hint::black_box;
use std::ops::Range;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode};
use filestore::{
    Cond, Expect, FileId, FileKey, FileQuery, Files, NewUpload, PartNumber, RangeSpec,
};
use filestore_benches::content::{framed, noise};
use filestore_benches::table::Table;
use filestore_benches::{Backend, Stage, catalog};
use futures::{StreamExt, stream};

type Group<'c> = BenchmarkGroup<'c, WallTime>;

pub(crate) fn bench(criterion: &mut Criterion) {
    let table = Table::default();
    let mut group = criterion.benchmark_group("growth");
    group.sampling_mode(SamplingMode::Flat);
    by_files(&mut group, &table);
    by_callers(&mut group, &table);
    by_segments(&mut group, &table);
    group.finish();
    table.print();
}

// -- files in the store ---------------------------------------------------------------------------

/// Files in the store. The last is left out unless `FILESTORE_BENCH_FILES` allows so many: it takes
/// minutes to make them.
const FILES: [u64; 3] = [1_000, 100_000, 1_000_000];
const FILES_UNLESS_ASKED: u64 = 100_000;

fn by_files(group: &mut Group<'_>, table: &Table) {
    let store = LazyCell::new(|| RefCell::new(Growing::new()));
    let most = catalog::at_most().unwrap_or(FILES_UNLESS_ASKED);
    for count in FILES.into_iter().filter(|count| *count <= most) {
        let works = [
            ("upload", Growing::upload as fn(&mut Growing, u64) -> Duration),
            ("download", Growing::download),
            ("list", Growing::list),
        ];
        for (name, work) in works {
            group.bench_function(format!("{name}/{count}-files"), |bencher| {
                let mut store = store.borrow_mut();
                store.grow(count);
                bencher.iter_custom(|iterations| {
                    let spent = work(&mut store, iterations);
                    table.note(&format!("{name}, files in the store"), count, spent, iterations);
                    spent
                });
            });
        }
    }
}

/// A store that gets more and more files.
struct Growing {
    stage: Stage,
    ids: Vec<FileId>,
    /// The number of the next file; those of files that were deleted again are not used twice.
    next: u64,
    random: u64,
}

impl Growing {
    /// Files beside those that are to be in the store, at most.
    const BESIDE: u64 = 100;

    fn new() -> Self {
        Self { stage: Stage::open(Backend::Relaxed), ids: Vec::new(), next: 0, random: 1 }
    }

    fn grow(&mut self, count: u64) {
        let missing = count - self.ids.len() as u64;
        let numbers = self.numbers(missing);
        let made = self.stage.runtime.block_on(catalog::fill(
            &self.stage.files,
            numbers,
            Some("a few bytes"),
        ));
        self.ids.extend(made);
    }

    fn numbers(&mut self, count: u64) -> Range<u64> {
        let first = self.next;
        self.next += count;
        first..self.next
    }

    /// Makes a small file; it goes again, untimed.
    fn upload(&mut self, iterations: u64) -> Duration {
        let mut spent = Duration::ZERO;
        let mut left = iterations;
        while left > 0 {
            let numbers = self.numbers(left.min(Self::BESIDE));
            left -= numbers.end - numbers.start;
            let files = &self.stage.files;
            self.stage.runtime.block_on(async {
                let mut made: Vec<FileKey> = Vec::new();
                let start = Instant::now();
                for number in numbers {
                    let file = files.create(catalog::file(number), noise(4 << 10)).await.unwrap();
                    made.push(file.id.into());
                }
                spent += start.elapsed();
                files.delete_many(&made).await.unwrap();
            });
        }
        spent
    }

    /// Opens any file and reads it.
    fn download(&mut self, iterations: u64) -> Duration {
        let ids: Vec<_> = (0..iterations).map(|_| self.any()).collect();
        let start = Instant::now();
        self.stage.runtime.block_on(async {
            for id in ids {
                black_box(read(&self.stage.files, id, None).await);
            }
        });
        start.elapsed()
    }

    /// Lists a page of 100, of every tenth file.
    fn list(&mut self, iterations: u64) -> Duration {
        let all = vec![Cond::Metadata("kind".into(), "kind 3".into())];
        let query = FileQuery { all, limit: 100, ..FileQuery::default() };
        let start = Instant::now();
        self.stage.runtime.block_on(async {
            for _ in 0..iterations {
                let page = self.stage.files.list(&query).await.unwrap();
                assert_eq!(page.items.len(), 100);
            }
        });
        start.elapsed()
    }

    fn any(&mut self) -> FileId {
        // Xorshift: any order will do that is none.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let index = self.random as usize % self.ids.len();
        *self.ids.get(index).unwrap()
    }
}

// -- callers at a time ----------------------------------------------------------------------------

const CALLERS: [u32; 3] = [1, 16, 256];

fn by_callers(group: &mut Group<'_>, table: &Table) {
    let stage = LazyCell::new(|| Stage::open(Backend::Durable));
    for callers in CALLERS {
        group.bench_function(format!("upload/{callers}-callers"), |bencher| {
            bencher.iter_custom(|iterations| {
                let spent = stage.timed_callers(iterations, callers as usize, 4 << 10);
                let files = iterations * u64::from(callers);
                table.note("upload, callers at a time", callers.into(), spent, files);
                spent
            });
        });
    }
}

// -- segments of a file ---------------------------------------------------------------------------

const SEGMENTS: [PartNumber; 3] = [1, 100, 10_000];
const SEGMENT: usize = 4 << 10;
/// All files have as many bytes as the one of most segments.
const SIZE: usize = 10_000 * SEGMENT;
/// Begins a segment in every file, and is as long as the shortest.
const MIDDLE: u64 = (SIZE / 2) as u64;

fn by_segments(group: &mut Group<'_>, table: &Table) {
    let stage = LazyCell::new(|| Stage::open(Backend::Relaxed));
    for count in SEGMENTS {
        let id = LazyCell::new(|| stage.runtime.block_on(in_segments(&stage.files, count)));
        let range = RangeSpec::FromTo(MIDDLE, MIDDLE + SEGMENT as u64 - 1);
        for (name, range, size) in
            [("download-range", Some(range), SEGMENT), ("download-all", None, SIZE)]
        {
            group.bench_function(format!("{name}/{count}-segments"), |bencher| {
                bencher.iter_custom(|iterations| {
                    let id = *id;
                    let start = Instant::now();
                    stage.runtime.block_on(async {
                        for _ in 0..iterations {
                            assert_eq!(read(&stage.files, id, range).await, size);
                        }
                    });
                    let spent = start.elapsed();
                    table.note(&format!("{name}, segments"), count.into(), spent, iterations);
                    spent
                });
            });
        }
    }
}

/// A file of [`SIZE`] bytes that was uploaded in so many parts.
async fn in_segments(files: &Files, count: PartNumber) -> FileId {
    let uploads = files.uploads();
    let session = uploads.begin(NewUpload::new("bench")).await.unwrap().id;
    let part = SIZE / count as usize;
    let send = async |number: PartNumber| {
        let start = (number as usize - 1) * part;
        let content: Bytes = noise(SIZE).slice(start..start + part);
        let expect = Expect::default();
        uploads.put_part(session, number, Some(count), framed(content), expect).await.unwrap();
    };
    stream::iter(1..=count).for_each_concurrent(32, send).await;
    uploads.complete(session).await.unwrap();
    session
}

/// How many bytes there were.
async fn read(files: &Files, id: FileId, range: Option<RangeSpec>) -> usize {
    let file = files.open(id, range).await.unwrap();
    let content = match range {
        Some(range) => file.read_range(range).await.unwrap(),
        None => file.read_all().await.unwrap(),
    };
    content.fold(0, async |sum, frame| sum + frame.unwrap().len()).await
}
