//! Every system call of this backend. Nothing else in the module touches the disk once it is open.
//!
//! All calls may block, but for [`read_cached`]. Interrupted calls are repeated; other failures
//! never are.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};

use super::layout;
use crate::id::Timestamp;

const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

/// The folder that holds the blobs' folders. All names are relative to it, so that the store may
/// be moved while it is open.
#[derive(Debug)]
pub(super) struct Disk {
    home: OwnedFd,
    nameless: bool,
}

/// A file that is being written and that nobody can see. Dropping it removes it.
#[derive(Debug)]
pub(super) struct Temp {
    file: File,
    /// Where the disk has no nameless files: goes away with this, linked or not.
    named: Option<Named>,
}

#[derive(Debug)]
struct Named {
    disk: Arc<Disk>,
    name: String,
}

/// A regular file in a folder.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) modified: Timestamp,
}

impl Disk {
    /// The folder at `path`. `probe` is a name that is free: whether a nameless file can get a
    /// name here is found out by trying.
    pub(super) fn open(path: &Path, probe: &str) -> io::Result<Self> {
        let home = File::open(path)?.into();
        let mut disk = Self { home, nameless: false };
        disk.nameless = disk
            .open_nameless(layout::TEMP)
            .and_then(|file| disk.link_nameless(&file, probe))
            .is_ok();
        if disk.nameless {
            disk.unlink(probe)?;
        }
        Ok(disk)
    }

    /// As it is on a file system without nameless files.
    #[cfg(test)]
    pub(super) fn with_named_files_only(mut self) -> Self {
        self.nameless = false;
        self
    }

    /// A new file that can be linked into `folder`; `spare` is the name it has where it must have
    /// one.
    pub(super) fn create_temp(self: &Arc<Self>, folder: &str, spare: &str) -> io::Result<Temp> {
        if self.nameless {
            let file = self.open_nameless(folder)?;
            return Ok(Temp { file, named: None });
        }
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = retry_on_intr(|| fs::openat(&self.home, spare, flags, PRIVATE))?.into();
        let named = Some(Named { disk: Arc::clone(self), name: spare.to_owned() });
        Ok(Temp { file, named })
    }

    /// Gives the file its name, unless the name is taken.
    pub(super) fn link(&self, temp: &Temp, name: &str) -> io::Result<()> {
        let Some(named) = &temp.named else {
            return self.link_nameless(&temp.file, name);
        };
        fs::linkat(&self.home, &named.name, &self.home, name, AtFlags::empty())?;
        Ok(())
    }

    /// Makes the names in `folder` durable as they are now.
    pub(super) fn sync_folder(&self, folder: &str) -> io::Result<()> {
        self.open_folder(folder)?.sync_all()
    }

    /// Opens a file and tells its size.
    pub(super) fn open_read(&self, name: &str) -> io::Result<(File, u64)> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = retry_on_intr(|| fs::openat(&self.home, name, flags, Mode::empty()))?;
        let file = File::from(file);
        let size = file.metadata()?.len();
        Ok((file, size))
    }

    pub(super) fn unlink(&self, name: &str) -> io::Result<()> {
        retry_on_intr(|| fs::unlinkat(&self.home, name, AtFlags::empty()))?;
        Ok(())
    }

    /// The regular files in `folder` whose names `wanted` takes, in no order.
    pub(super) fn list(
        &self,
        folder: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> io::Result<Vec<Entry>> {
        let folder = self.open_folder(folder)?;
        let mut entries = Vec::new();
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            if !wanted(name) {
                continue;
            }
            match fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile => {
                    let seconds = i128::from(stat.st_mtime);
                    let millis = seconds * 1000 + i128::from(stat.st_mtime_nsec) / 1_000_000;
                    entries.push(Entry {
                        name: name.to_owned(),
                        size: u64::try_from(stat.st_size).unwrap_or(0),
                        modified: Timestamp::from_millis(u64::try_from(millis).unwrap_or(0)),
                    });
                }
                Ok(_) | Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(entries)
    }

    fn open_folder(&self, folder: &str) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(retry_on_intr(|| fs::openat(&self.home, folder, flags, Mode::empty()))?.into())
    }

    #[cfg(target_os = "linux")]
    fn open_nameless(&self, folder: &str) -> io::Result<File> {
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        Ok(retry_on_intr(|| fs::openat(&self.home, folder, flags, PRIVATE))?.into())
    }

    #[cfg(not(target_os = "linux"))]
    fn open_nameless(&self, _folder: &str) -> io::Result<File> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// By way of /proc, as `open(2)` describes for `O_TMPFILE`: the other way needs a privilege.
    fn link_nameless(&self, file: &File, name: &str) -> io::Result<()> {
        let link = format!("/proc/self/fd/{}", file.as_raw_fd());
        fs::linkat(fs::CWD, link, &self.home, name, AtFlags::SYMLINK_FOLLOW)?;
        Ok(())
    }
}

impl Temp {
    /// Appends all of `frames`, which stay where they are in memory.
    pub(super) fn write(&mut self, frames: &[Bytes]) -> io::Result<()> {
        let mut slices: Vec<_> = frames.iter().map(|frame| IoSlice::new(frame)).collect();
        let mut rest = slices.as_mut_slice();
        while !rest.is_empty() {
            match self.file.write_vectored(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => IoSlice::advance_slices(&mut rest, written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Makes all that was written durable. After a failure the file is good for nothing: the
    /// kernel may have dropped the pages and would report success the next time.
    pub(super) fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        // What stays behind is removed when the store is opened a day later.
        let _ = self.disk.unlink(&self.name);
    }
}

/// Reads into `buffer` as much as needs no waiting, perhaps nothing. Never blocks on the disk.
#[cfg(target_os = "linux")]
pub(super) fn read_cached(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    use rustix::io::{ReadWriteFlags, preadv2};
    let mut buffer = [IoSliceMut::new(buffer)];
    match retry_on_intr(|| preadv2(file, &mut buffer, offset, ReadWriteFlags::NOWAIT)) {
        Ok(read) => Ok(read),
        Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// Other systems cannot tell; all reading is done where it may block.
#[cfg(not(target_os = "linux"))]
pub(super) fn read_cached(_: &File, _: &mut [u8], _: u64) -> io::Result<usize> {
    Ok(0)
}

/// Fills `buffer`.
pub(super) fn read_exact(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    file.read_exact_at(buffer, offset)
}
