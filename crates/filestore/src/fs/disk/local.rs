//! The disk of this machine. Every system call of this backend is made here.

use std::fs::File;
use std::io::{self, IoSlice, Write};
#[cfg(target_os = "linux")]
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::{Disk, Entry, Linked, Unlinked};
use crate::id::Timestamp;

const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

/// A folder; without one, the folder this process runs in.
#[derive(Debug, Default)]
pub(in crate::fs) struct LocalDisk(Option<Arc<OwnedFd>>);

#[derive(Debug)]
struct LocalFile {
    file: File,
    folder: LocalDisk,
    /// Where it has one meanwhile.
    name: Option<PathBuf>,
}

impl LocalDisk {
    fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_ref().map_or(fs::CWD, |fd| fd.as_fd())
    }

    fn open_folder(&self, path: &Path) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(fs::openat(self.fd(), path, flags, Mode::empty())?)
    }

    fn created(
        &self,
        path: &Path,
        flags: OFlags,
        name: Option<&Path>,
    ) -> io::Result<Box<dyn Unlinked>> {
        let flags = flags | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = fs::openat(self.fd(), path, flags, PRIVATE)?.into();
        let folder = Self(self.0.clone());
        Ok(Box::new(LocalFile { file, folder, name: name.map(Path::to_owned) }))
    }
}

impl Disk for LocalDisk {
    fn within(&self, path: &Path) -> io::Result<Arc<dyn Disk>> {
        Ok(Arc::new(Self(Some(Arc::new(self.open_folder(path)?)))))
    }

    fn is_folder(&self, path: &Path) -> io::Result<bool> {
        match fs::statat(self.fd(), path, AtFlags::empty()) {
            Ok(stat) => Ok(FileType::from_raw_mode(stat.st_mode) == FileType::Directory),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        Ok(fs::mkdirat(self.fd(), path, Mode::RWXU)?)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        Ok(fs::unlinkat(self.fd(), path, AtFlags::REMOVEDIR)?)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Ok(fs::renameat(self.fd(), from, self.fd(), to)?)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        Ok(fs::fsync(self.open_folder(path)?)?)
    }

    fn list(&self, folder: &Path, wanted: &dyn Fn(&str) -> bool) -> io::Result<Vec<Entry>> {
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

    #[cfg(target_os = "linux")]
    fn create_nameless(&self, folder: &Path) -> io::Result<Box<dyn Unlinked>> {
        self.created(folder, OFlags::TMPFILE, None)
    }

    #[cfg(not(target_os = "linux"))]
    fn create_nameless(&self, _folder: &Path) -> io::Result<Box<dyn Unlinked>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn Unlinked>> {
        self.created(path, OFlags::CREATE | OFlags::EXCL, Some(path))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn Linked>> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file: File = fs::openat(self.fd(), path, flags, Mode::empty())?.into();
        Ok(Arc::new(file))
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        Ok(fs::unlinkat(self.fd(), path, AtFlags::empty())?)
    }
}

impl Unlinked for LocalFile {
    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.file.write_vectored(slices)
    }

    /// The kernel is told that nobody needs these pages. It writes what is dirty of them, without
    /// being waited for, and keeps it cached; an error is still there to be reported by the sync.
    #[cfg(target_os = "linux")]
    fn write_back(&self, range: Range<u64>) {
        let length = NonZeroU64::new(range.end - range.start);
        let _ = fs::fadvise(&self.file, range.start, length, fs::Advice::DontNeed);
    }

    /// Other systems begin when they see fit.
    #[cfg(not(target_os = "linux"))]
    fn write_back(&self, _: Range<u64>) {}

    fn sync(&self) -> io::Result<()> {
        Ok(fs::fdatasync(&self.file)?)
    }

    /// A file without a name gets one by way of /proc, as `open(2)` describes for `O_TMPFILE`: the
    /// other way needs a privilege.
    fn link(&self, path: &Path) -> io::Result<()> {
        let folder = self.folder.fd();
        match &self.name {
            Some(name) => fs::linkat(folder, name, folder, path, AtFlags::empty())?,
            None => {
                let link = format!("/proc/self/fd/{}", self.file.as_raw_fd());
                fs::linkat(fs::CWD, link, folder, path, AtFlags::SYMLINK_FOLLOW)?;
            }
        }
        Ok(())
    }
}

impl Linked for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    #[cfg(target_os = "linux")]
    fn read_cached(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        use rustix::io::{ReadWriteFlags, preadv2};
        let mut buffer = [io::IoSliceMut::new(buffer)];
        match preadv2(self, &mut buffer, offset, ReadWriteFlags::NOWAIT) {
            Ok(read) => Ok(read),
            Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// Other systems cannot tell; all reading is done where it may block.
    #[cfg(not(target_os = "linux"))]
    fn read_cached(&self, _: &mut [u8], _: u64) -> io::Result<usize> {
        Ok(0)
    }

    fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.read_at(buffer, offset)
    }
}
