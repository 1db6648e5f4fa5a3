//! Reading: one request for a range, and another for what is missing of it when the answer breaks off.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use filestore::{BlobKey, ByteStream};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt};

use crate::blobs::{ObjectBlobs, bucket_answers};
use crate::error::ObjectError;

/// The first frame has arrived when this returns.
pub(crate) async fn get(
    blobs: &ObjectBlobs,
    key: BlobKey,
    range: Range<u64>,
) -> Result<ByteStream<'static>, ObjectError> {
    let blob = Blob {
        store: Arc::clone(&blobs.store),
        prefix: blobs.prefix.clone(),
        path: blobs.path(key),
        key,
    };
    let mut reader = Reader { blob, rest: range, answer: None };
    let Some(first) = reader.frame().await? else { return Ok(ByteStream::empty()) };
    if reader.rest.is_empty() {
        return Ok(first.into());
    }
    let rest = stream::try_unfold(reader, async |mut reader| {
        let frame = reader.frame().await?;
        Ok(frame.map(|frame| (frame, reader)))
    });
    Ok(ByteStream::from_results(stream::iter([Ok(first)]).chain(rest)))
}

/// What is still to be read of a range of a blob.
struct Reader {
    blob: Blob,
    rest: Range<u64>,
    answer: Option<Answer>,
}

/// An answer of the service, as far as it has not been read.
struct Answer {
    frames: BoxStream<'static, object_store::Result<Bytes>>,
    /// Whether it brought anything yet.
    began: bool,
}

impl Reader {
    /// The next bytes, `None` at the end of the range. Blobs never change, so an answer that broke
    /// off is gone on with by another request, as long as each brings something: a client that reads
    /// slowly outlasts connections.
    async fn frame(&mut self) -> Result<Option<Bytes>, ObjectError> {
        while !self.rest.is_empty() {
            let mut answer = match self.answer.take() {
                Some(answer) => answer,
                None => self.blob.ask(&self.rest).await?,
            };
            let error = match answer.frames.try_next().await {
                Ok(Some(frame)) if frame.is_empty() => {
                    self.answer = Some(answer);
                    continue;
                }
                Ok(Some(mut frame)) => {
                    // No service sends more than was asked for; none is trusted in this.
                    let left = self.rest.end - self.rest.start;
                    frame.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                    self.rest.start += frame.len() as u64;
                    self.answer = Some(Answer { began: true, ..answer });
                    return Ok(Some(frame));
                }
                Ok(None) => ObjectError::BrokeOff,
                Err(error) => error.into(),
            };
            if !answer.began {
                return Err(error);
            }
            tracing::debug!(%error, "reading on with another request");
        }
        Ok(None)
    }
}

/// Where a blob is.
struct Blob {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    path: Path,
    key: BlobKey,
}

impl Blob {
    async fn ask(&self, range: &Range<u64>) -> Result<Answer, ObjectError> {
        let wanted = GetOptions::new().with_range(Some(range.clone()));
        match self.store.get_opts(&self.path, wanted).await {
            // They answer what there is of it.
            Ok(found) if found.range != *range => Err(ObjectError::Short { wanted: range.end }),
            Ok(found) => Ok(Answer { frames: found.into_stream(), began: false }),
            Err(error) => Err(self.explain(error, range.end).await),
        }
    }

    /// A range past the end is refused like anything else. Asking for the size tells them apart.
    async fn explain(&self, error: object_store::Error, wanted: u64) -> ObjectError {
        use object_store::Error::{NotFound, PermissionDenied, Unauthenticated};
        match error {
            NotFound { .. } if bucket_answers(self.store.as_ref(), &self.prefix).await => {
                ObjectError::Missing(self.key)
            }
            // Whoever is not let in is not told the size either.
            NotFound { .. } | PermissionDenied { .. } | Unauthenticated { .. } => error.into(),
            _ => match self.store.head(&self.path).await {
                Ok(object) if object.size < wanted => ObjectError::Short { wanted },
                _ => error.into(),
            },
        }
    }
}
