//! A connection that must begin soon, and on which somebody must take what is written.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// How HTTP/2 begins (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Fails a write that makes no progress for too long: a client that asks and does not read would
/// hold its slot for ever otherwise. Fails reading likewise until it is clear which HTTP is spoken,
/// since before that nobody else has an eye on the clock.
pub(super) struct Transport {
    stream: TcpStream,
    opening: Option<Opening>,
    patience: Duration,
    /// Set while a write waits.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Transport {
    pub(super) fn new(stream: TcpStream, open_within: Duration, patience: Duration) -> Self {
        let alarm = Box::pin(tokio::time::sleep(open_within));
        Self { stream, opening: Some(Opening { left: PREFACE, alarm }), patience, alarm: None }
    }

    fn watch<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.alarm = None;
            return written;
        }
        let patience = self.patience;
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        alarm.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

/// A connection of which it is not clear yet which HTTP it speaks.
struct Opening {
    /// What has not come yet of the preface, of which all else has.
    left: &'static [u8],
    alarm: Pin<Box<Sleep>>,
}

impl Opening {
    /// Whether these bytes decide: they end the preface, or are no part of it.
    fn is_decided_by(&mut self, bytes: &[u8]) -> bool {
        match self.left.strip_prefix(bytes) {
            Some(left) => {
                self.left = left;
                left.is_empty()
            }
            None => true,
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        let Some(opening) = &mut self.opening else { return read };
        if read.is_pending() {
            return opening.alarm.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()));
        }
        if opening.is_decided_by(buf.filled().get(before..).unwrap_or_default()) {
            self.opening = None;
        }
        read
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.watch(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.watch(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
