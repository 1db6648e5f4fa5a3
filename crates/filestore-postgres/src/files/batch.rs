//! What changes of files come to, decided over what was read.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use filestore::backend::{Change, ContentSource, NewContent, Segment};
use filestore::{
    Attributes, BlobKey, ContentId, ContentInfo, Error, ErrorKind, FileId, FileRecord, ItemError,
    Result, Revision, Timestamp,
};

use crate::error::DbResult;
use crate::index::external_hash;
use crate::sql::{Id, int};
use crate::writes::Writes;

/// The files, names, contents and keys that changes depend on.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) files: HashMap<FileId, FileRecord>,
    /// Names that some file has.
    pub(super) taken: BTreeSet<Taken>,
    pub(super) contents: BTreeMap<ContentId, SharedContent>,
    pub(super) pending: HashSet<BlobKey>,
}

/// A name of a file; of two files no two are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Taken {
    Id(Id),
    Number(i64),
    External(Id),
}

/// A content that is there, or will be.
#[derive(Clone, Debug)]
pub(super) struct SharedContent {
    pub(super) is_ours: bool,
    pub(super) info: ContentInfo,
    pub(super) uses: i64,
}

impl Batch {
    /// Carries out changes in order, each seeing what those before it did, or names every one that
    /// cannot be.
    pub(super) fn decide(mut self, changes: &[Change]) -> DbResult<(Writes, Vec<FileRecord>)> {
        let before: BTreeMap<_, _> = self.contents.iter().map(|(id, it)| (*id, it.uses)).collect();
        let mut writes = Writes::default();
        let mut records = Vec::with_capacity(changes.len());
        let mut refused = Vec::new();
        let mut first_reason = None;
        for (index, change) in changes.iter().enumerate() {
            match self.take(change, &mut writes) {
                Ok(record) => records.push(record),
                Err(error) => {
                    refused.push(ItemError { index, kind: error.kind() });
                    first_reason.get_or_insert_with(|| error.to_string());
                }
            }
        }
        if let Some(reason) = first_reason {
            return Err(Error::of_items(refused, reason).into());
        }
        self.count_uses(&before, &mut writes);
        Ok((writes, records))
    }

    /// What can be refused comes before what is written, so that a refused change does not stand in
    /// the way of those after it.
    fn take(&mut self, change: &Change, writes: &mut Writes) -> Result<FileRecord> {
        match change {
            Change::Insert { record, content } => self.insert(record, content.as_ref(), writes),
            Change::Update { id, expected, attributes, updated } => {
                let file = self.find(*id)?;
                check_revision(file, *expected)?;
                self.update(*id, attributes, *updated, writes)
            }
            Change::Replace { id, expected, content } => {
                let own = self.find(*id)?.content.as_ref().map(|content| content.id);
                if expected.is_some() && *expected != own {
                    return Err(Error::conflict("the file has other content"));
                }
                self.replace(*id, content, writes)
            }
            Change::Remove { id, expected } => {
                let file = self.find(*id)?;
                expected.map_or(Ok(()), |expected| check_revision(file, expected))?;
                self.remove(*id, writes)
            }
        }
    }

    fn find(&self, id: FileId) -> Result<&FileRecord> {
        self.files.get(&id).ok_or_else(|| Error::not_found("there is no such file"))
    }

    fn insert(
        &mut self,
        record: &FileRecord,
        content: Option<&ContentSource>,
        writes: &mut Writes,
    ) -> Result<FileRecord> {
        let number = int(record.number.get())?;
        let external = record.attributes.external_id.as_deref().map(external_hash);
        let names = [Taken::Id(record.id.into()), Taken::Number(number)];
        let names: Vec<_> = names.into_iter().chain(external.map(Taken::External)).collect();
        if names.iter().any(|name| self.taken.contains(name)) {
            let taken = "the id, the number or the external id is taken";
            return Err(Error::new(ErrorKind::AlreadyExists, taken));
        }
        let content = content.map(|source| self.acquire(source, writes)).transpose()?;
        self.taken.extend(names);
        let record = FileRecord { content, ..record.clone() };
        self.files.insert(record.id, record.clone());
        writes.inserted.push(record.clone());
        Ok(record)
    }

    fn update(
        &mut self,
        id: FileId,
        attributes: &Attributes,
        updated: Timestamp,
        writes: &mut Writes,
    ) -> Result<FileRecord> {
        let mut record = self.find(id)?.clone();
        let was = std::mem::replace(&mut record.attributes, attributes.clone());
        let external = |it: &Attributes| it.external_id.as_deref().map(external_hash);
        let (old, new) = (external(&was), external(attributes));
        if old != new {
            if new.is_some_and(|new| self.taken.contains(&Taken::External(new))) {
                return Err(Error::new(ErrorKind::AlreadyExists, "the external id is taken"));
            }
            old.map(|old| self.taken.remove(&Taken::External(old)));
            self.taken.extend(new.map(Taken::External));
        }
        record.revision = record.revision.next();
        record.updated = updated;
        self.files.insert(id, record.clone());
        writes.updated.push((record.clone(), was));
        Ok(record)
    }

    fn replace(
        &mut self,
        id: FileId,
        content: &ContentSource,
        writes: &mut Writes,
    ) -> Result<FileRecord> {
        // In this order a file may be given the content that it alone has.
        let content = self.acquire(content, writes)?;
        let mut record = self.find(id)?.clone();
        writes.pointed.push((id, content.clone()));
        if let Some(old) = record.content.replace(content) {
            self.release(old.id);
        }
        self.files.insert(id, record.clone());
        Ok(record)
    }

    fn remove(&mut self, id: FileId, writes: &mut Writes) -> Result<FileRecord> {
        let file = self.find(id)?.clone();
        self.files.remove(&id);
        self.taken.remove(&Taken::Id(id.into()));
        self.taken.remove(&Taken::Number(int(file.number.get())?));
        if let Some(external) = file.attributes.external_id.as_deref() {
            self.taken.remove(&Taken::External(external_hash(external)));
        }
        if let Some(content) = &file.content {
            self.release(content.id);
        }
        writes.removed.push(file.clone());
        Ok(file)
    }

    fn acquire(&mut self, source: &ContentSource, writes: &mut Writes) -> Result<ContentInfo> {
        match source {
            ContentSource::New(content) => self.publish(content, writes),
            ContentSource::Shared(id) => match self.contents.get_mut(id) {
                Some(shared) if shared.is_ours => {
                    shared.uses += 1;
                    Ok(shared.info.clone())
                }
                _ => Err(Error::conflict("the content to be shared is gone")),
            },
        }
    }

    fn publish(&mut self, content: &NewContent, writes: &mut Writes) -> Result<ContentInfo> {
        if self.contents.contains_key(&content.id) {
            return Err(Error::new(ErrorKind::AlreadyExists, "the content is there already"));
        }
        let keys: Vec<_> = content.segments.iter().filter_map(Segment::key).collect();
        let distinct: HashSet<_> = keys.iter().collect();
        if distinct.len() < keys.len() || !keys.iter().all(|key| self.pending.contains(key)) {
            return Err(Error::conflict("a blob's key is not pending any more"));
        }
        keys.iter().for_each(|key| {
            self.pending.remove(key);
        });
        let info = content.info();
        let shared = SharedContent { is_ours: true, info: info.clone(), uses: 1 };
        self.contents.insert(content.id, shared);
        writes.contents.push((info.clone(), 1, content.segments.len() as u64));
        let segments = (1..).zip(content.segments.iter().cloned());
        writes.segments.extend(segments.map(|(n, segment)| (content.id, n, segment)));
        Ok(info)
    }

    /// Counts one record less; with the last one the content goes.
    fn release(&mut self, id: ContentId) {
        if let Some(content) = self.contents.get_mut(&id) {
            content.uses -= 1;
            if content.uses <= 0 {
                self.contents.remove(&id);
            }
        }
    }

    /// What became of the numbers of users that were there before, and of new contents.
    fn count_uses(&self, before: &BTreeMap<ContentId, i64>, writes: &mut Writes) {
        for (id, uses) in before {
            match self.contents.get(id) {
                Some(now) => {
                    writes.uses.insert(*id, now.uses - uses);
                }
                None => writes.dead.push(*id),
            }
        }
        for (info, uses, _) in &mut writes.contents {
            match self.contents.get(&info.id) {
                Some(now) => *uses = now.uses,
                None => writes.dead.push(info.id),
            }
        }
    }
}

fn check_revision(record: &FileRecord, expected: Revision) -> Result<()> {
    if record.revision != expected {
        return Err(Error::new(ErrorKind::PreconditionFailed, "the file has changed"));
    }
    Ok(())
}
