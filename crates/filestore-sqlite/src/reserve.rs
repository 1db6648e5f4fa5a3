//! Room on the disk that is kept for changes which free some.
//!
//! Every change makes the database's log longer, a removal too. Where a disk is full to the last
//! byte, nothing could ever be removed from it again.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

/// A file of nothing beside the database. It is given up when the disk is full, and made again when
/// there is room for it; meanwhile only what frees room may have any.
#[derive(Debug)]
pub(crate) struct Reserve {
    /// None where no reserve is wanted, or the file system cannot keep one.
    file: Option<File>,
    size: u64,
    whole: bool,
}

impl Reserve {
    /// The reserve of `size` bytes for the database at `path`; of none, when the size is 0.
    pub(crate) fn open(path: &Path, size: u64) -> io::Result<Self> {
        let mut name = OsString::from(path);
        name.push("-reserve");
        if size == 0 {
            return match fs::remove_file(name) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(Self { file: None, size, whole: true }),
            };
        }
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(name)?;
        let mut reserve = Self { file: Some(file), size, whole: false };
        reserve.restore();
        Ok(reserve)
    }

    /// Whether it is there, so that everything may have room. Always, where there is to be none.
    pub(crate) fn is_whole(&self) -> bool {
        self.whole
    }

    /// Gives its room to whoever is the first to take it.
    pub(crate) fn give_up(&mut self) {
        let Some(file) = &self.file else { return };
        self.whole = false;
        if let Err(error) = file.set_len(0) {
            tracing::warn!(%error, "the reserve stays");
        }
    }

    /// Makes it again, if it was given up and there is room for all of it.
    pub(crate) fn restore(&mut self) {
        if self.whole {
            return;
        }
        let Some(file) = &self.file else { return };
        match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, self.size) {
            Ok(()) => self.whole = true,
            // Some file systems keep the part that there was room for.
            Err(Errno::NOSPC | Errno::DQUOT) => self.give_up(),
            Err(error) => {
                tracing::warn!(%error, "this disk keeps no reserve");
                (self.file, self.whole) = (None, true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    const SIZE: u64 = 1 << 20;

    #[test]
    fn a_reserve_takes_room_until_it_is_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let taken =
            || std::fs::metadata(dir.path().join("db-reserve")).unwrap().blocks() * 512 >= SIZE;
        let mut reserve = Reserve::open(&dir.path().join("db"), SIZE).unwrap();
        assert!(reserve.is_whole() && taken());
        reserve.give_up();
        assert!(!reserve.is_whole() && !taken());
        reserve.restore();
        assert!(reserve.is_whole() && taken());
    }

    #[test]
    fn where_no_reserve_can_be_kept_all_goes_on_without() {
        let dir = tempfile::tempdir().unwrap();
        // No file has this size, which is told from a disk that is full.
        let mut reserve = Reserve::open(&dir.path().join("db"), u64::MAX).unwrap();
        reserve.give_up();
        assert!(reserve.is_whole());
    }

    #[test]
    fn without_a_reserve_there_is_no_file() {
        let dir = tempfile::tempdir().unwrap();
        Reserve::open(&dir.path().join("db"), SIZE).unwrap();
        let mut reserve = Reserve::open(&dir.path().join("db"), 0).unwrap();
        reserve.give_up();
        assert!(reserve.is_whole());
        assert!(!dir.path().join("db-reserve").exists());
    }
}
