//! Deadlines on a request's body: between frames, for its pace, for all of it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use filestore::BoxError;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use super::ServeOptions;

/// A body that must keep coming.
pub(super) struct Deadlined<B> {
    inner: B,
    options: Arc<ServeOptions>,
    started: Option<Instant>,
    last: Instant,
    received: u64,
    /// Set once and moved on only when it fires, since frames come by the thousand.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl<B> Deadlined<B> {
    pub(super) fn new(inner: B, options: Arc<ServeOptions>) -> Self {
        Self { inner, options, started: None, last: Instant::now(), received: 0, alarm: None }
    }

    fn check_pace(&self, started: Instant) -> Result<(), BoxError> {
        let (options, elapsed) = (&self.options, self.last - started);
        if elapsed > options.body_within {
            return Err("the body took too long".into());
        }
        let wanted = options.min_rate.saturating_mul(elapsed.as_secs());
        if elapsed > options.min_rate_after && self.received < wanted {
            return Err("the body came too slowly".into());
        }
        Ok(())
    }

    /// Pending as long as there is time left.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = self.last + self.options.body_idle;
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        while alarm.as_mut().poll(cx).is_ready() {
            if deadline <= Instant::now() {
                return Poll::Ready(());
            }
            alarm.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

impl<B> Body for Deadlined<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let started = *this.started.get_or_insert_with(|| {
            this.last = Instant::now();
            this.last
        });
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                this.last = Instant::now();
                this.received += frame.data_ref().map_or(0, |data| data.len() as u64);
                Poll::Ready(Some(this.check_pace(started).map(|()| frame)))
            }
            Poll::Ready(other) => Poll::Ready(other.map(|result| result.map_err(Into::into))),
            Poll::Pending => {
                this.poll_idle(cx).map(|()| Some(Err("the body stopped coming".into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
