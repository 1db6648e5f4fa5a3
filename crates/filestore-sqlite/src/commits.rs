//! Which commit a database is at, without asking it.
//!
//! In WAL mode SQLite keeps the "wal-index", a file of shared memory that every process with the
//! database open has mapped. It begins with a header of 48 bytes that says where the log ends: a
//! reader begins at the commit that it describes, and a commit is there for readers from the moment
//! at which the header changed (*WAL-mode File Format*, section 2.1, of SQLite's documentation). It
//! holds a counter, and length, salt and check sum of the log: as long as it is the same, everything
//! that can be read is. SQLite itself relies on that where it keeps pages from one transaction to the
//! next.
//!
//! A transaction would say the same, by taking and giving back locks of the file system, which costs
//! more than all else about reading a small file.

#![expect(unsafe_code, reason = "SQLite hands out its shared memory by no other way")]

use std::ffi::c_void;
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering, fence};

use rusqlite::{Connection, ffi};

use crate::connection;
use crate::error::DbResult;

/// Bytes of the index that are mapped at a time.
const REGION: i32 = 32 << 10;

/// The header of the index, as opaque words.
type Header = [AtomicU32; 12];

/// The state of a database after some commit. Two that are equal are of the same commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark([u32; 12]);

/// Tells marks of a database.
#[derive(Debug)]
pub(crate) struct Commits {
    header: Mapped,
    /// Keeps the header mapped.
    _db: Mutex<Connection>,
}

/// Where a header is.
#[derive(Debug)]
struct Mapped(NonNull<Header>);

// SAFETY: the header belongs to no thread.
unsafe impl Send for Mapped {}
// SAFETY: it is read by atomic loads alone.
unsafe impl Sync for Mapped {}

impl Commits {
    /// `None` where SQLite keeps no such memory, or it cannot be had at the moment.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let found = Self::find(path);
        if let Err(error) = &found {
            tracing::debug!(%error, "every file is looked up each time");
        }
        found.ok().flatten()
    }

    fn find(path: &Path) -> DbResult<Option<Self>> {
        let db = connection::reading(path)?;
        // The index is there from the first read on, and in this mode alone.
        db.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        let mode: String = db.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
        let header = if mode == "wal" { header(&db) } else { None };
        Ok(header.map(|header| Self { header: Mapped(header), _db: Mutex::new(db) }))
    }

    /// The commit whose changes a read that begins now would see, or one before it while it is being
    /// made.
    pub(crate) fn mark(&self) -> Mark {
        // SAFETY: `header` made sure that it points at a header; SQLite leaves that mapped, in this
        // place, until the last connection of this process to the database is closed, and `_db` is
        // one. Others write to it at any time, SQLite in this process among them, which copies it
        // there without atomic stores: as SQLite's own readers do, this relies on the compiler of
        // C to know nothing of this load, and on memory to be coherent. What was half written while
        // it was read is equal to no header that was there before.
        let header = unsafe { self.header.0.as_ref() };
        let mark = Mark(header.each_ref().map(|word| word.load(Ordering::Relaxed)));
        fence(Ordering::Acquire);
        mark
    }
}

/// Where a connection that has read has its index.
fn header(db: &Connection) -> Option<NonNull<Header>> {
    let mut file: *mut ffi::sqlite3_file = ptr::null_mut();
    let mut region: *mut c_void = ptr::null_mut();
    // SAFETY: the connection is open and nobody else uses it meanwhile. FILE_POINTER stores a
    // `sqlite3_file *` where its last argument points, and that file is open as long as the
    // connection is: `pMethods` of an open file points at its methods, which have `xShmMap` from
    // version 2 on. That is called as SQLite does itself: with the file of a connection that has read
    // in WAL mode, for the first region, not to be made longer; it stores where that is mapped, or null.
    // The region is page-aligned and longer than a header.
    unsafe {
        let slot = ptr::from_mut(&mut file).cast();
        let main = c"main".as_ptr();
        let told =
            ffi::sqlite3_file_control(db.handle(), main, ffi::SQLITE_FCNTL_FILE_POINTER, slot);
        if told != ffi::SQLITE_OK || file.is_null() {
            return None;
        }
        let methods = (*file).pMethods.as_ref().filter(|methods| methods.iVersion >= 2)?;
        let mapped = (methods.xShmMap?)(file, 0, REGION, 0, &mut region);
        if mapped != ffi::SQLITE_OK {
            return None;
        }
    }
    NonNull::new(region.cast())
}

#[cfg(test)]
mod tests {
    use filestore::Durability;

    use super::*;

    #[test]
    fn a_mark_changes_with_every_commit_and_not_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("test.db");
        let db = connection::writing(&path, Durability::Relaxed).unwrap();
        db.execute_batch("CREATE TABLE note (n INTEGER)").unwrap();
        let (commits, reader) = (Commits::of(&path).unwrap(), connection::reading(&path).unwrap());
        let mut seen = vec![commits.mark()];
        for n in 0..20 {
            let (before, notes) = (commits.mark(), |db: &Connection| {
                db.query_row("SELECT count(*) FROM note", [], |row| row.get::<_, i64>(0)).unwrap()
            });
            assert_eq!(notes(&reader), n);
            db.execute_batch("BEGIN IMMEDIATE; INSERT INTO note VALUES (1)").unwrap();
            assert_eq!(commits.mark(), before, "nothing is committed yet");
            db.execute_batch("COMMIT").unwrap();
            assert!(!seen.contains(&commits.mark()));
            seen.push(commits.mark());
            if n % 5 == 0 {
                // The log begins anew, with the same pages in it.
                db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
                assert_eq!(notes(&reader), n + 1);
                seen.push(commits.mark());
            }
        }
    }

    #[test]
    fn it_outlives_the_other_connections() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("test.db");
        let write = || {
            let db = connection::writing(&path, Durability::Relaxed).unwrap();
            db.execute_batch("CREATE TABLE IF NOT EXISTS note (n); INSERT INTO note VALUES (1)")
                .unwrap();
        };
        write();
        let commits = Commits::of(&path).unwrap();
        let before = commits.mark();
        write();
        assert_ne!(commits.mark(), before);
    }

    #[test]
    fn there_is_none_where_nothing_is_shared() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("test.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE note (n)").unwrap();
        assert!(Commits::of(&path).is_none());
        assert!(!dir.path().join("test.db-shm").exists());
    }
}
