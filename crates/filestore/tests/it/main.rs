//! The backends of this crate pass the suite, and broken ones do not; the store over them keeps its
//! own promises.

// Helpers outside of test functions fail like the tests themselves.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod backends;
mod broken;
#[path = "../../../filestore-postgres/tests/it/cluster.rs"]
#[allow(dead_code, reason = "the tests of that crate use all of it")]
mod cluster;
mod crash;
mod model;
mod store;
