//! Publishing a sealed session.

use async_trait::async_trait;
use filestore::backend::{Finished, Publication, Segment};
use filestore::{
    Error, ErrorKind, FileId, FileRecord, Tenant, UploadSession, UploadState, UploadTarget,
};

use super::parts::no_upload;
use super::session::{self, named, set_state};
use crate::commit::{Change, Commit};
use crate::contents::{LANDMARKS, note_landmarks};
use crate::error::DbResult;
use crate::index::external_hash;
use crate::row::{self, COLUMNS, CONTENT, TENANT};
use crate::sql::{Sql, get, int};
use crate::transaction::Tx;
use crate::writes::{FILE_IS_GONE, Writes, clear};

pub(super) struct Finish {
    pub(super) tenant: Tenant,
    pub(super) id: FileId,
    pub(super) publication: Publication,
    pub(super) now: Option<i64>,
}

/// What a publication depends on, locked.
struct Held {
    session: UploadSession,
    /// The file of the session.
    file: Option<FileRecord>,
    /// How many records use the content that the file has.
    uses: Option<i64>,
}

#[async_trait]
impl Change for Finish {
    type Answer = Finished;

    async fn make(&self, tx: &mut Tx) -> DbResult<Commit<Finished>> {
        let Held { mut session, file, uses } = self.hold(tx).await?;
        match session.state {
            UploadState::Open => return Err(Error::conflict("the upload is not sealed").into()),
            UploadState::Sealed => {}
            _ => {
                let record = file.filter(|_| session.state == UploadState::Completed);
                return Ok(Commit::known(Vec::new(), Finished { session, record }));
            }
        }
        let mut writes = self.publish(&session);
        let record = match (session.target, file) {
            (UploadTarget::NewFile, _) => {
                let record = self.publication.record(&session);
                self.check_names(tx, &record).await?;
                writes.inserted.push(record.clone());
                record
            }
            (UploadTarget::Existing(_), None) => {
                session.state = UploadState::Failed(FILE_IS_GONE.to_owned());
                let statements = vec![
                    clear(vec![session.content.into()], self.now),
                    set_state(&self.tenant, self.id, &session.state, false, self.now),
                ];
                return Ok(Commit::known(statements, Finished { session, record: None }));
            }
            (UploadTarget::Existing(_), Some(mut file)) => {
                let info = self.publication.content(&session);
                writes.pointed.push((file.id, info.clone()));
                match (file.content.replace(info), uses) {
                    (Some(old), Some(uses)) if uses > 1 => {
                        writes.uses.insert(old.id, -1);
                    }
                    (Some(old), _) => writes.dead.push(old.id),
                    (None, _) => {}
                }
                file
            }
        };
        session.state = UploadState::Completed;
        let mut statements = writes.statements(&self.tenant, self.now)?;
        if i64::from(session.parts) > LANDMARKS {
            statements.push(note_landmarks(session.content));
        }
        statements.push(set_state(&self.tenant, self.id, &session.state, true, self.now));
        Ok(Commit::known(statements, Finished { session, record: Some(record) }))
    }
}

impl Finish {
    /// Locks the file before the session, and its content after it, as everybody does.
    async fn hold(&self, tx: &mut Tx) -> DbResult<Held> {
        let target = format!(
            "(SELECT coalesce(u.target, u.id) FROM filestore.session u \
              WHERE u.tenant = {TENANT} AND u.id = $2)"
        );
        let lock_file = format!(
            "SELECT 1 FROM filestore.file WHERE tenant = {TENANT} AND id = {target} FOR UPDATE"
        );
        let lock_content = format!(
            "SELECT uses FROM filestore.content WHERE id = (SELECT content FROM filestore.file \
                 WHERE tenant = {TENANT} AND id = {target}) FOR UPDATE"
        );
        let file = format!(
            "SELECT {COLUMNS} FROM filestore.file f {CONTENT} \
             WHERE f.tenant = {TENANT} AND f.id = {target}"
        );
        let named = |text| named(text, &self.tenant, self.id);
        let mut answers = tx
            .fly(vec![
                named(lock_file),
                session::select(&self.tenant, self.id, "FOR UPDATE"),
                named(lock_content),
                named(file),
            ])
            .await?
            .skip(1);
        let rows = answers.next().unwrap_or_default();
        let session = session::read(rows.first().ok_or_else(no_upload)?)?;
        let rows = answers.next().unwrap_or_default();
        let uses = rows.first().map(|row| get(row, 0)).transpose()?;
        let rows = answers.next().unwrap_or_default();
        let file = rows.first().map(row::read).transpose()?;
        Ok(Held { session, file, uses })
    }

    /// A name that is taken while this goes on is found by an index, and then here.
    async fn check_names(&self, tx: &mut Tx, record: &FileRecord) -> DbResult<()> {
        let taken = format!(
            "SELECT EXISTS (SELECT 1 FROM filestore.file WHERE tenant = {TENANT} \
                 AND (id = $2 OR number = $3 OR external_hash = $4))"
        );
        let external = record.attributes.external_id.as_deref().map(external_hash);
        let taken: Sql =
            named(taken, &self.tenant, record.id).bind(int(record.number.get())?).bind(external);
        let rows = tx.fly(vec![taken]).await?.next().unwrap_or_default();
        if rows.first().map(|row| get::<bool>(row, 0)).transpose()?.unwrap_or_default() {
            let taken = "the id, the number or the external id is taken";
            return Err(Error::new(ErrorKind::AlreadyExists, taken).into());
        }
        Ok(())
    }

    /// Makes content of a session's draft.
    fn publish(&self, session: &UploadSession) -> Writes {
        let mut writes = Writes::default();
        let segments = u64::from(session.parts.max(1));
        writes.contents.push((self.publication.content(session), 1, segments));
        if session.parts == 0 {
            writes.segments.push((session.content, 1, Segment::empty()));
        }
        writes
    }
}
