//! What the tests begin with.

use std::sync::Arc;

use filestore::{Clock, Durability};
use filestore_postgres::{PostgresOptions, PostgresRepository};
use tokio::runtime::Handle;

use crate::cluster::Database;

/// Waits within a runtime, where a function is not async.
pub(crate) fn wait_for<F: Future>(future: F) -> F::Output {
    tokio::task::block_in_place(|| Handle::current().block_on(future))
}

pub(crate) fn options() -> PostgresOptions {
    PostgresOptions { durability: Durability::Relaxed, ..PostgresOptions::default() }
}

pub(crate) async fn connect(database: &Database, clock: Arc<dyn Clock>) -> PostgresRepository {
    let options = PostgresOptions { clock: Some(clock), ..options() };
    PostgresRepository::connect(&database.url(), options).await.unwrap()
}
