//! The arrows between the states of a session, but for the one that publishes.

use async_trait::async_trait;
use filestore::backend::{Ending, Sealed, check_parts};
use filestore::{Error, ErrorKind, FileId, Tenant, UploadSession, UploadState, UploadTarget};

use super::parts::no_upload;
use super::session::{self, named, set_state};
use crate::commit::{Change, Commit};
use crate::error::{DbResult, PgError};
use crate::row::TENANT;
use crate::sql::{Sql, get, small, time, uint};
use crate::transaction::Tx;
use crate::writes::clear;

pub(super) struct Seal {
    pub(super) tenant: Tenant,
    pub(super) id: FileId,
    pub(super) now: Option<i64>,
}

#[async_trait]
impl Change for Seal {
    type Answer = Sealed;

    async fn make(&self, tx: &mut Tx) -> DbResult<Commit<Sealed>> {
        let count = format!(
            "SELECT count(*), coalesce(max(s.n), 0), coalesce(sum(s.size), 0)::bigint \
             FROM filestore.segment s WHERE s.content = (SELECT u.content FROM filestore.session u \
                 WHERE u.tenant = {TENANT} AND u.id = $2 AND u.state = 0)"
        );
        let lock = session::select(&self.tenant, self.id, "FOR UPDATE");
        let mut answers = tx.fly(vec![lock, named(count, &self.tenant, self.id)]).await?;
        let rows = answers.next().unwrap_or_default();
        let mut session = session::read(rows.first().ok_or_else(no_upload)?)?;
        match session.state {
            UploadState::Open => {}
            UploadState::Sealed | UploadState::Completed => {
                return Ok(Commit::known(Vec::new(), Sealed { session, now: false }));
            }
            UploadState::Expired => {
                return Err(Error::new(ErrorKind::Expired, "the upload has expired").into());
            }
            UploadState::Failed(_) | UploadState::Canceled => {
                return Err(Error::conflict("the upload has ended").into());
            }
        }
        let rows = answers.next().unwrap_or_default();
        let row = rows.first().ok_or(PgError::Damaged("no count"))?;
        check_parts(&session, small(get(row, 0)?)?, small(get(row, 1)?)?, uint(get(row, 2)?)?)?;
        session.state = UploadState::Sealed;
        let seal = set_state(&self.tenant, self.id, &session.state, false, self.now);
        Ok(Commit::known(vec![seal], Sealed { session, now: true }))
    }
}

pub(super) struct End {
    pub(super) tenant: Tenant,
    pub(super) id: FileId,
    pub(super) ending: Ending,
    pub(super) now: Option<i64>,
}

#[async_trait]
impl Change for End {
    type Answer = UploadSession;

    async fn make(&self, tx: &mut Tx) -> DbResult<Commit<UploadSession>> {
        let lock = session::select(&self.tenant, self.id, "FOR UPDATE");
        // Whoever removes the file meanwhile waits for the session, and then says that it is gone.
        let look = format!(
            "SELECT filestore.now($3), EXISTS (SELECT 1 FROM filestore.file \
                 WHERE tenant = {TENANT} AND id = (SELECT target FROM filestore.session u \
                     WHERE u.tenant = {TENANT} AND u.id = $2))"
        );
        let look = named(look, &self.tenant, self.id).bind(self.now);
        let mut answers = tx.fly(vec![lock, look]).await?;
        let rows = answers.next().unwrap_or_default();
        let mut session = session::read(rows.first().ok_or_else(no_upload)?)?;
        if session.state.has_ended() {
            return Ok(Commit::known(Vec::new(), session));
        }
        let rows = answers.next().unwrap_or_default();
        let row = rows.first().ok_or(PgError::Damaged("no time"))?;
        let is_early = self.ending == Ending::Expired && time(get(row, 0)?)? < session.expires;
        if is_early || !self.ending.follows(&session.state) {
            return Err(Error::conflict("the upload cannot end so now").into());
        }
        let has_file = session.target != UploadTarget::NewFile && get(row, 1)?;
        session.state = self.ending.state();
        let statements = vec![
            clear(vec![session.content.into()], self.now),
            set_state(&self.tenant, self.id, &session.state, has_file, self.now),
        ];
        Ok(Commit::known(statements, session))
    }
}

/// Removes a session that has ended, or refuses to.
pub(super) fn forget(tenant: &Tenant, id: FileId) -> Vec<Sql> {
    let delete =
        format!("DELETE FROM filestore.session WHERE tenant = {TENANT} AND id = $2 AND state > 1");
    let check = format!(
        "SELECT filestore.must(NOT EXISTS (SELECT 1 FROM filestore.session \
             WHERE tenant = {TENANT} AND id = $2), 'FSCON', 'the upload has not ended')"
    );
    vec![named(delete, tenant, id), named(check, tenant, id)]
}
