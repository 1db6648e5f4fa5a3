//! Chunked uploads of 64 MiB in 16 parts, from the first call to the published file.

use std::cell::LazyCell;

use criterion::{Criterion, SamplingMode, Throughput};
use filestore::{Digest, Expect, Files, NewUpload, PartNumber};
use filestore_benches::content::{framed, noise};
use filestore_benches::{Backend, Stage};

const PARTS: PartNumber = 16;
const PART: usize = 4 << 20;
const SIZE: usize = PARTS as usize * PART;

pub(crate) fn bench(criterion: &mut Criterion) {
    for backend in Backend::ALL {
        session(criterion, backend);
    }
}

fn session(criterion: &mut Criterion, backend: Backend) {
    let stage = LazyCell::new(|| Stage::open(backend));
    let declared = LazyCell::new(|| Digest::of(&noise(SIZE)));
    let in_order: Vec<_> = (1..=PARTS).collect();
    let reversed: Vec<_> = (1..=PARTS).rev().collect();
    // Of parts that come in order, the hash of the whole goes on from part to part. Of others it
    // takes a second reading, where it was declared.
    let variants = [
        ("in-order-declared", &in_order, true),
        ("reversed", &reversed, false),
        ("reversed-declared", &reversed, true),
    ];
    let mut group = criterion.benchmark_group(format!("session/{}", backend.name()));
    group.sampling_mode(SamplingMode::Flat).throughput(Throughput::Bytes(SIZE as u64));
    for (name, order, is_declared) in variants {
        group.bench_function(name, |bencher| {
            let sha256 = is_declared.then(|| *declared);
            bencher.iter_custom(|iterations| {
                let work = stage.timed(iterations, 1, SIZE, async |n| {
                    for _ in 0..n {
                        upload(&stage.files, order, Expect { sha256, ..Expect::default() }).await;
                    }
                });
                stage.runtime.block_on(work)
            });
        });
    }
}

async fn upload(files: &Files, order: &[PartNumber], expect: Expect) {
    let uploads = files.uploads();
    let session = uploads.begin(NewUpload { expect, ..NewUpload::new("bench") }).await.unwrap();
    for &number in order {
        let start = (number as usize - 1) * PART;
        let part = framed(noise(SIZE).slice(start..start + PART));
        uploads.put_part(session.id, number, Some(PARTS), part, Expect::default()).await.unwrap();
    }
    uploads.complete(session.id).await.unwrap();
}
