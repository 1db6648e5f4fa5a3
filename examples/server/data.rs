//! The data folder: database, blobs, secret, lock.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use filestore::{FileStore, FsBlobs};
use filestore_sqlite::{DATABASE, SqliteOptions, SqliteRepository};

use super::config::Config;

const LOCK: &str = "lock";

/// Opens the store, and never makes one: a mistyped folder is no empty store that is well.
pub(crate) async fn open_existing(config: &Config) -> Result<FileStore, String> {
    if !config.data.join(DATABASE).exists() {
        return Err(format!("there is no store in {}", config.data.display()));
    }
    open(config).await
}

/// Opens the store, or makes it.
pub(crate) async fn open(config: &Config) -> Result<FileStore, String> {
    let dir = &config.data;
    create(dir)?;
    let blobs = FsBlobs::open(dir, config.durability).map_err(|error| explain(dir, &error))?;
    let mut options = SqliteOptions { durability: config.durability, ..SqliteOptions::default() };
    if let Some(reserve) = config.reserve {
        options.reserve = reserve;
    }
    let repository = SqliteRepository::open(dir.join(DATABASE), options)
        .map_err(|error| explain(dir, &error))?;
    let mut store = FileStore::builder(blobs, repository).limits(config.limits.clone());
    if config.verify_reads {
        store = store.verify_reads();
    }
    store.open().await.map_err(|error| explain(dir, &error))
}

/// Makes sure that one server at a time serves this folder; as long as the file lives.
pub(crate) fn lock(dir: &Path) -> Result<File, String> {
    create(dir)?;
    let path = dir.join(LOCK);
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = file.map_err(|error| format!("cannot open {}: {error}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(format!("another server has {} open", dir.display())),
        Err(TryLockError::Error(error)) => Err(format!("cannot lock {}: {error}", path.display())),
    }
}

/// A secret that is kept in the folder, made when there is none yet. Of two who make it at once,
/// both get the same: it appears whole, and the first stays.
pub(crate) fn kept_secret(dir: &Path) -> io::Result<String> {
    create(dir).map_err(io::Error::other)?;
    let path = dir.join("jwt-secret");
    match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        found => return found,
    }
    let mut random = [0; 32];
    getrandom::fill(&mut random)?;
    let mut nonce = [0; 8];
    getrandom::fill(&mut nonce)?;
    let draft = dir.join(format!("jwt-secret.{}", hex::encode(nonce)));
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&draft)?;
    file.write_all(hex::encode(random).as_bytes())?;
    file.sync_all()?;
    let linked = fs::hard_link(&draft, &path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => File::open(dir)?.sync_all()?,
    }
    fs::read_to_string(&path)
}

fn create(dir: &Path) -> Result<(), String> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|error| format!("cannot create {}: {error}", dir.display()))
}

/// One line: the error and its causes.
fn explain(dir: &Path, error: &filestore::Error) -> String {
    let mut text = format!("cannot open {}: {error}", dir.display());
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
