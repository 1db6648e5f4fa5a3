//! Sessions with the dialect `cdf`: see `session` for the format.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| filestore_fuzz::session::play(input));
