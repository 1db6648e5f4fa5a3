//! Upload sessions: those that ended as rows, those that have not as new ones with the same parts.

use std::collections::HashMap;
use std::time::Duration;

use super::{Copy, OTHERS};
use crate::backend::{BeginUpload, Kept, Part};
use crate::error::{ErrorKind, Result};
use crate::hash::Digest;
use crate::id::Tenant;
use crate::upload::{PartNumber, UploadSession, UploadState};

const PARTS: u32 = 1000;
/// A sealed session is past its time, maybe; its parts are admitted none the less.
const ADMITTING: Duration = Duration::from_secs(86_400);

impl Copy<'_> {
    pub(super) async fn sessions(&mut self, tenant: &Tenant) -> Result<()> {
        let mut last = None;
        loop {
            let page = self.source.0.repository.all_sessions(tenant, last, OTHERS).await?;
            let Some(end) = page.last() else { return Ok(()) };
            last = Some(end.id);
            let (ended, open): (Vec<_>, Vec<_>) =
                page.into_iter().partition(|session| session.state.has_ended());
            self.report.sessions += ended.len() as u64;
            let kept = Kept { sessions: ended, ..Kept::default() };
            self.target.0.repository.adopt(tenant, kept).await?;
            for session in open {
                self.session(tenant, session).await?;
            }
        }
    }

    async fn session(&mut self, tenant: &Tenant, session: UploadSession) -> Result<()> {
        if !self.begin(tenant, &session).await? {
            self.report.dropped += 1;
            return Ok(());
        }
        let repository = &self.target.0.repository;
        let there = repository.session(tenant, session.id).await?;
        // Whoever goes on with it there knows better.
        let is_ours = there.state == UploadState::Open && there.content == session.content;
        if is_ours && self.parts(tenant, &session).await? {
            if session.state == UploadState::Sealed {
                repository.seal(tenant, session.id).await?;
            }
        } else if is_ours {
            self.report.damaged.push((tenant.clone(), session.id));
        }
        self.report.sessions += 1;
        Ok(())
    }

    /// Opens the session, unless it is there; answers whether it is.
    async fn begin(&self, tenant: &Tenant, session: &UploadSession) -> Result<bool> {
        let left = session.expires.since(self.source.0.clock.now());
        let is_sealed = session.state == UploadState::Sealed;
        if left.is_zero() && !is_sealed {
            return Ok(false);
        }
        let UploadSession { id, target, content, expect, total, .. } = *session;
        let upload = BeginUpload {
            id,
            owner: session.owner.clone(),
            target,
            content,
            attributes: session.attributes.clone(),
            expect,
            total,
            lifetime: if is_sealed { ADMITTING } else { left },
        };
        match self.target.0.repository.begin(tenant, upload).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                match self.target.0.repository.session(tenant, id).await {
                    Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
                    there => there.map(|_| true),
                }
            }
            begun => begun.map(|_| true),
        }
    }

    /// Copies the parts that are not there yet; answers whether all could be.
    async fn parts(&self, tenant: &Tenant, session: &UploadSession) -> Result<bool> {
        let there = self.digests(tenant, session).await?;
        let mut is_whole = true;
        let mut last = 0;
        loop {
            let source = &self.source.0.repository;
            let parts = source.parts(tenant, session.id, last, PARTS).await?;
            let Some(end) = parts.last() else { return Ok(is_whole) };
            last = end.number;
            for part in parts {
                if there.get(&part.number) != Some(&part.segment.sha256) {
                    is_whole &= self.part(tenant, session, part).await?;
                }
            }
        }
    }

    async fn digests(
        &self,
        tenant: &Tenant,
        session: &UploadSession,
    ) -> Result<HashMap<PartNumber, Digest>> {
        let mut digests = HashMap::new();
        let mut last = 0;
        loop {
            let target = &self.target.0.repository;
            let parts = target.parts(tenant, session.id, last, PARTS).await?;
            let Some(end) = parts.last() else { return Ok(digests) };
            last = end.number;
            digests.extend(parts.into_iter().map(|part| (part.number, part.segment.sha256)));
        }
    }

    /// Sends a part as its client would; the ticket is one of there.
    async fn part(&self, tenant: &Tenant, session: &UploadSession, part: Part) -> Result<bool> {
        let repository = &self.target.0.repository;
        let Part { number, segment, chain, .. } = part;
        let ticket = repository.admit(tenant, session.id, number, None).await?.ticket;
        let Some(segment) = self.segment(number, segment).await? else {
            return Ok(false);
        };
        let part = Part { number, segment, ticket, chain };
        repository.put_part(tenant, session.id, session.total, part).await?;
        Ok(true)
    }
}
