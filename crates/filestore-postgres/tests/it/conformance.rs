//! Joins the suite that every backend must pass.

use std::sync::Arc;

use filestore::conformance::Fixture;
use filestore::{ManualClock, Timestamp};
use filestore_postgres::PostgresRepository;
use filestore_test_postgres::Database;

use crate::support::{connect, wait_for};

fn repository() -> Fixture<PostgresRepository> {
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_790_000_000_000)));
    let database = Database::new();
    let repository = wait_for(connect(&database, clock.clone()));
    Fixture::new(repository).with_clock(clock).with_guard(database)
}

filestore::repository_conformance!(repository);
