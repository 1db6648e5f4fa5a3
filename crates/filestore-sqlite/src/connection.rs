//! Connections and their settings.

use std::path::Path;
use std::time::Duration;

use filestore::Durability;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::error::{DbResult, SqliteError};

/// How long a writer waits for another process that writes to the same file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Statements kept ready. Lists make their own, so there are more than stand in the code.
const STATEMENTS: usize = 128;

/// The connection that writes. Makes the file when there is none.
pub(crate) fn writing(path: &Path, durability: Durability) -> DbResult<Connection> {
    let db = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    db.busy_timeout(BUSY_TIMEOUT)?;
    let switched = db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()));
    switched.map_err(|error| match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => SqliteError::Foreign,
        _ => error.into(),
    })?;
    let synchronous = match durability {
        Durability::Full => "FULL",
        Durability::Relaxed => "NORMAL",
    };
    db.pragma_update(None, "synchronous", synchronous)?;
    // The log is used again from its start after a checkpoint; this only gives back what a burst
    // made it grow to.
    db.pragma_update(None, "journal_size_limit", 64 << 20)?;
    db.pragma_update(None, "cache_size", -(32 << 10))?;
    // What a call must take back when it is refused is kept in memory: a few pages of each tree.
    db.pragma_update(None, "temp_store", "MEMORY")?;
    settle(&db)?;
    Ok(db)
}

/// A connection that cannot write and never waits: in WAL mode nothing makes a reader wait.
pub(crate) fn reading(path: &Path) -> DbResult<Connection> {
    let db = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    db.busy_timeout(Duration::ZERO)?;
    db.pragma_update(None, "query_only", true)?;
    db.pragma_update(None, "cache_size", -(32 << 10))?;
    settle(&db)?;
    Ok(db)
}

fn settle(db: &Connection) -> DbResult<()> {
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "trusted_schema", false)?;
    // Otherwise a statement over a table with a partial index is compiled again for every value that
    // it is run with, which takes ten times as long as to run it.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;
    use crate::schema;

    #[test]
    fn a_statement_is_compiled_once_whatever_it_is_run_with() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("test.db");
        let mut db = writing(&path, Durability::Relaxed).unwrap();
        schema::migrate(&mut db).unwrap();
        for db in [db, reading(&path).unwrap()] {
            let sql = "SELECT c.id FROM file f LEFT JOIN content c ON c.id = f.content \
                 WHERE f.row = ?";
            let mut statement = db.prepare(sql).unwrap();
            for row in 0..3 {
                assert!(!statement.exists([row]).unwrap());
            }
            assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
        }
    }
}
