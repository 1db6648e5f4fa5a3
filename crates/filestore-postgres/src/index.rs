//! How the indexes over files hold a text and a name.

use std::collections::BTreeSet;

use filestore::backend::TermHash;
use filestore::{Tenant, trigrams};

use crate::sql::Id;

/// How much of a text an index holds, in characters. The schema says it too.
pub(crate) const KEY_LEN: usize = 64;

/// The hash of an external id.
pub(crate) fn external_hash(external_id: &str) -> Id {
    TermHash::of_external_id(external_id).into()
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
        let hash = TermHash::of_trigram(tenant, &trigram);
        hash.as_bytes().iter().take(4).fold(0_i32, |bits, byte| bits << 8 | i32::from(*byte))
    };
    let grams: BTreeSet<_> = trigrams(folded).into_iter().map(gram).collect();
    grams.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
