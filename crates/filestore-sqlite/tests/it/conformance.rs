//! Joins the suite that every backend must pass.

use std::sync::Arc;

use filestore::conformance::Fixture;
use filestore::{Durability, ManualClock, Timestamp};
use filestore_sqlite::{SqliteOptions, SqliteRepository};

fn repository() -> Fixture<SqliteRepository> {
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_790_000_000_000)));
    let dir = tempfile::tempdir().unwrap();
    let options = SqliteOptions {
        durability: Durability::Relaxed,
        clock: clock.clone(),
        ..SqliteOptions::default()
    };
    let repository = SqliteRepository::open(dir.path().join("metadata.db"), options).unwrap();
    Fixture::new(repository).with_clock(clock).with_guard(dir)
}

filestore::repository_conformance!(repository);
