//! The suite of `filestore`, and what only this backend promises.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod conformance;
mod crash;
mod cursors;
mod landmarks;
mod reopening;
mod support;
mod traces;
