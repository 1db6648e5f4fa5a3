//! What is kept beside a file's row so that it is found: hashes of terms, trigrams of the name.

use std::collections::BTreeSet;

use filestore::{Attributes, Digest, Extent, SetField, Tenant, Term, trigrams};

use crate::sql::Id;

/// How much of a text an index holds, in characters. The schema says it too.
pub(crate) const KEY_LEN: usize = 64;

/// The hash of an external id.
pub(crate) fn external_hash(external_id: &str) -> Id {
    hash(b'e', "", &Term::from(external_id))
}

/// The hash of a metadata pair.
pub(crate) fn pair_hash(key: &str, value: &str) -> Id {
    hash(b'm', key, &Term::from(value))
}

/// The hash of a value of a field.
pub(crate) fn term_hash(field: &SetField, value: &Term) -> Id {
    match field {
        SetField::Labels => hash(b'l', "", value),
        SetField::Terms(name) => hash(b't', name, value),
    }
}

/// The hashes of all pairs, labels and terms of a file.
pub(crate) fn hashes(attributes: &Attributes) -> BTreeSet<Id> {
    let pairs = attributes.metadata.iter().map(|(key, value)| pair_hash(key, value));
    let labels = attributes.labels.iter().map(|label| hash(b'l', "", &Term::Text(label.clone())));
    let terms = attributes
        .terms
        .iter()
        .flat_map(|(name, values)| values.iter().map(|value| hash(b't', name, value)));
    pairs.chain(labels).chain(terms).collect()
}

/// The start of a text as indexes hold it.
pub(crate) fn key_of(text: &str) -> &str {
    text.char_indices().nth(KEY_LEN).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

/// Whether an index holds all of a text, and not the start of another one.
pub(crate) fn is_within_key(text: &str) -> bool {
    text.chars().nth(KEY_LEN - 1).is_none()
}

/// The trigrams of a folded text as the index of names has them: a few bits of a hash over the
/// tenant and the trigram. Two that are the same for the index are told apart by the row.
pub(crate) fn grams(tenant: &Tenant, folded: &str) -> Vec<i32> {
    let gram = |trigram: String| {
        let hash = hash(b'n', tenant.as_str(), &Term::Text(trigram));
        hash.0.iter().take(4).fold(0_i32, |bits, byte| bits << 8 | i32::from(*byte))
    };
    let grams: BTreeSet<_> = trigrams(folded).into_iter().map(gram).collect();
    grams.into_iter().collect()
}

/// A box as its index holds it: no area of it is beyond what a float can be.
pub(crate) fn clamped(extent: &Extent) -> [f64; 4] {
    let most = f64::from(f32::MAX);
    [extent.min_x, extent.max_x, extent.min_y, extent.max_y].map(|edge| edge.clamp(-most, most))
}

/// First half of a SHA-256. The length of the name goes in first, so that no two of them read the
/// same.
fn hash(kind: u8, name: &str, value: &Term) -> Id {
    let mut text = vec![kind];
    text.extend_from_slice(&(name.len() as u64).to_be_bytes());
    text.extend_from_slice(name.as_bytes());
    match value {
        Term::Int(value) => {
            text.push(b'i');
            text.extend_from_slice(&value.to_be_bytes());
        }
        Term::Text(value) => {
            text.push(b't');
            text.extend_from_slice(value.as_bytes());
        }
    }
    let mut half = [0; 16];
    for (to, from) in half.iter_mut().zip(Digest::of(&text).as_bytes()) {
        *to = *from;
    }
    Id(half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_of_different_fields_and_types_have_different_hashes() {
        let field = |name: &str| SetField::Terms(name.to_owned());
        let all = [
            pair_hash("a", "b"),
            pair_hash("ab", ""),
            pair_hash("", "ab"),
            external_hash("ab"),
            term_hash(&SetField::Labels, &Term::from("ab")),
            term_hash(&field("a"), &Term::from("b")),
            term_hash(&field("a"), &Term::from(98)),
            term_hash(&field(""), &Term::from("ab")),
        ];
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    }

    #[test]
    fn tenants_have_different_grams() {
        let of = |tenant| grams(&Tenant::new(tenant).unwrap(), "report");
        assert_eq!(of("a").len(), 4);
        assert!(of("a").iter().all(|gram| !of("b").contains(gram)));
    }

    #[test]
    fn a_key_is_the_start_of_a_text() {
        let long = "ü".repeat(KEY_LEN + 1);
        assert_eq!(key_of(&long).chars().count(), KEY_LEN);
        assert_eq!(key_of("short"), "short");
        assert!(is_within_key(&"ü".repeat(KEY_LEN - 1)));
        assert!(!is_within_key(&"ü".repeat(KEY_LEN)));
    }
}
