use std::path::{Path, PathBuf};
use std::sync::mpsc as std_mpsc;
use std::time::Duration;

use filestore::{Durability, Error, ErrorKind, ManualClock};
use rusqlite::ffi;

use super::*;
use crate::{connection, schema};

/// A writer over a new file, and a table that is none of the store's business.
struct Bench {
    writer: Arc<Writer>,
    path: PathBuf,
    _dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("test.db");
        let mut db = connection::writing(&path, Durability::Relaxed).unwrap();
        schema::migrate(&mut db).unwrap();
        db.execute_batch("CREATE TABLE note (n INTEGER)").unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1)));
        let reserve = Reserve::open(&path, 1 << 20).unwrap();
        let writer = Arc::new(Writer::start(db, clock, reserve).unwrap());
        Self { writer, path, _dir: dir }
    }

    fn notes(&self) -> Vec<i64> {
        committed(&self.path)
    }

    /// Puts calls into the queue while the thread is busy with another, so that they are one group.
    async fn group<T: Send + 'static>(
        &self,
        calls: Vec<impl FnOnce(&mut Work<'_>) -> DbResult<T> + Send + 'static>,
    ) -> Vec<DbResult<T>> {
        let (go, wait) = std_mpsc::channel::<()>();
        let (started, is_busy) = oneshot::channel();
        let writer = Arc::clone(&self.writer);
        let busy = tokio::spawn(async move {
            writer
                .commit(move |_| {
                    let _ = started.send(());
                    let _ = wait.recv();
                    Ok(())
                })
                .await
        });
        is_busy.await.unwrap();
        let waiting: Vec<_> =
            calls.into_iter().map(|call| Box::pin(self.writer.commit(call))).collect();
        let mut all = Box::pin(futures::future::join_all(waiting));
        // The first poll of each puts it into the queue.
        assert!(futures::poll!(&mut all).is_pending());
        go.send(()).unwrap();
        busy.await.unwrap().unwrap();
        all.await
    }
}

fn committed(path: &Path) -> Vec<i64> {
    let db = connection::reading(path).unwrap();
    let mut statement = db.prepare("SELECT n FROM note ORDER BY n").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn note(work: &Work<'_>, n: i64) -> DbResult<()> {
    work.db.execute("INSERT INTO note (n) VALUES (?)", [n])?;
    Ok(())
}

fn sqlite_failure(code: i32) -> SqliteError {
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), None).into()
}

fn kind(error: SqliteError) -> ErrorKind {
    Error::from(error).kind()
}

#[tokio::test]
async fn calls_that_wait_together_are_one_commit() {
    let bench = Bench::new();
    let calls = (0..20).map(|n| {
        let path = bench.path.clone();
        move |work: &mut Work<'_>| {
            note(work, n)?;
            let seen: i64 = work.db.query_row("SELECT count(*) FROM note", [], |row| row.get(0))?;
            Ok((seen, committed(&path)))
        }
    });
    let answers = bench.group(calls.collect()).await;
    for (n, answer) in (0..).zip(answers) {
        // Each sees those before it, and nobody else sees any.
        assert_eq!(answer.unwrap(), (n + 1, Vec::new()));
    }
    assert_eq!(bench.notes().len(), 20);
}

#[tokio::test]
async fn a_refused_call_takes_only_its_own_changes_back() {
    let bench = Bench::new();
    let calls = (0..5).map(|n| {
        move |work: &mut Work<'_>| {
            note(work, n)?;
            note(work, n + 10)?;
            if n == 2 { Err(Error::conflict("no").into()) } else { Ok(()) }
        }
    });
    let answers = bench.group(calls.collect()).await;
    for (n, answer) in answers.into_iter().enumerate() {
        assert_eq!(answer.err().map(kind), (n == 2).then_some(ErrorKind::Conflict));
    }
    assert_eq!(bench.notes(), [0, 1, 3, 4, 10, 11, 13, 14]);
}

#[tokio::test]
async fn nobody_is_told_of_a_commit_that_failed() {
    let bench = Bench::new();
    let calls = (0..3).map(|n| {
        move |work: &mut Work<'_>| {
            note(work, n)?;
            if n == 1 {
                // Checked at the commit, which it fails.
                work.db.execute_batch(
                    "PRAGMA defer_foreign_keys = ON; \
                     INSERT INTO record VALUES (1, 999, 'kind', 'key', 1, 1, 1, '')",
                )?;
            }
            Ok(())
        }
    });
    for answer in bench.group(calls.collect()).await {
        assert_eq!(kind(answer.unwrap_err()), ErrorKind::Unavailable);
    }
    assert!(bench.notes().is_empty());
    // The file is sound: what comes next is committed.
    bench.writer.commit(|work| note(work, 7)).await.unwrap();
    assert_eq!(bench.notes(), [7]);
}

#[tokio::test]
async fn after_an_io_error_nothing_is_written_and_all_can_be_read() {
    let bench = Bench::new();
    bench.writer.commit(|work| note(work, 1)).await.unwrap();
    let calls = (2..5).map(|n| {
        move |work: &mut Work<'_>| {
            note(work, n)?;
            if n == 3 { Err(sqlite_failure(ffi::SQLITE_IOERR_FSYNC)) } else { Ok(()) }
        }
    });
    for answer in bench.group(calls.collect()).await {
        assert_eq!(kind(answer.unwrap_err()), ErrorKind::Unavailable);
    }
    let refused = bench.writer.commit(|work| note(work, 9)).await.unwrap_err();
    assert!(matches!(refused, SqliteError::Stopped(_)));
    assert_eq!(bench.notes(), [1]);
}

#[tokio::test]
async fn a_full_disk_stops_nothing_for_good() {
    let bench = Bench::new();
    let set_pages = |pages: i64| {
        move |work: &mut Work<'_>| {
            let set = format!("PRAGMA max_page_count = {pages}");
            Ok(work.db.query_row(&set, [], |_| Ok(()))?)
        }
    };
    bench.writer.commit(set_pages(1)).await.unwrap();
    let calls = (0..2).map(|n| {
        move |work: &mut Work<'_>| {
            note(work, n)?;
            work.db.execute("INSERT INTO inline_bytes (data) VALUES (zeroblob(1000000))", [])?;
            Ok(())
        }
    });
    for answer in bench.group(calls.collect()).await {
        assert_eq!(kind(answer.unwrap_err()), ErrorKind::StorageFull);
    }
    bench.writer.commit(set_pages(1 << 30)).await.unwrap();
    bench.writer.commit(|work| note(work, 5)).await.unwrap();
    assert_eq!(bench.notes(), [5]);
}

#[tokio::test]
async fn what_frees_room_is_done_again_when_the_reserve_was_given_up() {
    let bench = Bench::new();
    let mut runs = 0;
    let run = move |work: &mut Work<'_>| {
        runs += 1;
        note(work, runs)?;
        if runs == 1 { Err(sqlite_failure(ffi::SQLITE_FULL)) } else { Ok(runs) }
    };
    assert_eq!(bench.writer.free(run).await.unwrap(), 2);
    assert_eq!(bench.notes(), [2], "what it did the first time was taken back");
}

#[tokio::test]
async fn what_was_taken_is_done_though_nobody_waits() {
    let bench = Bench::new();
    let (started, has_started) = oneshot::channel();
    let (go, wait) = std_mpsc::channel::<()>();
    let call = bench.writer.commit(move |work| {
        let _ = started.send(());
        let _ = wait.recv();
        note(work, 1)
    });
    let given_up = tokio::time::timeout(Duration::from_millis(1), call).await;
    assert!(given_up.is_err());
    has_started.await.unwrap();
    go.send(()).unwrap();
    let Bench { writer, path, _dir } = bench;
    // Waits for the thread.
    drop(Arc::into_inner(writer).unwrap());
    assert_eq!(committed(&path), [1]);
}
