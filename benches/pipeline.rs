//! Bytes onto the disk without a store around them: what of an upload is `FsBlobs`, and what is
//! the hash.

use std::cell::LazyCell;
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode, Throughput};
use filestore::backend::BlobStore;
use filestore::{BlobKey, ByteStream, Durability, FsBlobs, Hasher};
use filestore_benches::content::{framed, frames, noise};
use filestore_benches::temp_dir;
use futures::StreamExt;
use tokio::runtime::Runtime;

const SIZES: [(&str, usize); 2] = [("1MiB", 1 << 20), ("64MiB", 64 << 20)];
/// So many bytes are stored at most before they are deleted.
const ROOM: usize = 256 << 20;

pub(crate) fn bench(criterion: &mut Criterion) {
    for (name, durability) in [("durable", Durability::Full), ("relaxed", Durability::Relaxed)] {
        pipeline(criterion, name, durability);
    }
    let mut group = criterion.benchmark_group("upload");
    group.throughput(Throughput::Bytes(64 << 20));
    group.bench_function("hash/64MiB", |bencher| {
        bencher.iter(|| {
            let mut hasher = Hasher::default();
            frames(noise(64 << 20)).for_each(|it| hasher.update(&it));
            hasher.digest()
        });
    });
}

fn pipeline(criterion: &mut Criterion, name: &str, durability: Durability) {
    let opened = LazyCell::new(|| {
        let dir = temp_dir();
        (FsBlobs::open(dir.path(), durability).unwrap(), Runtime::new().unwrap(), dir)
    });
    let mut group = criterion.benchmark_group(format!("upload/{name}"));
    group.sampling_mode(SamplingMode::Flat);
    for (name, size) in SIZES {
        group.throughput(Throughput::Bytes(size as u64));
        for (part, stream) in [("blob", plain as fn(usize) -> _), ("hash-and-blob", hashed)] {
            group.bench_function(format!("{part}/{name}"), |bencher| {
                let (blobs, runtime, _) = &*opened;
                bencher.iter_custom(|iterations| {
                    runtime.block_on(put(blobs, iterations, size, stream))
                });
            });
        }
    }
}

fn plain(size: usize) -> ByteStream<'static> {
    framed(noise(size))
}

/// Hashed frame by frame on its way, as a store does it.
fn hashed(size: usize) -> ByteStream<'static> {
    let mut hasher = Hasher::default();
    ByteStream::from_results(plain(size).inspect(move |frame| {
        hasher.update(frame.as_ref().unwrap());
    }))
}

/// The time that `iterations` blobs take. Between them blobs are deleted, untimed.
async fn put(
    blobs: &FsBlobs,
    iterations: u64,
    size: usize,
    content: impl Fn(usize) -> ByteStream<'static>,
) -> Duration {
    let mut spent = Duration::ZERO;
    let mut stored = Vec::new();
    for _ in 0..iterations {
        let key = BlobKey::mint().unwrap();
        let start = Instant::now();
        blobs.put(key, content(size)).await.unwrap();
        spent += start.elapsed();
        stored.push(key);
        if stored.len() * size >= ROOM {
            delete(blobs, &mut stored).await;
        }
    }
    delete(blobs, &mut stored).await;
    spent
}

async fn delete(blobs: &FsBlobs, keys: &mut Vec<BlobKey>) {
    for key in keys.drain(..) {
        blobs.delete(key).await.unwrap();
    }
}
