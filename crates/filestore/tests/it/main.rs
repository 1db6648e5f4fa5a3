//! The backends of this crate pass the suite, and broken ones do not.

mod backends;
mod broken;
