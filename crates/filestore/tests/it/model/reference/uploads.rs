//! Upload sessions.

use std::collections::BTreeMap;

use filestore::{
    Completion, ContentId, Digest, ErrorKind, FileId, FileKey, NewUpload, PartInfo, Timestamp,
    UploadSession, UploadState, UploadTarget,
};

use super::ledger::{self, Segment};
use super::{Model, NOT_NEW, Seen, subject, sweep_options};
use crate::model::answer::{Answer, Outcome, Swept};
use crate::model::content::Sent;
use crate::model::op::Who;

/// Parts past this one are not inline.
const INLINE_PARTS: u32 = 16;

#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) is: UploadSession,
    parts: BTreeMap<u32, Segment>,
    /// When it came into its state.
    since: Timestamp,
}

impl Model {
    pub(super) fn begin(&mut self, who: Who, new: NewUpload, seen: Seen<'_>) -> Outcome {
        self.check(&new.attributes)?;
        if new.expect.size.is_some_and(|size| size > self.limits.max_session) {
            return Err(ErrorKind::TooLarge.into());
        }
        self.check_number(new.total)?;
        let target = match &new.target {
            None => UploadTarget::NewFile,
            Some(key) => UploadTarget::Existing(self.find(who, key)?.id),
        };
        let (id, content) = match seen.outcome {
            Ok(Answer::Session(chosen)) => (chosen.id, chosen.content),
            _ => (FileId::from_bytes([0; 16]), ContentId::from_bytes([0; 16])),
        };
        let tenant = self.tenant(who);
        if tenant.sessions.contains_key(&id) || tenant.files.contains_key(&id) {
            return Err(NOT_NEW.into());
        }
        let session = UploadSession {
            id,
            owner: subject(who.subject),
            target,
            content,
            attributes: new.attributes,
            expect: new.expect,
            total: new.total,
            created: self.now,
            expires: self.now.after(new.lifetime.min(self.limits.max_lifetime)),
            state: UploadState::Open,
            parts: 0,
            received: 0,
        };
        let row = Session { is: session.clone(), parts: BTreeMap::new(), since: self.now };
        self.tenant_mut(who).sessions.insert(id, row);
        Ok(Answer::Session(session))
    }

    pub(super) fn put_part(
        &mut self,
        who: Who,
        id: FileId,
        number: u32,
        total: Option<u32>,
        sent: &Sent,
    ) -> Outcome {
        self.check_number(Some(number))?;
        self.check_number(total)?;
        let inline = if number <= INLINE_PARTS { usize::MAX } else { 0 };
        // Whose the session is, is asked behind the admission.
        let now = self.now;
        let is_admitted = self.tenant(who).sessions.get(&id).is_some_and(|session| {
            session.is.state == UploadState::Open && now < session.is.expires
        });
        let key = if is_admitted { self.ledger.announce(sent, inline, now) } else { None };
        let session = self.own(who, id)?;
        match session.is.state {
            UploadState::Open if self.now < session.is.expires => {}
            UploadState::Open | UploadState::Expired => return Err(ErrorKind::Expired.into()),
            _ => return Err(ErrorKind::Conflict.into()),
        }
        let known = session.is.total.or(total);
        if total.is_some() && total != known {
            return Err(ErrorKind::Conflict.into());
        }
        if known.is_some_and(|known| number > known) {
            return Err(ErrorKind::InvalidArgument.into());
        }
        let before = session.parts.get(&number).cloned();
        let replaced = before.as_ref().map_or(0, |part| part.bytes.len() as u64);
        let others = session.is.received - replaced;
        let room = self.limits.max_session - others;
        let limit = self.limits.max_file.min(room);
        let part = self.ledger.ingest(sent, limit, inline, key, self.now)?;

        self.ledger.publish(&part);
        self.ledger.drop(before.as_slice(), self.limits.keep_deleted, self.now);
        let session = self.session_mut(who, id);
        session.is.received = others + part.bytes.len() as u64;
        session.is.total = known;
        session.parts.insert(number, part);
        session.is.parts = session.parts.len() as u32;
        Ok(Answer::Session(session.is.clone()))
    }

    pub(super) fn status(&mut self, who: Who, id: FileId, seen: Seen<'_>) -> Outcome {
        self.own(who, id)?;
        self.settle(who, id);
        if self.session(who, id).is.state == UploadState::Sealed {
            // Whatever comes of it is in the session.
            let _ = self.finish(who, id, seen);
        }
        Ok(Answer::Session(self.session(who, id).is.clone()))
    }

    pub(super) fn parts(&self, who: Who, id: FileId) -> Outcome {
        let session = self.own(who, id)?;
        let info = |(number, part): (&u32, &Segment)| PartInfo {
            number: *number,
            size: part.bytes.len() as u64,
        };
        Ok(Answer::Parts(session.parts.iter().map(info).collect()))
    }

    pub(super) fn uploads(&mut self, who: Who, after: Option<FileId>, limit: u32) -> Answer {
        let owner = subject(who.subject);
        let sessions = self.tenant(who).sessions.values().filter(|session| {
            session.is.owner == owner && after.is_none_or(|after| session.is.id > after)
        });
        let ids: Vec<_> = sessions.map(|session| session.is.id).take(limit as usize).collect();
        for id in &ids {
            self.settle(who, *id);
        }
        Answer::Sessions(ids.iter().map(|id| self.session(who, *id).is.clone()).collect())
    }

    pub(super) fn complete(
        &mut self,
        who: Who,
        id: FileId,
        is_cut_off: bool,
        seen: Seen<'_>,
    ) -> Outcome {
        let session = self.own(who, id)?;
        let now = match session.is.state {
            UploadState::Open => {
                session.check_whole()?;
                self.turn(who, id, UploadState::Sealed);
                true
            }
            UploadState::Sealed | UploadState::Completed => false,
            UploadState::Expired => return Err(ErrorKind::Expired.into()),
            _ => return Err(ErrorKind::Conflict.into()),
        };
        if is_cut_off {
            return Err(ErrorKind::Unavailable.into());
        }
        self.finish(who, id, seen)?;
        let session = self.session(who, id);
        let record = self.find(who, &FileKey::Id(session.file())).ok();
        Ok(Answer::Completed(Completion { session: session.is.clone(), record, now }))
    }

    pub(super) fn abort(&mut self, who: Who, id: FileId) -> Outcome {
        match self.own(who, id)?.is.state {
            UploadState::Completed => return Err(ErrorKind::Conflict.into()),
            UploadState::Open | UploadState::Sealed => self.turn(who, id, UploadState::Canceled),
            _ => {}
        }
        Ok(Answer::Session(self.session(who, id).is.clone()))
    }

    /// Publishes a sealed session; one that is completed stays so.
    fn finish(&mut self, who: Who, id: FileId, seen: Seen<'_>) -> Result<(), ErrorKind> {
        let session = self.session(who, id).clone();
        if session.is.state != UploadState::Sealed {
            return Ok(());
        }
        let published = self.publish_session(who, &session, seen);
        let failed = || UploadState::Failed(String::new());
        self.turn(who, id, published.map_or_else(|_| failed(), |()| UploadState::Completed));
        published
    }

    fn publish_session(
        &mut self,
        who: Who,
        session: &Session,
        seen: Seen<'_>,
    ) -> Result<(), ErrorKind> {
        let UploadSession { id, content, target, expect, attributes, .. } = &session.is;
        if session.is.received > self.limits.max_session {
            return Err(ErrorKind::TooLarge);
        }
        let mut segments: Vec<_> = session.parts.values().cloned().collect();
        if segments.is_empty() {
            segments.push(ledger::empty());
        }
        let found = Digest::of(&ledger::joined(&segments));
        if expect.sha256.is_some_and(|declared| declared != found) {
            return Err(ErrorKind::DigestMismatch);
        }
        // Without a declared digest nobody hashed more than one segment.
        let is_known = expect.sha256.is_some() || segments.len() == 1;
        let sha256 = is_known.then_some(found);
        match target {
            UploadTarget::NewFile => {
                self.check_free(who, Some(*id), attributes)?;
                // It is its owner's, whoever completes it.
                let owner = (0..2).find(|number| subject(*number) == session.is.owner);
                let owner = Who { subject: owner.unwrap(), ..who };
                let info = self.publish_as(who, *content, segments, sha256);
                self.insert(owner, Some(*id), attributes, Some(info), seen.file(Some(*id)))?;
            }
            UploadTarget::Existing(file) => {
                // With the file the session would have gone.
                let file = self.find(who, &FileKey::Id(*file)).unwrap();
                let info = self.publish_as(who, *content, segments, sha256);
                self.replace(who, file, info);
            }
        }
        // They are the file's by now.
        self.session_mut(who, *id).parts.clear();
        Ok(())
    }

    pub(super) fn sweep(&mut self, seen: Seen<'_>) -> Answer {
        let mut swept = Swept::default();
        loop {
            let before = swept;
            for (who, id) in self.every_session(seen) {
                self.sweep_session(who, id, &mut swept, seen);
            }
            if swept == before {
                break;
            }
        }
        swept.merged = self.merge();
        swept.blobs_deleted = self.ledger.sweep(self.now);
        Answer::Swept(swept)
    }

    fn sweep_session(&mut self, who: Who, id: FileId, swept: &mut Swept, seen: Seen<'_>) {
        let session = self.session(who, id);
        let is_older = |than| session.since.after(than) <= self.now;
        match session.is.state {
            UploadState::Open if session.is.expires <= self.now => {
                self.turn(who, id, UploadState::Expired);
                swept.sessions_expired += 1;
            }
            UploadState::Sealed if is_older(sweep_options().stalled) => {
                let _ = self.finish(who, id, seen);
                swept.sessions_resumed += 1;
            }
            UploadState::Open | UploadState::Sealed => {}
            _ => {
                let has_file = self.find(who, &FileKey::Id(session.file())).is_ok();
                if !has_file && is_older(self.limits.keep_sessions) {
                    self.tenant_mut(who).sessions.remove(&id);
                    swept.sessions_forgotten += 1;
                }
            }
        }
    }

    /// All sessions. Of two that want one name, or one file, it is the store's to say which one is
    /// first: of the one that comes too late nothing is to be seen.
    fn every_session(&self, seen: Seen<'_>) -> Vec<(Who, FileId)> {
        let is_shown = |session: &UploadSession| {
            let mut contents = seen.resumed.iter().filter_map(|file| file.content.as_ref());
            contents.any(|content| content.id == session.content)
        };
        let is_late = |session: &UploadSession| match session.target {
            UploadTarget::NewFile => !is_shown(session),
            UploadTarget::Existing(_) => is_shown(session),
        };
        let of = |tenant: usize| {
            let sessions = self.tenants[tenant].sessions.values();
            sessions.map(move |session| (Who { tenant, subject: 0 }, &session.is))
        };
        let mut all: Vec<_> = (0..2).flat_map(of).collect();
        all.sort_by_key(|(_, session)| is_late(session));
        all.into_iter().map(|(who, session)| (who, session.id)).collect()
    }

    fn merge(&mut self) -> u64 {
        let mut merged = 0;
        for content in self.tenants.iter_mut().flat_map(|tenant| tenant.contents.values_mut()) {
            let count = content.segments.len() as u64;
            let options = sweep_options();
            let is_small = content.info.size < options.merge_below * count;
            if count <= u64::from(options.merge_above) || !is_small {
                continue;
            }
            let segment = self.ledger.merge(&content.segments, self.now);
            self.ledger.drop(&content.segments, self.limits.keep_deleted, self.now);
            content.segments = vec![segment];
            merged += 1;
        }
        merged
    }

    pub(super) fn fail_sessions_of(&mut self, who: Who, file: FileId) {
        let sessions = self.tenant(who).sessions.values();
        let failing = sessions.filter(|session| {
            session.is.target == UploadTarget::Existing(file) && !session.is.state.has_ended()
        });
        for id in failing.map(|session| session.is.id).collect::<Vec<_>>() {
            self.turn(who, id, UploadState::Failed(String::new()));
        }
    }

    /// Ends a session that has outlived its time.
    fn settle(&mut self, who: Who, id: FileId) {
        let session = &self.session(who, id).is;
        if session.state == UploadState::Open && session.expires <= self.now {
            self.turn(who, id, UploadState::Expired);
        }
    }

    /// The parts of a session that ends go, unless they were published.
    fn turn(&mut self, who: Who, id: FileId, to: UploadState) {
        let now = self.now;
        let session = self.session_mut(who, id);
        session.is.state = to;
        session.since = now;
        if session.is.state.has_ended() {
            let parts: Vec<_> = std::mem::take(&mut session.parts).into_values().collect();
            self.ledger.drop(&parts, self.limits.keep_deleted, now);
        }
    }

    /// A session of the one who asks; others are as good as none.
    fn own(&self, who: Who, id: FileId) -> Result<&Session, ErrorKind> {
        let session = self.tenant(who).sessions.get(&id);
        let own = session.filter(|session| session.is.owner == subject(who.subject));
        own.ok_or(ErrorKind::NotFound)
    }

    fn session(&self, who: Who, id: FileId) -> &Session {
        &self.tenant(who).sessions[&id]
    }

    fn session_mut(&mut self, who: Who, id: FileId) -> &mut Session {
        self.tenant_mut(who).sessions.get_mut(&id).unwrap()
    }

    fn check_number(&self, number: Option<u32>) -> Result<(), ErrorKind> {
        match number {
            Some(number) if number == 0 || number > self.limits.max_segments => {
                Err(ErrorKind::InvalidArgument)
            }
            _ => Ok(()),
        }
    }
}

impl Session {
    /// The file it becomes, or whose content it becomes.
    pub(crate) fn file(&self) -> FileId {
        match self.is.target {
            UploadTarget::NewFile => self.is.id,
            UploadTarget::Existing(file) => file,
        }
    }

    fn check_whole(&self) -> Result<(), ErrorKind> {
        let last = self.parts.keys().last().copied().unwrap_or(0);
        let is_without_gap = self.parts.keys().copied().eq(1..=self.is.total.unwrap_or(last));
        let adds_up = self.is.expect.size.is_none_or(|size| size == self.is.received);
        if is_without_gap && adds_up { Ok(()) } else { Err(ErrorKind::Incomplete) }
    }
}
