//! Requests into routes, and callers through the door: what every request pays before its dialect
//! does anything.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::Criterion;
use filestore_benches::access::{Guard, Signed, Signing};
use filestore_benches::routing;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("route");
    brief(&mut group);
    for asked in routing::requests() {
        group.bench_function(asked.name, |bencher| bencher.iter(|| asked.route()));
    }
    group.finish();

    for signing in Signing::ALL {
        let mut group = criterion.benchmark_group(format!("token/{}", signing.name()));
        brief(&mut group);
        group.bench_function("first", |bencher| {
            bencher.iter_custom(|iterations| {
                let check = |guard: Guard| {
                    let start = Instant::now();
                    black_box(guard.check());
                    start.elapsed()
                };
                (0..iterations).map(|_| check(Guard::new(signing))).sum()
            });
        });
        group.bench_function("known", |bencher| {
            let guard = Guard::new(signing);
            bencher.iter(|| guard.check());
        });
    }

    let signed = Signed::new();
    let mut group = criterion.benchmark_group("presigned");
    brief(&mut group);
    group.bench_function("sign", |bencher| bencher.iter(|| signed.sign()));
    group.bench_function("check", |bencher| bencher.iter(|| signed.check()));
}

/// For what takes microseconds and touches no disk.
fn brief(group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>) {
    group.warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(300));
}
