//! Range requests (RFC 9110, section 14): what is asked for, what of it there is, and how an
//! answer names it.

use std::ops::Range;

use filestore::RangeSpec;
use http::header::{self, HeaderMap, HeaderValue};

use super::header_value;

/// Most ranges in one request; a request with more gets the whole content, as RFC 9110,
/// section 14.2, allows.
pub const MAX_RANGES: usize = 8;

/// The ranges that a request asks for, in its order. Empty when it asks for the whole: without a
/// `Range`, with one in another unit, with a malformed one, and with more than [`MAX_RANGES`]
/// (RFC 9110, section 14.2, has all of these ignored).
///
/// Whether the header counts at all is asked of
/// [`Preconditions::range_applies`](super::conditional::Preconditions::range_applies).
pub fn parse(headers: &HeaderMap) -> Vec<RangeSpec> {
    let mut lines = headers.get_all(header::RANGE).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return Vec::new();
    };
    line.to_str().ok().and_then(parse_specs).unwrap_or_default()
}

fn parse_specs(text: &str) -> Option<Vec<RangeSpec>> {
    let (unit, set) = text.split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let mut specs = Vec::new();
    // Lists may hold empty elements (RFC 9110, section 5.6.1.2).
    for member in set.split(',').map(|member| member.trim_matches([' ', '\t'])) {
        if member.is_empty() {
            continue;
        }
        if specs.len() == MAX_RANGES {
            return None;
        }
        specs.push(parse_spec(member)?);
    }
    Some(specs)
}

fn parse_spec(text: &str) -> Option<RangeSpec> {
    let (first, last) = text.split_once('-')?;
    match (first.is_empty(), last.is_empty()) {
        (true, _) => Some(RangeSpec::Last(position(last)?)),
        (false, true) => Some(RangeSpec::From(position(first)?)),
        (false, false) => {
            let (first, last) = (position(first)?, position(last)?);
            (first <= last).then_some(RangeSpec::FromTo(first, last))
        }
    }
}

/// Any number of digits. What exceeds 64 bits lies past the end of any content, as the greatest
/// number does.
fn position(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u64::MAX))
}

/// What an answer holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All of the content (200).
    Whole,
    /// One range (206 with `Content-Range`).
    One(Range<u64>),
    /// Several ranges apart from each other (206 as `multipart/byteranges`).
    Many(Vec<Range<u64>>),
    /// None of the ranges holds a byte (416).
    Unsatisfiable,
}

/// Resolves the ranges asked for against content of `size` bytes. Ranges past the end are left
/// out as long as one is left, and those that overlap or touch become one.
pub fn select(specs: &[RangeSpec], size: u64) -> Selection {
    if specs.is_empty() {
        return Selection::Whole;
    }
    let satisfiable = specs.iter().filter_map(|spec| spec.resolve(size).ok());
    let mut ranges = coalesce(satisfiable);
    match (ranges.pop(), ranges.is_empty()) {
        (Some(only), true) => Selection::One(only),
        (Some(last), false) => {
            ranges.push(last);
            Selection::Many(ranges)
        }
        (None, _) if size == 0 && specs.iter().any(wants_some_suffix) => Selection::Whole,
        (None, _) => Selection::Unsatisfiable,
    }
}

/// "The last n bytes" of empty content are satisfiable (RFC 9110, section 14.1.2), and no
/// `Content-Range` can say so: the whole is the answer.
fn wants_some_suffix(spec: &RangeSpec) -> bool {
    matches!(spec, RangeSpec::Last(count) if *count > 0)
}

/// Joins the ranges that overlap or touch; each stands where the first of those it joins stood.
pub fn coalesce(ranges: impl IntoIterator<Item = Range<u64>>) -> Vec<Range<u64>> {
    let mut by_start: Vec<_> = ranges.into_iter().enumerate().collect();
    by_start.sort_by_key(|(_, range)| range.start);
    let mut joined: Vec<(usize, Range<u64>)> = Vec::with_capacity(by_start.len());
    for (place, range) in by_start {
        match joined.last_mut() {
            Some((first, last)) if range.start <= last.end => {
                *first = place.min(*first);
                last.end = range.end.max(last.end);
            }
            _ => joined.push((place, range)),
        }
    }
    joined.sort_by_key(|(place, _)| *place);
    joined.into_iter().map(|(_, range)| range).collect()
}

/// `Content-Range` of a part of content of `size` bytes. `range` holds at least one byte.
pub fn content_range(range: &Range<u64>, size: u64) -> HeaderValue {
    let last = range.end.saturating_sub(1);
    header_value(format!("bytes {}-{last}/{size}", range.start))
}

/// `Content-Range` of the answer 416, which tells the size.
pub fn unsatisfied(size: u64) -> HeaderValue {
    header_value(format!("bytes */{size}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use RangeSpec::{From, FromTo, Last};
    use proptest::prelude::*;

    fn parsed(value: &'static str) -> Vec<RangeSpec> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, HeaderValue::from_static(value));
        parse(&headers)
    }

    #[test]
    fn the_examples_of_rfc_9110_are_read() {
        for (value, expected) in [
            ("bytes=0-499", vec![FromTo(0, 499)]),
            ("bytes=500-999", vec![FromTo(500, 999)]),
            ("bytes=-500", vec![Last(500)]),
            ("bytes=9500-", vec![From(9500)]),
            ("bytes=0-0,-1", vec![FromTo(0, 0), Last(1)]),
            (
                "bytes= 0-999, 4500-5499, -1000",
                vec![FromTo(0, 999), FromTo(4500, 5499), Last(1000)],
            ),
            ("bytes=500-600,601-999", vec![FromTo(500, 600), FromTo(601, 999)]),
            ("Bytes=,\t1-2 ,,", vec![FromTo(1, 2)]),
            ("bytes=99999999999999999999-", vec![From(u64::MAX)]),
            ("bytes=0-99999999999999999999", vec![FromTo(0, u64::MAX)]),
        ] {
            assert_eq!(parsed(value), expected, "{value}");
        }
    }

    #[test]
    fn what_is_no_range_in_bytes_asks_for_the_whole() {
        for value in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=5",
            "bytes=5-4",
            "bytes=a-b",
            "bytes=0x1-2",
            "bytes=+1-2",
            "bytes=1 - 2",
            "bytes =1-2",
            "bytes=1-2-3",
            "bytes=--1",
            "bytes=0-1;2-3",
            "items=0-1",
            "bytes=0-1,x",
            "bytes=1-,2",
        ] {
            assert_eq!(parsed(value), [], "{value}");
        }
        assert_eq!(parse(&HeaderMap::new()), []);
    }

    #[test]
    fn two_range_lines_and_more_than_eight_ranges_are_ignored() {
        let mut headers = HeaderMap::new();
        headers.append(header::RANGE, HeaderValue::from_static("bytes=0-1"));
        assert_eq!(parse(&headers), [FromTo(0, 1)]);
        headers.append(header::RANGE, HeaderValue::from_static("bytes=0-1"));
        assert_eq!(parse(&headers), []);
        assert_eq!(parsed("bytes=0-,1-,2-,3-,4-,5-,6-,7-").len(), MAX_RANGES);
        assert_eq!(parsed("bytes=0-,1-,2-,3-,4-,5-,6-,7-,8-"), []);
    }

    #[test]
    fn ranges_are_selected_by_what_there_is() {
        for (specs, size, expected) in [
            (vec![], 10, Selection::Whole),
            (vec![FromTo(2, 3)], 10, Selection::One(2..4)),
            (vec![FromTo(0, 0), Last(1)], 10, Selection::Many(vec![0..1, 9..10])),
            (vec![Last(1), FromTo(0, 0)], 10, Selection::Many(vec![9..10, 0..1])),
            (vec![From(10), FromTo(2, 3)], 10, Selection::One(2..4)),
            (vec![From(10)], 10, Selection::Unsatisfiable),
            (vec![Last(0)], 10, Selection::Unsatisfiable),
            (vec![From(0)], 0, Selection::Unsatisfiable),
            (vec![Last(5)], 0, Selection::Whole),
            (vec![FromTo(0, 4), FromTo(5, 9)], 10, Selection::One(0..10)),
            (vec![FromTo(6, 7), FromTo(0, 1), FromTo(1, 6)], 10, Selection::One(0..8)),
        ] {
            assert_eq!(select(&specs, size), expected, "{specs:?} of {size}");
        }
    }

    #[test]
    fn answers_name_their_range() {
        assert_eq!(content_range(&(0..500), 1234), "bytes 0-499/1234");
        assert_eq!(unsatisfied(47022), "bytes */47022");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn joined_ranges_are_apart_and_hold_the_same_bytes(
            starts in proptest::collection::vec((0u64..60, 1u64..12), 0..8)
        ) {
            let ranges: Vec<_> = starts.iter().map(|(start, len)| *start..start + len).collect();
            let joined = coalesce(ranges.clone());
            for byte in 0..80 {
                let holders = joined.iter().filter(|range| range.contains(&byte)).count();
                prop_assert_eq!(holders, usize::from(ranges.iter().any(|r| r.contains(&byte))));
            }
            for (at, left) in joined.iter().enumerate() {
                for right in &joined[at + 1..] {
                    prop_assert!(left.end < right.start || right.end < left.start);
                }
            }
        }

        #[test]
        fn any_header_is_read_or_ignored(value in "(bytes=)?[-0-9, a]{0,40}") {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, HeaderValue::from_str(&value).unwrap());
            prop_assert!(parse(&headers).len() <= MAX_RANGES);
        }
    }
}
