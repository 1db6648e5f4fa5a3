//! Queries: conditions, pages and cursors.
//!
//! [`Cond::matches`] defines each condition. It is what the memory backend runs and what the
//! conformance suite compares every other backend with.

use std::ops::RangeInclusive;

use crate::error::{Error, Result};
use crate::id::{Subject, Timestamp};
use crate::record::{Attributes, Extent, FileRecord, Term};

/// Which files of a tenant, and how many at a time.
#[derive(Clone, Debug)]
pub struct FileQuery {
    /// All of these must hold.
    pub all: Vec<Cond>,
    /// Where the page before ended.
    pub after: Option<Cursor>,
    /// Records on a page, 1 to 1000.
    pub limit: u32,
}

impl FileQuery {
    /// Most records on a page.
    pub const MAX_LIMIT: u32 = 1000;
}

impl Default for FileQuery {
    fn default() -> Self {
        Self { all: Vec::new(), after: None, limit: 100 }
    }
}

/// Some of the answers, and where to go on.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The answers; there may be fewer than asked for, even none, when `next` is set.
    pub items: Vec<T>,
    /// Where the next page starts; `None` after the last one.
    pub next: Option<Cursor>,
}

/// A place in a list. Opaque: only the backend that made it reads it, and only together with the
/// conditions it was made for. At most 1024 characters `A-Z a-z 0-9 - _`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(String);

impl Cursor {
    /// A cursor from its text.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) when it cannot be one.
    pub fn new(text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        let fits = (1..=1024).contains(&text.len());
        if !fits || !text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
            return Err(Error::invalid("invalid cursor"));
        }
        Ok(Self(text))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text field of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextField {
    /// [`Attributes::name`](crate::Attributes::name)
    Name,
    /// [`Attributes::external_id`](crate::Attributes::external_id)
    ExternalId,
    /// [`Attributes::directory`](crate::Attributes::directory)
    Directory,
    /// [`Attributes::source`](crate::Attributes::source)
    Source,
    /// [`Attributes::content_type`](crate::Attributes::content_type)
    ContentType,
}

impl TextField {
    /// The field of `record`, when it is set.
    pub fn of(self, record: &FileRecord) -> Option<&str> {
        let attributes = &record.attributes;
        match self {
            Self::Name => Some(&attributes.name),
            Self::ExternalId => attributes.external_id.as_deref(),
            Self::Directory => attributes.directory.as_deref(),
            Self::Source => attributes.source.as_deref(),
            Self::ContentType => attributes.content_type.as_deref(),
        }
    }
}

/// A time of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeField {
    /// [`FileRecord::created`]
    Created,
    /// [`FileRecord::updated`]
    Updated,
    /// [`ContentInfo::stored`](crate::ContentInfo::stored)
    Stored,
    /// [`Attributes::source_created`](crate::Attributes::source_created)
    SourceCreated,
    /// [`Attributes::source_modified`](crate::Attributes::source_modified)
    SourceModified,
}

impl TimeField {
    /// The time in `record`, when it is set.
    pub fn of(self, record: &FileRecord) -> Option<Timestamp> {
        match self {
            Self::Created => Some(record.created),
            Self::Updated => Some(record.updated),
            Self::Stored => record.content.as_ref().map(|content| content.stored),
            Self::SourceCreated => record.attributes.source_created,
            Self::SourceModified => record.attributes.source_modified,
        }
    }
}

/// A field with any number of values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetField {
    /// [`Attributes::labels`](crate::Attributes::labels)
    Labels,
    /// The entry of this name in [`Attributes::terms`](crate::Attributes::terms)
    Terms(String),
}

impl SetField {
    /// Whether the record has no values but these.
    pub(crate) fn is_within(&self, attributes: &Attributes, allowed: &[Term]) -> bool {
        let is_allowed = |label: &String| allowed.iter().any(|it| *it == Term::Text(label.clone()));
        match self {
            Self::Labels => attributes.labels.iter().all(is_allowed),
            Self::Terms(name) => {
                let mut terms = attributes.terms.get(name).into_iter().flatten();
                terms.all(|term| allowed.contains(term))
            }
        }
    }

    /// Gives `to` the values that `from` has.
    pub(crate) fn carry(&self, from: &Attributes, to: &mut Attributes) {
        match self {
            Self::Labels => {
                let missing = from.labels.iter().filter(|it| !to.labels.contains(it));
                let missing: Vec<_> = missing.cloned().collect();
                to.labels.extend(missing);
            }
            Self::Terms(name) => {
                let values = from.terms.get(name).into_iter().flatten();
                let own = to.terms.get(name).map(Vec::as_slice).unwrap_or_default();
                let missing: Vec<_> = values.filter(|it| !own.contains(it)).cloned().collect();
                if !missing.is_empty() {
                    to.terms.entry(name.clone()).or_default().extend(missing);
                }
            }
        }
    }

    fn holds(&self, record: &FileRecord, wanted: &Term) -> bool {
        match (self, wanted) {
            (Self::Labels, Term::Text(text)) => record.attributes.labels.contains(text),
            (Self::Labels, Term::Int(_)) => false,
            (Self::Terms(name), _) => {
                record.attributes.terms.get(name).is_some_and(|terms| terms.contains(wanted))
            }
        }
    }
}

/// How a folded name relates to a folded text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameMatch {
    /// It is the text.
    Is,
    /// It begins with the text.
    Prefix,
    /// It contains the text.
    Contains,
    /// It contains one of the text's [`runs`].
    Similar,
}

/// One condition on a record. Text compares by bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum Cond {
    /// The field is set and equal.
    Is(TextField, String),
    /// The field is set and begins so.
    Prefix(TextField, String),
    /// The folded name, against text that [`fold`] made.
    Name(NameMatch, String),
    /// The time is set and within, both ends included.
    Time(TimeField, RangeInclusive<Timestamp>),
    /// The number is within, both ends included.
    Number(RangeInclusive<u64>),
    /// Made by this subject.
    Owner(Subject),
    /// Whether there is content.
    HasContent(bool),
    /// The metadata hold this pair.
    Metadata(String, String),
    /// At least one of the values is there; never true of no values.
    AnyOf(SetField, Vec<Term>),
    /// All of the values are there; always true of no values.
    AllOf(SetField, Vec<Term>),
    /// No others than these values are there; always true where the record has none.
    NoneBut(SetField, Vec<Term>),
    /// The extent is set and overlaps.
    Overlaps(Extent),
}

impl Cond {
    /// Whether it holds for `record`.
    pub fn matches(&self, record: &FileRecord) -> bool {
        match self {
            Self::Is(field, text) => field.of(record) == Some(text),
            Self::Prefix(field, text) => {
                field.of(record).is_some_and(|value| value.starts_with(text))
            }
            Self::Name(how, text) => how.matches(&fold(&record.attributes.name), text),
            Self::Time(field, range) => field.of(record).is_some_and(|time| range.contains(&time)),
            Self::Number(range) => range.contains(&record.number.get()),
            Self::Owner(subject) => record.owner == *subject,
            Self::HasContent(wanted) => record.content.is_some() == *wanted,
            Self::Metadata(key, value) => record.attributes.metadata.get(key) == Some(value),
            Self::AnyOf(field, terms) => terms.iter().any(|term| field.holds(record, term)),
            Self::AllOf(field, terms) => terms.iter().all(|term| field.holds(record, term)),
            Self::NoneBut(field, terms) => field.is_within(&record.attributes, terms),
            Self::Overlaps(extent) => {
                record.attributes.extent.is_some_and(|own| own.overlaps(extent))
            }
        }
    }
}

impl NameMatch {
    /// Whether it holds between a folded name and a folded text.
    pub fn matches(self, name: &str, text: &str) -> bool {
        match self {
            Self::Is => name == text,
            Self::Prefix => name.starts_with(text),
            Self::Contains => name.contains(text),
            Self::Similar => runs(text).iter().any(|run| name.contains(run)),
        }
    }
}

/// Text as search sees it: lower case, and every run of characters that are neither letters nor
/// digits one space. The core folds, so that all backends agree.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut gap = false;
    for c in text.chars() {
        if c.is_alphanumeric() {
            if gap && !folded.is_empty() {
                folded.push(' ');
            }
            gap = false;
            folded.extend(c.to_lowercase());
        } else {
            gap = true;
        }
    }
    folded
}

/// The distinct runs of three characters in folded text, in ascending order.
pub fn trigrams(folded: &str) -> Vec<String> {
    let chars: Vec<char> = folded.chars().collect();
    let mut found: Vec<String> = chars.windows(3).map(|three| three.iter().collect()).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// The distinct parts of folded text one of which a similar name has: three to ten characters, so
/// long that they make up three tenths of the text's trigrams.
pub fn runs(folded: &str) -> Vec<&str> {
    let starts: Vec<_> = folded.char_indices().map(|(at, _)| at).chain([folded.len()]).collect();
    let trigrams = starts.len().saturating_sub(3);
    let length = (trigrams * 3).div_ceil(10).clamp(1, 8) + 2;
    let ends = starts.iter().skip(length);
    let mut found: Vec<_> =
        starts.iter().zip(ends).filter_map(|(start, end)| folded.get(*start..*end)).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// The least text that is greater than every text with this prefix, for `>= prefix AND < bound`
/// over bytes; `None` when there is none. Bytes, since it need not be UTF-8.
pub fn prefix_bound(prefix: &str) -> Option<Vec<u8>> {
    let mut bound = prefix.as_bytes().to_vec();
    while let Some(last) = bound.pop() {
        if last < u8::MAX {
            bound.push(last + 1);
            return Some(bound);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_keeps_letters_and_digits_of_any_script() {
        assert_eq!(fold("My_CAD-File (7).FBX"), "my cad file 7 fbx");
        assert_eq!(fold("  Übung 文件.txt "), "übung 文件 txt");
        assert_eq!(fold("..."), "");
    }

    #[test]
    fn runs_make_up_three_tenths_of_a_text() {
        assert_eq!(runs("über"), ["ber", "übe"]);
        assert_eq!(runs("reprot 1"), ["epro", "ot 1", "prot", "repr", "rot "]);
        assert_eq!(runs("aaaa"), ["aaa"]);
        assert!(runs("re").is_empty() && runs("").is_empty());
        assert!(runs(&"long text ".repeat(30)).iter().all(|run| run.len() == 10));
    }

    #[test]
    fn a_prefix_bound_is_past_every_text_with_the_prefix() {
        assert_eq!(prefix_bound("ab").unwrap(), b"ac");
        assert_eq!(prefix_bound(""), None);
        let bound = prefix_bound("\u{10FFFF}").unwrap();
        assert!("\u{10FFFF}\u{10FFFF}".as_bytes() < bound.as_slice());
    }

    #[test]
    fn cursors_are_plain_text() {
        assert!(Cursor::new("aZ0-_").is_ok());
        assert!(Cursor::new("").is_err());
        assert!(Cursor::new("a b").is_err());
    }
}
