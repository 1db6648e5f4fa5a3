//! [`UploadRepository`] over the tables.

use std::ops::Bound;
use std::time::Duration;

use async_trait::async_trait;

use crate::backend::{
    Admission, Announcement, BeginUpload, Ending, Finished, Hashed, Part, PartChain, Publication,
    Sealed, UploadRepository,
};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{FileId, Subject, Tenant};
use crate::memory::MemoryRepository;
use crate::memory::files::no_file;
use crate::memory::sessions::SessionRow;
use crate::upload::{PartNumber, UploadSession, UploadState, UploadTarget};

#[async_trait]
impl UploadRepository for MemoryRepository {
    async fn begin(&self, tenant: &Tenant, upload: BeginUpload) -> Result<UploadSession> {
        self.transact(|state, now| {
            let key = (tenant.clone(), upload.id);
            if state.sessions.contains(&key) || state.ids.contains(&key) {
                return Err(Error::new(ErrorKind::AlreadyExists, "the id is taken"));
            }
            if let UploadTarget::Existing(file) = upload.target {
                state.file(tenant, &file.into()).ok_or_else(no_file)?;
            }
            let session = upload.opened(now);
            let row = SessionRow { session: session.clone(), ticket: 0, since: now };
            state.sessions.put(key, row);
            Ok(session)
        })
    }

    async fn session(&self, tenant: &Tenant, id: FileId) -> Result<UploadSession> {
        self.read(|state| Ok(state.session(tenant, id)?.session))
    }

    async fn sessions(
        &self,
        tenant: &Tenant,
        owner: &Subject,
        after: Option<FileId>,
        limit: u32,
    ) -> Result<Vec<UploadSession>> {
        let sessions = self.read(|state| {
            let rows = state.sessions_of(tenant, after);
            rows.map(|row| &row.session)
                .filter(|session| session.owner == *owner)
                .take(limit as usize)
                .cloned()
                .collect()
        });
        Ok(sessions)
    }

    async fn parts(
        &self,
        tenant: &Tenant,
        id: FileId,
        after: PartNumber,
        limit: u32,
    ) -> Result<Vec<Part>> {
        self.read(|state| {
            let draft = state.session(tenant, id)?.session.content;
            let parts = state.parts.under(&draft, Bound::Excluded(after)).take(limit as usize);
            Ok(parts.map(|(_, part)| part.clone()).collect())
        })
    }

    async fn admit(
        &self,
        tenant: &Tenant,
        id: FileId,
        number: PartNumber,
        _: Option<Announcement>,
    ) -> Result<Admission> {
        self.transact(|state, now| {
            let mut row = state.session(tenant, id)?;
            match row.session.state {
                UploadState::Open if now < row.session.expires => {}
                UploadState::Open | UploadState::Expired => return Err(expired()),
                _ => return Err(Error::conflict("the session takes no more parts")),
            }
            row.ticket += 1;
            state.put_session(tenant, row.clone());
            let before = number.saturating_sub(Hashed::WITHIN).max(1)..number;
            let hashed = before.rev().find_map(|number| {
                let chain = state.parts.get(&(row.session.content, number))?.chain?;
                Some(Hashed { number, state: chain.after })
            });
            Ok(Admission { session: row.session, ticket: row.ticket, hashed, announced: false })
        })
    }

    async fn put_part(
        &self,
        tenant: &Tenant,
        id: FileId,
        total: Option<PartNumber>,
        part: Part,
    ) -> Result<UploadSession> {
        self.transact(|state, now| {
            let mut row = state.session(tenant, id)?;
            let session = &mut row.session;
            if session.state != UploadState::Open {
                return Err(Error::conflict("the session takes no more parts"));
            }
            if session.total.is_some() && total.is_some() && session.total != total {
                return Err(Error::conflict("the session has another number of parts"));
            }
            session.total = session.total.or(total);
            if session.total.is_some_and(|total| part.number > total) {
                return Err(Error::invalid("the part is past the last one"));
            }
            state.reference(&part.segment, session.content)?;
            let key = (session.content, part.number);
            match state.parts.get(&key).cloned() {
                Some(present) if present.ticket > part.ticket => {
                    state.unreference(&part.segment, now);
                }
                present => {
                    if let Some(replaced) = present {
                        state.unreference(&replaced.segment, now);
                        session.parts -= 1;
                        session.received -= replaced.segment.size;
                    }
                    session.parts += 1;
                    session.received += part.segment.size;
                    state.parts.put(key, part);
                }
            }
            state.put_session(tenant, row.clone());
            Ok(row.session)
        })
    }

    async fn save_chains(&self, tenant: &Tenant, id: FileId, chains: Vec<PartChain>) -> Result<()> {
        self.transact(|state, _| {
            let Ok(SessionRow { session, .. }) = state.session(tenant, id) else {
                return Ok(());
            };
            if session.state.has_ended() {
                return Ok(());
            }
            for PartChain { number, ticket, chain } in chains {
                let key = (session.content, number);
                if let Some(mut part) = state.parts.get(&key).cloned()
                    && part.ticket == ticket
                {
                    part.chain = Some(chain);
                    state.parts.put(key, part);
                }
            }
            Ok(())
        })
    }

    async fn seal(&self, tenant: &Tenant, id: FileId) -> Result<Sealed> {
        self.transact(|state, now| {
            let row = state.session(tenant, id)?;
            match row.session.state {
                UploadState::Open => {}
                UploadState::Sealed | UploadState::Completed => {
                    let session = row.session;
                    return Ok(Sealed { session, now: false });
                }
                UploadState::Expired => return Err(expired()),
                UploadState::Failed(_) | UploadState::Canceled => {
                    return Err(Error::conflict("the session has ended"));
                }
            }
            state.check_whole(&row.session)?;
            let session = state.turn(tenant, row, UploadState::Sealed, now);
            Ok(Sealed { session, now: true })
        })
    }

    async fn finish(
        &self,
        tenant: &Tenant,
        id: FileId,
        publication: Publication,
    ) -> Result<Finished> {
        self.transact(|state, now| {
            let row = state.session(tenant, id)?;
            match row.session.state {
                UploadState::Sealed => state.complete(tenant, row, publication, now),
                UploadState::Open => Err(Error::conflict("the session is still open")),
                _ => Ok(state.how_it_ended(tenant, row.session)),
            }
        })
    }

    async fn end(&self, tenant: &Tenant, id: FileId, ending: Ending) -> Result<UploadSession> {
        self.transact(|state, now| {
            let row = state.session(tenant, id)?;
            if row.session.state.has_ended() {
                return Ok(row.session);
            }
            let too_early = ending == Ending::Expired && now < row.session.expires;
            if too_early || !ending.follows(&row.session.state) {
                return Err(Error::conflict("the session cannot end so"));
            }
            Ok(state.turn(tenant, row, ending.state(), now))
        })
    }

    async fn due(
        &self,
        stalled: Duration,
        keep: Duration,
        limit: u32,
    ) -> Result<Vec<(Tenant, UploadSession)>> {
        let now = self.clock.now();
        let due = self.read(|state| {
            let is_due = |tenant: &Tenant, row: &SessionRow| match row.session.state {
                UploadState::Open => row.session.expires <= now,
                UploadState::Sealed => row.since.after(stalled) <= now,
                _ => {
                    let file = row.session.file().into();
                    row.since.after(keep) <= now && state.file(tenant, &file).is_none()
                }
            };
            let rows = state.sessions.all();
            rows.filter(|((tenant, _), row)| is_due(tenant, row))
                .take(limit as usize)
                .map(|((tenant, _), row)| (tenant.clone(), row.session.clone()))
                .collect()
        });
        Ok(due)
    }

    async fn forget(&self, tenant: &Tenant, id: FileId) -> Result<()> {
        self.transact(|state, _| match state.session(tenant, id) {
            Ok(row) if !row.session.state.has_ended() => {
                Err(Error::conflict("the session has not ended"))
            }
            _ => {
                state.sessions.remove(&(tenant.clone(), id));
                Ok(())
            }
        })
    }
}

fn expired() -> Error {
    Error::new(ErrorKind::Expired, "the upload session has expired")
}
