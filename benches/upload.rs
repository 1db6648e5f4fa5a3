//! Files into the store, from one caller and from many.

use std::cell::LazyCell;

use criterion::{Criterion, SamplingMode, Throughput};
use filestore::Files;
use filestore_benches::content::{framed, noise};
use filestore_benches::{Backend, SIZES, Stage};
use futures::future::join_all;

pub(crate) fn bench(criterion: &mut Criterion) {
    for backend in Backend::ALL {
        one_caller(criterion, backend);
    }
    many_callers(criterion, Backend::Durable);
    many_callers(criterion, Backend::Relaxed);
}

fn one_caller(criterion: &mut Criterion, backend: Backend) {
    let stage = LazyCell::new(|| Stage::open(backend));
    let mut group = criterion.benchmark_group(format!("upload/{}", backend.name()));
    group.sampling_mode(SamplingMode::Flat);
    for (name, size) in SIZES {
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| {
                let work = stage.timed(iterations, 1, size, |n| create(&stage.files, n, size));
                stage.runtime.block_on(work)
            });
        });
    }
}

/// Callers that each make one small file after the other: what a commit shared by all costs each.
/// An iteration is one file of every caller.
fn many_callers(criterion: &mut Criterion, backend: Backend) {
    const CALLERS: usize = 32;
    const SIZE: usize = 4 << 10;
    let stage = LazyCell::new(|| Stage::open(backend));
    let mut group = criterion.benchmark_group(format!("upload/{}", backend.name()));
    group.sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(CALLERS as u64));
    group.bench_function("4KiB-by-32", |bencher| {
        bencher.iter_custom(|iterations| {
            let work = stage.timed(iterations, CALLERS, CALLERS * SIZE, async |n| {
                let caller =
                    |files: Files| tokio::spawn(async move { create(&files, n, SIZE).await });
                let callers = std::iter::repeat_with(|| caller(stage.files.clone())).take(CALLERS);
                join_all(callers).await.into_iter().for_each(Result::unwrap);
            });
            stage.runtime.block_on(work)
        });
    });
}

async fn create(files: &Files, count: u64, size: usize) {
    for _ in 0..count {
        files.create("bench", framed(noise(size))).await.unwrap();
    }
}
