//! [`UploadRepository`].

mod ending;
mod parts;
mod session;

use std::time::Duration;

use async_trait::async_trait;
use filestore::backend::{
    Admission, Announcement, BeginUpload, Ending, Finished, Part, PartChain, Publication, Sealed,
    UploadRepository,
};
use filestore::{FileId, PartNumber, Result, Subject, Tenant, UploadSession};

pub(crate) use self::ending::file_is_gone;
pub(crate) use self::parts::last_ticket;
pub(crate) use self::session::{adopt, of_tenant};

use crate::SqliteRepository;

#[async_trait]
impl UploadRepository for SqliteRepository {
    async fn begin(&self, tenant: &Tenant, upload: BeginUpload) -> Result<UploadSession> {
        let tenant = tenant.clone();
        self.commit(move |work| session::begin(work, &tenant, upload)).await
    }

    async fn session(&self, tenant: &Tenant, id: FileId) -> Result<UploadSession> {
        self.look_up(|db| Ok(session::find(db, tenant, id)?.session))
    }

    async fn sessions(
        &self,
        tenant: &Tenant,
        owner: &Subject,
        after: Option<FileId>,
        limit: u32,
    ) -> Result<Vec<UploadSession>> {
        let (tenant, owner) = (tenant.clone(), owner.clone());
        self.scan(move |db| session::of_owner(db, &tenant, &owner, after, limit)).await
    }

    async fn parts(
        &self,
        tenant: &Tenant,
        id: FileId,
        after: PartNumber,
        limit: u32,
    ) -> Result<Vec<Part>> {
        let tenant = tenant.clone();
        self.scan(move |db| parts::list(db, &tenant, id, after, limit)).await
    }

    /// A look-up takes next to no time: a key is announced while its bytes come, by itself.
    async fn admit(
        &self,
        tenant: &Tenant,
        id: FileId,
        number: PartNumber,
        _: Option<Announcement>,
    ) -> Result<Admission> {
        let now = self.clock().now();
        let (session, hashed) = self.look_up(|db| parts::admit(db, tenant, id, number, now))?;
        Ok(Admission { session, ticket: self.draw_ticket(), hashed, announced: false })
    }

    async fn put_part(
        &self,
        tenant: &Tenant,
        id: FileId,
        total: Option<PartNumber>,
        part: Part,
    ) -> Result<UploadSession> {
        let tenant = tenant.clone();
        self.commit(move |work| parts::put(work, &tenant, id, total, &part)).await
    }

    async fn save_chains(&self, tenant: &Tenant, id: FileId, chains: Vec<PartChain>) -> Result<()> {
        let tenant = tenant.clone();
        self.commit(move |work| parts::save_chains(work.db, &tenant, id, &chains)).await
    }

    async fn seal(&self, tenant: &Tenant, id: FileId) -> Result<Sealed> {
        let tenant = tenant.clone();
        self.commit(move |work| ending::seal(work, &tenant, id)).await
    }

    async fn finish(
        &self,
        tenant: &Tenant,
        id: FileId,
        publication: Publication,
    ) -> Result<Finished> {
        let tenant = tenant.clone();
        self.commit(move |work| ending::finish(work, &tenant, id, &publication)).await
    }

    async fn end(&self, tenant: &Tenant, id: FileId, ending: Ending) -> Result<UploadSession> {
        let tenant = tenant.clone();
        self.free(move |work| ending::end(work, &tenant, id, &ending)).await
    }

    async fn due(
        &self,
        stalled: Duration,
        keep: Duration,
        limit: u32,
    ) -> Result<Vec<(Tenant, UploadSession)>> {
        let now = self.clock().now();
        self.scan(move |db| session::due(db, now, now.before(stalled), now.before(keep), limit))
            .await
    }

    async fn forget(&self, tenant: &Tenant, id: FileId) -> Result<()> {
        let tenant = tenant.clone();
        self.free(move |work| ending::forget(work.db, &tenant, id)).await
    }
}
