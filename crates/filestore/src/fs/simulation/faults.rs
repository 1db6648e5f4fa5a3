//! A layer before a disk that lets one call fail, and sees to it that a sync which failed is not
//! tried again.

use std::collections::HashSet;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use crate::error::{Error, Result};
use crate::fs::disk::{Disk, Entry, Linked, Unlinked};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `EIO`, of any call. A sync that fails so leaves nothing durable.
    Io,
    /// `ENOSPC`, of a call that may need room.
    NoSpace,
    /// `EDQUOT`, of a call that may need room.
    NoQuota,
    /// `EINTR`, of any call.
    Interrupted,
    /// A write that takes half of what it is given.
    ShortWrite,
    /// This call and all after it have no effect.
    PowerCut,
}

/// Lets one call fail. Clones are one.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Plan>>);

#[derive(Debug, Default)]
struct Plan {
    fault: Option<Fault>,
    /// Calls that the fault could have struck and that are still to be let through.
    countdown: u64,
    struck: Option<Struck>,
    /// What may not be synced any more: handles and folders.
    failed: HashSet<PathBuf>,
    violations: Vec<String>,
    handles: u64,
}

/// The call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Struck {
    /// Its name.
    pub call: &'static str,
    /// Whether it was the disk's.
    pub on_disk: bool,
}

/// What a call needs that can go wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    /// It is no call of the disk.
    NoDisk,
    Nothing,
    Room,
    Write,
}

impl Faults {
    /// Lets the `n`-th call from now fail, counted from 1 and among those that may fail so.
    pub fn strike(&self, n: u64, fault: Fault) {
        let mut plan = self.plan();
        (plan.fault, plan.countdown, plan.struck) = (Some(fault), n, None);
    }

    /// Lets nothing fail from now on, that which was not struck yet neither.
    pub fn cease(&self) {
        self.plan().fault = None;
    }

    /// Which call was struck.
    pub fn struck(&self) -> Option<Struck> {
        self.plan().struck
    }

    /// Whether the power is cut.
    pub fn is_off(&self) -> bool {
        let plan = self.plan();
        plan.fault == Some(Fault::PowerCut) && plan.struck.is_some()
    }

    /// What the store did and must not do: a sync, or a name, for what could not be synced.
    pub fn violations(&self) -> Vec<String> {
        self.plan().violations.clone()
    }

    /// Counts as a call, for what has a part in the same story: a commit for instance.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) when it is struck.
    pub fn pass(&self, place: &'static str) -> Result<()> {
        match self.strikes(place, Need::NoDisk) {
            Some(fault) => Err(Error::unavailable("storage failed").with_source(fault.error())),
            None => Ok(()),
        }
    }

    pub(super) fn before(&self, inner: Arc<dyn Disk>) -> FaultyDisk {
        FaultyDisk { inner, faults: self.clone(), path: PathBuf::new() }
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fault, when it is this call's.
    fn strikes(&self, call: &'static str, need: Need) -> Option<Fault> {
        let mut plan = self.plan();
        let fault = plan.fault?;
        if plan.struck.is_some() {
            return (fault == Fault::PowerCut).then_some(fault);
        }
        let fits = match fault {
            Fault::Io | Fault::PowerCut => true,
            Fault::Interrupted => need != Need::NoDisk,
            Fault::NoSpace | Fault::NoQuota => matches!(need, Need::Room | Need::Write),
            Fault::ShortWrite => need == Need::Write,
        };
        if !fits {
            return None;
        }
        plan.countdown -= 1;
        if plan.countdown > 0 {
            return None;
        }
        plan.struck = Some(Struck { call, on_disk: need != Need::NoDisk });
        Some(fault)
    }

    fn call<T>(
        &self,
        call: &'static str,
        need: Need,
        run: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        match self.strikes(call, need) {
            Some(fault) => Err(fault.error()),
            None => run(),
        }
    }

    fn sync(
        &self,
        call: &'static str,
        what: &Path,
        run: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        self.must_be_sound(call, what);
        let synced = self.call(call, Need::Room, run);
        if let Err(error) = &synced
            && error.kind() != io::ErrorKind::Interrupted
            && !self.is_off()
        {
            self.plan().failed.insert(what.to_owned());
        }
        synced
    }

    fn must_be_sound(&self, call: &'static str, what: &Path) {
        let mut plan = self.plan();
        if plan.failed.contains(what) {
            plan.violations.push(format!("{call} after a sync of {} failed", what.display()));
        }
    }
}

impl Fault {
    fn error(self) -> io::Error {
        match self {
            Self::Io => Errno::IO.into(),
            Self::NoSpace => Errno::NOSPC.into(),
            Self::NoQuota => Errno::DQUOT.into(),
            Self::Interrupted => Errno::INTR.into(),
            Self::ShortWrite | Self::PowerCut => io::Error::other("the power is cut"),
        }
    }
}

#[derive(Debug)]
pub(super) struct FaultyDisk {
    inner: Arc<dyn Disk>,
    faults: Faults,
    path: PathBuf,
}

impl Disk for FaultyDisk {
    fn within(&self, path: &Path) -> io::Result<Arc<dyn Disk>> {
        let inner = self.faults.call("within", Need::Nothing, || self.inner.within(path))?;
        let path = self.path.join(path);
        Ok(Arc::new(Self { inner, faults: self.faults.clone(), path }))
    }

    fn is_folder(&self, path: &Path) -> io::Result<bool> {
        self.faults.call("is_folder", Need::Nothing, || self.inner.is_folder(path))
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        self.faults.call("make_folder", Need::Room, || self.inner.make_folder(path))
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.faults.call("remove_folder", Need::Nothing, || self.inner.remove_folder(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.faults.call("rename", Need::Room, || self.inner.rename(from, to))
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.faults.sync("sync_folder", &self.path.join(path), || self.inner.sync_folder(path))
    }

    fn list(&self, folder: &Path, wanted: &dyn Fn(&str) -> bool) -> io::Result<Vec<Entry>> {
        let entries = self.inner.list(folder, wanted)?;
        // There are hundreds of empty folders, and one is as good as another.
        if entries.is_empty() && !self.faults.is_off() {
            return Ok(entries);
        }
        self.faults.call("list", Need::Nothing, || Ok(entries))
    }

    fn create_nameless(&self, folder: &Path) -> io::Result<Box<dyn Unlinked>> {
        let make = || self.inner.create_nameless(folder);
        let inner = self.faults.call("create_nameless", Need::Room, make)?;
        Ok(FaultyFile::boxed(inner, &self.faults))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn Unlinked>> {
        let inner = self.faults.call("create", Need::Room, || self.inner.create(path))?;
        Ok(FaultyFile::boxed(inner, &self.faults))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn Linked>> {
        let inner = self.faults.call("open", Need::Nothing, || self.inner.open(path))?;
        Ok(Arc::new(FaultyReader { inner, faults: self.faults.clone() }))
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.faults.call("unlink", Need::Nothing, || self.inner.unlink(path))
    }
}

#[derive(Debug)]
struct FaultyFile {
    inner: Box<dyn Unlinked>,
    faults: Faults,
    handle: PathBuf,
}

impl FaultyFile {
    fn boxed(inner: Box<dyn Unlinked>, faults: &Faults) -> Box<dyn Unlinked> {
        let mut plan = faults.plan();
        plan.handles += 1;
        let handle = PathBuf::from(format!("file {}", plan.handles));
        Box::new(Self { inner, faults: faults.clone(), handle })
    }
}

impl Unlinked for FaultyFile {
    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.faults.strikes("write", Need::Write) {
            None => self.inner.write(slices),
            Some(Fault::ShortWrite) => {
                let first = slices.iter().find(|slice| !slice.is_empty());
                let first: &[u8] = first.map_or(&[], |slice| slice);
                self.inner.write(&[IoSlice::new(&first[..first.len().div_ceil(2)])])
            }
            Some(fault) => Err(fault.error()),
        }
    }

    fn write_back(&self, range: Range<u64>) {
        self.inner.write_back(range);
    }

    fn sync(&self) -> io::Result<()> {
        self.faults.sync("sync", &self.handle, || self.inner.sync())
    }

    fn link(&self, path: &Path) -> io::Result<()> {
        self.faults.must_be_sound("link", &self.handle);
        self.faults.call("link", Need::Room, || self.inner.link(path))
    }
}

#[derive(Debug)]
struct FaultyReader {
    inner: Arc<dyn Linked>,
    faults: Faults,
}

impl Linked for FaultyReader {
    fn size(&self) -> io::Result<u64> {
        self.faults.call("size", Need::Nothing, || self.inner.size())
    }

    fn read_cached(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let read = || self.inner.read_cached(buffer, offset);
        self.faults.call("read_cached", Need::Nothing, read)
    }

    fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.faults.call("read", Need::Nothing, || self.inner.read(buffer, offset))
    }
}
