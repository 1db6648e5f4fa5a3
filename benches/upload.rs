//! Files into the store, from one caller and from many.

use std::cell::LazyCell;

use criterion::{Criterion, SamplingMode, Throughput};
use filestore_benches::{Backend, SIZES, Stage, create};

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

/// An iteration is one file of every caller.
fn many_callers(criterion: &mut Criterion, backend: Backend) {
    const SIZE: usize = 4 << 10;
    let stage = LazyCell::new(|| Stage::open(backend));
    let mut group = criterion.benchmark_group(format!("upload/{}", backend.name()));
    group.sampling_mode(SamplingMode::Flat);
    for callers in [8, 32] {
        group.throughput(Throughput::Elements(callers as u64));
        group.bench_function(format!("4KiB-by-{callers}"), |bencher| {
            bencher.iter_custom(|iterations| stage.timed_callers(iterations, callers, SIZE));
        });
    }
}
