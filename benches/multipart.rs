//! Forms taken apart, by our own parser and by multer.

use std::convert::Infallible;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput};
use filestore::ByteStream;
use filestore_benches::content::{frames, noise};
use filestore_http::protocol::multipart::{Boundary, Limits, Multipart};
use futures::executor::block_on;
use futures::{StreamExt, stream};

const BOUNDARY: &str = "----WebKitFormBoundary7MA4YWxkTrZu0gW";

pub(crate) fn bench(criterion: &mut Criterion) {
    parse(criterion, "4KiB", &noise(4 << 10));
    parse(criterion, "64MiB", &noise(64 << 20));
    // Every byte begins a delimiter, or goes on with one, until it does not.
    parse(criterion, "4MiB-of-hyphens", &Bytes::from("\r\n------WebKit".repeat(300_000)));
}

fn parse(criterion: &mut Criterion, name: &str, content: &Bytes) {
    let form = form(content);
    let size = content.len();
    let mut group = criterion.benchmark_group("multipart");
    group.throughput(Throughput::Bytes(form.len() as u64));
    group.bench_function(BenchmarkId::new("own", name), |bencher| {
        bencher.iter(|| assert_eq!(block_on(by_our_own(&form)), size));
    });
    group.bench_function(BenchmarkId::new("multer", name), |bencher| {
        bencher.iter(|| assert_eq!(block_on(by_multer(&form)), size));
    });
}

fn form(content: &Bytes) -> Bytes {
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"bench\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    [head.as_bytes(), content, format!("\r\n--{BOUNDARY}--\r\n").as_bytes()].concat().into()
}

/// How many bytes the file has.
async fn by_our_own(form: &Bytes) -> usize {
    let body = ByteStream::from_results(stream::iter(frames(form.clone()).map(Ok)));
    let boundary = Boundary::new(BOUNDARY.as_bytes()).unwrap();
    let form = Multipart::new(&boundary, body, Limits::default());
    let part = form.into_sole_part("file").await.unwrap().unwrap();
    part.content.fold(0, async |sum, frame| sum + frame.unwrap().len()).await
}

async fn by_multer(form: &Bytes) -> usize {
    let body = stream::iter(frames(form.clone()).map(Ok::<_, Infallible>));
    let mut form = multer::Multipart::new(body, BOUNDARY);
    let mut field = form.next_field().await.unwrap().unwrap();
    let mut sum = 0;
    while let Some(frame) = field.chunk().await.unwrap() {
        sum += frame.len();
    }
    drop(field);
    assert!(form.next_field().await.unwrap().is_none());
    sum
}
