//! What is made of the disk's calls: interrupted ones are repeated, short writes continued, files
//! that nobody may see yet are kept out of sight, and a failed sync is the last one.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::disk::{Disk, Entry, Linked, Unlinked};
use super::error::FsError;
use super::layout;

/// The folder that holds the blobs' folders. All names are relative to it, so that the store may
/// be moved while it is open.
///
/// After a sync that failed the kernel may hold bytes or names that are not on the disk and never
/// will be, and would report success the next time. So nothing is synced again, and nothing stored
/// or removed, until the store is opened again. Reading goes on.
#[derive(Debug)]
pub(super) struct Volume {
    disk: Arc<dyn Disk>,
    nameless: bool,
    /// Why nothing is stored any more.
    stopped: OnceLock<String>,
}

/// A file that is being written and that nobody can see. Dropping it removes it.
#[derive(Debug)]
pub(super) struct Temp {
    volume: Arc<Volume>,
    file: Box<dyn Unlinked>,
    /// Where the disk has no nameless files: goes away with this, linked or not.
    name: Option<String>,
}

impl Volume {
    /// The store's folder. `probe` is a name that is free: whether a nameless file can get a name
    /// here is found out by trying.
    pub(super) fn open(disk: Arc<dyn Disk>, probe: &str) -> io::Result<Self> {
        let tried = repeat(|| disk.create_nameless(Path::new(layout::TEMP)))
            .and_then(|file| repeat(|| file.link(Path::new(probe))));
        let volume = Self { disk, nameless: tried.is_ok(), stopped: OnceLock::new() };
        if volume.nameless {
            volume.unlink(probe)?;
        }
        Ok(volume)
    }

    /// As it is on a file system without nameless files.
    #[cfg(test)]
    pub(super) fn with_named_files_only(mut self) -> Self {
        self.nameless = false;
        self
    }

    /// Whether blobs can be stored and removed.
    pub(super) fn check(&self) -> Result<(), FsError> {
        match self.stopped.get() {
            Some(reason) => Err(FsError::Stopped(reason.clone())),
            None => Ok(()),
        }
    }

    /// A new file that can be linked into `folder`; `spare` is the name it has where it must have
    /// one.
    pub(super) fn create_temp(self: &Arc<Self>, folder: &str, spare: &str) -> io::Result<Temp> {
        let volume = Arc::clone(self);
        if self.nameless {
            let file = repeat(|| self.disk.create_nameless(Path::new(folder)))?;
            return Ok(Temp { volume, file, name: None });
        }
        let file = repeat(|| self.disk.create(Path::new(spare)))?;
        Ok(Temp { volume, file, name: Some(spare.to_owned()) })
    }

    /// Makes the names in `folder` durable as they are now.
    pub(super) fn sync_folder(&self, folder: &str) -> Result<(), FsError> {
        self.check()?;
        repeat(|| self.disk.sync_folder(Path::new(folder)))
            .map_err(|error| self.stop("a folder", error))
    }

    /// Opens a file and tells its size.
    pub(super) fn open_read(&self, name: &str) -> io::Result<(Arc<dyn Linked>, u64)> {
        let file = repeat(|| self.disk.open(Path::new(name)))?;
        let size = repeat(|| file.size())?;
        Ok((file, size))
    }

    pub(super) fn unlink(&self, name: &str) -> io::Result<()> {
        repeat(|| self.disk.unlink(Path::new(name)))
    }

    /// The regular files in `folder` whose names `wanted` takes, in no order.
    pub(super) fn list(
        &self,
        folder: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> io::Result<Vec<Entry>> {
        repeat(|| self.disk.list(Path::new(folder), &wanted))
    }

    fn stop(&self, what: &str, error: io::Error) -> FsError {
        let _ = self.stopped.set(format!("a sync of {what} failed: {error}"));
        error.into()
    }
}

impl Temp {
    /// Appends all of `frames`, which stay where they are in memory.
    pub(super) fn write(&mut self, frames: &[Bytes]) -> io::Result<()> {
        let mut slices: Vec<_> = frames.iter().map(|frame| IoSlice::new(frame)).collect();
        let mut rest = slices.as_mut_slice();
        while !rest.is_empty() {
            match repeat(|| self.file.write(rest))? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => IoSlice::advance_slices(&mut rest, written),
            }
        }
        Ok(())
    }

    /// Has the disk begin with these bytes.
    pub(super) fn write_back(&self, range: Range<u64>) {
        self.file.write_back(range);
    }

    /// Makes all that was written durable. After a failure the file is good for nothing. Where it
    /// was room that it lacked, others are none the worse for it.
    pub(super) fn sync(&self) -> Result<(), FsError> {
        self.volume.check()?;
        repeat(|| self.file.sync()).map_err(|error| match FsError::from(error) {
            FsError::Io(error) => self.volume.stop("a file", error),
            full => full,
        })
    }

    /// Gives the file its name, unless the name is taken.
    pub(super) fn link(&self, name: &str) -> io::Result<()> {
        repeat(|| self.file.link(Path::new(name)))
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // What stays behind is removed when the store is opened a day later.
            let _ = self.volume.unlink(name);
        }
    }
}

/// Reads into `buffer` as much as needs no waiting, perhaps nothing. Never blocks on the disk.
pub(super) fn read_cached(file: &dyn Linked, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    repeat(|| file.read_cached(buffer, offset))
}

/// Fills `buffer`.
pub(super) fn read_exact(
    file: &dyn Linked,
    mut buffer: &mut [u8],
    mut offset: u64,
) -> io::Result<()> {
    while !buffer.is_empty() {
        let read = repeat(|| file.read(buffer, offset))?;
        buffer = match buffer.split_at_mut_checked(read) {
            Some((_, rest)) if read > 0 => rest,
            _ => return Err(io::ErrorKind::UnexpectedEof.into()),
        };
        offset += read as u64;
    }
    Ok(())
}

/// Makes a call until it is not interrupted. An interrupted call has not been made, a sync neither;
/// any other failure stands.
pub(super) fn repeat<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}
