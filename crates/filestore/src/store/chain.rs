//! The hash of a whole session on its way through its parts. Parts that come in order carry it on
//! while they stream; where others came first, whoever sends the next one catches up.

use std::sync::Arc;

use crate::backend::{Chain, Hashed, Part, PartChain};
use crate::error::Result;
use crate::hash::Hasher;
use crate::store::open::{Trust, read_segments};
use crate::store::{FileStore, Files, for_each_frame};
use crate::upload::UploadSession;

/// Most parts that are read before one is recorded, so that nobody waits for the reading of a whole
/// session. More than one, or parts that come four at a time would never be caught up with.
const CATCH_UP: u32 = 4;

impl FileStore {
    /// Takes the hash of everything before `part` through it: by its chain, wherever that was made
    /// from the bytes which are there before it, or else by reading it. Answers with a chain that it
    /// did not have.
    pub(super) async fn hash_through(
        &self,
        mut hasher: Hasher,
        part: &Part,
    ) -> Result<(Hasher, Option<Chain>)> {
        let before = hasher.digest();
        if let Some(chain) = part.chain
            && chain.before == before
            && let Ok(after) = Hasher::resume(&chain.after)
        {
            return Ok((after, None));
        }
        let segment = part.segment.clone();
        let content = read_segments(Arc::clone(&self.0.blobs), [segment], Trust::Length);
        for_each_frame(content, |frame| hasher.update(frame)).await?;
        let chain = Chain { before, after: hasher.save() };
        Ok((hasher, Some(chain)))
    }

    /// Hashes parts from `hashed` on that came before they could be, up to and with `part`, which is
    /// not recorded yet. Answers with the chains of the others.
    ///
    /// The caller is the only one who does so for the session, until it has recorded the chains: what
    /// it leaves is the next one's, or the completion's.
    pub(super) async fn catch_up(
        &self,
        files: &Files,
        session: &UploadSession,
        hashed: Option<Hashed>,
        part: &mut Part,
    ) -> Result<Vec<PartChain>> {
        let mut found = Vec::new();
        let (mut last, mut hasher) = match hashed {
            Some(hashed) => (hashed.number, Hasher::resume(&hashed.state)?),
            None => (0, Hasher::default()),
        };
        let repository = &self.0.repository;
        let between = repository.parts(&files.tenant, session.id, last, Hashed::WITHIN).await?;
        for there in between.iter().take_while(|there| there.number < part.number) {
            if there.number != last + 1 || found.len() >= CATCH_UP as usize {
                return Ok(found);
            }
            let (after, chain) = self.hash_through(hasher, there).await?;
            let (number, ticket) = (there.number, there.ticket);
            found.extend(chain.map(|chain| PartChain { number, ticket, chain }));
            (last, hasher) = (number, after);
        }
        if last + 1 == part.number {
            (_, part.chain) = self.hash_through(hasher, part).await?;
        }
        Ok(found)
    }
}
