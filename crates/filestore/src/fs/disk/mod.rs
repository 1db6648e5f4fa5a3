//! What this backend asks of a disk: one method for each system call, or for two that belong
//! together. [`local`] makes the calls; a simulated disk stands in for it in tests.
//!
//! Nothing here is clever: a call may be interrupted, may write less than it was given, may fail,
//! and says so. What is made of that is in [`volume`](super::volume).

pub(super) mod local;

use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::id::Timestamp;

/// A folder of a disk. Paths are relative to it. All calls may block.
pub(super) trait Disk: Debug + Send + Sync {
    /// The folder at `path`, wherever it may be moved from now on.
    fn within(&self, path: &Path) -> io::Result<Arc<dyn Disk>>;

    /// Whether there is a folder. That there is nothing is no error.
    fn is_folder(&self, path: &Path) -> io::Result<bool>;

    /// Makes a folder that only its owner may enter.
    fn make_folder(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty folder.
    fn remove_folder(&self, path: &Path) -> io::Result<()>;

    /// Moves a folder to where there is none.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable as they are now.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;

    /// The regular files in a folder whose names `wanted` takes, in no order.
    fn list(&self, folder: &Path, wanted: &dyn Fn(&str) -> bool) -> io::Result<Vec<Entry>>;

    /// A new private file without a name, which can be linked into `folder`.
    fn create_nameless(&self, folder: &Path) -> io::Result<Box<dyn Unlinked>>;

    /// A new private file at a path that is free.
    fn create(&self, path: &Path) -> io::Result<Box<dyn Unlinked>>;

    /// Opens a file, and no symbolic link, for reading.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn Linked>>;

    /// Removes a name.
    fn unlink(&self, path: &Path) -> io::Result<()>;
}

/// A file that is being written, without the name it is to have.
pub(super) trait Unlinked: Debug + Send + Sync {
    /// Appends from `slices` as much as the disk takes at once.
    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Has the disk begin with these bytes, so that less is left to do for [`sync`](Self::sync). A
    /// hint: they are no more durable for it, and there is no answer.
    fn write_back(&self, range: Range<u64>);

    /// Makes all that was written durable.
    fn sync(&self) -> io::Result<()>;

    /// Gives the file a name that is free, within the folder it was made in.
    fn link(&self, path: &Path) -> io::Result<()>;
}

/// A file that is being read.
pub(super) trait Linked: Debug + Send + Sync {
    /// Its size in bytes.
    fn size(&self) -> io::Result<u64>;

    /// Reads as much as needs no waiting, perhaps nothing. Never blocks.
    fn read_cached(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Reads as much as there is at once; nothing at the end.
    fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
}

/// A regular file in a folder.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) modified: Timestamp,
}
