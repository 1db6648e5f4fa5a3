//! The bare query behind a list: threads that ask SQLite for the same page again and again, with
//! nothing around it, and read all columns of its rows. It prints what it measured as JSON.

use std::error::Error;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, params};

/// What a page of files of one source asks the database for. The index is named, so that the
/// figure is that of the best plan.
const PAGE: &str = "SELECT f.*, c.* FROM file f INDEXED BY file_source \
     LEFT JOIN content c ON c.id = f.content \
     WHERE f.tenant = 1 AND f.source_key = CAST(?1 AS BLOB) ORDER BY f.number LIMIT ?2";

fn main() -> ExitCode {
    match run() {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("query: {error}");
            ExitCode::FAILURE
        }
    }
}

/// `query DATABASE SOURCE ROWS CONNECTIONS SECONDS`
fn run() -> Result<serde_json::Value, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or("DATABASE SOURCE ROWS CONNECTIONS SECONDS");
    let (path, source) = (next()?, next()?);
    let (rows, connections): (usize, usize) = (next()?.parse()?, next()?.parse()?);
    let seconds = Duration::from_secs_f64(next()?.parse()?);
    let began = Instant::now();
    let pages = thread::scope(|scope| {
        let threads: Vec<_> = (0..connections)
            .map(|_| scope.spawn(|| ask(&path, &source, rows, began + seconds)))
            .collect();
        threads.into_iter().try_fold(0, |sum, thread| {
            let pages = thread.join().map_err(|_| "a thread panicked".to_owned())??;
            Ok::<_, String>(sum + pages)
        })
    })?;
    let seconds = began.elapsed().as_secs_f64();
    Ok(serde_json::json!({ "requests": pages, "seconds": seconds }))
}

/// Pages read until then.
fn ask(path: &str, source: &str, rows: usize, until: Instant) -> Result<u64, String> {
    let open = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags)?;
        // As the store has it.
        db.pragma_update(None, "cache_size", -(32 << 10))?;
        Ok(db)
    };
    let text = |error: rusqlite::Error| error.to_string();
    let db = open().map_err(text)?;
    let mut statement = db.prepare(PAGE).map_err(text)?;
    let mut pages = 0;
    while Instant::now() < until {
        let found = page(&mut statement, source, rows).map_err(text)?;
        if found != rows {
            return Err(format!("a page has {found} rows and not {rows}"));
        }
        pages += 1;
    }
    Ok(pages)
}

fn page(
    statement: &mut rusqlite::Statement<'_>,
    source: &str,
    rows: usize,
) -> rusqlite::Result<usize> {
    let columns = statement.column_count();
    let mut found = statement.query(params![source, rows as i64])?;
    let mut count = 0;
    while let Some(row) = found.next()? {
        for column in 0..columns {
            std::hint::black_box::<ValueRef<'_>>(row.get_ref(column)?);
        }
        count += 1;
    }
    Ok(count)
}
