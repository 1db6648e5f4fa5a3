//! The backends of this crate pass the suite, and broken ones do not.

// Helpers outside of test functions fail like the tests themselves.
#![allow(clippy::unwrap_used)]

mod backends;
mod broken;
