//! Files as records: what clients say of a file, and what the store knows.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::hash::Digest;
use crate::id::{ContentId, FileId, FileNumber, Revision, Subject, Timestamp};

/// What clients say of a file. New files, upload sessions and records share it; a patch is a
/// closure over it.
///
/// What only one API knows travels in `terms` (the repository can filter on them) and `extras`
/// (handed back and never looked at), under names with that API's prefix: `cdf.assetIds`.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct Attributes {
    /// Name for people. Data, never a path. May be empty.
    pub name: String,
    /// The client's own identifier, unique within the tenant.
    pub external_id: Option<String>,
    /// Where the client files it; data, never a path.
    pub directory: Option<String>,
    /// Where the client has it from.
    pub source: Option<String>,
    /// Media type, as declared and unchecked.
    pub content_type: Option<String>,
    /// Free pairs of text.
    pub metadata: BTreeMap<String, String>,
    /// Labels, in the client's order.
    pub labels: Vec<String>,
    /// When the original was made.
    pub source_created: Option<Timestamp>,
    /// When the original was last changed.
    pub source_modified: Option<Timestamp>,
    /// Where on Earth: the smallest box around it.
    pub extent: Option<Extent>,
    /// Values that the repository can filter on, by namespaced name, in the client's order.
    pub terms: BTreeMap<String, Vec<Term>>,
    /// Text that is handed back unchanged, by namespaced name.
    pub extras: BTreeMap<String, String>,
}

/// One value that can be filtered on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(untagged))]
pub enum Term {
    /// A whole number.
    Int(i64),
    /// Text, compared by bytes.
    Text(String),
}

impl From<i64> for Term {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for Term {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

/// A box on a map, in the coordinates of its maker; edges belong to it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Extent {
    /// Least first coordinate (longitude).
    pub min_x: f64,
    /// Greatest first coordinate.
    pub max_x: f64,
    /// Least second coordinate (latitude).
    pub min_y: f64,
    /// Greatest second coordinate.
    pub max_y: f64,
}

impl Extent {
    /// Whether the boxes share a point.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.min_x <= other.max_x
            && other.min_x <= self.max_x
            && self.min_y <= other.max_y
            && other.min_y <= self.max_y
    }

    /// Least and greatest first coordinate, then those of the second.
    pub(crate) fn edges(&self) -> [f64; 4] {
        [self.min_x, self.max_x, self.min_y, self.max_y]
    }

    pub(crate) fn is_ascending(&self) -> bool {
        self.min_x <= self.max_x && self.min_y <= self.max_y
    }

    fn is_valid(&self) -> bool {
        self.is_ascending() && self.edges().iter().all(|edge| edge.is_finite())
    }
}

impl Attributes {
    /// Attributes with this name and nothing else.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Every text in it, names and keys included.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let optional = [&self.external_id, &self.directory, &self.source, &self.content_type]
            .into_iter()
            .flatten();
        let pairs = self.metadata.iter().chain(&self.extras).flat_map(|(key, value)| [key, value]);
        let terms = self.terms.iter().flat_map(|(name, values)| {
            let texts = values.iter().filter_map(|value| match value {
                Term::Text(text) => Some(text),
                Term::Int(_) => None,
            });
            std::iter::once(name).chain(texts)
        });
        std::iter::once(&self.name)
            .chain(optional)
            .chain(pairs)
            .chain(&self.labels)
            .chain(terms)
            .map(String::as_str)
    }

    /// Checks what holds for every backend: no U+0000 (PostgreSQL has no place for it), a sane
    /// extent, and `max_bytes` of text in all.
    pub(crate) fn check(&self, max_bytes: usize) -> Result<()> {
        let mut bytes = 0;
        for text in self.texts() {
            if text.contains('\0') {
                return Err(Error::invalid("text must not contain U+0000"));
            }
            bytes += text.len();
        }
        if bytes > max_bytes {
            return Err(Error::too_large(format!(
                "attributes hold {bytes} bytes, the limit is {max_bytes}"
            )));
        }
        if self.external_id.as_deref() == Some("") {
            return Err(Error::invalid("an external id must not be empty"));
        }
        if self.extent.is_some_and(|extent| !extent.is_valid()) {
            return Err(Error::invalid("an extent needs finite edges in ascending order"));
        }
        Ok(())
    }
}

/// A file to be made.
#[derive(Clone, Debug, Default)]
pub struct NewFile {
    /// Its id, for callers that show it inside the attributes; `None` mints one.
    pub id: Option<FileId>,
    /// What the client says of it.
    pub attributes: Attributes,
    /// What the content must be.
    pub expect: Expect,
}

impl From<&str> for NewFile {
    fn from(name: &str) -> Self {
        Attributes::named(name).into()
    }
}

impl From<Attributes> for NewFile {
    fn from(attributes: Attributes) -> Self {
        Self { attributes, ..Self::default() }
    }
}

/// What the client declared of content before sending it; content that differs is not published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expect {
    /// Size in bytes.
    pub size: Option<u64>,
    /// SHA-256 of all bytes.
    pub sha256: Option<Digest>,
}

/// A file as the store knows it. Holds neither bytes nor where they are.
#[derive(Clone, Debug, PartialEq)]
pub struct FileRecord {
    /// Identity, the same under every API.
    pub id: FileId,
    /// The other identity: a number, unique within the tenant.
    pub number: FileNumber,
    /// Counts changes of the attributes. Replacing the content leaves it alone.
    pub revision: Revision,
    /// Who made it.
    pub owner: Subject,
    /// When it was made.
    pub created: Timestamp,
    /// When the attributes last changed. Replacing the content leaves it alone.
    pub updated: Timestamp,
    /// The content, once there is one.
    pub content: Option<ContentInfo>,
    /// What clients say of it.
    pub attributes: Attributes,
}

/// One version of a file's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentInfo {
    /// Identity of this version.
    pub id: ContentId,
    /// Size in bytes.
    pub size: u64,
    /// Strong validator, fixed at publication: printable ASCII without quotes. The SHA-256 of the
    /// bytes where one segment holds them, else that of the list of (size, digest) and a count.
    pub tag: String,
    /// SHA-256 of all bytes, where it is known.
    pub sha256: Option<Digest>,
    /// When it was published.
    pub stored: Timestamp,
}

/// Names a file of a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FileKey {
    /// By id.
    Id(FileId),
    /// By number.
    Number(FileNumber),
    /// By the client's own identifier.
    External(String),
}

impl From<FileId> for FileKey {
    fn from(id: FileId) -> Self {
        Self::Id(id)
    }
}

impl From<FileNumber> for FileKey {
    fn from(number: FileNumber) -> Self {
        Self::Number(number)
    }
}

impl FileKey {
    /// Whether `record` is the one it names.
    pub fn names(&self, record: &FileRecord) -> bool {
        match self {
            Self::Id(id) => record.id == *id,
            Self::Number(number) => record.number == *number,
            Self::External(text) => record.attributes.external_id.as_ref() == Some(text),
        }
    }
}
