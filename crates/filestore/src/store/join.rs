//! The pieces of a content as one stream. A piece that begins soon is opened before it is needed, so
//! that a blob store which takes its time to begin an answer makes nobody wait between two of them.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt, MaybeDone, maybe_done};
use futures::stream::{Stream, StreamExt};

use super::open::{Piece, open_piece};
use crate::backend::BlobStore;
use crate::error::Result;
use crate::stream::ByteStream;

/// A piece is opened when fewer bytes than this are to be read before it. At 100 MiB a second they
/// last for 80 ms, about as long as object stores take to begin; a piece that is further off would
/// hold a connection that nobody reads from.
const AHEAD: u64 = 8 << 20;
/// Pieces that are open at the same time, the one that is read among them.
const OPEN: usize = 4;

/// One piece after the other. Polls of it open what is ahead; between them nothing is done.
pub(super) struct Joined {
    blobs: Arc<dyn BlobStore>,
    current: Option<ByteStream<'static>>,
    /// What `current` has not given yet.
    left: u64,
    opening: VecDeque<Opening>,
    pieces: VecDeque<Piece>,
}

struct Opening {
    size: u64,
    /// Waits here for its turn when it is open, and so does the error if it cannot be opened.
    stream: MaybeDone<BoxFuture<'static, Result<ByteStream<'static>>>>,
}

impl Joined {
    pub(super) fn new(blobs: Arc<dyn BlobStore>, pieces: VecDeque<Piece>) -> Self {
        Self { blobs, current: None, left: 0, opening: VecDeque::new(), pieces }
    }

    /// Puts `size` bytes before all pieces.
    pub(super) fn after(mut self, first: ByteStream<'static>, size: u64) -> Self {
        (self.current, self.left) = (Some(first), size);
        self
    }

    fn open_ahead(&mut self, cx: &mut Context<'_>) {
        let mut ahead = self.left + self.opening.iter().map(|it| it.size).sum::<u64>();
        while ahead < AHEAD
            && self.opening.len() + usize::from(self.current.is_some()) < OPEN
            && let Some(piece) = self.pieces.pop_front()
        {
            let (blobs, size) = (Arc::clone(&self.blobs), piece.size());
            let stream = maybe_done(async move { open_piece(blobs.as_ref(), piece).await }.boxed());
            self.opening.push_back(Opening { size, stream });
            ahead += size;
        }
        for opening in &mut self.opening {
            let _ = Pin::new(&mut opening.stream).poll(cx);
        }
    }

    fn end(&mut self) {
        self.current = None;
        self.opening.clear();
        self.pieces.clear();
    }
}

impl Stream for Joined {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            this.open_ahead(cx);
            if let Some(current) = &mut this.current {
                match ready!(current.poll_next_unpin(cx)) {
                    Some(Ok(frame)) => {
                        this.left = this.left.saturating_sub(frame.len() as u64);
                        return Poll::Ready(Some(Ok(frame)));
                    }
                    Some(Err(error)) => {
                        this.end();
                        return Poll::Ready(Some(Err(error)));
                    }
                    None => this.current = None,
                }
                // There is room for another now.
                continue;
            }
            let Some(next) = this.opening.front_mut() else { return Poll::Ready(None) };
            let Some(opened) = Pin::new(&mut next.stream).take_output() else {
                return Poll::Pending;
            };
            this.left = next.size;
            this.opening.pop_front();
            match opened {
                Ok(stream) => this.current = Some(stream),
                Err(error) => {
                    this.end();
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }
}
