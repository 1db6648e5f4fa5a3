//! File references: `fs://2021/03/12/a3b6011d-9040-151e-7d17-f7ccdf75d72f.jpg?name=cat.jpg`.

use std::fmt;

use filestore::{FileId, FileRecord};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use uuid::Uuid;

use crate::protocol::date;

/// The one storage there is.
pub(super) const STORAGE: &str = "fs";
/// Longest extension that becomes part of a path.
const MAX_EXTENSION: usize = 16;
/// What form encoding leaves as it is; a space becomes a plus afterwards.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'*').remove(b'_');

/// A reference, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileReference {
    pub(super) storage: String,
    /// Where upstream has the file in its storage. Here it is compared and never opened.
    path: String,
    pub(super) id: Option<FileId>,
    /// The name the file is to be shown under; the referrer's word for it.
    pub(super) name: String,
}

impl FileReference {
    /// The reference to a file.
    pub(super) fn to(record: &FileRecord) -> Self {
        let name = &record.attributes.name;
        Self {
            storage: STORAGE.into(),
            path: path_of(record),
            id: Some(record.id),
            name: name.clone(),
        }
    }

    /// Reads a reference: storage, path, and parameters of which the first is the name, whatever
    /// its key. `None` for what is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (storage, rest) = text.split_once("://")?;
        let (path, query) = rest.split_once('?')?;
        let legal =
            |part: &str| !part.chars().any(|c| c.is_control() || "\\\"<>^`{|}#".contains(c));
        if !is_scheme(storage) || path.is_empty() || path.contains(' ') || !legal(rest) {
            return None;
        }
        let mut pairs = query.split('&').map(|pair| pair.split_once('='));
        let (_, name) = pairs.next()??;
        if name.contains('=')
            || !pairs.all(|pair| pair.is_some_and(|(_, value)| !value.contains('=')))
        {
            return None;
        }
        let segments: Vec<&str> = path.split('/').collect();
        let [_, _, _, .., file] = segments.as_slice() else { return None };
        let stem = file.split_once('.').map_or(*file, |(stem, _)| stem);
        Some(Self {
            storage: storage.to_owned(),
            path: path.to_owned(),
            id: id_of(stem),
            name: form_decoded(name)?,
        })
    }

    /// Whether it is the reference that this file was given: day, id and extension are the
    /// record's own.
    pub(super) fn names(&self, record: &FileRecord) -> bool {
        self.path == path_of(record)
    }
}

impl fmt::Display for FileReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { storage, path, name, .. } = self;
        write!(f, "{storage}://{path}?name={}", form_encoded(name))
    }
}

/// `YYYY/MM/DD/<uuid>[.ext]`, by the day the file was made, in UTC.
fn path_of(record: &FileRecord) -> String {
    let (year, month, day) = date::day(record.created);
    let uuid = Uuid::from_bytes(*record.id.as_bytes());
    let mut path = format!("{year:04}/{month:02}/{day:02}/{}", uuid.hyphenated());
    if let Some(extension) = extension_of(&record.attributes.name) {
        path.push('.');
        path.push_str(extension);
    }
    path
}

/// What stands behind the last dot of the last segment, when it is short and plain.
fn extension_of(name: &str) -> Option<&str> {
    let base = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let (_, extension) = base.rsplit_once('.')?;
    let plain = extension.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (plain && (1..=MAX_EXTENSION).contains(&extension.len())).then_some(extension)
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// Lower-case and hyphenated, as references have it.
fn id_of(stem: &str) -> Option<FileId> {
    let uuid = Uuid::try_parse(stem).ok()?;
    (uuid.hyphenated().to_string() == stem).then(|| FileId::from_bytes(uuid.into_bytes()))
}

/// As forms are encoded: a space is a plus, and everything else that is not plain is escaped.
pub(super) fn form_encoded(text: &str) -> String {
    utf8_percent_encode(text, FORM).to_string().replace("%20", "+")
}

fn form_decoded(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_page_s_references_are_read() {
        let text = "fs://2021/03/12/a3b6011d-9040-151e-7d17-f7ccdf75d72f.jpg?name=cat.jpg";
        let reference = FileReference::parse(text).unwrap();
        assert_eq!((reference.storage.as_str(), reference.name.as_str()), ("fs", "cat.jpg"));
        assert!(reference.id.is_some());
        assert_eq!(reference.to_string(), text);
    }

    #[test]
    fn further_parameters_are_read_over() {
        let text =
            "fs://2021/01/25/60680137-5d4a-69a0-999e-526acf141308.png?name=1.txt&testParam=foo";
        assert_eq!(FileReference::parse(text).unwrap().name, "1.txt");
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        for text in [
            "",
            "cat.jpg",
            "fs://",
            "fs://?name=a",
            "fs://2021/03/12/x",
            "fs://2021/03/12/x?",
            "fs://2021/03/12/x?name",
            "fs://2021/03/12/x?name=a=b",
            "fs://2021/03/12/x?name=a&b",
            "fs://2021/x?name=a",
            "fs://2021/03/1 2/x?name=a",
            "fs://2021\\03/12/x?name=a",
            "1s://2021/03/12/x?name=a",
            "fs://2021/03/12/x?name=a\u{7}",
        ] {
            assert_eq!(FileReference::parse(text), None, "{text}");
        }
    }

    #[test]
    fn only_plain_extensions_become_part_of_a_path() {
        for (name, extension) in [
            ("cat.jpg", Some("jpg")),
            ("cat.tar.GZ", Some("GZ")),
            ("a.b/cat", None),
            ("cat.", None),
            ("cat.j pg", None),
            ("../../etc/passwd", None),
            ("cat.12345678901234567", None),
        ] {
            assert_eq!(extension_of(name), extension, "{name}");
        }
    }

    proptest! {
        #[test]
        fn every_name_survives_in_a_reference(name in any::<String>()) {
            let encoded = form_encoded(&name);
            prop_assert_eq!(form_decoded(&encoded), Some(name));
            prop_assert!(encoded.bytes().all(|b| b.is_ascii_alphanumeric() || b".-*_+%".contains(&b)));
        }
    }
}
