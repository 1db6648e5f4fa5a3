//! The body of an answer, of which it is known whether the client takes it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};

use super::activity::Running;

/// A body with which, and with whose last piece, its request ends. The windows of HTTP/2 keep
/// pieces waiting while the connection itself takes what is written, so that it is not enough to
/// look at that.
pub(super) struct Taken<B> {
    inner: B,
    running: Arc<Running>,
}

/// Bytes of an answer that are still to be written.
pub(super) struct Piece {
    bytes: Bytes,
    running: Arc<Running>,
}

impl<B> Taken<B> {
    pub(super) fn new(inner: B, running: Arc<Running>) -> Self {
        running.moved(true);
        Self { inner, running }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Taken<B> {
    type Data = Piece;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, B::Error>>> {
        let frame = Pin::new(&mut self.inner).poll_frame(cx);
        self.running.moved(frame.is_ready());
        let piece = |bytes| Piece { bytes, running: Arc::clone(&self.running) };
        frame.map_ok(|frame| frame.map_data(piece))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.running.moved(true);
        self.bytes.advance(count);
    }
}
