//! Room on the disk that is kept for changes which free some.
//!
//! Every change makes the database's log longer, a removal too. Where a disk is full to the last
//! byte, nothing could ever be removed from it again.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
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
    /// The reserve of `size` bytes for the database at `path`.
    pub(crate) fn open(path: &Path, size: u64) -> io::Result<Self> {
        let mut reserve = Self { file: None, size, whole: true };
        if size > 0 {
            let mut name = OsString::from(path);
            name.push("-reserve");
            let file = OpenOptions::new().create(true).truncate(false).write(true).open(name)?;
            (reserve.file, reserve.whole) = (Some(file), false);
            reserve.restore();
        }
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
    fn a_reserve_that_there_is_no_room_for_takes_none() {
        let dir = tempfile::tempdir().unwrap();
        let mut reserve = Reserve::open(&dir.path().join("db"), i64::MAX as u64 / 2).unwrap();
        // A file of this size cannot be, which is told from a disk that is full.
        assert!(reserve.is_whole());
        reserve.give_up();
        assert_eq!(std::fs::metadata(dir.path().join("db-reserve")).unwrap().blocks(), 0);
    }

    #[test]
    fn without_a_reserve_there_is_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let mut reserve = Reserve::open(&dir.path().join("db"), 0).unwrap();
        reserve.give_up();
        assert!(reserve.is_whole());
        assert!(!dir.path().join("db-reserve").exists());
    }
}
