//! The suite that every backend must pass: one test for each promise.
