//! Names on disk: where blobs are, how the folders are made. `docs/disk-format.md` has it in full.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::disk::Disk;
use super::error::FsError;
use super::volume::{Volume, repeat};
use crate::clock::{Clock, SystemClock};
use crate::id::BlobKey;

/// Holds files that are being written, where they need names.
pub(super) const TEMP: &str = "tmp";

const HOME: &str = "blobs";
const UNFINISHED_HOME: &str = "blobs.new";

/// Longer than any upload goes without writing a byte: nobody writes a file of this age.
const LEFTOVER: Duration = Duration::from_secs(24 * 60 * 60);

/// Opens the store in `root`, or makes one; `sync` makes it durable.
pub(super) fn open(disk: &dyn Disk, root: &Path, sync: bool) -> Result<Volume, FsError> {
    let home = root.join(HOME);
    if !is_folder(disk, &home)? {
        make_folders(disk, root, &home, sync)?;
    }
    for folder in folders() {
        let folder = home.join(folder);
        if !is_folder(disk, &folder)? {
            return Err(FsError::Layout(folder));
        }
    }
    if sync {
        // Whoever made the folders may have been killed before they were durable.
        sync_folder(disk, root)?;
    }
    let volume = Volume::open(repeat(|| disk.within(&home))?, &temp_name()?)?;
    remove_leftovers(&volume)?;
    Ok(volume)
}

/// The folder of a key: two hex digits.
pub(super) fn folder(key: BlobKey) -> String {
    let [first, ..] = *key.as_bytes();
    folder_of(first)
}

/// The folder of all keys with this first byte.
pub(super) fn folder_of(first: u8) -> String {
    hex::encode([first])
}

/// The path of a blob: folder and 32 hex digits.
pub(super) fn path(key: BlobKey) -> String {
    format!("{}/{key}", folder(key))
}

/// The key of a file name within a folder; `None` for what is no blob of that folder.
pub(super) fn key(folder: u8, name: &str) -> Option<BlobKey> {
    let mut bytes = [0; 16];
    hex::decode_to_slice(name, &mut bytes).ok()?;
    let key = BlobKey::from_bytes(bytes);
    let [first, ..] = bytes;
    (first == folder && key.to_string() == name).then_some(key)
}

/// A path for a file that is being written: nobody else's.
pub(super) fn temp_name() -> Result<String, FsError> {
    let random = BlobKey::mint().map_err(FsError::Other)?;
    Ok(format!("{TEMP}/{random}"))
}

fn folders() -> impl Iterator<Item = String> {
    (0..=u8::MAX).map(folder_of).chain([TEMP.to_owned()])
}

/// Makes all folders aside and moves them into place at once: a store that is there is complete,
/// and a folder that is missing later was lost.
fn make_folders(disk: &dyn Disk, root: &Path, home: &Path, sync: bool) -> io::Result<()> {
    let unfinished = root.join(UNFINISHED_HOME);
    let made = (|| {
        make_path(disk, root, sync)?;
        make_folder(disk, &unfinished)?;
        for folder in folders() {
            let folder = unfinished.join(folder);
            make_folder(disk, &folder)?;
            if sync {
                sync_folder(disk, &folder)?;
            }
        }
        if sync {
            sync_folder(disk, &unfinished)?;
        }
        repeat(|| disk.rename(&unfinished, home))
    })();
    if made.is_err() && is_folder(disk, home)? {
        // Another process was faster. What cannot be removed does no harm.
        for folder in folders() {
            let _ = repeat(|| disk.remove_folder(&unfinished.join(&folder)));
        }
        let _ = repeat(|| disk.remove_folder(&unfinished));
        return Ok(());
    }
    made
}

/// Makes a folder and those above it that are missing, each durable in the one above.
fn make_path(disk: &dyn Disk, path: &Path, sync: bool) -> io::Result<()> {
    let parent = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Ok(()),
    };
    if !is_folder(disk, parent)? {
        make_path(disk, parent, sync)?;
    }
    make_folder(disk, path)?;
    if !sync {
        return Ok(());
    }
    match sync_folder(disk, parent) {
        // The folder was made by somebody who may read the one above.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        synced => synced,
    }
}

fn is_folder(disk: &dyn Disk, path: &Path) -> io::Result<bool> {
    repeat(|| disk.is_folder(path))
}

/// Makes a folder, unless it is there.
fn make_folder(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    match repeat(|| disk.make_folder(path)) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

fn sync_folder(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    repeat(|| disk.sync_folder(path))
}

/// Removes what killed processes left half-written. Others may be writing beside this one.
fn remove_leftovers(volume: &Volume) -> io::Result<()> {
    let now = SystemClock.now();
    for entry in volume.list(TEMP, |_| true)? {
        if now.since(entry.modified) > LEFTOVER {
            // Where that is not allowed they do no harm.
            let _ = volume.unlink(&format!("{TEMP}/{}", entry.name));
        }
    }
    Ok(())
}
