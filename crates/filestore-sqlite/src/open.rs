//! The embedded default in one line.

use std::path::Path;

use filestore::{FileStore, FsBlobs, Result};

use crate::{SqliteOptions, SqliteRepository};

/// The name of the database within the folder of a store.
pub const DATABASE: &str = "metadata.sqlite";

/// Opens the store in `dir`, or makes it: metadata in one SQLite file, blobs beside it on the local
/// disk, everything durable.
///
/// ```
/// # async fn run(dir: &std::path::Path) -> filestore::Result<()> {
/// use filestore::{Subject, Tenant};
///
/// let store = filestore_sqlite::open(dir).await?;
/// let files = store.files(&Tenant::new("acme")?, &Subject::new("ann")?);
/// let file = files.create("hello.txt", "hello world").await?;
/// let hello = files.open(file.id, None).await?.read_all().await?.collect().await?;
/// assert_eq!(hello, "hello world");
/// # Ok(())
/// # }
/// # let dir = tempfile::tempdir().unwrap();
/// # tokio::runtime::Runtime::new().unwrap().block_on(run(dir.path())).unwrap();
/// ```
///
/// # Errors
/// [`Conflict`](filestore::ErrorKind::Conflict) when database and blobs are of two stores;
/// [`Unavailable`](filestore::ErrorKind::Unavailable) when the folder cannot be used.
pub async fn open(dir: impl AsRef<Path>) -> Result<FileStore> {
    let (dir, options) = (dir.as_ref(), SqliteOptions::default());
    let blobs = FsBlobs::open(dir, options.durability)?;
    let repository = SqliteRepository::open(dir.join(DATABASE), options)?;
    FileStore::builder(blobs, repository).open().await
}
