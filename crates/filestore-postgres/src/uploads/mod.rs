//! [`UploadRepository`].

mod begin;
mod ending;
mod finish;
mod parts;
mod session;

use std::time::Duration;

use async_trait::async_trait;
use filestore::backend::{
    Admission, Announcement, BeginUpload, Ending, Finished, Part, PartChain, Publication, Sealed,
    UploadRepository,
};
use filestore::{Error, FileId, PartNumber, Result, Subject, Tenant, UploadSession};

pub(crate) use self::session::{insert, of_tenant};

use crate::PostgresRepository;
use crate::commit::Made;
use crate::error::DbResult;
use crate::ledger::Statements;

#[async_trait]
impl UploadRepository for PostgresRepository {
    async fn begin(&self, tenant: &Tenant, upload: BeginUpload) -> Result<UploadSession> {
        let now = self.given_now();
        self.commit_known(begin::Begin { tenant: tenant.clone(), upload, now }).await
    }

    async fn session(&self, tenant: &Tenant, id: FileId) -> Result<UploadSession> {
        let row = self.first(session::select(tenant, id, "")).await?;
        let row = row.ok_or_else(|| Error::not_found("there is no such upload"))?;
        Ok(session::read(&row)?)
    }

    async fn sessions(
        &self,
        tenant: &Tenant,
        owner: &Subject,
        after: Option<FileId>,
        limit: u32,
    ) -> Result<Vec<UploadSession>> {
        Ok(session::of_owner(self, tenant, owner, after, limit).await?)
    }

    async fn parts(
        &self,
        tenant: &Tenant,
        id: FileId,
        after: PartNumber,
        limit: u32,
    ) -> Result<Vec<Part>> {
        Ok(parts::list(self, tenant, id, after, limit).await?)
    }

    async fn admit(
        &self,
        tenant: &Tenant,
        id: FileId,
        number: PartNumber,
        announce: Option<Announcement>,
    ) -> Result<Admission> {
        let now = self.given_now();
        let Some(announce) = announce else {
            return Ok(parts::admit(self, tenant, id, number).await?);
        };
        let admit = parts::Admit { tenant: tenant.clone(), id, number, announce, now };
        match self.commit(admit).await? {
            Made::Answered(admission) => Ok(admission?),
            Made::Silently => {
                let admission = parts::admit(self, tenant, id, number).await?;
                Ok(Admission { announced: true, ..admission })
            }
        }
    }

    async fn put_part(
        &self,
        tenant: &Tenant,
        id: FileId,
        total: Option<PartNumber>,
        part: Part,
    ) -> Result<UploadSession> {
        let now = self.given_now();
        let put = parts::PutPart { tenant: tenant.clone(), id, total, part, now };
        match self.commit(put).await? {
            Made::Answered(session) => Ok(session),
            Made::Silently => self.session(tenant, id).await,
        }
    }

    async fn save_chains(&self, tenant: &Tenant, id: FileId, chains: Vec<PartChain>) -> Result<()> {
        let saves = chains.iter().map(|chain| parts::save_chain(tenant, id, chain));
        self.commit_known(Statements(saves.collect::<DbResult<_>>()?)).await
    }

    async fn seal(&self, tenant: &Tenant, id: FileId) -> Result<Sealed> {
        let now = self.given_now();
        self.commit_known(ending::Seal { tenant: tenant.clone(), id, now }).await
    }

    async fn finish(
        &self,
        tenant: &Tenant,
        id: FileId,
        publication: Publication,
    ) -> Result<Finished> {
        let now = self.given_now();
        let finish = finish::Finish { tenant: tenant.clone(), id, publication, now };
        self.commit_known(finish).await
    }

    async fn end(&self, tenant: &Tenant, id: FileId, ending: Ending) -> Result<UploadSession> {
        let now = self.given_now();
        self.commit_known(ending::End { tenant: tenant.clone(), id, ending, now }).await
    }

    async fn due(
        &self,
        stalled: Duration,
        keep: Duration,
        limit: u32,
    ) -> Result<Vec<(Tenant, UploadSession)>> {
        Ok(session::due(self, stalled, keep, limit).await?)
    }

    async fn forget(&self, tenant: &Tenant, id: FileId) -> Result<()> {
        self.commit_known(Statements(ending::forget(tenant, id))).await
    }
}
