//! Metadata, upload sessions and small contents of a [filestore] in a PostgreSQL database, which any
//! number of nodes share.
//!
//! [`PostgresRepository`] implements all of [`Repository`](filestore::backend::Repository), for
//! PostgreSQL 15 and later, without extensions. Nothing is kept in a session of the database, so
//! that a pooler like PgBouncer may give each transaction another connection.
//!
//! ```no_run
//! # async fn run() -> filestore::Result<()> {
//! use filestore::{Durability, FileStore, FsBlobs};
//! use filestore_postgres::{PostgresOptions, PostgresRepository};
//!
//! let url = "postgres://files:secret@db.internal/files";
//! let repository = PostgresRepository::connect(url, PostgresOptions::default()).await?;
//! let blobs = FsBlobs::open("blobs", Durability::Full)?;
//! let store = FileStore::builder(blobs, repository).open().await?;
//! # Ok(())
//! # }
//! ```
//!
//! A runtime of tokio must be at hand: each change is committed by a task of its own.

#![forbid(unsafe_code)]

mod commit;
mod connections;
mod contents;
mod error;
mod files;
mod flight;
mod index;
mod ledger;
mod options;
mod query;
mod records;
mod repository;
mod row;
mod schema;
mod sql;
#[cfg(feature = "tls")]
mod tls;
mod transaction;
mod transfer;
mod upkeep;
mod uploads;
mod writes;

pub use options::PostgresOptions;
pub use repository::PostgresRepository;
