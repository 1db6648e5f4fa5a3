//! What of a file's attributes is stored as text.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::record::{Attributes, Term};

/// The attributes that databases hold as one text, since they have no columns of their own. It is
/// read as [`Attributes`] that have nothing else.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Details<'a> {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    labels: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    terms: &'a BTreeMap<String, Vec<Term>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    extras: &'a BTreeMap<String, String>,
}

impl<'a> Details<'a> {
    /// Those of a file; `None` when there is nothing to say.
    pub fn of(attributes: &'a Attributes) -> Option<Self> {
        let Attributes { metadata, labels, terms, extras, .. } = attributes;
        let is_any =
            !(metadata.is_empty() && labels.is_empty() && terms.is_empty() && extras.is_empty());
        is_any.then_some(Self { metadata, labels, terms, extras })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_as_attributes() {
        let mut attributes = Attributes::default();
        assert!(Details::of(&attributes).is_none());
        attributes.metadata.insert("a".to_owned(), "b".to_owned());
        attributes.labels = vec!["red".to_owned(), "blue".to_owned()];
        attributes.terms.insert("n".to_owned(), vec![Term::from(1), Term::from("x")]);
        let text = serde_json::to_string(&Details::of(&attributes)).unwrap();
        let expected = r#"{"metadata":{"a":"b"},"labels":["red","blue"],"terms":{"n":[1,"x"]}}"#;
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<Attributes>(&text).unwrap(), attributes);
    }
}
