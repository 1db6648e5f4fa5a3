//! The suite of `filestore`, and what only this backend promises, over a server of our own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod conformance;
mod interleavings;
mod landmarks;
mod opening;
mod outcomes;
mod pooler;
mod proxy;
mod round_trips;
mod secrets;
mod support;
