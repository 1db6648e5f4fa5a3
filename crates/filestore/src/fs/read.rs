//! Reading: straight from the page cache where it can be, elsewhere where it must wait.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream;

use super::blocking;
use super::disk::Linked;
use super::error::FsError;
use super::pool::Pool;
use super::volume::{read_cached, read_exact};
use crate::error::Result;
use crate::stream::ByteStream;

/// What is still to be read of a range of an open file.
struct Reader {
    file: Arc<dyn Linked>,
    rest: Range<u64>,
    pool: Arc<Pool>,
}

/// The bytes of `range`, in frames of a pooled buffer each. A small range is here already when
/// this returns.
pub(super) async fn read(
    file: Arc<dyn Linked>,
    range: Range<u64>,
    pool: &Arc<Pool>,
) -> Result<ByteStream<'static>> {
    let mut reader = Reader { file, rest: range, pool: Arc::clone(pool) };
    if reader.next_len() <= Pool::SMALL {
        return Ok(reader.frame().await?.into());
    }
    Ok(ByteStream::from_results(stream::try_unfold(reader, async |mut reader| {
        if reader.rest.is_empty() {
            return Ok(None);
        }
        let frame = reader.frame().await?;
        Ok(Some((frame, reader)))
    })))
}

impl Reader {
    /// The next frame, whole. A hop to another thread costs more than reading what is cached, so
    /// it is taken only for what is not.
    async fn frame(&mut self) -> Result<Bytes> {
        let (len, start) = (self.next_len(), self.rest.start);
        let mut buffer = self.pool.take(len);
        let cached =
            read_cached(self.file.as_ref(), buffer.rest_mut(0), start).map_err(FsError::Io)?;
        if cached < len {
            let file = Arc::clone(&self.file);
            let wanted = self.rest.end;
            buffer = blocking(move || {
                read_exact(file.as_ref(), buffer.rest_mut(cached), start + cached as u64).map_err(
                    |error| match error.kind() {
                        // Cut while it was read: its size was right when it was opened.
                        io::ErrorKind::UnexpectedEof => FsError::Short { wanted },
                        _ => FsError::Io(error),
                    },
                )?;
                Ok(buffer)
            })
            .await?;
        }
        self.rest.start += len as u64;
        Ok(buffer.freeze())
    }

    fn next_len(&self) -> usize {
        let rest = self.rest.end.saturating_sub(self.rest.start);
        usize::try_from(rest).map_or(Pool::BUFFER, |rest| rest.min(Pool::BUFFER))
    }
}
