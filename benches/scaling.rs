//! What ten times as many files cost in PostgreSQL: one more, one that is read, pages of lists, counts,
//! a part of a session; and how much room they take. A table at the end says by how much each grew.
//!
//! The server is one of its own, which syncs nothing: a sync takes as long among many files as among
//! few.
#![allow(clippy::unwrap_used)]

use std::hint::black_box;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use bytes::Bytes;
use filestore::backend::{Change, ContentSource, FileRepository, NewContent, Place, Segment};
use filestore::{
    BlobKey, Cond, ContentId, Digest, Durability, Expect, FileId, FileKey, FileNumber, FileQuery,
    FileRecord, FileStore, Files, MemoryBlobs, NameMatch, NewUpload, Revision, SetField, Subject,
    Tenant, Term, TextField, Timestamp,
};
use filestore_benches::catalog;
use filestore_benches::content::noise;
use filestore_benches::table::Table;
use filestore_postgres::{PostgresOptions, PostgresRepository};
use filestore_test_postgres::Cluster;
use futures::future::join_all;
use futures::{StreamExt, stream};
use tokio_postgres::{Client, NoTls};

/// Files in the store. Those past the bound are left out unless `FILESTORE_BENCH_FILES` allows so
/// many: a million take minutes to make, and 3 GB.
const FILES: [u64; 5] = [1_000, 10_000, 100_000, 1_000_000, 10_000_000];
const FILES_UNLESS_ASKED: u64 = 100_000;

/// Files that are made in one transaction, and transactions at a time.
const BATCH: u64 = 500;
const FILLERS: usize = 2;

/// Callers at a time, where there are many.
const CALLERS: usize = 16;

/// How often each work is done. The median counts.
const TIMES: u32 = 41;

fn main() {
    // `cargo test --benches` only wants to know whether it starts.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    let server = Cluster::start(&["fsync=off", "shared_buffers=512MB", "max_wal_size=2GB"]);
    server.create("files");
    let url = server.url("files");
    let options = PostgresOptions { durability: Durability::Relaxed, ..Default::default() };
    let repository = PostgresRepository::connect(&url, options.clone()).await.unwrap();
    // The store has one of its own: what fills it goes past the store.
    let stored = PostgresRepository::connect(&url, options).await.unwrap();
    let store = FileStore::builder(MemoryBlobs::new(), stored).open().await.unwrap();
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let scale = Scale { repository, files: store.files(&tenant(), &subject()), client };

    let table = Table::default();
    let most = catalog::at_most().unwrap_or(FILES_UNLESS_ASKED);
    let mut made = 0;
    for count in FILES.into_iter().filter(|count| *count <= most) {
        let spent = scale.fill(made + 1..=count).await;
        table.note("a file of a batch", count, spent, count - made);
        made = count;
        scale.client.batch_execute("VACUUM ANALYZE").await.unwrap();
        scale.client.batch_execute("CHECKPOINT").await.unwrap();
        scale.works(count, &table).await;
        println!("{count} files take {} bytes each", scale.room().await / count);
    }
    table.print();
}

struct Scale {
    repository: PostgresRepository,
    files: Files,
    client: Client,
}

impl Scale {
    /// Makes the files of these numbers, in batches.
    async fn fill(&self, numbers: RangeInclusive<u64>) -> Duration {
        let (first, last) = (*numbers.start(), *numbers.end());
        let start = Instant::now();
        let batches = (first..=last).step_by(BATCH as usize).map(|first| {
            let changes = (first..=last.min(first + BATCH - 1)).map(insert).collect();
            async move { self.repository.apply(&tenant(), changes).await.unwrap().len() }
        });
        stream::iter(batches).buffer_unordered(FILLERS).for_each(async |_| {}).await;
        start.elapsed()
    }

    async fn works(&self, count: u64, table: &Table) {
        for _ in 0..TIMES {
            self.upload(count, table).await;
            self.download(count, table).await;
        }
        self.uploads(count, table).await;
        let metadata = |key: &str, value: &str| Cond::Metadata(key.to_owned(), value.to_owned());
        let label = |label: &str| Cond::AnyOf(SetField::Labels, vec![Term::from(label)]);
        let lists = [
            ("a page of all", vec![]),
            ("a page of every tenth", vec![metadata("kind", "kind 3")]),
            (
                "a page of every 20th, by two values",
                vec![
                    Cond::AnyOf(
                        SetField::Labels,
                        vec![Term::from("label 3"), Term::from("label 4")],
                    ),
                    metadata("kind", "kind 3"),
                ],
            ),
            ("a page of 2000th files", vec![metadata("batch", "3")]),
            (
                "a page by a prefix",
                vec![Cond::Prefix(TextField::Directory, "/plant 3/".to_owned())],
            ),
            (
                "a page by a part of the name",
                vec![Cond::Name(NameMatch::Contains, "ort 77".to_owned())],
            ),
        ];
        for (name, all) in lists {
            let query = FileQuery { all, limit: 100, ..FileQuery::default() };
            for _ in 0..TIMES {
                let start = Instant::now();
                black_box(self.files.list(&query).await.unwrap());
                table.note(name, count, start.elapsed(), 1);
            }
        }
        let last = self.last_page().await;
        for _ in 0..TIMES {
            let start = Instant::now();
            black_box(self.files.list(&last).await.unwrap());
            table.note("the last page of all", count, start.elapsed(), 1);
        }
        for _ in 0..3 {
            let start = Instant::now();
            black_box(self.files.count(&[label("label 3")]).await.unwrap());
            table.note("a count of every 20th", count, start.elapsed(), 1);
        }
    }

    /// Makes a small file, and a part of a session in a blob; all goes again, untimed.
    async fn upload(&self, count: u64, table: &Table) {
        let start = Instant::now();
        let file = self.files.create(catalog::file(0), noise(4 << 10)).await.unwrap();
        table.note("an upload of 4 KiB", count, start.elapsed(), 1);
        self.files.delete(file.id).await.unwrap();

        let uploads = self.files.uploads();
        let id = uploads.begin(NewUpload::new("bench")).await.unwrap().id;
        let expect = Expect { size: Some(64 << 10), sha256: None };
        let start = Instant::now();
        uploads.put_part(id, 1, None, noise(64 << 10), expect).await.unwrap();
        table.note("a part of 64 KiB", count, start.elapsed(), 1);
        uploads.abort(id).await.unwrap();
    }

    /// Many callers make small files; the time of each file.
    async fn uploads(&self, count: u64, table: &Table) {
        let start = Instant::now();
        let callers = (0..CALLERS).map(|_| async {
            let mut made = Vec::new();
            for _ in 0..TIMES {
                let mut attributes = catalog::file(0);
                attributes.external_id = None;
                let file = self.files.create(attributes, noise(4 << 10)).await.unwrap();
                made.push(FileKey::from(file.id));
            }
            made
        });
        let made = join_all(callers).await.concat();
        table.note("an upload of 4 KiB, by 16 callers", count, start.elapsed(), made.len() as u64);
        self.files.delete_many(&made).await.unwrap();
    }

    /// Opens any file.
    async fn download(&self, count: u64, table: &Table) {
        let number = 1 + any_number() % count;
        let key = FileKey::from(FileNumber::new(number).unwrap());
        let start = Instant::now();
        black_box(self.files.open(key, None).await.unwrap());
        table.note("opening a file", count, start.elapsed(), 1);
    }

    /// Where the last page begins: numbers are given one after the other.
    async fn last_page(&self) -> FileQuery {
        let all = vec![Cond::Number(0..=u64::MAX)];
        let mut query = FileQuery { all, limit: FileQuery::MAX_LIMIT, ..FileQuery::default() };
        loop {
            let page = self.files.list(&query).await.unwrap();
            match page.next {
                Some(next) => query.after = Some(next),
                None => return FileQuery { limit: 100, ..query },
            }
        }
    }

    /// Bytes of the database.
    async fn room(&self) -> u64 {
        let size = "SELECT pg_database_size(current_database())";
        self.client.query_one(size, &[]).await.unwrap().get::<_, i64>(0).cast_unsigned()
    }
}

/// Numbers in no order.
fn any_number() -> u64 {
    let key = BlobKey::mint().unwrap();
    u64::from_be_bytes(*key.as_bytes().first_chunk().unwrap())
}

fn tenant() -> Tenant {
    Tenant::new("bench").unwrap()
}

fn subject() -> Subject {
    Subject::new("bench").unwrap()
}

/// Adds a file with a few bytes.
fn insert(n: u64) -> Change {
    let (bytes, record) = (Bytes::from("a few bytes"), record(n));
    let (size, sha256) = (bytes.len() as u64, Digest::of(&bytes));
    let content = NewContent {
        id: ContentId::mint(record.created).unwrap(),
        size,
        tag: sha256.to_string(),
        sha256: Some(sha256),
        stored: record.created,
        segments: vec![Segment { size, sha256, place: Place::Inline(bytes) }],
    };
    Change::Insert { record, content: Some(ContentSource::New(content)) }
}

fn record(n: u64) -> FileRecord {
    // As they come in, in time and so in the order of their ids.
    let moment = Timestamp::from_millis(1_790_000_000_000 + n);
    FileRecord {
        id: FileId::mint(moment).unwrap(),
        number: FileNumber::new(n).unwrap(),
        revision: Revision::FIRST,
        owner: subject(),
        created: moment,
        updated: moment,
        content: None,
        attributes: catalog::file(n),
    }
}
