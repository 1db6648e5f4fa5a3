//! Hashes that stand for values in indexes.

use std::collections::BTreeSet;

use crate::hash::Hasher;
use crate::id::Tenant;
use crate::query::SetField;
use crate::record::{Attributes, Term};

/// Stands in an index for a value that files are found by: the first half of a SHA-256 over the
/// kind of the value, a name and the value itself. Two values with the same 128 bits are not to be
/// found.
///
/// Databases hold these hashes, so what goes into them stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TermHash([u8; 16]);

impl TermHash {
    /// Of all metadata pairs, labels and terms.
    pub fn all_of(attributes: &Attributes) -> BTreeSet<Self> {
        let pairs = attributes.metadata.iter().map(|(key, value)| Self::of_pair(key, value));
        let labels = attributes.labels.iter().map(|label| Self::of_text(b'l', "", label));
        let terms = attributes
            .terms
            .iter()
            .flat_map(|(name, values)| values.iter().map(|value| Self::of_term(b't', name, value)));
        pairs.chain(labels).chain(terms).collect()
    }

    /// Of a metadata pair.
    pub fn of_pair(key: &str, value: &str) -> Self {
        Self::of_text(b'm', key, value)
    }

    /// Of values of a field, each once, in ascending order.
    pub fn of_values(field: &SetField, values: &[Term]) -> Vec<Self> {
        let (kind, name) = match field {
            SetField::Labels => (b'l', ""),
            SetField::Terms(name) => (b't', name.as_str()),
        };
        let mut hashes: Vec<_> =
            values.iter().map(|value| Self::of_term(kind, name, value)).collect();
        hashes.sort_unstable();
        hashes.dedup();
        hashes
    }

    /// Of an external id.
    pub fn of_external_id(external_id: &str) -> Self {
        Self::of_text(b'e', "", external_id)
    }

    /// Of a trigram of a tenant's folded names, for an index over those of all tenants.
    pub fn of_trigram(tenant: &Tenant, trigram: &str) -> Self {
        Self::of_text(b'n', tenant.as_str(), trigram)
    }

    /// The raw bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    fn of_term(kind: u8, name: &str, value: &Term) -> Self {
        match value {
            Term::Int(value) => Self::new(kind, name, b'i', &value.to_be_bytes()),
            Term::Text(value) => Self::of_text(kind, name, value),
        }
    }

    fn of_text(kind: u8, name: &str, text: &str) -> Self {
        Self::new(kind, name, b't', text.as_bytes())
    }

    /// The length of the name goes in before it, so that no two of them read the same.
    fn new(kind: u8, name: &str, type_: u8, value: &[u8]) -> Self {
        let mut hasher = Hasher::default();
        hasher.update(&[kind]);
        hasher.update(&(name.len() as u64).to_be_bytes());
        hasher.update(name.as_bytes());
        hasher.update(&[type_]);
        hasher.update(value);
        let mut half = [0; 16];
        for (to, from) in half.iter_mut().zip(hasher.digest().as_bytes()) {
            *to = *from;
        }
        Self(half)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> [TermHash; 9] {
        let of = |field: &SetField, value| TermHash::of_values(field, &[value])[0];
        let field = |name: &str| SetField::Terms(name.to_owned());
        [
            TermHash::of_pair("a", "b"),
            TermHash::of_pair("ab", ""),
            TermHash::of_pair("", "ab"),
            TermHash::of_external_id("ab"),
            TermHash::of_trigram(&Tenant::new("a").unwrap(), "b"),
            of(&SetField::Labels, Term::from("ab")),
            of(&field("a"), Term::from("b")),
            of(&field("a"), Term::from(98)),
            of(&field(""), Term::from("ab")),
        ]
    }

    #[test]
    fn values_of_different_kinds_and_types_have_different_hashes() {
        assert_eq!(all().iter().collect::<BTreeSet<_>>().len(), all().len());
    }

    #[test]
    fn hashes_are_those_that_databases_hold() {
        let expected = [
            "d514cb45f00189a500429f9e5d903cf4",
            "82b7f1d22b9a109ab4d88e4ed2834e83",
            "158837266b9dc526588150fa645ca8d6",
            "b88c917fdbcd0de55dea18575361fe91",
            "2cf0f722d5045f2b71f3e27a15cc8490",
            "f6d7be07cc41bf114cdd62b63c604585",
            "fc6d615553ce1d9264fb2d8aec18d848",
            "9ae192bbb994f330364039b6fec6d62f",
            "9586553604ea3ab48b83402f906f8533",
        ];
        assert_eq!(all().map(|hash| hex::encode(hash.as_bytes())), expected);
    }

    #[test]
    fn what_a_file_has_is_found_by_what_is_asked_for() {
        let mut attributes = Attributes::named("it");
        attributes.metadata.insert("a".to_owned(), "b".to_owned());
        attributes.labels.push("red".to_owned());
        attributes.terms.insert("n".to_owned(), vec![Term::from(1), Term::from("x")]);
        let (one, x) = (Term::from(1), Term::from("x"));
        let red = TermHash::of_values(&SetField::Labels, &[Term::from("red")]);
        let terms = TermHash::of_values(&SetField::Terms("n".to_owned()), &[x.clone(), one, x]);
        assert_eq!(terms.len(), 2);
        let asked = [vec![TermHash::of_pair("a", "b")], red, terms].concat();
        assert_eq!(TermHash::all_of(&attributes), BTreeSet::from_iter(asked));
    }
}
