//! A killed process.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use filestore::backend::{ContentRepository, FileRepository, Place};
use filestore::{Attributes, FileNumber};
use rusqlite::Connection;

use crate::support::{here, insert, open};

const FOLDER: &str = "FILESTORE_SQLITE_CRASH_TEST";

/// Run by the test below in a process of its own: stores files and says which, until it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_files_until_it_is_killed() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let repository = std::sync::Arc::new(open(&Path::new(&folder).join("metadata.db")));
    let mut tasks = Vec::new();
    for task in 0..8 {
        let repository = std::sync::Arc::clone(&repository);
        tasks.push(tokio::spawn(async move {
            for n in 1.. {
                let number = n * 8 + task;
                let change = insert(number, Attributes::named(format!("file {number}")));
                repository.apply(&here(), vec![change]).await.unwrap();
                println!("\nstored {number}");
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    for round in 1..=3 {
        let folder = dir.path().join(round.to_string());
        std::fs::create_dir(&folder).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::stores_files_until_it_is_killed", "--nocapture"])
            .env(FOLDER, &folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut stored: Vec<u64> = Vec::new();
        let numbers = lines.filter_map(|line| line.unwrap().strip_prefix("stored ")?.parse().ok());
        for number in numbers {
            stored.push(number);
            if stored.len() == 100 * round {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(stored.len() >= 100 * round);
        check(&folder.join("metadata.db"), &stored).await;
    }
}

async fn check(path: &Path, stored: &[u64]) {
    let repository = open(path);
    for number in stored {
        let key = FileNumber::new(*number).unwrap().into();
        let file = repository.load(&here(), &key, None).await.unwrap();
        assert_eq!(file.segments[0].place, Place::Inline(number.to_string().into()));
    }
    let files = repository.count(&here(), &[]).await.unwrap();
    let contents = repository.contents(None, u32::MAX).await.unwrap();
    assert_eq!(files, contents.len() as u64);
    drop(repository);
    let db = Connection::open(path).unwrap();
    let verdict: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}
