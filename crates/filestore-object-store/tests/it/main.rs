//! Blobs in object stores: in memory, in an S3 server of this process, and in services that are told
//! of by environment variables.

// Clippy's exemptions for tests do not reach the helpers beside them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod conformance;
#[cfg(feature = "aws")]
mod connecting;
mod listing;
#[cfg(feature = "aws")]
mod putting;
#[cfg(feature = "aws")]
mod reading;
#[cfg(feature = "aws")]
mod redirects;
#[cfg(feature = "aws")]
mod s3;
#[cfg(feature = "aws")]
mod signing;
mod whole_store;

use bytes::Bytes;

/// Bytes of which no two places look alike.
fn noise(size: usize) -> Bytes {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..size)
        .map(|_| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            state.to_be_bytes()[0]
        })
        .collect()
}
