//! Metadata, upload sessions and small contents of a [filestore] in one embedded SQLite file.
//!
//! [`SqliteRepository`] implements all of [`Repository`](filestore::backend::Repository). One thread
//! writes: calls that wait together share one commit and one sync. Reads run on their own
//! connections and wait for nobody; what was looked up is given again until the next commit.
//!
//! A runtime of tokio must be at hand: lists run on its threads for blocking work.

mod commits;
mod connection;
mod contents;
mod error;
mod files;
mod index;
mod landmarks;
mod ledger;
mod open;
mod options;
mod query;
mod readers;
mod recent;
mod records;
mod repository;
mod reserve;
mod row;
mod schema;
mod sql;
mod transfer;
mod upkeep;
mod uploads;
mod writer;

pub use open::{DATABASE, open};
pub use options::SqliteOptions;
pub use repository::SqliteRepository;
