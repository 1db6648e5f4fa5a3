//! Bytes on their way in: measured, hashed and announced while they stream, stored whole or not at
//! all. Whatever was declared of them is checked before the last frame is let through, so that
//! bytes which differ never become a blob.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{Stream, StreamExt};

use crate::backend::{Announcement, Place, Repository, Segment};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::hash::{HashState, Hasher};
use crate::id::{BlobKey, Timestamp};
use crate::record::Expect;
use crate::store::FileStore;
use crate::stream::{ByteStream, Peeked};
use crate::upload::PartNumber;

/// How long an announced key may wait for its commit. Longer than any pause a server tolerates.
const PENDING_FOR: Duration = Duration::from_secs(6 * 3_600);
/// A put that takes longer than this announces its key again.
const RENEW_AFTER: Duration = Duration::from_secs(3_600);

/// How bytes are to be taken in.
#[derive(Debug, Default)]
pub(super) struct Intake {
    /// What was declared of them.
    pub(super) expect: Expect,
    /// Most bytes.
    pub(super) limit: u64,
    /// Most bytes that may stay inline, whatever the repository takes.
    pub(super) inline_limit: usize,
    /// The hash of everything before them, when the hash of the whole is to go on through them.
    pub(super) whole: Option<Hasher>,
    /// Where they go, when that has been settled before.
    pub(super) key: Option<NewKey>,
}

/// The key of a blob to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewKey {
    key: BlobKey,
    is_announced: bool,
}

impl NewKey {
    fn mint() -> Result<Self> {
        Ok(Self { key: BlobKey::mint()?, is_announced: false })
    }

    pub(super) fn announcement(&self) -> Announcement {
        Announcement { key: self.key, ttl: PENDING_FOR }
    }

    /// It has been announced by somebody else.
    pub(super) fn announced(self) -> Self {
        Self { is_announced: true, ..self }
    }
}

/// How much of a content's segment of this number, from 1, may stay inline. Only the first ones may, so
/// that opening a file of 10,000 tiny ones does not load them all.
pub(super) fn inline_limit(number: PartNumber) -> usize {
    const INLINE: PartNumber = 16;
    if number <= INLINE { usize::MAX } else { 0 }
}

/// Bytes that are stored, and not yet referenced.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) segment: Segment,
    /// The hash of the whole after them, when it was asked for.
    pub(super) whole: Option<HashState>,
}

impl FileStore {
    /// Stores `content` as one segment. Nothing refers to it until a commit does.
    pub(super) async fn ingest(&self, content: ByteStream<'_>, intake: Intake) -> Result<Stored> {
        if intake.expect.size.is_some_and(|size| size > intake.limit) {
            return Err(too_large(intake.limit));
        }
        let mut meter = Meter { intake, segment: Hasher::default(), size: 0 };
        let inline = meter.intake.inline_limit.min(self.0.repository.inline_limit());
        let place = match content.peek(inline).await? {
            Peeked::Whole(bytes) => {
                meter.take(&bytes)?;
                meter.check()?;
                Place::Inline(bytes)
            }
            Peeked::Longer(content) => Place::Blob(self.put_blob(content, &mut meter).await?),
        };
        Ok(Stored {
            segment: Segment { size: meter.size, sha256: meter.segment.digest(), place },
            whole: meter.intake.whole.as_ref().map(Hasher::save),
        })
    }

    /// The key for so many bytes that are about to come, when they are too many to stay inline.
    pub(super) fn key_of(&self, size: u64, inline_limit: usize) -> Result<Option<NewKey>> {
        let inline_limit = inline_limit.min(self.0.repository.inline_limit());
        (size > inline_limit as u64).then(NewKey::mint).transpose()
    }

    async fn put_blob(&self, content: ByteStream<'_>, meter: &mut Meter) -> Result<BlobKey> {
        let new = meter.intake.key.map_or_else(NewKey::mint, Ok)?;
        let key = new.key;
        let announced = Announced {
            content,
            meter,
            ledger: Ledger::announce(
                Arc::clone(&self.0.repository),
                Arc::clone(&self.0.clock),
                new,
            ),
            ended: false,
        };
        let stored = self.0.blobs.put(key, ByteStream::from_results(announced)).await?;
        if stored != meter.size {
            return Err(Error::internal(format!("{stored} of {} bytes were stored", meter.size)));
        }
        Ok(key)
    }
}

/// Counts and hashes bytes, and compares them with what was declared.
#[derive(Debug)]
struct Meter {
    intake: Intake,
    segment: Hasher,
    size: u64,
}

impl Meter {
    fn take(&mut self, bytes: &[u8]) -> Result<()> {
        self.size += bytes.len() as u64;
        if self.size > self.intake.limit {
            return Err(too_large(self.intake.limit));
        }
        if self.intake.expect.size.is_some_and(|declared| self.size > declared) {
            return Err(self.wrong_size("more"));
        }
        self.segment.update(bytes);
        if let Some(whole) = &mut self.intake.whole {
            whole.update(bytes);
        }
        Ok(())
    }

    fn check(&self) -> Result<()> {
        if self.intake.expect.size.is_some_and(|declared| self.size < declared) {
            return Err(self.wrong_size("fewer"));
        }
        let Some(declared) = self.intake.expect.sha256 else { return Ok(()) };
        let found = self.segment.digest();
        if found != declared {
            return Err(Error::new(
                ErrorKind::DigestMismatch,
                format!("SHA-256 mismatch: declared {declared}, received {found}"),
            ));
        }
        Ok(())
    }

    fn wrong_size(&self, how: &str) -> Error {
        let declared = self.intake.expect.size.unwrap_or_default();
        Error::new(
            ErrorKind::DigestMismatch,
            format!("{how} than the declared {declared} bytes were received"),
        )
    }
}

fn too_large(limit: u64) -> Error {
    Error::too_large(format!("content is limited to {limit} bytes"))
}

/// The content as the blob store sees it. Its end is held back until the key is announced and
/// everything declared is true.
struct Announced<'s, 'm> {
    content: ByteStream<'s>,
    meter: &'m mut Meter,
    ledger: Ledger,
    ended: bool,
}

impl Stream for Announced<'_, '_> {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let announced = this.ledger.poll(cx);
        if let Poll::Ready(Err(error)) = announced {
            return Poll::Ready(Some(Err(error)));
        }
        if !this.ended {
            match ready!(this.content.poll_next_unpin(cx)) {
                Some(Ok(bytes)) => {
                    this.ledger.renew_when_due();
                    return Poll::Ready(Some(this.meter.take(&bytes).map(|()| bytes)));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => this.ended = true,
            }
            if let Err(error) = this.meter.check() {
                return Poll::Ready(Some(Err(error)));
            }
        }
        match announced {
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// Announces a key while its bytes stream, and again when they take long.
struct Ledger {
    repository: Arc<dyn Repository>,
    clock: Arc<dyn Clock>,
    key: BlobKey,
    announced: Timestamp,
    call: Option<BoxFuture<'static, Result<()>>>,
}

impl Ledger {
    fn announce(repository: Arc<dyn Repository>, clock: Arc<dyn Clock>, new: NewKey) -> Self {
        let (to, key) = (Arc::clone(&repository), new.key);
        let call = async move { to.pend(key, PENDING_FOR).await };
        let call = (!new.is_announced).then(|| Box::pin(call) as _);
        Self { announced: clock.now(), repository, clock, key, call }
    }

    /// Ready when the key is announced, as far as has been asked for.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if let Some(call) = &mut self.call {
            let outcome = ready!(call.as_mut().poll(cx));
            self.call = None;
            return Poll::Ready(outcome);
        }
        Poll::Ready(Ok(()))
    }

    fn renew_when_due(&mut self) {
        let now = self.clock.now();
        if self.call.is_none() && now.since(self.announced) > RENEW_AFTER {
            let (to, key) = (Arc::clone(&self.repository), self.key);
            self.announced = now;
            self.call = Some(Box::pin(async move { to.renew(key, PENDING_FOR).await }));
        }
    }
}
