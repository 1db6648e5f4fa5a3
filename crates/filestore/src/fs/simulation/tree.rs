//! Folders and files in memory: as they are, as they are durable, and what a power failure makes of
//! the difference.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IoSlice;
use std::path::{Component, Path};
use std::time::Duration;

use rustix::io::Errno;

use super::choices::Choices;
use crate::clock::{Clock, SystemClock};
use crate::id::Timestamp;

/// What reaches the disk whole or not at all.
const BLOCK: usize = 512;

/// How long the power is off: all that was left half-done is old when it is back.
const OUTAGE: Duration = Duration::from_secs(25 * 60 * 60);

pub(super) type Number = usize;

/// All folders and files by number; the first is the root. None is ever dropped.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    steps: u64,
}

#[derive(Clone, Debug)]
enum Node {
    Folder(Folder),
    File(FileNode),
}

#[derive(Clone, Debug, Default)]
struct Folder {
    now: BTreeMap<String, Number>,
    durable: BTreeMap<String, Number>,
    /// What makes the one of the other, each with its place in the order of all.
    pending: Vec<(u64, Step)>,
}

#[derive(Clone, Debug)]
enum Step {
    Add(String, Number),
    Remove(String),
    Rename(String, String, Number),
}

#[derive(Clone, Debug)]
pub(super) struct FileNode {
    pub(super) now: Vec<u8>,
    durable: Vec<u8>,
    /// Blocks that were written since the last sync.
    dirty: BTreeSet<usize>,
    pub(super) modified: Timestamp,
}

impl Tree {
    pub(super) const ROOT: Number = 0;

    pub(super) fn new() -> Self {
        Self { nodes: vec![Node::Folder(Folder::default())], steps: 0 }
    }

    pub(super) fn find(&self, from: Number, path: &Path) -> Result<Number, Errno> {
        let mut node = from;
        for part in path.components() {
            match part {
                Component::Normal(name) => {
                    let name = name.to_str().ok_or(Errno::INVAL)?;
                    node = *self.folder(node)?.now.get(name).ok_or(Errno::NOENT)?;
                }
                Component::RootDir => node = Self::ROOT,
                _ => {}
            }
        }
        Ok(node)
    }

    pub(super) fn is_folder(&self, node: Number) -> bool {
        matches!(self.nodes[node], Node::Folder(_))
    }

    pub(super) fn file(&self, node: Number) -> Result<&FileNode, Errno> {
        match &self.nodes[node] {
            Node::File(file) => Ok(file),
            Node::Folder(_) => Err(Errno::ISDIR),
        }
    }

    pub(super) fn names(&self, folder: Number) -> Result<&BTreeMap<String, Number>, Errno> {
        Ok(&self.folder(folder)?.now)
    }

    pub(super) fn add_folder(&mut self, from: Number, path: &Path) -> Result<(), Errno> {
        let (folder, name) = self.free(from, path)?;
        self.nodes.push(Node::Folder(Folder::default()));
        self.change(folder, Step::Add(name, self.nodes.len() - 1))
    }

    pub(super) fn remove_folder(&mut self, from: Number, path: &Path) -> Result<(), Errno> {
        if !self.folder(self.find(from, path)?)?.now.is_empty() {
            return Err(Errno::NOTEMPTY);
        }
        let (folder, name) = self.parent(from, path)?;
        self.change(folder, Step::Remove(name))
    }

    /// Within one folder, to a name that is free.
    pub(super) fn rename(&mut self, base: Number, from: &Path, to: &Path) -> Result<(), Errno> {
        let node = self.find(base, from)?;
        let (folder, from) = self.parent(base, from)?;
        let (to_folder, to) = self.free(base, to).map_err(|_| Errno::NOTEMPTY)?;
        if to_folder != folder {
            return Err(Errno::XDEV);
        }
        self.change(folder, Step::Rename(from, to, node))
    }

    pub(super) fn add_file(&mut self) -> Number {
        self.nodes.push(Node::File(FileNode {
            now: Vec::new(),
            durable: Vec::new(),
            dirty: BTreeSet::new(),
            modified: SystemClock.now(),
        }));
        self.nodes.len() - 1
    }

    pub(super) fn link(&mut self, node: Number, from: Number, path: &Path) -> Result<(), Errno> {
        let (folder, name) = self.free(from, path)?;
        self.change(folder, Step::Add(name, node))
    }

    pub(super) fn unlink(&mut self, from: Number, path: &Path) -> Result<(), Errno> {
        self.file(self.find(from, path)?)?;
        let (folder, name) = self.parent(from, path)?;
        self.change(folder, Step::Remove(name))
    }

    pub(super) fn append(&mut self, node: Number, slices: &[IoSlice<'_>]) -> Result<usize, Errno> {
        let file = self.file_mut(node)?;
        let start = file.now.len();
        slices.iter().for_each(|slice| file.now.extend_from_slice(slice));
        file.dirty.extend(start / BLOCK..file.now.len().div_ceil(BLOCK));
        Ok(file.now.len() - start)
    }

    pub(super) fn sync_file(&mut self, node: Number) -> Result<(), Errno> {
        let file = self.file_mut(node)?;
        file.dirty.clear();
        file.durable.clone_from(&file.now);
        Ok(())
    }

    pub(super) fn sync_folder(&mut self, node: Number) -> Result<(), Errno> {
        let folder = self.folder_mut(node)?;
        folder.pending.clear();
        folder.durable.clone_from(&folder.now);
        Ok(())
    }

    pub(super) fn sync_all(&mut self) {
        for node in 0..self.nodes.len() {
            let _ = self.sync_file(node);
            let _ = self.sync_folder(node);
        }
    }

    /// What there is when the power is back. Any of the names that were not synced may have been
    /// made or removed, in whatever order; of a file that has a name any block that was not synced
    /// may be new, old or neither, and it may end anywhere between its old end and its new.
    pub(super) fn after_power_failure(&self, choices: &mut Choices) -> Self {
        let mut tree = self.clone();
        for (folder, steps) in self.surviving_steps(choices) {
            if let Node::Folder(folder) = &mut tree.nodes[folder] {
                folder.now.clone_from(&folder.durable);
                steps.iter().for_each(|step| apply(step, &mut folder.now));
            }
        }
        for node in tree.reachable() {
            if let Node::File(file) = &mut tree.nodes[node] {
                file.now = file.surviving_bytes(choices);
                file.modified = file.modified.before(OUTAGE);
            }
        }
        tree.sync_all();
        tree
    }

    /// Every folder with its steps that survive. Chosen in the order in which they were made, so
    /// that names, which are random, do not matter.
    fn surviving_steps(&self, choices: &mut Choices) -> BTreeMap<Number, Vec<&Step>> {
        let mut kept = BTreeMap::new();
        let mut pending = Vec::new();
        for (number, node) in self.nodes.iter().enumerate() {
            if let Node::Folder(folder) = node {
                kept.insert(number, Vec::new());
                pending.extend(folder.pending.iter().map(|(at, step)| (*at, number, step)));
            }
        }
        pending.sort_unstable_by_key(|(at, ..)| *at);
        for (_, folder, step) in pending {
            if choices.pick(2) == 1 {
                kept.entry(folder).or_default().push(step);
            }
        }
        kept
    }

    fn reachable(&self) -> BTreeSet<Number> {
        let mut found = BTreeSet::from([Self::ROOT]);
        let mut new = vec![Self::ROOT];
        while let Some(node) = new.pop() {
            if let Node::Folder(folder) = &self.nodes[node] {
                new.extend(folder.now.values().filter(|node| found.insert(**node)));
            }
        }
        found
    }

    /// The paths of all files.
    pub(super) fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        let mut folders = vec![(String::new(), Self::ROOT)];
        while let Some((path, node)) = folders.pop() {
            match &self.nodes[node] {
                Node::File(_) => files.push(path),
                Node::Folder(folder) => {
                    let below = folder.now.iter();
                    folders.extend(below.map(|(name, node)| (format!("{path}/{name}"), *node)));
                }
            }
        }
        files.sort_unstable();
        files
    }

    fn folder(&self, node: Number) -> Result<&Folder, Errno> {
        match &self.nodes[node] {
            Node::Folder(folder) => Ok(folder),
            Node::File(_) => Err(Errno::NOTDIR),
        }
    }

    fn folder_mut(&mut self, node: Number) -> Result<&mut Folder, Errno> {
        match &mut self.nodes[node] {
            Node::Folder(folder) => Ok(folder),
            Node::File(_) => Err(Errno::NOTDIR),
        }
    }

    fn file_mut(&mut self, node: Number) -> Result<&mut FileNode, Errno> {
        match &mut self.nodes[node] {
            Node::File(file) => Ok(file),
            Node::Folder(_) => Err(Errno::ISDIR),
        }
    }

    /// The folder that a path is in, and its name there.
    fn parent(&self, from: Number, path: &Path) -> Result<(Number, String), Errno> {
        let name = path.file_name().and_then(|name| name.to_str()).ok_or(Errno::EXIST)?;
        Ok((self.find(from, path.parent().unwrap_or(Path::new("")))?, name.to_owned()))
    }

    /// As [`parent`](Self::parent), for a name that is free.
    fn free(&self, from: Number, path: &Path) -> Result<(Number, String), Errno> {
        let (folder, name) = self.parent(from, path)?;
        if self.folder(folder)?.now.contains_key(&name) {
            return Err(Errno::EXIST);
        }
        Ok((folder, name))
    }

    fn change(&mut self, folder: Number, step: Step) -> Result<(), Errno> {
        self.steps += 1;
        let at = self.steps;
        let folder = self.folder_mut(folder)?;
        apply(&step, &mut folder.now);
        folder.pending.push((at, step));
        Ok(())
    }
}

fn apply(step: &Step, names: &mut BTreeMap<String, Number>) {
    match step {
        Step::Add(name, node) => {
            names.insert(name.clone(), *node);
        }
        Step::Remove(name) => {
            names.remove(name);
        }
        Step::Rename(from, to, node) => {
            names.remove(from);
            names.insert(to.clone(), *node);
        }
    }
}

impl FileNode {
    fn surviving_bytes(&self, choices: &mut Choices) -> Vec<u8> {
        if self.dirty.is_empty() {
            return self.durable.clone();
        }
        let blocks = self.durable.len().div_ceil(BLOCK)..self.now.len().div_ceil(BLOCK);
        let ends: Vec<_> = blocks.map(|block| (block * BLOCK).max(self.durable.len())).collect();
        let end = match choices.pick(ends.len() + 1) {
            0 => self.now.len(),
            n => ends[n - 1],
        };
        let mut bytes = self.durable.clone();
        bytes.resize(end, 0);
        for block in &self.dirty {
            let range = (block * BLOCK).min(end)..((block + 1) * BLOCK).min(end);
            match choices.pick(3) {
                0 => {}
                1 => bytes[range.clone()].copy_from_slice(&self.now[range]),
                _ => bytes[range].fill(0xdb),
            }
        }
        bytes
    }
}
