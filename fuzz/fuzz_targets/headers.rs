//! Ranges, conditions, digests and media types: the input is header fields, a line each.
//!
//! The same fields ask for files of several sizes. The answers are held against what the ranges
//! say byte by byte, and against the rules of RFC 9110.

#![no_main]

use std::ops::Range;

use filestore::{RangeSpec, Timestamp};
use filestore_fuzz::lines;
use filestore_http::protocol::conditional::{Decision, Preconditions, Validators, etag, http_date};
use filestore_http::protocol::form::media_type;
use filestore_http::protocol::media::{InlinePolicy, served_type};
use filestore_http::protocol::range::{MAX_RANGES, Selection, parse, select};
use filestore_http::protocol::{digest, lenient_text, multipart::Boundary, range};
use http::{HeaderMap, Method, header};
use libfuzzer_sys::fuzz_target;

const TAG: &str = "0123abc";
const MODIFIED: u64 = 1_615_543_200;

fuzz_target!(|input: &[u8]| {
    let headers = lines::headers(input.split(|byte| *byte == b'\n'));
    check_ranges(&headers);
    check_conditions(&headers);
    check_digests(&headers);
    check_types(&headers);
});

fn check_ranges(headers: &HeaderMap) {
    let specs = parse(headers);
    assert!(specs.len() <= MAX_RANGES);
    if !specs.is_empty() {
        let written: Vec<String> = specs.iter().map(written).collect();
        let mut again = HeaderMap::new();
        let value = format!("bytes={}", written.join(", "));
        again.insert(header::RANGE, value.parse().expect("digits"));
        assert_eq!(parse(&again), specs);
    }
    for size in [0, 1, 2, 9, 40] {
        check_selection(&specs, size);
    }
    check_total(&select(&specs, u64::MAX), u64::MAX);
}

fn written(spec: &RangeSpec) -> String {
    match spec {
        RangeSpec::FromTo(first, last) => format!("{first}-{last}"),
        RangeSpec::From(first) => format!("{first}-"),
        RangeSpec::Last(count) => format!("-{count}"),
    }
}

/// Every byte that was asked for is in the answer once, and no other is.
fn check_selection(specs: &[RangeSpec], size: u64) {
    let selection = select(specs, size);
    let asked = |at: u64| {
        specs.iter().any(|spec| match *spec {
            RangeSpec::FromTo(first, last) => (first..=last).contains(&at),
            RangeSpec::From(first) => first <= at,
            RangeSpec::Last(count) => at >= size.saturating_sub(count),
        })
    };
    let given = check_total(&selection, size);
    match selection {
        Selection::Whole => assert!(specs.is_empty() || size == 0),
        Selection::Unsatisfiable => assert!(!specs.is_empty() && !(0..size).any(asked)),
        Selection::One(_) | Selection::Many(_) => {
            for at in 0..size {
                let times = given.iter().filter(|range| range.contains(&at)).count();
                assert_eq!(times, usize::from(asked(at)), "byte {at} of {size}: {given:?}");
            }
        }
    }
}

/// The ranges of a selection: none is empty or past the end, and `Content-Range` can name each.
fn check_total(selection: &Selection, size: u64) -> Vec<Range<u64>> {
    let ranges = match selection {
        Selection::One(range) => vec![range.clone()],
        Selection::Many(ranges) => ranges.clone(),
        Selection::Whole | Selection::Unsatisfiable => Vec::new(),
    };
    for part in &ranges {
        assert!(part.start < part.end && part.end <= size, "{part:?} of {size}");
        let named = range::content_range(part, size);
        assert_eq!(named, format!("bytes {}-{}/{size}", part.start, part.end - 1));
    }
    ranges
}

fn check_conditions(headers: &HeaderMap) {
    let conditions = Preconditions::of(headers);
    let modified = Timestamp::from_millis(MODIFIED * 1000 + 500);
    let current = Validators { tag: TAG, modified };
    let has = |name: header::HeaderName| headers.contains_key(name);
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE] {
        let reads = matches!(method, Method::GET | Method::HEAD);
        let decision = conditions.decide(&method, Some(current));
        match decision {
            Decision::Proceed => {}
            Decision::NotModified => {
                assert!(reads && (has(header::IF_NONE_MATCH) || has(header::IF_MODIFIED_SINCE)));
            }
            Decision::Failed => assert!(
                has(header::IF_MATCH)
                    || has(header::IF_UNMODIFIED_SINCE)
                    || (!reads && has(header::IF_NONE_MATCH))
            ),
        }
        // Where there is nothing, nothing matches, and nothing was modified.
        let missing = conditions.decide(&method, None);
        assert_eq!(missing == Decision::Failed, has(header::IF_MATCH));
        assert_ne!(missing, Decision::NotModified);
        check_own_validators(headers, &method, current);
    }
    if !has(header::IF_RANGE) {
        assert!(conditions.range_applies(&Method::GET, current));
    }
    assert!(!conditions.range_applies(&Method::PUT, current));
}

/// What we sent comes back and is known again, whatever else there is in the request.
fn check_own_validators(headers: &HeaderMap, method: &Method, current: Validators<'_>) {
    let mut with = headers.clone();
    for name in [header::IF_MATCH, header::IF_RANGE] {
        with.insert(name, etag(current.tag));
    }
    with.remove(header::IF_NONE_MATCH);
    with.remove(header::IF_MODIFIED_SINCE);
    let conditions = Preconditions::of(&with);
    assert_eq!(conditions.decide(method, Some(current)), Decision::Proceed);
    assert_eq!(conditions.range_applies(method, current), *method == Method::GET);
    // Lists go on over several lines.
    with.append(header::IF_NONE_MATCH, etag(current.tag));
    for line in headers.get_all(header::IF_NONE_MATCH) {
        with.append(header::IF_NONE_MATCH, line.clone());
    }
    assert_ne!(Preconditions::of(&with).decide(method, Some(current)), Decision::Proceed);

    let mut dated = HeaderMap::new();
    let date = http_date(current.modified);
    for name in [header::IF_UNMODIFIED_SINCE, header::IF_RANGE] {
        dated.insert(name, date.clone());
    }
    let conditions = Preconditions::of(&dated);
    assert_eq!(conditions.decide(method, Some(current)), Decision::Proceed);
    assert_eq!(conditions.range_applies(method, current), *method == Method::GET);
}

fn check_digests(headers: &HeaderMap) {
    if let Ok(Some(declared)) = digest::declared(headers) {
        let mut again = HeaderMap::new();
        again.insert(digest::REPR_DIGEST, digest::repr_digest(&declared));
        assert_eq!(digest::declared(&again).expect("our own"), Some(declared));
    }
}

fn check_types(headers: &HeaderMap) {
    let _ = media_type(headers);
    for line in headers.get_all(header::CONTENT_TYPE) {
        let text = lenient_text(line.as_bytes());
        let served = served_type(Some(&text));
        let again = lenient_text(served.as_bytes());
        assert_eq!(served_type(Some(&again)), served, "what is served is a type");
        // What may be shown is what its first word says, whatever follows.
        let policy = InlinePolicy::default();
        if policy.allows(&again) {
            let essence = again.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            assert!(["image/jpeg", "image/png", "application/pdf"].contains(&essence.as_str()));
        }
        if let Ok(boundary) = Boundary::of(line.as_bytes()) {
            assert!(text.trim_start().to_ascii_lowercase().starts_with("multipart/form-data"));
            let _ = boundary;
        }
    }
}
