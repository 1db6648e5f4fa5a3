//! Conditional requests (RFC 9110, section 13): the request's conditions, each a type that answers
//! one question, and the decision that follows from them in the order of section 13.2.2.

use std::time::{Duration, SystemTime};

use filestore::Timestamp;
use http::Method;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::header_value;

/// What the server knows of the representation that a request is about.
#[derive(Clone, Copy, Debug)]
pub struct Validators<'a> {
    /// The content's tag: a strong validator, without quotes.
    pub tag: &'a str,
    /// When the content was last replaced. Counts by the second.
    pub modified: Timestamp,
}

/// What becomes of a conditional request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Serve it, as if it had no conditions.
    Proceed,
    /// 304: the client has it already.
    NotModified,
    /// 412: what the client counts on does not hold.
    Failed,
}

/// The conditions of a request. Dates that cannot be read count as absent; of a list of tags,
/// what can be read counts.
#[derive(Clone, Debug, Default)]
pub struct Preconditions {
    if_match: Option<TagList>,
    if_none_match: Option<TagList>,
    if_modified_since: Option<Since>,
    if_unmodified_since: Option<Since>,
    if_range: Option<IfRange>,
}

/// Whether the request has any condition, be it one that makes no sense.
pub fn has_conditions(headers: &HeaderMap) -> bool {
    let conditions = [
        header::IF_MATCH,
        header::IF_NONE_MATCH,
        header::IF_MODIFIED_SINCE,
        header::IF_UNMODIFIED_SINCE,
        header::IF_RANGE,
    ];
    conditions.iter().any(|name| headers.contains_key(name))
}

impl Preconditions {
    /// Reads the conditions of a request.
    pub fn of(headers: &HeaderMap) -> Self {
        Self {
            if_match: TagList::read(headers, header::IF_MATCH),
            if_none_match: TagList::read(headers, header::IF_NONE_MATCH),
            if_modified_since: Since::read(headers, header::IF_MODIFIED_SINCE),
            if_unmodified_since: Since::read(headers, header::IF_UNMODIFIED_SINCE),
            if_range: IfRange::read(headers),
        }
    }

    /// Weighs the conditions in the order of RFC 9110, section 13.2.2. `current` is `None` where
    /// there is no representation yet.
    pub fn decide(&self, method: &Method, current: Option<Validators<'_>>) -> Decision {
        let reads = matches!(*method, Method::GET | Method::HEAD);
        if let Some(wanted) = &self.if_match {
            if !wanted.names_strongly(current) {
                return Decision::Failed;
            }
        } else if let (Some(since), Some(current)) = (self.if_unmodified_since, current)
            && since.is_before(current.modified)
        {
            return Decision::Failed;
        }
        if let Some(unwanted) = &self.if_none_match {
            return match (unwanted.names_weakly(current), reads) {
                (false, _) => Decision::Proceed,
                (true, true) => Decision::NotModified,
                (true, false) => Decision::Failed,
            };
        }
        if let (Some(since), Some(current), true) = (self.if_modified_since, current, reads)
            && !since.is_before(current.modified)
        {
            return Decision::NotModified;
        }
        Decision::Proceed
    }

    /// Whether the request's `Range` counts: only for GET (RFC 9110, section 14.2), and only if
    /// the client's `If-Range` names the current representation.
    pub fn range_applies(&self, method: &Method, current: Validators<'_>) -> bool {
        *method == Method::GET
            && self.if_range.as_ref().is_none_or(|if_range| if_range.names(current))
    }
}

/// The tags of `If-Match` or `If-None-Match`.
#[derive(Clone, Debug)]
enum TagList {
    /// `*`: whatever there is.
    Any,
    Tags(Vec<EntityTag>),
}

impl TagList {
    fn read(headers: &HeaderMap, name: HeaderName) -> Option<Self> {
        let mut lines = headers.get_all(name).iter().peekable();
        lines.peek()?;
        let mut tags = Vec::new();
        for line in lines {
            if line.as_bytes().trim_ascii() == b"*" {
                return Some(Self::Any);
            }
            read_tags(line.as_bytes(), &mut tags);
        }
        Some(Self::Tags(tags))
    }

    fn names_strongly(&self, current: Option<Validators<'_>>) -> bool {
        self.names(current, EntityTag::equals_strongly)
    }

    fn names_weakly(&self, current: Option<Validators<'_>>) -> bool {
        self.names(current, EntityTag::equals_weakly)
    }

    fn names(&self, current: Option<Validators<'_>>, equals: fn(&EntityTag, &str) -> bool) -> bool {
        let Some(current) = current else {
            return false;
        };
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.iter().any(|tag| equals(tag, current.tag)),
        }
    }
}

/// An entity tag (RFC 9110, section 8.8.3).
#[derive(Clone, Debug, PartialEq, Eq)]
struct EntityTag {
    weak: bool,
    opaque: Vec<u8>,
}

impl EntityTag {
    /// Ours are always strong, so that only the client's side decides the strength.
    fn equals_strongly(&self, ours: &str) -> bool {
        !self.weak && self.equals_weakly(ours)
    }

    fn equals_weakly(&self, ours: &str) -> bool {
        self.opaque == ours.as_bytes()
    }
}

/// Reads tags up to the first thing that is none.
fn read_tags(mut list: &[u8], tags: &mut Vec<EntityTag>) {
    loop {
        list = skip_separators(list);
        let Some((tag, rest)) = read_tag(list) else {
            return;
        };
        tags.push(tag);
        list = rest;
    }
}

fn skip_separators(list: &[u8]) -> &[u8] {
    let end =
        list.iter().position(|byte| !matches!(byte, b',' | b' ' | b'\t')).unwrap_or(list.len());
    list.get(end..).unwrap_or_default()
}

/// One tag and what follows it, which is nothing, white space or a comma.
fn read_tag(text: &[u8]) -> Option<(EntityTag, &[u8])> {
    let (weak, quoted) = match text.strip_prefix(b"W/") {
        Some(quoted) => (true, quoted),
        None => (false, text),
    };
    let inner = quoted.strip_prefix(b"\"")?;
    let end = memchr::memchr(b'"', inner)?;
    let (opaque, rest) = inner.split_at_checked(end)?;
    let rest = rest.strip_prefix(b"\"")?;
    let valid = opaque.iter().all(|byte| *byte > b' ' && *byte != 0x7f);
    if !valid || !matches!(rest.first(), None | Some(b',' | b' ' | b'\t')) {
        return None;
    }
    let opaque = opaque.to_vec();
    Some((EntityTag { weak, opaque }, rest))
}

/// The date of `If-Modified-Since` or `If-Unmodified-Since`, in seconds since 1970.
#[derive(Clone, Copy, Debug)]
struct Since(u64);

impl Since {
    fn read(headers: &HeaderMap, name: HeaderName) -> Option<Self> {
        let mut lines = headers.get_all(name).iter();
        match (lines.next(), lines.next()) {
            (Some(line), None) => read_date(line).map(Self),
            _ => None,
        }
    }

    fn is_before(self, modified: Timestamp) -> bool {
        self.0 < seconds(modified)
    }
}

/// `If-Range` (RFC 9110, section 13.1.5).
#[derive(Clone, Debug)]
enum IfRange {
    Tag(EntityTag),
    Date(u64),
    /// Names nothing, so that the range is not served.
    Unreadable,
}

impl IfRange {
    fn read(headers: &HeaderMap) -> Option<Self> {
        let mut lines = headers.get_all(header::IF_RANGE).iter();
        let line = lines.next()?;
        if lines.next().is_some() {
            return Some(Self::Unreadable);
        }
        let tag = match read_tag(line.as_bytes().trim_ascii()) {
            Some((tag, [])) => Some(Self::Tag(tag)),
            _ => None,
        };
        let date = || read_date(line).map(Self::Date);
        Some(tag.or_else(date).unwrap_or(Self::Unreadable))
    }

    /// Tags compare strongly; a date must be the very one that we sent.
    fn names(&self, current: Validators<'_>) -> bool {
        match self {
            Self::Tag(tag) => tag.equals_strongly(current.tag),
            Self::Date(date) => *date == seconds(current.modified),
            Self::Unreadable => false,
        }
    }
}

/// `ETag` for a content's tag.
pub fn etag(tag: &str) -> HeaderValue {
    header_value(format!("\"{tag}\""))
}

/// A date as headers write it (RFC 9110, section 5.6.7), which ends with the year 9999.
pub fn http_date(moment: Timestamp) -> HeaderValue {
    const LAST_SECOND_OF_9999: u64 = 253_402_300_799;
    let seconds = seconds(moment).min(LAST_SECOND_OF_9999);
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    header_value(httpdate::fmt_http_date(time))
}

fn read_date(value: &HeaderValue) -> Option<u64> {
    let time = httpdate::parse_http_date(value.to_str().ok()?.trim_ascii()).ok()?;
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(since.as_secs())
}

fn seconds(moment: Timestamp) -> u64 {
    moment.as_millis() / 1000
}

#[cfg(test)]
mod tests {
    use super::*;
    use Decision::{Failed, NotModified, Proceed};
    use proptest::prelude::*;

    const BEFORE: &str = "Sat, 29 Oct 1994 19:43:30 GMT";
    const SAME: &str = "Sat, 29 Oct 1994 19:43:31 GMT";
    const AFTER: &str = "Sat, 29 Oct 1994 19:43:32 GMT";
    /// 999 ms into the second that `SAME` names.
    const MODIFIED: u64 = 783_459_811_999;

    fn current() -> Validators<'static> {
        Validators { tag: "xyzzy", modified: Timestamp::from_millis(MODIFIED) }
    }

    fn conditions(headers: &[(&str, &str)]) -> Preconditions {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        Preconditions::of(&map)
    }

    fn decide(method: Method, headers: &[(&str, &str)]) -> Decision {
        conditions(headers).decide(&method, Some(current()))
    }

    #[test]
    fn each_condition_decides_by_itself() {
        // Condition, value, decision for GET, decision for PUT.
        for (name, value, get, put) in [
            ("if-match", "\"xyzzy\"", Proceed, Proceed),
            ("if-match", "\"xyzzy\", \"r2d2xxxx\", \"c3piozzzz\"", Proceed, Proceed),
            ("if-match", "\"a,b\" , ,\"xyzzy\"", Proceed, Proceed),
            ("if-match", "*", Proceed, Proceed),
            ("if-match", " * ", Proceed, Proceed),
            ("if-match", "W/\"xyzzy\"", Failed, Failed),
            ("if-match", "\"other\"", Failed, Failed),
            ("if-match", "xyzzy", Failed, Failed),
            ("if-match", "\"xyzzy", Failed, Failed),
            ("if-match", "", Failed, Failed),
            ("if-none-match", "\"xyzzy\"", NotModified, Failed),
            ("if-none-match", "W/\"xyzzy\"", NotModified, Failed),
            ("if-none-match", "W/\"a\",W/\"xyzzy\"", NotModified, Failed),
            ("if-none-match", "*", NotModified, Failed),
            ("if-none-match", "\"other\"", Proceed, Proceed),
            ("if-none-match", "w/\"xyzzy\"", Proceed, Proceed),
            ("if-none-match", "\"\"", Proceed, Proceed),
            ("if-modified-since", BEFORE, Proceed, Proceed),
            ("if-modified-since", SAME, NotModified, Proceed),
            ("if-modified-since", AFTER, NotModified, Proceed),
            ("if-modified-since", "Saturday, 29-Oct-94 19:43:31 GMT", NotModified, Proceed),
            ("if-modified-since", "Sat Oct 29 19:43:31 1994", NotModified, Proceed),
            ("if-modified-since", "yesterday", Proceed, Proceed),
            ("if-unmodified-since", BEFORE, Failed, Failed),
            ("if-unmodified-since", SAME, Proceed, Proceed),
            ("if-unmodified-since", AFTER, Proceed, Proceed),
            ("if-unmodified-since", "tomorrow", Proceed, Proceed),
        ] {
            assert_eq!(decide(Method::GET, &[(name, value)]), get, "GET {name}: {value}");
            assert_eq!(decide(Method::HEAD, &[(name, value)]), get, "HEAD {name}: {value}");
            assert_eq!(decide(Method::PUT, &[(name, value)]), put, "PUT {name}: {value}");
        }
        assert_eq!(decide(Method::GET, &[]), Proceed);
    }

    #[test]
    fn tags_outrank_dates_and_matches_come_first() {
        for (headers, expected) in [
            ([("if-match", "\"xyzzy\""), ("if-unmodified-since", BEFORE)], Proceed),
            ([("if-match", "\"other\""), ("if-none-match", "\"xyzzy\"")], Failed),
            ([("if-match", "\"xyzzy\""), ("if-none-match", "\"xyzzy\"")], NotModified),
            ([("if-none-match", "\"other\""), ("if-modified-since", AFTER)], Proceed),
            ([("if-unmodified-since", AFTER), ("if-modified-since", AFTER)], NotModified),
            ([("if-none-match", "\"other\""), ("if-none-match", "\"xyzzy\"")], NotModified),
            ([("if-modified-since", AFTER), ("if-modified-since", AFTER)], Proceed),
        ] {
            assert_eq!(decide(Method::GET, &headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn what_is_not_there_matches_nothing() {
        for (name, value, expected) in [
            ("if-match", "*", Failed),
            ("if-none-match", "*", Proceed),
            ("if-unmodified-since", BEFORE, Proceed),
            ("if-modified-since", AFTER, Proceed),
        ] {
            let decision = conditions(&[(name, value)]).decide(&Method::PUT, None);
            assert_eq!(decision, expected, "{name}: {value}");
        }
    }

    #[test]
    fn a_range_counts_only_for_the_representation_that_the_client_has() {
        for (value, expected) in [
            ("\"xyzzy\"", true),
            ("W/\"xyzzy\"", false),
            ("\"other\"", false),
            ("\"xyzzy\", \"other\"", false),
            (SAME, true),
            (BEFORE, false),
            (AFTER, false),
            ("xyzzy", false),
            ("*", false),
        ] {
            let conditions = conditions(&[("if-range", value)]);
            assert_eq!(conditions.range_applies(&Method::GET, current()), expected, "{value}");
            assert!(!conditions.range_applies(&Method::HEAD, current()));
        }
        assert!(conditions(&[]).range_applies(&Method::GET, current()));
    }

    #[test]
    fn validators_are_written_as_they_are_read() {
        assert_eq!(etag("xyzzy"), "\"xyzzy\"");
        assert_eq!(http_date(Timestamp::from_millis(MODIFIED)), SAME);
        assert_eq!(http_date(Timestamp::MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
        assert_eq!(http_date(Timestamp::default()), "Thu, 01 Jan 1970 00:00:00 GMT");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn a_tag_that_was_sent_is_known_again(tag in "[!#-~]{0,70}", others in "[!#-~]{0,5}") {
            let current = Validators { tag: &tag, modified: Timestamp::default() };
            let list = format!("\"{others}x{tag}\", W/\"{others}\" ,\"{tag}\"");
            let decision = conditions(&[("if-match", &list)]).decide(&Method::PUT, Some(current));
            prop_assert_eq!(decision, Proceed);
        }

        #[test]
        fn any_header_is_read_or_ignored(value in "[ -~\u{80}-\u{ff}]{0,40}") {
            for name in ["if-match", "if-none-match", "if-range", "if-modified-since"] {
                let _ = decide(Method::GET, &[(name, &value)]);
            }
        }
    }
}
