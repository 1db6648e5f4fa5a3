//! The suite notices: stores that break one promise each fail the case which is named beside it.

mod blobs;
mod repository;

use std::panic::{AssertUnwindSafe, catch_unwind};

use filestore::conformance::{self, Fixture};

/// Runs a case twice: with the sound store it must pass, with the flawed one it must not.
fn assert_caught<S, F: Copy, C: Future<Output = ()>>(
    make: fn(Option<F>) -> Fixture<S>,
    flaw: F,
    case: fn(Fixture<S>) -> C,
) {
    conformance::run(|| case(make(None)));
    let flawed = catch_unwind(AssertUnwindSafe(|| conformance::run(|| case(make(Some(flaw))))));
    assert!(flawed.is_err(), "the case passes with a broken store");
}

/// One test for each flaw.
macro_rules! caught {
    ($make:path; $($flaw:ident: $test:ident by $case:path;)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        enum Flaw {$($flaw,)*}

        $(#[test]
        fn $test() {
            crate::broken::assert_caught($make, Flaw::$flaw, $case);
        })*
    };
}
use caught;
