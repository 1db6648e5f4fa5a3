//! What is kept beside a file's row so that it is found: terms, extent, name.

use std::collections::BTreeSet;

use filestore::{Attributes, Digest, Extent, SetField, Term, fold};
use rusqlite::{Connection, params};

use crate::error::DbResult;
use crate::sql::change;

/// First half of a SHA-256 over a field, a name and a value.
pub(crate) type TermHash = [u8; 16];

/// How much of a text an index holds. The schema says it too.
pub(crate) const KEY_LEN: usize = 128;

/// A file as its indexes see it.
pub(crate) struct Indexed<'a> {
    pub(crate) row: i64,
    pub(crate) tenant: i64,
    pub(crate) number: i64,
    pub(crate) attributes: &'a Attributes,
}

/// Brings the indexes from what a file was to what it is; `None` is no file.
pub(crate) fn reindex(
    db: &Connection,
    names: &mut Vec<NameChange>,
    file: &Indexed<'_>,
    was: Option<&Attributes>,
) -> DbResult<()> {
    let (old, new) = (was.map(hashes).unwrap_or_default(), hashes(file.attributes));
    drop_terms(db, file, old.difference(&new))?;
    for hash in new.difference(&old) {
        change(
            db,
            "INSERT INTO term (tenant, hash, number) VALUES (?, ?, ?)",
            params![file.tenant, hash, file.number],
        )?;
    }
    let extent = file.attributes.extent;
    let old_extent = was.and_then(|was| was.extent);
    if old_extent != extent {
        if old_extent.is_some() {
            drop_extent(db, file.row)?;
        }
        if let Some(extent) = extent {
            keep_extent(db, file, &extent)?;
        }
    }
    if was.is_none_or(|was| was.name != file.attributes.name) {
        names.push(NameChange { row: file.row, name: Some(fold(&file.attributes.name)) });
    }
    Ok(())
}

/// Takes a file that is no more out of the indexes.
pub(crate) fn unindex(
    db: &Connection,
    names: &mut Vec<NameChange>,
    file: &Indexed<'_>,
) -> DbResult<()> {
    drop_terms(db, file, hashes(file.attributes).iter())?;
    if file.attributes.extent.is_some() {
        drop_extent(db, file.row)?;
    }
    names.push(NameChange { row: file.row, name: None });
    Ok(())
}

/// A change to the index of names, made when its group is committed.
pub(crate) struct NameChange {
    row: i64,
    name: Option<String>,
}

impl NameChange {
    pub(crate) fn make(&self, db: &Connection) -> DbResult<()> {
        match &self.name {
            Some(name) => change(
                db,
                "INSERT OR REPLACE INTO file_trigram (rowid, name) VALUES (?, ?)",
                params![self.row, name],
            )?,
            None => change(db, "DELETE FROM file_trigram WHERE rowid = ?", params![self.row])?,
        };
        Ok(())
    }
}

/// The hash of a metadata pair.
pub(crate) fn pair_hash(key: &str, value: &str) -> TermHash {
    hash(b'm', key, &Term::Text(value.to_owned()))
}

/// The hash of a value of a field.
pub(crate) fn term_hash(field: &SetField, value: &Term) -> TermHash {
    match field {
        SetField::Labels => hash(b'l', "", value),
        SetField::Terms(name) => hash(b't', name, value),
    }
}

/// The start of a text as indexes hold it.
pub(crate) fn key_of(text: &str) -> &[u8] {
    let bytes = text.as_bytes();
    bytes.get(..KEY_LEN).unwrap_or(bytes)
}

/// A box as the index of extents holds it, which has 32 bits for a coordinate: none is beyond them.
pub(crate) fn clamped(extent: &Extent) -> [f64; 4] {
    let most = f64::from(f32::MAX);
    [extent.min_x, extent.max_x, extent.min_y, extent.max_y].map(|edge| edge.clamp(-most, most))
}

/// The length of the name goes in first, so that no two of them read the same.
fn hash(kind: u8, name: &str, value: &Term) -> TermHash {
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
    let mut half = TermHash::default();
    for (to, from) in half.iter_mut().zip(Digest::of(&text).as_bytes()) {
        *to = *from;
    }
    half
}

fn hashes(attributes: &Attributes) -> BTreeSet<TermHash> {
    let pairs = attributes.metadata.iter().map(|(key, value)| pair_hash(key, value));
    let labels = attributes.labels.iter().map(|label| hash(b'l', "", &Term::Text(label.clone())));
    let terms = attributes
        .terms
        .iter()
        .flat_map(|(name, values)| values.iter().map(|value| hash(b't', name, value)));
    pairs.chain(labels).chain(terms).collect()
}

fn drop_terms<'h>(
    db: &Connection,
    file: &Indexed<'_>,
    hashes: impl Iterator<Item = &'h TermHash>,
) -> DbResult<()> {
    for hash in hashes {
        change(
            db,
            "DELETE FROM term WHERE tenant = ? AND hash = ? AND number = ?",
            params![file.tenant, hash, file.number],
        )?;
    }
    Ok(())
}

fn drop_extent(db: &Connection, row: i64) -> DbResult<()> {
    change(db, "DELETE FROM file_extent WHERE row = ?", params![row])?;
    Ok(())
}

fn keep_extent(db: &Connection, file: &Indexed<'_>, extent: &Extent) -> DbResult<()> {
    let [min_x, max_x, min_y, max_y] = clamped(extent);
    change(
        db,
        "INSERT INTO file_extent (row, min_tenant, max_tenant, min_x, max_x, min_y, max_y) \
         VALUES (?1, ?2, ?2, ?3, ?4, ?5, ?6)",
        params![file.row, file.tenant, min_x, max_x, min_y, max_y],
    )?;
    Ok(())
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
            term_hash(&SetField::Labels, &Term::from("ab")),
            term_hash(&field("a"), &Term::from("b")),
            term_hash(&field("a"), &Term::from(98)),
            term_hash(&field(""), &Term::from("ab")),
        ];
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    }
}
