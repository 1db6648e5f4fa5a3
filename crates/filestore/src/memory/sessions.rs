//! Upload sessions: their row, and the arrows between their states.

use std::ops::Bound;

use crate::backend::{Finished, Part, Publication, Segment};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{FileId, Tenant, Timestamp};
use crate::memory::state::State;
use crate::upload::{UploadSession, UploadState, UploadTarget};

/// A session, and what only the repository knows of it.
#[derive(Clone, Debug)]
pub(super) struct SessionRow {
    pub(super) session: UploadSession,
    /// The last ticket that was drawn.
    pub(super) ticket: u64,
    /// When it came into its state.
    pub(super) since: Timestamp,
}

impl State {
    pub(super) fn session(&self, tenant: &Tenant, id: FileId) -> Result<SessionRow> {
        let row = self.sessions.get(&(tenant.clone(), id)).cloned();
        row.ok_or_else(|| Error::not_found("there is no such upload session"))
    }

    /// Sessions of a tenant with ids greater than `after`, in ascending order.
    pub(super) fn sessions_of(
        &self,
        tenant: &Tenant,
        after: Option<FileId>,
    ) -> impl Iterator<Item = &SessionRow> {
        const LEAST: FileId = FileId::from_bytes([0; 16]);
        let start = after.map_or(Bound::Included(LEAST), Bound::Excluded);
        self.sessions.under(tenant, start).map(|(_, row)| row)
    }

    /// Parts of a session that has not ended, in ascending order.
    fn parts_of(&self, session: &UploadSession) -> impl Iterator<Item = &Part> {
        let parts = self.parts.under(&session.content, Bound::Included(0));
        parts.map(|(_, part)| part)
    }

    pub(super) fn put_session(&mut self, tenant: &Tenant, row: SessionRow) {
        self.sessions.put((tenant.clone(), row.session.id), row);
    }

    /// Moves a session to another state. When that ends it, the parts that were not published go.
    pub(super) fn turn(
        &mut self,
        tenant: &Tenant,
        mut row: SessionRow,
        to: UploadState,
        now: Timestamp,
    ) -> UploadSession {
        if to.has_ended() {
            for part in self.take_parts(&row.session) {
                self.unreference(&part.segment, now);
            }
        }
        row.session.state = to;
        row.since = now;
        self.put_session(tenant, row.clone());
        row.session
    }

    /// Takes all parts of a session out of its draft, in order.
    fn take_parts(&mut self, session: &UploadSession) -> Vec<Part> {
        let parts: Vec<Part> = self.parts_of(session).cloned().collect();
        for part in &parts {
            self.parts.remove(&(session.content, part.number));
        }
        parts
    }

    pub(super) fn check_whole(&self, session: &UploadSession) -> Result<()> {
        let numbers = || self.parts_of(session).map(|part| part.number);
        let total = session.total.or_else(|| numbers().last()).unwrap_or(0);
        if !numbers().eq(1..=total) {
            return Err(Error::new(ErrorKind::Incomplete, "parts are missing"));
        }
        if session.expect.size.is_some_and(|size| size != session.received) {
            return Err(Error::new(
                ErrorKind::Incomplete,
                "the parts do not add up to the expected size",
            ));
        }
        Ok(())
    }

    /// Publishes the draft of a sealed session.
    pub(super) fn complete(
        &mut self,
        tenant: &Tenant,
        row: SessionRow,
        publication: Publication,
        now: Timestamp,
    ) -> Result<Finished> {
        let session = &row.session;
        let record = match session.target {
            UploadTarget::NewFile => self.insert_file(tenant, publication.record(session))?,
            UploadTarget::Existing(file) => match self.file(tenant, &file.into()) {
                Some(record) => record.clone(),
                None => {
                    let session = self.turn(tenant, row, target_is_gone(), now);
                    return Ok(Finished { session, record: None });
                }
            },
        };
        let content = publication.content(session);
        let parts = self.take_parts(session);
        let mut segments: Vec<_> = parts.into_iter().map(|part| part.segment).collect();
        if segments.is_empty() {
            segments.push(Segment::empty());
        }
        self.publish(tenant, content.clone(), segments)?;
        let record = self.swap_content(tenant, record, content, now);
        let session = self.turn(tenant, row, UploadState::Completed, now);
        Ok(Finished { session, record: Some(record) })
    }

    pub(super) fn how_it_ended(&self, tenant: &Tenant, session: UploadSession) -> Finished {
        let record = match session.state {
            UploadState::Completed => self.file(tenant, &session.file().into()).cloned(),
            _ => None,
        };
        Finished { session, record }
    }

    /// Ends the sessions that target a file which is about to go.
    pub(super) fn fail_sessions_of(&mut self, tenant: &Tenant, file: FileId, now: Timestamp) {
        let targets = |row: &SessionRow| {
            row.session.target == UploadTarget::Existing(file) && !row.session.state.has_ended()
        };
        let rows: Vec<SessionRow> =
            self.sessions_of(tenant, None).filter(|row| targets(row)).cloned().collect();
        for row in rows {
            self.turn(tenant, row, target_is_gone(), now);
        }
    }
}

fn target_is_gone() -> UploadState {
    UploadState::Failed("the file was removed".to_owned())
}
