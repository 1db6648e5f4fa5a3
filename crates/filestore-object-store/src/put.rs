//! Storing: in one request what is small, in parts what is not.

use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use filestore::{BlobKey, ByteStream};
use futures::stream::TryStreamExt;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload, PutPayloadMut};
use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinSet};

use crate::ObjectOptions;
use crate::blobs::ObjectBlobs;
use crate::error::ObjectError;

/// What is gathered is copied into blocks of this size, so that a part takes its own length of
/// memory, and not that of all the buffers its frames were cut from.
const BLOCK: usize = 64 << 10;

pub(crate) async fn put(
    blobs: &ObjectBlobs,
    key: BlobKey,
    content: ByteStream<'_>,
) -> Result<u64, ObjectError> {
    let path = blobs.path(key);
    let mut parts = Parts::of(content, blobs.options.part_size);
    let first = parts.next().await?;
    if !parts.ended {
        return put_parts(blobs, path, first, parts).await;
    }
    let size = first.content_length() as u64;
    blobs.store.put(&path, first).await?;
    Ok(size)
}

async fn put_parts(
    blobs: &ObjectBlobs,
    path: Path,
    first: PutPayload,
    mut parts: Parts<'_>,
) -> Result<u64, ObjectError> {
    let mut upload = Upload::begin(Arc::clone(&blobs.store), path, blobs.options).await?;
    let mut size = 0;
    let mut part = first;
    loop {
        size += part.content_length() as u64;
        // The last one is empty when the content is as long as some parts are.
        if part.content_length() > 0 {
            upload.send(part).await?;
        }
        if parts.ended {
            break;
        }
        part = parts.next().await?;
    }
    upload.complete().await?;
    Ok(size)
}

/// Content as parts of one size, the last of which may be shorter. (There are services that take no
/// others.)
struct Parts<'a> {
    content: ByteStream<'a>,
    size: usize,
    /// What the part before left of its last frame.
    rest: Bytes,
    ended: bool,
}

impl<'a> Parts<'a> {
    fn of(content: ByteStream<'a>, size: usize) -> Self {
        Self { content, size, rest: Bytes::new(), ended: false }
    }

    /// Gathers a part. That it is the last is known when the content's end has been seen.
    async fn next(&mut self) -> Result<PutPayload, ObjectError> {
        let mut part = PutPayloadMut::new().with_block_size(BLOCK.min(self.size));
        loop {
            let room = self.size - part.content_length();
            part.extend_from_slice(&self.rest.split_to(room.min(self.rest.len())));
            if part.content_length() == self.size {
                break;
            }
            match self.content.try_next().await.map_err(ObjectError::Content)? {
                Some(frame) => self.rest = frame,
                None => {
                    self.ended = true;
                    break;
                }
            }
        }
        Ok(part.into())
    }
}

/// A multipart upload that is aborted when it is dropped before it was completed. Nothing of it can
/// be seen until then.
struct Upload {
    upload: Option<Box<dyn MultipartUpload>>,
    sending: JoinSet<object_store::Result<()>>,
    sent: u64,
    options: ObjectOptions,
}

impl Upload {
    /// Begins in a task of its own, which a dropped future does not end: an upload whose id nobody
    /// received could not be aborted.
    async fn begin(
        store: Arc<dyn ObjectStore>,
        path: Path,
        options: ObjectOptions,
    ) -> Result<Self, ObjectError> {
        let runtime = Handle::try_current().map_err(|_| ObjectError::NoRuntime)?;
        let begun = runtime.spawn(async move {
            let upload = Some(store.put_multipart(&path).await?);
            Ok::<_, ObjectError>(Self { upload, sending: JoinSet::new(), sent: 0, options })
        });
        begun.await.map_err(ObjectError::Aborted)?
    }

    /// Hands a part over when there is room for it. Errors may be those of earlier ones.
    async fn send(&mut self, part: PutPayload) -> Result<(), ObjectError> {
        let ObjectOptions { part_size, parts_at_once } = self.options;
        if self.sent == ObjectOptions::MAX_PARTS {
            let limit = ObjectOptions::MAX_PARTS.saturating_mul(part_size as u64);
            return Err(ObjectError::TooLarge { limit });
        }
        while let Some(sent) = self.sending.try_join_next() {
            check(sent)?;
        }
        while self.sending.len() >= parts_at_once {
            self.join_next().await?;
        }
        if let Some(upload) = &mut self.upload {
            self.sending.spawn(upload.put_part(part));
            self.sent += 1;
        }
        Ok(())
    }

    async fn complete(mut self) -> Result<(), ObjectError> {
        while !self.sending.is_empty() {
            self.join_next().await?;
        }
        if let Some(upload) = &mut self.upload {
            upload.complete().await?;
        }
        self.upload = None;
        Ok(())
    }

    async fn join_next(&mut self) -> Result<(), ObjectError> {
        match self.sending.join_next().await {
            Some(sent) => check(sent),
            None => Ok(()),
        }
    }
}

fn check(sent: Result<object_store::Result<()>, JoinError>) -> Result<(), ObjectError> {
    Ok(sent.map_err(ObjectError::Aborted)??)
}

impl Drop for Upload {
    /// Nobody waits for it: whoever sees the error has nothing to gain from that. Also after a
    /// completion whose outcome is not known; what is complete is not harmed.
    fn drop(&mut self) {
        let (Some(mut upload), Ok(runtime)) = (self.upload.take(), Handle::try_current()) else {
            return;
        };
        let mut sending = mem::take(&mut self.sending);
        runtime.spawn(async move {
            // A part that arrives behind the abort could stay.
            sending.shutdown().await;
            if let Err(error) = upload.abort().await {
                tracing::warn!(%error, "an unfinished multipart upload was left behind");
            }
        });
    }
}
