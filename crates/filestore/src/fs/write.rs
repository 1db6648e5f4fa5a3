//! Writing: frames are gathered as they come, written as they are, synced and given their name.

use std::future::poll_fn;
use std::io;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::StreamExt;
use futures::future::try_join;

use super::error::FsError;
use super::volume::{Temp, Volume};
use super::{FsBlobs, blocking, layout};
use crate::durability::Durability;
use crate::error::Result;
use crate::id::BlobKey;
use crate::stream::ByteStream;

/// Stores all of `content` under `key`. One batch is gathered while another is written, so twice
/// [`Batch::FULL`] and two frames are in memory at most.
///
/// Nothing has a name before [`Draft::publish`], which runs only after the stream has ended.
pub(super) async fn write(
    blobs: &FsBlobs,
    key: BlobKey,
    mut content: ByteStream<'_>,
) -> Result<u64> {
    blobs.volume.check()?;
    let _running = Arc::clone(&blobs.running);
    let mut draft = Draft {
        volume: Arc::clone(&blobs.volume),
        durability: blobs.durability,
        key,
        temp: None,
        size: 0,
        written_back: 0,
    };
    let mut batch = gather(&mut content).await?;
    while !batch.last {
        (draft, batch) = try_join(append(blobs, draft, batch), gather(&mut content)).await?;
    }
    blocking(move || draft.publish(&batch)).await
}

/// Writes a batch: on another thread when that lets the next one be gathered meanwhile, and here
/// when it is small or when other uploads keep the cores busy and a hop would only cost.
async fn append(blobs: &FsBlobs, mut draft: Draft, batch: Batch) -> Result<Draft> {
    let here = !batch.is_full() || blobs.running_puts() >= blobs.cores;
    let here = here && !draft.is_behind(&batch);
    if here && draft.temp.is_some() {
        draft.append(&batch)?;
        return Ok(draft);
    }
    blocking(move || draft.append(&batch).map(|()| draft)).await
}

/// Takes what the stream has ready, and waits for no more than one frame: an upload that stalls
/// holds no memory.
async fn gather(content: &mut ByteStream<'_>) -> Result<Batch> {
    let mut batch = Batch::default();
    poll_fn(|cx| batch.poll_fill(content, cx)).await?;
    Ok(batch)
}

/// Frames to be written with one call.
#[derive(Default)]
struct Batch {
    frames: Vec<Bytes>,
    size: usize,
    last: bool,
}

impl Batch {
    /// Batches of this size cost a core's cache least.
    const FULL: usize = 256 * 1024;
    /// Bounds what very small frames cost beside their bytes; within what one `writev` takes.
    const MAX_FRAMES: usize = 512;

    fn is_full(&self) -> bool {
        self.size >= Self::FULL || self.frames.len() >= Self::MAX_FRAMES
    }

    fn poll_fill(
        &mut self,
        content: &mut ByteStream<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<()>> {
        while !self.is_full() {
            let polled = content.poll_next_unpin(cx);
            if polled.is_pending() && !self.frames.is_empty() {
                break;
            }
            match ready!(polled).transpose()? {
                Some(frame) if frame.is_empty() => {}
                Some(frame) => {
                    self.size += frame.len();
                    self.frames.push(frame);
                }
                None => {
                    self.last = true;
                    break;
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// So many bytes are handed to the disk at a time while more are coming.
const WRITE_BACK: u64 = 8 << 20;

/// A blob that is not there yet. Dropped at any time before it is published, it leaves nothing.
struct Draft {
    volume: Arc<Volume>,
    durability: Durability,
    key: BlobKey,
    temp: Option<Temp>,
    size: u64,
    /// Of these the disk has been told.
    written_back: u64,
}

impl Draft {
    fn append(&mut self, batch: &Batch) -> Result<(), FsError> {
        let is_behind = self.is_behind(batch);
        self.temp()?.write(&batch.frames)?;
        self.size += batch.size as u64;
        if is_behind {
            let begun = mem::replace(&mut self.written_back, self.size);
            let size = self.size;
            self.temp()?.write_back(begun..size);
        }
        Ok(())
    }

    /// Whether the disk is to begin after this batch. A sync that found all of a large blob still in
    /// memory would take about as long as receiving it did.
    fn is_behind(&self, batch: &Batch) -> bool {
        let waiting = self.size + batch.size as u64 - self.written_back;
        self.durability == Durability::Full && !batch.last && waiting >= WRITE_BACK
    }

    /// Appends the last batch and gives the blob its name, durable in this order: bytes, then
    /// name. Of a failure nothing is tried again: the blob is then absent, or whole when only the
    /// last step failed.
    fn publish(mut self, last: &Batch) -> Result<u64, FsError> {
        self.append(last)?;
        let (volume, key) = (Arc::clone(&self.volume), self.key);
        let durability = self.durability;
        let temp = self.temp()?;
        if durability == Durability::Full {
            temp.sync()?;
        }
        temp.link(&layout::path(key)).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => FsError::Exists(key),
            _ => FsError::from(error),
        })?;
        if durability == Durability::Full {
            volume.sync_folder(&layout::folder(key))?;
        }
        Ok(self.size)
    }

    /// The file, made with the first batch: a blob of one batch costs one hop.
    fn temp(&mut self) -> Result<&mut Temp, FsError> {
        match &mut self.temp {
            Some(temp) => Ok(temp),
            none => {
                let spare = layout::temp_name()?;
                let temp = self.volume.create_temp(&layout::folder(self.key), &spare)?;
                Ok(none.insert(temp))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    #[tokio::test]
    async fn a_stalled_stream_is_not_held_in_memory() {
        let frames = stream::iter(["ten bytes.", "", "five."].map(|frame| Ok(frame.into())));
        let mut content = ByteStream::from_results(frames.chain(stream::pending()));
        let batch = gather(&mut content).await.unwrap();
        assert_eq!((batch.size, batch.frames.len(), batch.last), (15, 2, false));
    }

    #[tokio::test]
    async fn no_more_is_gathered_than_a_batch_and_a_frame() {
        for (frame, gathered) in [(100_000, 300_000), (1, Batch::MAX_FRAMES)] {
            let endless = stream::repeat_with(|| Ok(Bytes::from(vec![0; frame])));
            let mut content = ByteStream::from_results(endless);
            assert_eq!(gather(&mut content).await.unwrap().size, gathered);
        }
    }
}
