//! Random sequences of calls, of the store and of a small [`Model`] of it: every answer must be the
//! same, and so must what is left at the end.
//!
//! A failure prints the shortest sequence that still fails, and the seed. `PROPTEST_CASES` makes a
//! longer run, `PROPTEST_RNG_SEED` repeats one; see CONTRIBUTING.md.

mod answer;
mod concurrent;
mod content;
mod generate;
mod names;
mod op;
mod reference;
mod sequential;
mod system;
mod tally;

use std::fmt::Debug;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};

/// Runs `case` on as many inputs as `PROPTEST_CASES` says, or `cases`.
fn check<S: Strategy<Value: Debug>>(
    cases: u32,
    inputs: S,
    case: impl Fn(S::Value) -> Result<(), String>,
) {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    let seed = match config.rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => rand_seed(),
    };
    config.rng_seed = RngSeed::Fixed(seed);
    let outcome =
        TestRunner::new(config).run(&inputs, |input| case(input).map_err(TestCaseError::fail));
    tally::TALLY.print();
    if let Err(failure) = outcome {
        panic!("PROPTEST_RNG_SEED={seed}\n{failure}");
    }
}

fn rand_seed() -> u64 {
    let id = filestore::BlobKey::mint().unwrap();
    u64::from_le_bytes(id.as_bytes()[..8].try_into().unwrap())
}

/// What is async in a case, on a runtime of its own with two threads.
fn block_on<F: Future>(case: F) -> F::Output {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).enable_all().build().unwrap().block_on(Box::pin(case))
}
