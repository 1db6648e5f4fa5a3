//! Sessions with the dialect `jea`: see `session` for the format.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| filestore_fuzz::session::play(input));
