//! Opening a session.

use async_trait::async_trait;
use filestore::backend::BeginUpload;
use filestore::{Error, ErrorKind, Tenant, UploadSession, UploadTarget};

use super::session::{insert, named};
use crate::commit::{Change, Commit};
use crate::error::{DbResult, PgError};
use crate::row::TENANT;
use crate::sql::{Id, Sql, get, time};
use crate::transaction::Tx;

pub(super) struct Begin {
    pub(super) tenant: Tenant,
    pub(super) upload: BeginUpload,
    pub(super) now: Option<i64>,
}

#[async_trait]
impl Change for Begin {
    type Answer = UploadSession;

    async fn make(&self, tx: &mut Tx) -> DbResult<Commit<UploadSession>> {
        let make_tenant = "SELECT filestore.make_tenant($1)";
        // Held until the commit, so that its removal sees this session.
        let hold = format!(
            "SELECT 1 FROM filestore.file WHERE tenant = {TENANT} AND id = $2 FOR KEY SHARE"
        );
        let is_taken = format!(
            "SELECT filestore.now($3), \
                 EXISTS (SELECT 1 FROM filestore.file WHERE tenant = {TENANT} AND id = $2) \
                 OR EXISTS (SELECT 1 FROM filestore.session WHERE tenant = {TENANT} AND id = $2) \
                 OR EXISTS (SELECT 1 FROM filestore.session WHERE content = $4)"
        );
        let target = match self.upload.target {
            UploadTarget::NewFile => self.upload.id,
            UploadTarget::Existing(file) => file,
        };
        let mut answers = tx
            .fly(vec![
                Sql::new(make_tenant).bind(self.tenant.as_str().to_owned()),
                named(hold, &self.tenant, target),
                named(is_taken, &self.tenant, self.upload.id)
                    .bind(self.now)
                    .bind(Id::from(self.upload.content)),
            ])
            .await?
            .skip(1);
        let is_there = answers.next().is_some_and(|rows| !rows.is_empty());
        if self.upload.target != UploadTarget::NewFile && !is_there {
            return Err(Error::not_found("there is no such file").into());
        }
        let row = answers.next().and_then(|rows| rows.into_iter().next());
        let row = row.ok_or(PgError::Damaged("no time"))?;
        if get(&row, 1)? {
            return Err(Error::new(ErrorKind::AlreadyExists, "the id is taken").into());
        }
        let session = self.upload.clone().opened(time(get(&row, 0)?)?);
        Ok(Commit::known(vec![insert(&self.tenant, &session, Some(get(&row, 0)?), "")?], session))
    }
}
