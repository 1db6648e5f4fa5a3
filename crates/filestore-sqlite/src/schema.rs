//! The schema and its steps.

use filestore::StoreId;
use rusqlite::{Connection, TransactionBehavior, params};

use crate::error::{DbResult, SqliteError};

/// Says that a file is ours, in its header: "FStr".
const APPLICATION_ID: i32 = 0x4653_7472;

/// One script for each version: the n-th leads from version n-1 to n. A step that was released is
/// never edited.
const STEPS: &[&str] = &[include_str!("schema/001.sql"), include_str!("schema/002.sql")];

/// Brings a database to the newest schema, in one transaction; a new file gets all of it.
pub(crate) fn migrate(db: &mut Connection) -> DbResult<()> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let application: i32 = tx.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let version: usize =
        tx.query_row("PRAGMA user_version", [], |row| row.get::<_, u32>(0))? as usize;
    let tables: u32 = tx.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let is_new = application == 0 && version == 0 && tables == 0;
    if !is_new && application != APPLICATION_ID {
        return Err(SqliteError::Foreign);
    }
    let Some(steps) = STEPS.get(version..) else {
        return Err(SqliteError::Newer { found: version, known: STEPS.len() });
    };
    if steps.is_empty() {
        return Ok(());
    }
    for step in steps {
        tx.execute_batch(step)?;
    }
    if is_new {
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.execute(
            "INSERT INTO store (one, id) VALUES (1, ?)",
            params![StoreId::mint()?.as_bytes()],
        )?;
    }
    tx.pragma_update(None, "user_version", STEPS.len() as u32)?;
    tx.commit()?;
    Ok(())
}
