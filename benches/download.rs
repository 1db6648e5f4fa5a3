//! Files out of the store, from the page cache.

use std::cell::LazyCell;
use std::time::Instant;

use criterion::{Criterion, SamplingMode, Throughput};
use filestore::{FileId, Files};
use filestore_benches::content::{framed, noise};
use filestore_benches::{Backend, SIZES, Stage};
use futures::StreamExt;

pub(crate) fn bench(criterion: &mut Criterion) {
    for backend in Backend::ALL {
        download(criterion, backend);
    }
}

fn download(criterion: &mut Criterion, backend: Backend) {
    let stage = LazyCell::new(|| Stage::open(backend));
    let mut group = criterion.benchmark_group(format!("download/{}", backend.name()));
    group.sampling_mode(SamplingMode::Flat);
    for (name, size) in SIZES {
        let id = LazyCell::new(|| {
            let created = stage.files.create("bench", framed(noise(size)));
            stage.runtime.block_on(created).unwrap().id
        });
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| {
                let id = *id;
                let start = Instant::now();
                stage.runtime.block_on(async {
                    for _ in 0..iterations {
                        assert_eq!(read(&stage.files, id).await, size);
                    }
                });
                start.elapsed()
            });
        });
    }
}

/// How many bytes there were.
async fn read(files: &Files, id: FileId) -> usize {
    let file = files.open(id, None).await.unwrap();
    let content = file.read_all().await.unwrap();
    content.fold(0, async |sum, frame| sum + frame.unwrap().len()).await
}
