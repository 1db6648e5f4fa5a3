//! Sessions with the dialect `jmix`: see `session` for the format.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| filestore_fuzz::session::play(input));
