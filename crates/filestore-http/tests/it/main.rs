//! The dialects as their clients see them: requests in, answers out, over every backend.

// Clippy's exemptions for tests do not reach the helpers beside them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
// A case reads better without references that nobody needs.
#![allow(clippy::needless_pass_by_value)]

mod cdf;
mod contract;
mod harness;
mod idempiere;
mod jea;
mod jmix;
mod matrix;
mod molgenis;
mod pairs;
mod redirects;
mod serving;
mod subject;
