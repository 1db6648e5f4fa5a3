//! Completion of a sealed session: verify, then publish in one transaction. Whoever comes by may
//! take it up again where another left off.

use crate::backend::{Ending, Finished, PartChain, Publication, content_tag};
use crate::error::{Error, ErrorKind, Result};
use crate::hash::{Digest, Hasher};
use crate::id::{FileId, FileNumber};
use crate::record::{FileKey, FileRecord};
use crate::store::{FileStore, Files};
use crate::upload::{UploadSession, UploadState};

const PARTS_PAGE: u32 = 1000;
const NUMBER_TRIES: usize = 16;

/// A completed upload.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// The session.
    pub session: UploadSession,
    /// The file; `None` when it was deleted since.
    pub record: Option<FileRecord>,
    /// Whether this call sealed the session: true for exactly one.
    pub now: bool,
}

impl FileStore {
    pub(super) fn is_completing(&self, id: FileId) -> bool {
        self.0.completing.has(id)
    }

    /// Brings a sealed session to its end, or answers how it ended. `files` names the tenant.
    pub(super) async fn publish(
        &self,
        files: &Files,
        session: UploadSession,
    ) -> Result<Completion> {
        let session = match session.state {
            UploadState::Sealed => {
                let _here = self.0.completing.enter(session.id);
                self.publish_sealed(files, &session).await?
            }
            _ => session,
        };
        match &session.state {
            UploadState::Completed => {}
            UploadState::Failed(reason) => return Err(Error::conflict(reason.clone())),
            UploadState::Expired => {
                return Err(Error::new(ErrorKind::Expired, "the upload has expired"));
            }
            _ => return Err(Error::conflict("the upload was canceled")),
        }
        let record = files.stat_many(&[FileKey::Id(session.file())]).await?.pop().flatten();
        Ok(Completion { session, record, now: false })
    }

    async fn publish_sealed(
        &self,
        files: &Files,
        session: &UploadSession,
    ) -> Result<UploadSession> {
        let verified = match self.verify(files, session).await {
            Err(error)
                if matches!(error.kind(), ErrorKind::DigestMismatch | ErrorKind::TooLarge) =>
            {
                return self.fail(files, session, error).await;
            }
            verified => verified?,
        };
        let now = self.0.clock.now();
        for _ in 0..NUMBER_TRIES {
            let publication = Publication {
                number: FileNumber::mint(now)?,
                tag: verified.tag.clone(),
                sha256: verified.sha256,
                stored: now,
            };
            match self.0.repository.finish(&files.tenant, session.id, publication).await {
                Ok(Finished { session, .. }) => return Ok(session),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    let external = session.attributes.external_id.as_ref();
                    if files.is_taken(session.id, external).await? {
                        return self.fail(files, session, error).await;
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Err(Error::unavailable("no free number was found"))
    }

    /// Ends a session that cannot be published. Where another call ended it meanwhile, its parts
    /// went under our hands: the error is void then, and how it ended counts.
    async fn fail(
        &self,
        files: &Files,
        session: &UploadSession,
        error: Error,
    ) -> Result<UploadSession> {
        let ending = Ending::Failed(error.to_string());
        let ended = self.0.repository.end(&files.tenant, session.id, ending).await?;
        match ended.state {
            UploadState::Failed(_) => Err(error),
            _ => Ok(ended),
        }
    }

    /// Walks the parts in order. The hash of the whole is adopted from a part's chain wherever that
    /// was made from the bytes which are there before it; other parts are read again.
    async fn verify(&self, files: &Files, session: &UploadSession) -> Result<Verified> {
        let most = self.limits().max_session;
        if session.received > most {
            // Parts that came in parallel did not know of each other.
            return Err(Error::too_large(format!("a session is limited to {most} bytes")));
        }
        let mut list = Vec::new();
        let mut whole = session.expect.sha256.map(|_| Hasher::default());
        let mut after = 0;
        loop {
            let parts =
                self.0.repository.parts(&files.tenant, session.id, after, PARTS_PAGE).await?;
            let Some(last) = parts.last() else { break };
            after = last.number;
            for part in parts {
                list.push((part.segment.size, part.segment.sha256));
                if let Some(before) = whole.take() {
                    let (after, chain) = self.hash_through(before, &part).await?;
                    if let Some(chain) = chain {
                        let (number, ticket) = (part.number, part.ticket);
                        let chains = vec![PartChain { number, ticket, chain }];
                        self.0.repository.save_chains(&files.tenant, session.id, chains).await?;
                    }
                    whole = Some(after);
                }
            }
        }
        if list.is_empty() {
            // An upload of no parts is one empty segment, like an empty file sent in one piece.
            list.push((0, Digest::of(b"")));
        }
        let sha256 = match (&whole, list.as_slice()) {
            (Some(whole), _) => Some(whole.digest()),
            (None, [(_, only)]) => Some(*only),
            (None, _) => None,
        };
        if let (Some(declared), Some(found)) = (session.expect.sha256, sha256)
            && declared != found
        {
            return Err(Error::new(
                ErrorKind::DigestMismatch,
                format!("SHA-256 mismatch: declared {declared}, received {found}"),
            ));
        }
        Ok(Verified { tag: content_tag(list.into_iter()), sha256 })
    }
}

struct Verified {
    tag: String,
    sha256: Option<Digest>,
}
