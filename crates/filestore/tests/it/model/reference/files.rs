//! Files: made, read, changed and removed.

use bytes::Bytes;
use filestore::{
    Attributes, ContentId, ContentInfo, Digest, ErrorKind, FileId, FileKey, FileNumber, FileRecord,
    ItemError, RangeSpec, Revision,
};

use super::ledger::{self, Segment};
use super::{Content, Model, NOT_NEW, Seen, TenantModel, subject};
use crate::model::answer::{Answer, Outcome, Refusal};
use crate::model::content::{Received, Sent};
use crate::model::op::{Edit, Pick, Who};

impl Model {
    pub(super) fn create(
        &mut self,
        who: Who,
        id: Option<FileId>,
        attributes: &Attributes,
        sent: &Sent,
        seen: Seen<'_>,
    ) -> Outcome {
        self.check(attributes)?;
        let segment = self.ingest_file(sent)?;
        self.check_free(who, id, attributes)?;
        let info = self.publish(who, vec![segment], seen.file(id))?;
        Ok(Answer::File(self.insert(who, id, attributes, Some(info), seen.file(id))?))
    }

    pub(super) fn reserve(
        &mut self,
        who: Who,
        id: Option<FileId>,
        attributes: &Attributes,
        seen: Seen<'_>,
    ) -> Outcome {
        self.check(attributes)?;
        self.check_free(who, id, attributes)?;
        Ok(Answer::File(self.insert(who, id, attributes, None, seen.file(id))?))
    }

    pub(super) fn copy(
        &mut self,
        who: Who,
        from: &FileKey,
        id: Option<FileId>,
        attributes: &Attributes,
        seen: Seen<'_>,
    ) -> Outcome {
        self.check(attributes)?;
        let content = self.find(who, from)?.content.ok_or(ErrorKind::NotFound)?;
        self.check_free(who, id, attributes)?;
        Ok(Answer::File(self.insert(who, id, attributes, Some(content), seen.file(id))?))
    }

    pub(super) fn write(
        &mut self,
        who: Who,
        key: &FileKey,
        sent: &Sent,
        seen: Seen<'_>,
    ) -> Outcome {
        let file = self.find(who, key)?;
        let segment = self.ingest_file(sent)?;
        let info = self.publish(who, vec![segment], seen.file(Some(file.id)))?;
        Ok(Answer::File(self.replace(who, file, info)))
    }

    pub(super) fn open(&self, who: Who, key: &FileKey, range: Option<RangeSpec>) -> Outcome {
        let file = self.find(who, key)?;
        let content = file.content.as_ref().ok_or(ErrorKind::NotFound)?;
        let bytes = self.tenant(who).contents[&content.id].bytes();
        let read = range.map_or(Ok(bytes.clone()), |range| cut(&bytes, range));
        Ok(Answer::Read(file, read.map(Received)))
    }

    pub(super) fn hold(&mut self, who: Who, key: &FileKey) -> Outcome {
        let file = self.find(who, key)?;
        let content = file.content.as_ref().ok_or(ErrorKind::NotFound)?;
        let segments = self.tenant(who).contents[&content.id].segments.clone();
        self.held.push((file.clone(), segments));
        Ok(Answer::File(file))
    }

    pub(super) fn read_held(&self, held: Pick) -> Answer {
        let Some(index) = (held as usize).checked_rem(self.held.len()) else {
            return Answer::Done;
        };
        let (file, segments) = &self.held[index];
        let read = self.ledger.read(segments).map(Received);
        Answer::Read(file.clone(), read.ok_or(ErrorKind::Internal))
    }

    pub(super) fn stat(&self, who: Who, keys: &[FileKey]) -> Answer {
        Answer::Found(keys.iter().map(|key| self.find(who, key).ok()).collect())
    }

    pub(super) fn update(&mut self, who: Who, keys: &[FileKey], edit: &Edit) -> Outcome {
        let mut changes = Vec::new();
        for file in self.find_all(who, keys)? {
            changes.push(self.edited(file, edit)?);
        }
        // All or none: whoever is refused leaves no trace for those behind.
        let mut after = self.tenant(who).clone();
        let mut refused = Vec::new();
        for (index, file) in changes.iter().enumerate() {
            if after.is_external_taken(&file.attributes, file.id) {
                refused.push(ItemError { index, kind: ErrorKind::AlreadyExists });
            } else {
                after.files.insert(file.id, file.clone());
            }
        }
        if !refused.is_empty() {
            return Err(refused.into());
        }
        *self.tenant_mut(who) = after;
        Ok(Answer::Files(changes))
    }

    pub(super) fn update_at(
        &mut self,
        who: Who,
        key: &FileKey,
        revision: u64,
        edit: &Edit,
    ) -> Outcome {
        let file = self.find(who, key)?;
        if file.revision.get() != revision {
            return Err(ErrorKind::PreconditionFailed.into());
        }
        match self.update(who, &[FileKey::Id(file.id)], edit)? {
            Answer::Files(mut files) => Ok(Answer::File(files.remove(0))),
            other => Ok(other),
        }
    }

    pub(super) fn delete(&mut self, who: Who, keys: &[FileKey]) -> Outcome {
        for file in self.find_all(who, keys)? {
            self.tenant_mut(who).files.remove(&file.id);
            self.fail_sessions_of(who, file.id);
            self.drop_unused(who, file.content.as_ref());
        }
        Ok(Answer::Done)
    }

    /// What holds of all attributes.
    pub(super) fn check(&self, attributes: &Attributes) -> Result<(), ErrorKind> {
        let Attributes { name, external_id, labels, metadata, .. } = attributes;
        let pairs = metadata.iter().flat_map(|(key, value)| [key, value]);
        let texts: Vec<_> =
            [name].into_iter().chain(external_id).chain(labels).chain(pairs).collect();
        if texts.iter().any(|text| text.contains('\0')) {
            return Err(ErrorKind::InvalidArgument);
        }
        if texts.iter().map(|text| text.len()).sum::<usize>() > self.limits.max_attributes {
            return Err(ErrorKind::TooLarge);
        }
        if external_id.as_deref() == Some("") {
            return Err(ErrorKind::InvalidArgument);
        }
        Ok(())
    }

    fn ingest_file(&mut self, sent: &Sent) -> Result<Segment, ErrorKind> {
        self.ledger.ingest(sent, self.limits.max_file, usize::MAX, None, self.now)
    }

    /// Makes content of these segments, under the id that the store has given it.
    fn publish(
        &mut self,
        who: Who,
        segments: Vec<Segment>,
        chosen: Option<&FileRecord>,
    ) -> Result<ContentInfo, ErrorKind> {
        const UNKNOWN: ContentId = ContentId::from_bytes([0; 16]);
        let chosen = chosen.and_then(|file| file.content.as_ref());
        let id = chosen.map_or(UNKNOWN, |content| content.id);
        if self.tenants.iter().any(|tenant| tenant.contents.contains_key(&id)) {
            return Err(NOT_NEW);
        }
        let sha256 = match segments.as_slice() {
            [only] => Some(Digest::of(&only.bytes)),
            _ => None,
        };
        Ok(self.publish_as(who, id, segments, sha256))
    }

    pub(super) fn publish_as(
        &mut self,
        who: Who,
        id: ContentId,
        segments: Vec<Segment>,
        sha256: Option<Digest>,
    ) -> ContentInfo {
        let info = ContentInfo {
            id,
            size: segments.iter().map(|segment| segment.bytes.len() as u64).sum(),
            tag: ledger::tag(&segments),
            sha256,
            stored: self.now,
        };
        for segment in &segments {
            self.ledger.publish(segment);
        }
        self.tenant_mut(who).contents.insert(id, Content { info: info.clone(), segments });
        info
    }

    pub(super) fn check_free(
        &self,
        who: Who,
        id: Option<FileId>,
        attributes: &Attributes,
    ) -> Result<(), ErrorKind> {
        let tenant = self.tenant(who);
        let is_taken = id.is_some_and(|id| tenant.files.contains_key(&id));
        if is_taken || tenant.is_external_taken(attributes, id.unwrap_or(NOBODY)) {
            return Err(ErrorKind::AlreadyExists);
        }
        Ok(())
    }

    /// Adds a file whose names are free.
    pub(super) fn insert(
        &mut self,
        who: Who,
        id: Option<FileId>,
        attributes: &Attributes,
        content: Option<ContentInfo>,
        chosen: Option<&FileRecord>,
    ) -> Result<FileRecord, ErrorKind> {
        let number = chosen.map_or(FileNumber::MAX, |file| file.number);
        let tenant = &self.tenants[who.tenant];
        let is_unseen = number == FileNumber::MAX;
        if !is_unseen && tenant.files.values().any(|file| file.number == number) {
            return Err(NOT_NEW);
        }
        let minted = chosen.map_or(NOBODY, |file| file.id);
        let is_known = tenant.files.contains_key(&minted) || tenant.sessions.contains_key(&minted);
        if id.is_none() && is_known {
            return Err(NOT_NEW);
        }
        let file = FileRecord {
            id: id.unwrap_or(minted),
            number,
            revision: Revision::FIRST,
            owner: subject(who.subject),
            created: self.now,
            updated: self.now,
            content,
            attributes: attributes.clone(),
        };
        self.tenant_mut(who).files.insert(file.id, file.clone());
        Ok(file)
    }

    /// Gives a file other content; neither revision nor time of change move.
    pub(super) fn replace(
        &mut self,
        who: Who,
        mut file: FileRecord,
        content: ContentInfo,
    ) -> FileRecord {
        let before = file.content.replace(content);
        self.tenant_mut(who).files.insert(file.id, file.clone());
        self.drop_unused(who, before.as_ref());
        file
    }

    /// Content goes with the last file that has it.
    fn drop_unused(&mut self, who: Who, content: Option<&ContentInfo>) {
        let tenant = &mut self.tenants[who.tenant];
        let Some(content) = content else { return };
        let has = |file: &FileRecord| file.content.as_ref().is_some_and(|own| own.id == content.id);
        if tenant.files.values().any(has) {
            return;
        }
        if let Some(gone) = tenant.contents.remove(&content.id) {
            self.ledger.drop(&gone.segments, self.limits.keep_deleted, self.now);
        }
    }

    pub(super) fn find(&self, who: Who, key: &FileKey) -> Result<FileRecord, ErrorKind> {
        let mut files = self.tenant(who).files.values();
        files.find(|file| key.names(file)).cloned().ok_or(ErrorKind::NotFound)
    }

    /// All files of a batch.
    fn find_all(&self, who: Who, keys: &[FileKey]) -> Result<Vec<FileRecord>, Refusal> {
        if keys.is_empty() {
            return Err(ErrorKind::InvalidArgument.into());
        }
        let found: Vec<_> = keys.iter().map(|key| self.find(who, key)).collect();
        let refused = |refused: &dyn Fn(usize) -> Option<ErrorKind>| -> Vec<_> {
            let item = |index| refused(index).map(|kind| ItemError { index, kind });
            (0..keys.len()).filter_map(item).collect()
        };
        let unknown = refused(&|index| found[index].clone().err());
        if !unknown.is_empty() {
            return Err(unknown.into());
        }
        let found: Vec<_> = found.into_iter().flatten().collect();
        let is_again = |index: usize| found[..index].iter().any(|file| file.id == found[index].id);
        let again = refused(&|index| is_again(index).then_some(ErrorKind::InvalidArgument));
        if !again.is_empty() {
            return Err(again.into());
        }
        Ok(found)
    }

    fn edited(&self, mut file: FileRecord, edit: &Edit) -> Result<FileRecord, ErrorKind> {
        edit.apply(&mut file.attributes).map_err(|error| error.kind())?;
        self.check(&file.attributes)?;
        file.revision = file.revision.next();
        file.updated = self.now;
        Ok(file)
    }
}

/// The id of no file.
const NOBODY: FileId = FileId::from_bytes([0; 16]);

impl TenantModel {
    fn is_external_taken(&self, attributes: &Attributes, but: FileId) -> bool {
        let Some(wanted) = &attributes.external_id else { return false };
        self.files
            .values()
            .any(|file| file.id != but && file.attributes.external_id.as_ref() == Some(wanted))
    }
}

/// As RFC 9110, section 14.1.2, has it.
fn cut(bytes: &Bytes, range: RangeSpec) -> Result<Bytes, ErrorKind> {
    let size = bytes.len() as u64;
    let (from, to) = match range {
        RangeSpec::From(from) => (from, size),
        RangeSpec::FromTo(from, last) => (from, size.min(last.saturating_add(1))),
        RangeSpec::Last(count) => (size - size.min(count), size),
    };
    if from >= to {
        return Err(ErrorKind::RangeNotSatisfiable);
    }
    Ok(bytes.slice(from as usize..to as usize))
}
