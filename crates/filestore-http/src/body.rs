//! Bodies on both sides: erased once at the door, never `Sync`, never whole in memory unless small.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use filestore::{BoxError, ByteStream, Error, ErrorKind, Result};
use futures::stream::{Stream, StreamExt};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;

/// The body of a request.
pub struct RequestBody {
    inner: UnsyncBoxBody<Bytes, BoxError>,
    polled: bool,
    ended: bool,
    received: u64,
}

impl RequestBody {
    /// Takes any body of bytes.
    pub fn new<B>(body: B) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let ended = body.is_end_stream();
        Self { inner: body.map_err(Into::into).boxed_unsync(), polled: false, ended, received: 0 }
    }

    /// How many bytes the sender announced; `None` when it did not.
    pub fn declared(&self) -> Option<u64> {
        self.inner.size_hint().exact()
    }

    /// How many bytes have come so far.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// The bytes, as they come. Breaking off is an error and never an end.
    pub fn stream(&mut self) -> ByteStream<'_> {
        ByteStream::from_results(Frames(self))
    }

    /// All of a body that must not exceed `limit` bytes.
    ///
    /// # Errors
    /// [`TooLarge`](ErrorKind::TooLarge), before anything is read where the size was announced.
    pub async fn collect(&mut self, limit: usize) -> Result<Bytes> {
        let too_large = || Error::too_large(format!("the body is limited to {limit} bytes"));
        if self.declared().is_some_and(|size| size > limit as u64) {
            return Err(too_large());
        }
        let mut all = BytesMut::new();
        let mut frames = Frames(self);
        while let Some(frame) = frames.next().await {
            let frame = frame?;
            if all.len() + frame.len() > limit {
                return Err(too_large());
            }
            all.extend_from_slice(&frame);
        }
        Ok(all.freeze())
    }

    /// Whether somebody has asked for it.
    pub(crate) fn is_polled(&self) -> bool {
        self.polled
    }

    /// Reads what is still coming, at most so much and for so long, and throws it away.
    pub(crate) async fn drain(mut self, most: usize, within: Duration) {
        if self.ended {
            return;
        }
        let mut left = most;
        let reading = async {
            let mut frames = Frames(&mut self);
            while let Some(Ok(frame)) = frames.next().await {
                left = left.saturating_sub(frame.len());
                if left == 0 {
                    break;
                }
            }
        };
        // Whatever is left then, the connection is closed with it.
        let _ = tokio::time::timeout(within, reading).await;
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody").field("declared", &self.declared()).finish_non_exhaustive()
    }
}

/// The data frames of a body; trailers are passed over.
struct Frames<'b>(&'b mut RequestBody);

impl Stream for Frames<'_> {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let body = &mut *self.0;
        body.polled = true;
        loop {
            match ready!(Pin::new(&mut body.inner).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        body.received += data.len() as u64;
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
                Some(Err(error)) => {
                    body.ended = true;
                    let error =
                        Error::new(ErrorKind::Interrupted, "the body broke off").with_source(error);
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    body.ended = true;
                    return Poll::Ready(None);
                }
            }
        }
    }
}

/// The body of an answer. Its size is always known.
#[derive(Debug, Default)]
pub enum ResponseBody {
    /// Nothing.
    #[default]
    Empty,
    /// Bytes that are here.
    Full(Bytes),
    /// Bytes that come, and how many of them are still to come. A stream that ends before is an
    /// error, which cuts the connection: the receiver must not take it for the whole.
    Stream {
        /// The bytes.
        body: ByteStream<'static>,
        /// How many are still to come.
        left: u64,
    },
}

impl ResponseBody {
    /// A body of `size` bytes; sent in one piece with the head when it is here already.
    pub fn sized(body: ByteStream<'static>, size: u64) -> Self {
        match body.as_whole() {
            Some(whole) if whole.is_empty() => Self::Empty,
            Some(whole) => Self::Full(whole),
            None => Self::Stream { body, left: size },
        }
    }
}

impl<T: Into<Bytes>> From<T> for ResponseBody {
    fn from(bytes: T) -> Self {
        Self::Full(bytes.into())
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        let Self::Stream { body, left } = &mut *self else {
            return Poll::Ready(match std::mem::take(&mut *self) {
                Self::Full(bytes) => Some(Ok(Frame::data(bytes))),
                _ => None,
            });
        };
        if *left == 0 {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(match ready!(body.poll_next_unpin(cx)) {
            None => Err(Error::internal(format!("{left} bytes are missing at the end"))),
            Some(Err(error)) => Err(error),
            Some(Ok(bytes)) => match left.checked_sub(bytes.len() as u64) {
                None => Err(Error::internal("there are more bytes than announced")),
                Some(rest) => {
                    *left = rest;
                    Ok(Frame::data(bytes))
                }
            },
        }))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Empty | Self::Stream { left: 0, .. })
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Self::Empty => 0,
            Self::Full(bytes) => bytes.len() as u64,
            Self::Stream { left, .. } => *left,
        })
    }
}
