//! Chunked uploads: parts in any order, in parallel, and again.

use futures::future::join;

use crate::backend::{BeginUpload, Chain, Ending, Hashed, Part};
use crate::error::{Error, ErrorKind, Result};
use crate::hash::Hasher;
use crate::id::{ContentId, FileId};
use crate::record::{Expect, FileKey};
use crate::store::Files;
use crate::store::complete::Completion;
use crate::store::ingest::{Intake, NewKey, inline_limit};
use crate::stream::ByteStream;
use crate::upload::{NewUpload, PartInfo, PartNumber, UploadSession, UploadState, UploadTarget};

const PARTS_PAGE: u32 = 1000;

/// The upload sessions of one subject.
#[derive(Clone, Debug)]
pub struct Uploads {
    pub(super) files: Files,
}

impl Uploads {
    /// Opens a session.
    ///
    /// # Errors
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) or [`TooLarge`](ErrorKind::TooLarge) by the
    /// limits; [`NotFound`](ErrorKind::NotFound) when there is no such target.
    pub async fn begin(&self, new: NewUpload) -> Result<UploadSession> {
        let store = &self.files.store;
        let limits = store.limits();
        self.files.check(&new.attributes)?;
        if new.expect.size.is_some_and(|size| size > limits.max_session) {
            return Err(Error::too_large(format!(
                "a session is limited to {} bytes",
                limits.max_session
            )));
        }
        if let Some(total) = new.total {
            self.check_number(total)?;
        }
        let target = match new.target {
            None => UploadTarget::NewFile,
            Some(key) => UploadTarget::Existing(self.files.stat(key).await?.id),
        };
        let now = store.0.clock.now();
        let upload = BeginUpload {
            id: FileId::mint(now)?,
            owner: self.files.owner.clone(),
            target,
            content: ContentId::mint(now)?,
            attributes: new.attributes,
            expect: new.expect,
            total: new.total,
            lifetime: new.lifetime.min(limits.max_lifetime),
        };
        store.0.repository.begin(&self.files.tenant, upload).await
    }

    /// Stores one part; answers with the session including it. The part is durable then. `total`,
    /// the number of all parts, may be told with any part and must stay the same.
    ///
    /// # Errors
    /// Before content is read: [`NotFound`](ErrorKind::NotFound), also for another subject's
    /// session; [`Expired`](ErrorKind::Expired); [`Conflict`](ErrorKind::Conflict) when the session
    /// is not open or the total is another; [`InvalidArgument`](ErrorKind::InvalidArgument) for a
    /// number outside of 1 to the total. After: [`DigestMismatch`](ErrorKind::DigestMismatch),
    /// [`TooLarge`](ErrorKind::TooLarge), [`Conflict`](ErrorKind::Conflict), the content's own. What
    /// this part held before stays then.
    pub async fn put_part(
        &self,
        id: FileId,
        number: PartNumber,
        total: Option<PartNumber>,
        content: impl Into<ByteStream<'_>>,
        expect: Expect,
    ) -> Result<UploadSession> {
        self.check_number(number)?;
        if let Some(total) = total {
            self.check_number(total)?;
        }
        let store = &self.files.store;
        let inline_limit = inline_limit(number);
        // Of unknown size there is a byte at least, or hardly ever none.
        let mut key = store.key_of(expect.size.unwrap_or(1), inline_limit)?;
        let announce = key.as_ref().map(NewKey::announcement);
        let admitted = store.0.repository.admit(&self.files.tenant, id, number, announce).await;
        let admission = match admitted {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                // How another subject's session stands is not told either.
                self.session(id).await?;
                return Err(error);
            }
            admitted => admitted?,
        };
        if admission.announced {
            key = key.map(NewKey::announced);
        }
        let session = self.own(admission.session).await?;
        check_total(&session, number, total)?;

        let limits = store.limits();
        let is_hashed = session.expect.sha256.is_some();
        let chain =
            if is_hashed { continued_hash(number, admission.hashed.as_ref())? } else { None };
        let before = chain.as_ref().map(Hasher::digest);
        let intake = Intake {
            expect,
            limit: limits.max_file.min(self.room(&session, number).await?),
            inline_limit,
            whole: chain,
            key,
        };
        let stored = store.ingest(content.into(), intake).await?;
        let chain = before.zip(stored.whole).map(|(before, after)| Chain { before, after });
        let mut part = Part { number, segment: stored.segment, ticket: admission.ticket, chain };
        let repository = &store.0.repository;
        let lags = is_hashed && part.chain.is_none();
        // Held until what is found is recorded: another call would read the same parts again.
        let alone = if lags { store.0.hashing.enter(id) } else { None };
        let caught_up = if alone.is_some() {
            // What cannot be read now is read at completion, which says what is wrong with it.
            store.catch_up(&self.files, &session, admission.hashed, &mut part).await
        } else {
            Ok(Vec::new())
        };
        let put = repository.put_part(&self.files.tenant, id, total, part);
        match caught_up {
            // Both at once, so that they share a commit; nothing is lost with the chains.
            Ok(chains) if !chains.is_empty() => {
                join(put, repository.save_chains(&self.files.tenant, id, chains)).await.0
            }
            _ => put.await,
        }
    }

    /// A session. One whose completion was cut off, by a crash for instance, is completed first; one
    /// that has outlived its time is ended.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound), also for another subject's.
    pub async fn status(&self, id: FileId) -> Result<UploadSession> {
        let session = self.settled(self.session(id).await?).await?;
        if session.state != UploadState::Sealed || self.files.store.is_completing(id) {
            return Ok(session);
        }
        match self.files.store.publish(&self.files, session).await {
            // What became of it is in the session; the reason is not this caller's failure.
            Ok(_) => self.session(id).await,
            Err(error) if error.kind() == ErrorKind::Unavailable => Err(error),
            Err(_) => self.session(id).await,
        }
    }

    /// The parts of a session, in ascending order; none once it has ended.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound), also for another subject's session.
    pub async fn parts(&self, id: FileId) -> Result<Vec<PartInfo>> {
        self.session(id).await?;
        let mut infos = Vec::new();
        loop {
            let after = infos.last().map_or(0, |last: &PartInfo| last.number);
            let repository = &self.files.store.0.repository;
            let page = repository.parts(&self.files.tenant, id, after, PARTS_PAGE).await?;
            if page.is_empty() {
                return Ok(infos);
            }
            let info = |part: Part| PartInfo { number: part.number, size: part.segment.size };
            infos.extend(page.into_iter().map(info));
        }
    }

    /// Sessions with ids greater than `after`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable).
    pub async fn list(&self, after: Option<FileId>, limit: u32) -> Result<Vec<UploadSession>> {
        let Files { store, tenant, owner, .. } = &self.files;
        let (mut sessions, mut after) = (Vec::new(), after);
        // A page of which nothing may be seen is not the end.
        while sessions.is_empty() {
            let page = store.0.repository.sessions(tenant, owner, after, limit).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            for session in page {
                if self.sees(&session).await? {
                    sessions.push(self.settled(session).await?);
                }
            }
        }
        Ok(sessions)
    }

    /// Ends a session that has outlived its time, so that nobody is shown it as open.
    async fn settled(&self, session: UploadSession) -> Result<UploadSession> {
        let Files { store, tenant, .. } = &self.files;
        if session.state != UploadState::Open || session.expires > store.0.clock.now() {
            return Ok(session);
        }
        match store.0.repository.end(tenant, session.id, Ending::Expired).await {
            // It was sealed at this moment, or has time left by the repository's clock.
            Err(error) if error.kind() == ErrorKind::Conflict => {
                store.0.repository.session(tenant, session.id).await
            }
            ended => ended,
        }
    }

    /// Publishes a session's content: all parts must be there and be what was declared. To repeat
    /// it answers as the first time.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound), also for another subject's;
    /// [`Incomplete`](ErrorKind::Incomplete), and it stays open;
    /// [`DigestMismatch`](ErrorKind::DigestMismatch) or [`TooLarge`](ErrorKind::TooLarge), and it has
    /// failed;
    /// [`AlreadyExists`](ErrorKind::AlreadyExists) when the external id is taken, and it has failed;
    /// [`Conflict`](ErrorKind::Conflict) when it failed before, was canceled, or its target is gone;
    /// [`Expired`](ErrorKind::Expired); [`Internal`](ErrorKind::Internal) when bytes are missing, and
    /// it waits for them.
    pub async fn complete(&self, id: FileId) -> Result<Completion> {
        self.session(id).await?;
        let Files { store, tenant, .. } = &self.files;
        let sealed = store.0.repository.seal(tenant, id).await?;
        let completion = store.publish(&self.files, sealed.session).await?;
        Ok(Completion { now: sealed.now, ..completion })
    }

    /// Gives a session up and drops its parts. To repeat it is no error.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound), also for another subject's;
    /// [`Conflict`](ErrorKind::Conflict) when it is completed already.
    pub async fn abort(&self, id: FileId) -> Result<UploadSession> {
        self.session(id).await?;
        let Files { store, tenant, .. } = &self.files;
        let session = store.0.repository.end(tenant, id, Ending::Canceled).await?;
        if session.state == UploadState::Completed {
            return Err(Error::conflict("the upload is completed"));
        }
        Ok(session)
    }

    async fn session(&self, id: FileId) -> Result<UploadSession> {
        let Files { store, tenant, .. } = &self.files;
        self.own(store.0.repository.session(tenant, id).await?).await
    }

    async fn own(&self, session: UploadSession) -> Result<UploadSession> {
        if session.owner != self.files.owner || !self.sees(&session).await? {
            return Err(Error::not_found("no such upload"));
        }
        Ok(session)
    }

    /// Whether the file that the session is for may be seen, or is not there.
    async fn sees(&self, session: &UploadSession) -> Result<bool> {
        let Files { store, tenant, sight, .. } = &self.files;
        if sight.is_none() {
            return Ok(true);
        }
        let found = store.0.repository.find(tenant, &[FileKey::Id(session.file())]).await?;
        Ok(found.iter().flatten().all(|record| self.files.sees(&record.attributes)))
    }

    /// How many bytes the session may still take as part `number`: those of a part that was sent
    /// before make room for it.
    async fn room(&self, session: &UploadSession, number: PartNumber) -> Result<u64> {
        let Files { store, tenant, .. } = &self.files;
        let limits = store.limits();
        let room = limits.max_session.saturating_sub(session.received);
        if room >= limits.max_file {
            return Ok(room);
        }
        let found = store.0.repository.parts(tenant, session.id, number - 1, 1).await?;
        let same = found.first().filter(|part| part.number == number);
        let replaced = same.map_or(0, |part| part.segment.size);
        Ok(limits.max_session.saturating_sub(session.received.saturating_sub(replaced)))
    }

    fn check_number(&self, number: PartNumber) -> Result<()> {
        let most = self.files.store.limits().max_segments;
        if !(1..=most).contains(&number) {
            return Err(Error::invalid(format!("parts are numbered from 1 to {most} at most")));
        }
        Ok(())
    }
}

fn check_total(
    session: &UploadSession,
    number: PartNumber,
    total: Option<PartNumber>,
) -> Result<()> {
    let known = session.total.or(total);
    if total.is_some() && total != known {
        let known = known.unwrap_or_default();
        return Err(Error::conflict(format!("the upload was begun with {known} parts")));
    }
    match known {
        Some(total) if number > total => {
            Err(Error::invalid(format!("part {number} of an upload of {total}")))
        }
        _ => Ok(()),
    }
}

/// The hash of everything before part `number`, where it is known.
fn continued_hash(number: PartNumber, hashed: Option<&Hashed>) -> Result<Option<Hasher>> {
    match hashed {
        _ if number == 1 => Ok(Some(Hasher::default())),
        Some(hashed) if hashed.number + 1 == number => Hasher::resume(&hashed.state).map(Some),
        _ => Ok(None),
    }
}
