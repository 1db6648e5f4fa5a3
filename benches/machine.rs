//! How fit the machine is to be measured on.

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use filestore::Hasher;

const BLOCK: usize = 64 << 10;
const PERIOD: Duration = Duration::from_millis(200);

/// Prints how much one thread hashes, and how many times that two reach side by side: about 2.0
/// where two cores are free. Well below, something else runs, and numbers do not compare with
/// those of another time.
pub(crate) fn report() {
    let one = hashed_per_second();
    let pair = [(); 2].map(|()| thread::spawn(hashed_per_second));
    let two: f64 = pair.map(|thread| thread.join().unwrap()).iter().sum();
    eprintln!(
        "machine: one thread hashes {one:.0} MiB/s, two together {:.2} times that",
        two / one
    );
}

/// MiB that this thread hashes in a second.
fn hashed_per_second() -> f64 {
    let block = vec![7; BLOCK];
    let mut hasher = Hasher::default();
    let mut hashed = 0.0;
    let start = Instant::now();
    while start.elapsed() < PERIOD {
        hasher.update(&block);
        hashed += BLOCK as f64 / f64::from(1 << 20);
    }
    black_box(hasher.digest());
    hashed / start.elapsed().as_secs_f64()
}
