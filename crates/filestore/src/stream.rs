//! [`ByteStream`]: content on its way in or out.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures::stream::{BoxStream, Stream, StreamExt, TryStreamExt};

use crate::error::{BoxError, Error, ErrorKind, Result};

/// Content on its way in or out: whole bytes, a stream of them, or first the one and then the other.
///
/// `Send` and not `Sync`. Back-pressure is the consumer's: nothing is read ahead of a poll. An
/// error item ends the content; whoever receives it must treat everything before it as void.
pub struct ByteStream<'a> {
    head: VecDeque<Bytes>,
    tail: Option<BoxStream<'a, Result<Bytes>>>,
}

/// What [`ByteStream::peek`] found.
#[derive(Debug)]
pub enum Peeked<'a> {
    /// The content ended within the limit; this is all of it.
    Whole(Bytes),
    /// The content is longer; nothing of it is lost.
    Longer(ByteStream<'a>),
}

impl<'a> ByteStream<'a> {
    /// A stream of any origin. Its errors become [`ErrorKind::Interrupted`].
    pub fn new<S, E>(stream: S) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'a,
        E: Into<BoxError>,
    {
        Self::from_results(stream.map_err(|error| {
            Error::new(ErrorKind::Interrupted, "content broke off").with_source(error)
        }))
    }

    /// A stream that speaks this crate's errors already: backends and adaptors.
    pub fn from_results(stream: impl Stream<Item = Result<Bytes>> + Send + 'a) -> Self {
        Self { head: VecDeque::new(), tail: Some(stream.boxed()) }
    }

    /// No bytes at all.
    pub fn empty() -> Self {
        Self { head: VecDeque::new(), tail: None }
    }

    /// All of the content, when it is here already and no stream has to be polled for it.
    pub fn as_whole(&self) -> Option<Bytes> {
        match (self.head.len(), &self.tail) {
            (0 | 1, None) => Some(self.head.front().cloned().unwrap_or_default()),
            _ => None,
        }
    }

    /// Reads everything into memory. For small content and tests; nothing limits it.
    ///
    /// # Errors
    /// The stream's own.
    pub async fn collect(mut self) -> Result<Bytes> {
        if let Some(whole) = self.as_whole() {
            return Ok(whole);
        }
        let mut all = BytesMut::new();
        while let Some(chunk) = self.next().await {
            all.extend_from_slice(&chunk?);
        }
        Ok(all.freeze())
    }

    /// Reads until the content ends or exceeds `limit` bytes.
    ///
    /// Copies only when several chunks within the limit must be joined.
    ///
    /// # Errors
    /// The stream's own.
    pub async fn peek(mut self, limit: usize) -> Result<Peeked<'a>> {
        let mut seen = VecDeque::new();
        let mut total = 0;
        while let Some(chunk) = self.next().await {
            let chunk = chunk?;
            total += chunk.len();
            seen.push_back(chunk);
            if total > limit {
                seen.append(&mut self.head);
                return Ok(Peeked::Longer(Self { head: seen, tail: self.tail }));
            }
        }
        Ok(Peeked::Whole(join(seen, total)))
    }
}

fn join(mut chunks: VecDeque<Bytes>, total: usize) -> Bytes {
    if chunks.len() <= 1 {
        return chunks.pop_front().unwrap_or_default();
    }
    let mut joined = BytesMut::with_capacity(total);
    for chunk in chunks {
        joined.extend_from_slice(&chunk);
    }
    joined.freeze()
}

impl Stream for ByteStream<'_> {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(head) = self.head.pop_front() {
            return Poll::Ready(Some(Ok(head)));
        }
        match &mut self.tail {
            Some(tail) => tail.poll_next_unpin(cx),
            None => Poll::Ready(None),
        }
    }
}

impl fmt::Debug for ByteStream<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let here: usize = self.head.iter().map(Bytes::len).sum();
        f.debug_struct("ByteStream")
            .field("here", &here)
            .field("more", &self.tail.is_some())
            .finish()
    }
}

impl From<Bytes> for ByteStream<'_> {
    fn from(bytes: Bytes) -> Self {
        Self { head: VecDeque::from([bytes]), tail: None }
    }
}

/// `From` for everything that becomes `Bytes` without a stream.
macro_rules! from_whole {
    ($($whole:ty),*) => {
        $(impl From<$whole> for ByteStream<'_> {
            fn from(whole: $whole) -> Self {
                Bytes::from(whole).into()
            }
        })*
    };
}

from_whole!(Vec<u8>, String, &'static [u8], &'static str);

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;

    fn chunks(parts: &'static [&'static str]) -> ByteStream<'static> {
        ByteStream::from_results(futures::stream::iter(
            parts.iter().map(|part| Ok(Bytes::from(*part))),
        ))
    }

    #[test]
    fn peeking_finds_the_end_at_the_limit_and_not_past_it() {
        let whole = block_on(chunks(&["ab", "cd"]).peek(4)).unwrap();
        assert!(matches!(whole, Peeked::Whole(bytes) if bytes == "abcd"));
        let Peeked::Longer(longer) = block_on(chunks(&["ab", "cd", "e", "f"]).peek(4)).unwrap()
        else {
            panic!("five bytes do not fit into four");
        };
        assert_eq!(block_on(longer.collect()).unwrap(), "abcdef");
    }

    #[test]
    fn a_broken_source_is_interrupted_and_keeps_its_cause() {
        let broken =
            futures::stream::iter([Ok(Bytes::from("ab")), Err(std::io::Error::other("reset"))]);
        let error = block_on(ByteStream::new(broken).collect()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interrupted);
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "reset");
    }

    #[test]
    fn whole_content_needs_no_polling() {
        assert_eq!(ByteStream::from("abc").as_whole().unwrap(), "abc");
        assert_eq!(ByteStream::empty().as_whole().unwrap(), "");
        assert!(chunks(&["abc"]).as_whole().is_none());
    }
}
