//! What is kept beside a file's row so that it is found: terms, extent, name.

use filestore::backend::{TermHash, clamped_edges};
use filestore::{Attributes, Extent, fold};
use rusqlite::{Connection, params};

use crate::error::DbResult;
use crate::sql::change;

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
    let (old, new) =
        (was.map(TermHash::all_of).unwrap_or_default(), TermHash::all_of(file.attributes));
    drop_terms(db, file, old.difference(&new))?;
    for hash in new.difference(&old) {
        change(
            db,
            "INSERT INTO term (tenant, hash, number) VALUES (?, ?, ?)",
            params![file.tenant, hash.as_bytes(), file.number],
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
    drop_terms(db, file, TermHash::all_of(file.attributes).iter())?;
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

/// The start of a text as indexes hold it.
pub(crate) fn key_of(text: &str) -> &[u8] {
    let bytes = text.as_bytes();
    bytes.get(..KEY_LEN).unwrap_or(bytes)
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
            params![file.tenant, hash.as_bytes(), file.number],
        )?;
    }
    Ok(())
}

fn drop_extent(db: &Connection, row: i64) -> DbResult<()> {
    change(db, "DELETE FROM file_extent WHERE row = ?", params![row])?;
    Ok(())
}

fn keep_extent(db: &Connection, file: &Indexed<'_>, extent: &Extent) -> DbResult<()> {
    let [min_x, max_x, min_y, max_y] = clamped_edges(extent);
    change(
        db,
        "INSERT INTO file_extent (row, min_tenant, max_tenant, min_x, max_x, min_y, max_y) \
         VALUES (?1, ?2, ?2, ?3, ?4, ?5, ?6)",
        params![file.row, file.tenant, min_x, max_x, min_y, max_y],
    )?;
    Ok(())
}
