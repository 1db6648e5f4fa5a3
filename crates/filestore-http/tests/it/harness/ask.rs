//! Requests, and bodies that do what bodies do: arrive in pieces, break off, lie about their size.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use http_body::{Body, Frame, SizeHint};
use serde_json::Value;

use super::world::HOST;

/// A request in the making.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) content: Bytes,
    frame: usize,
    declared: Option<u64>,
    breaks: bool,
    pub(super) first: Option<Box<Self>>,
}

impl Ask {
    pub(crate) fn new(method: Method, target: impl Into<String>) -> Self {
        let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(HOST))]);
        let target = target.into();
        let content = Bytes::new();
        let (frame, declared, breaks, first) = (7919, Some(0), false, None);
        Self { method, target, headers, content, frame, declared, breaks, first }
    }

    pub(crate) fn get(target: impl Into<String>) -> Self {
        Self::new(Method::GET, target)
    }

    pub(crate) fn head(target: impl Into<String>) -> Self {
        Self::new(Method::HEAD, target)
    }

    pub(crate) fn post(target: impl Into<String>) -> Self {
        Self::new(Method::POST, target)
    }

    pub(crate) fn put(target: impl Into<String>) -> Self {
        Self::new(Method::PUT, target)
    }

    pub(crate) fn delete(target: impl Into<String>) -> Self {
        Self::new(Method::DELETE, target)
    }

    /// One more line of this header.
    pub(crate) fn header(mut self, name: &'static str, value: impl AsRef<[u8]>) -> Self {
        let value = HeaderValue::from_bytes(value.as_ref()).unwrap();
        self.headers.append(HeaderName::from_static(name), value);
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    pub(crate) fn bearer(self, token: impl AsRef<str>) -> Self {
        self.header("authorization", format!("Bearer {}", token.as_ref()))
    }

    /// Sends `first` before it, with the same credentials. If that succeeds, a member of its answer
    /// stands where this target has its name in braces; else its answer is the answer.
    pub(crate) fn after(mut self, first: Self) -> Self {
        self.first = Some(Box::new(first));
        self
    }

    /// With each member of the answer to the request before it where it belongs.
    pub(super) fn filled_in(mut self, members: &Value) -> Self {
        for (name, value) in members.as_object().unwrap() {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            self.target = self.target.replace(&format!("{{{name}}}"), &text);
        }
        self
    }

    /// With this body, of the declared length that it has.
    pub(crate) fn body(mut self, content: impl Into<Bytes>) -> Self {
        self.content = content.into();
        self.declared = Some(self.content.len() as u64);
        self
    }

    /// Sends the body in frames of so many bytes.
    pub(crate) fn in_frames_of(mut self, size: usize) -> Self {
        self.frame = size;
        self
    }

    /// Declares this length, or none, whatever the body is.
    pub(crate) fn declaring(mut self, size: impl Into<Option<u64>>) -> Self {
        self.declared = size.into();
        self
    }

    /// Breaks off after so many bytes of the body.
    pub(crate) fn cut_at(mut self, size: usize) -> Self {
        self.content.truncate(size);
        self.breaks = true;
        self
    }

    /// The request, and whether somebody has asked for its body.
    pub(super) fn into_request(self) -> (Request<Sent>, Arc<AtomicBool>) {
        let polled = Arc::new(AtomicBool::new(false));
        let mut frames: VecDeque<_> = self
            .content
            .chunks(self.frame)
            .map(|frame| Ok(self.content.slice_ref(frame)))
            .collect();
        if self.breaks {
            frames.push_back(Err("the connection is gone"));
        }
        let declared = self.declared;
        let body = Sent { frames, declared, polled: Arc::clone(&polled), waits: true };
        let mut request = Request::builder().method(self.method).uri(self.target);
        *request.headers_mut().unwrap() = self.headers;
        (request.body(body).unwrap(), polled)
    }
}

/// A body on its way to the server.
pub(super) struct Sent {
    frames: VecDeque<Result<Bytes, &'static str>>,
    declared: Option<u64>,
    polled: Arc<AtomicBool>,
    /// Every other poll finds nothing yet, as with a real network.
    waits: bool,
}

impl Body for Sent {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        self.polled.store(true, Ordering::SeqCst);
        self.waits = !self.waits;
        if !self.waits {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.frames.pop_front().map(|frame| frame.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_empty() && self.declared == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.declared.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
