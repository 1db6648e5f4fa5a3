//! Request targets: the input is a path with a query.
//!
//! Each piece is decoded once, after the split, and what is let through means one thing to every
//! reader. All dialects are asked for it as well.

#![no_main]

use filestore_fuzz::session;
use filestore_http::protocol::query::{Query, segments};
use libfuzzer_sys::fuzz_target;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

fuzz_target!(|input: &[u8]| {
    let Ok(target) = std::str::from_utf8(input) else { return };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    check_path(path);
    check_query(query);
    for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"] {
        session::play(format!("{method} {target}\n\n{{}}").as_bytes());
    }
});

fn check_path(path: &str) {
    let Ok(found) = segments(path) else { return };
    for segment in &found {
        assert!(!segment.contains(['/', '\0', '\r', '\n']) && !matches!(&**segment, "." | ".."));
    }
    let decoded: Vec<u8> = percent_decode_str(path.strip_prefix('/').unwrap_or(path)).collect();
    assert_eq!(found.join("/").as_bytes(), decoded, "decoded once");
    let written: Vec<String> =
        found.iter().map(|it| utf8_percent_encode(it, NON_ALPHANUMERIC).to_string()).collect();
    if !found.is_empty() {
        assert_eq!(segments(&format!("/{}", written.join("/"))).expect("well-formed"), found);
    }
}

fn check_query(query: &str) {
    let Ok(found) = Query::parse(query) else { return };
    let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let written: Vec<String> = found
        .pairs()
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
        .collect();
    assert_eq!(Query::parse(&written.join("&")).expect("well-formed"), found);
    for (name, _) in found.pairs() {
        assert!(found.first(name).is_some());
    }
}
