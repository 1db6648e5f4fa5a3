//! The store that the configuration names, and what is kept on this machine: secret, locks.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use filestore::{FileStore, FileStoreBuilder};

use super::backends::{Blobs, Metadata, OpenedBlobs, Opening, explain, make_folder};
use super::config::Config;

const LOCK: &str = "lock";

/// Opens the store, or makes it.
pub(crate) async fn open(config: &Config) -> Result<FileStore, String> {
    open_as(config, true).await
}

/// Opens the store, and never makes one.
pub(crate) async fn open_existing(config: &Config) -> Result<FileStore, String> {
    open_as(config, false).await
}

async fn open_as(config: &Config, create: bool) -> Result<FileStore, String> {
    open_at(config, &config.metadata, &config.blobs, create).await
}

/// Opens the store that is kept there.
pub(crate) async fn open_at(
    config: &Config,
    metadata: &Metadata,
    blobs: &Blobs,
    create: bool,
) -> Result<FileStore, String> {
    let Config { durability, reserve, .. } = *config;
    let opening = Opening { durability, create, reserve };
    let OpenedBlobs { store, signer } = blobs.open(opening)?;
    let store = FileStoreBuilder::new(store, metadata.open(opening).await?);
    let mut store = store.limits(config.limits.clone());
    if config.verify_reads {
        store = store.verify_reads();
    }
    if let Some(signer) = signer {
        store = store.sign_blobs(signer);
    }
    let both = format!("{metadata} with {blobs}");
    store.open().await.map_err(|error| explain(&both, &error))
}

/// Makes sure that one server at a time serves what is kept on this machine; as long as the files
/// live.
pub(crate) fn lock<'f>(folders: impl IntoIterator<Item = &'f Path>) -> Result<Vec<File>, String> {
    let mut locked: Vec<PathBuf> = Vec::new();
    let mut locks = Vec::new();
    for folder in folders {
        make_folder(folder)?;
        let known = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
        // Mostly both are in one folder, which is locked once.
        if !locked.contains(&known) {
            locks.push(lock_folder(folder)?);
            locked.push(known);
        }
    }
    Ok(locks)
}

fn lock_folder(dir: &Path) -> Result<File, String> {
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
    make_folder(dir).map_err(io::Error::other)?;
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
