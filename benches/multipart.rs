//! Forms taken apart, by our own parser and by multer.

use std::convert::Infallible;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput};
use filestore_benches::content::{frames, noise};
use filestore_benches::forms::{self, BOUNDARY};
use futures::executor::block_on;
use futures::stream;

pub(crate) fn bench(criterion: &mut Criterion) {
    parse(criterion, "4KiB", &noise(4 << 10));
    parse(criterion, "64MiB", &noise(64 << 20));
    parse(criterion, "4MiB-of-hyphens", &forms::nearly_delimiters(300_000));
}

fn parse(criterion: &mut Criterion, name: &str, content: &Bytes) {
    let form = forms::form(content);
    let size = content.len();
    let mut group = criterion.benchmark_group("multipart");
    group.throughput(Throughput::Bytes(form.len() as u64));
    group.bench_function(BenchmarkId::new("own", name), |bencher| {
        bencher.iter(|| assert_eq!(forms::parse(&form), size));
    });
    group.bench_function(BenchmarkId::new("multer", name), |bencher| {
        bencher.iter(|| assert_eq!(block_on(by_multer(&form)), size));
    });
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
