//! The backends of this crate pass the suite, and broken ones do not; the store over them keeps its
//! own promises.

// Helpers outside of test functions fail like the tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod backends;
mod broken;
mod crash;
mod model;
mod store;
