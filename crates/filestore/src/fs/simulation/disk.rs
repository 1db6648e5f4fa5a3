//! [`SimDisk`]: a disk in memory.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use super::choices::Choices;
use super::faults::Faults;
use super::tree::{Number, Tree};
use crate::durability::Durability;
use crate::error::Result;
use crate::fs::FsBlobs;
use crate::fs::disk::{Disk, Entry, Linked, Unlinked};

/// A disk in memory that knows what of it is durable. Clones are one disk.
#[derive(Clone, Debug)]
pub struct SimDisk {
    tree: Arc<Mutex<Tree>>,
    nameless: bool,
}

impl SimDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self { tree: Arc::new(Mutex::new(Tree::new())), nameless: true }
    }

    /// The same disk as a file system without nameless files has it.
    #[must_use]
    pub fn without_nameless_files(self) -> Self {
        Self { nameless: false, ..self }
    }

    /// Opens the store on this disk, or makes one, with `faults` before it.
    ///
    /// # Errors
    /// As [`FsBlobs::open`].
    pub fn open(&self, durability: Durability, faults: &Faults) -> Result<FsBlobs> {
        let root = Folder { disk: self.clone(), node: Tree::ROOT };
        FsBlobs::open_on(&faults.before(Arc::new(root)), Path::new("/"), durability)
    }

    /// Makes everything durable, as `sync(2)` does.
    pub fn sync(&self) {
        self.tree().sync_all();
    }

    /// Another disk, as this one is after the power failed and came back a day later. This one
    /// stays as it is.
    #[must_use]
    pub fn after_power_failure(&self, choices: &mut Choices) -> Self {
        self.with(self.tree().after_power_failure(choices))
    }

    /// Another disk that is the same as this one.
    #[must_use]
    pub fn copy(&self) -> Self {
        self.with(self.tree().clone())
    }

    /// The paths of all files, in ascending order.
    pub fn files(&self) -> Vec<String> {
        self.tree().files()
    }

    /// The bytes of a file, as they are now.
    pub fn bytes(&self, path: &str) -> Option<Vec<u8>> {
        let tree = self.tree();
        let node = tree.find(Tree::ROOT, Path::new(path)).ok()?;
        tree.file(node).ok().map(|file| file.now.clone())
    }

    fn with(&self, tree: Tree) -> Self {
        Self { tree: Arc::new(Mutex::new(tree)), nameless: self.nameless }
    }

    fn tree(&self) -> MutexGuard<'_, Tree> {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for SimDisk {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Debug)]
struct Folder {
    disk: SimDisk,
    node: Number,
}

impl Disk for Folder {
    fn within(&self, path: &Path) -> io::Result<Arc<dyn Disk>> {
        let node = self.disk.tree().find(self.node, path)?;
        Ok(Arc::new(Self { disk: self.disk.clone(), node }))
    }

    fn is_folder(&self, path: &Path) -> io::Result<bool> {
        let tree = self.disk.tree();
        Ok(tree.find(self.node, path).is_ok_and(|node| tree.is_folder(node)))
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        Ok(self.disk.tree().add_folder(self.node, path)?)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        Ok(self.disk.tree().remove_folder(self.node, path)?)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Ok(self.disk.tree().rename(self.node, from, to)?)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let mut tree = self.disk.tree();
        let folder = tree.find(self.node, path)?;
        Ok(tree.sync_folder(folder)?)
    }

    fn list(&self, folder: &Path, wanted: &dyn Fn(&str) -> bool) -> io::Result<Vec<Entry>> {
        let tree = self.disk.tree();
        let names = tree.names(tree.find(self.node, folder)?)?;
        let entry = |(name, node): (&String, &Number)| {
            let file = tree.file(*node).ok()?;
            let (size, modified) = (file.now.len() as u64, file.modified);
            Some(Entry { name: name.clone(), size, modified })
        };
        Ok(names.iter().filter(|(name, _)| wanted(name)).filter_map(entry).collect())
    }

    fn create_nameless(&self, folder: &Path) -> io::Result<Box<dyn Unlinked>> {
        if !self.disk.nameless {
            return Err(Errno::OPNOTSUPP.into());
        }
        let mut tree = self.disk.tree();
        tree.names(tree.find(self.node, folder)?)?;
        let node = tree.add_file();
        Ok(Box::new(SimFile { disk: self.disk.clone(), folder: self.node, node }))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn Unlinked>> {
        let mut tree = self.disk.tree();
        let node = tree.add_file();
        tree.link(node, self.node, path)?;
        Ok(Box::new(SimFile { disk: self.disk.clone(), folder: self.node, node }))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn Linked>> {
        let tree = self.disk.tree();
        let node = tree.find(self.node, path)?;
        tree.file(node)?;
        Ok(Arc::new(SimFile { disk: self.disk.clone(), folder: self.node, node }))
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        Ok(self.disk.tree().unlink(self.node, path)?)
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    folder: Number,
    node: Number,
}

impl Unlinked for SimFile {
    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(self.disk.tree().append(self.node, slices)?)
    }

    /// What power may leave of unsynced bytes is up to it in any case.
    fn write_back(&self, _: Range<u64>) {}

    fn sync(&self) -> io::Result<()> {
        Ok(self.disk.tree().sync_file(self.node)?)
    }

    fn link(&self, path: &Path) -> io::Result<()> {
        Ok(self.disk.tree().link(self.node, self.folder, path)?)
    }
}

impl Linked for SimFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.disk.tree().file(self.node)?.now.len() as u64)
    }

    /// Nothing is cached, so that every reader goes the longer way.
    fn read_cached(&self, _: &mut [u8], _: u64) -> io::Result<usize> {
        Ok(0)
    }

    fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let tree = self.disk.tree();
        let bytes = &tree.file(self.node)?.now;
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let rest = &bytes[start..];
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }
}
