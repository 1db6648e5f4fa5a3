//! Forms with files, `multipart/form-data` (RFC 7578), read as they arrive.
//!
//! A frame of a part's content is a slice of the frame that came in: nothing is copied, nothing is
//! read ahead, and every byte is looked at once. What is held is a partial delimiter, or one
//! part's head.
//!
//! ```
//! # use filestore_http::protocol::multipart::{Boundary, Limits, Multipart};
//! # async fn read(body: filestore::ByteStream<'static>) -> filestore::Result<()> {
//! let boundary = Boundary::of(b"multipart/form-data; boundary=X")?;
//! let mut form = Multipart::new(&boundary, body, Limits::default());
//! while let Some(part) = form.next_part().await? {
//!     match part.name() {
//!         "comment" => println!("{}", part.text().await?),
//!         "file" => drop(part.into_stream().collect().await?),
//!         _ => {} // The next part is found past whatever is left of this one.
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod boundary;
mod head;
mod scanner;
mod sole;

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use filestore::{ByteStream, Error, ErrorKind, Peeked, Result};
use futures::{Stream, StreamExt, future, stream};

pub use boundary::Boundary;
pub use head::PartHead;
use scanner::{Scanner, Token};
pub use sole::SolePart;

/// How much of a form is read. Content is not limited here: the body is, before it gets here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Parts in a form.
    pub parts: usize,
    /// Bytes of a part's head.
    pub head_bytes: usize,
    /// Header fields of a part.
    pub headers: usize,
    /// Bytes of a field that is read as text.
    pub text_bytes: usize,
    /// Bytes of content that nobody asks for and that is passed over, of all parts together.
    pub passed_bytes: usize,
    /// Bytes before the first delimiter, bytes after the last, and white space behind one.
    pub around_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            parts: 64,
            head_bytes: 16 * 1024,
            headers: 16,
            text_bytes: 64 * 1024,
            passed_bytes: 1024 * 1024,
            around_bytes: 1024,
        }
    }
}

/// A form that is being read.
///
/// Every error is final: after one, all further reading fails with the same kind. Futures may be
/// dropped at any await; the next call goes on where they stopped.
///
/// # Errors
/// The same for everything that reads on:
/// - [`Interrupted`](ErrorKind::Interrupted) when the body ends before the closing delimiter.
///   Nothing that was read may then be kept.
/// - [`InvalidArgument`](ErrorKind::InvalidArgument) when the form is malformed. Lines that end
///   without CR are.
/// - [`TooLarge`](ErrorKind::TooLarge) past one of the [`Limits`].
/// - What the body itself fails with, unchanged.
#[derive(Debug)]
pub struct Multipart<'b> {
    body: ByteStream<'b>,
    /// What arrived and was not looked at yet.
    input: Bytes,
    scanner: Scanner,
    limits: Limits,
    parts: usize,
    passed: usize,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Reading,
    Ended,
    Failed(ErrorKind),
}

/// What comes next in a form.
#[derive(Debug, PartialEq)]
enum Event {
    Part(PartHead),
    Content(Bytes),
    PartEnd,
}

impl<'b> Multipart<'b> {
    /// The form that arrives in `body`, with its parts between delimiters of `boundary`.
    pub fn new(boundary: &Boundary, body: ByteStream<'b>, limits: Limits) -> Self {
        Self {
            body,
            input: Bytes::new(),
            scanner: Scanner::new(boundary, limits),
            limits,
            parts: 0,
            passed: 0,
            state: State::Reading,
        }
    }

    /// Goes to the next part, past whatever is left of the one before. `None` when the form is
    /// complete.
    ///
    /// # Errors
    /// As listed at [`Multipart`].
    pub async fn next_part(&mut self) -> Result<Option<Part<'_, 'b>>> {
        while let Some(event) = future::poll_fn(|cx| self.poll_event(cx)).await? {
            match event {
                Event::Part(head) => return Ok(Some(Part { head, form: self })),
                Event::Content(content) => self.pass_over(&content)?,
                Event::PartEnd => {}
            }
        }
        Ok(None)
    }

    /// Counts content that nobody asked for.
    fn pass_over(&mut self, content: &Bytes) -> Result<()> {
        self.passed += content.len();
        if self.passed > self.limits.passed_bytes {
            return Err(self.fail(Error::too_large("the form holds too much beside its file")));
        }
        Ok(())
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Event>>> {
        match self.state {
            State::Reading => {}
            State::Ended => return Poll::Ready(Ok(None)),
            State::Failed(kind) => {
                return Poll::Ready(Err(Error::new(kind, "the form could not be read")));
            }
        }
        Poll::Ready(match ready!(self.poll_token(cx)).and_then(|token| self.event(token)) {
            Ok(Some(event)) => Ok(Some(event)),
            Ok(None) => {
                self.state = State::Ended;
                Ok(None)
            }
            Err(error) => Err(self.fail(error)),
        })
    }

    fn fail(&mut self, error: Error) -> Error {
        self.state = State::Failed(error.kind());
        error
    }

    fn poll_token(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Token>>> {
        loop {
            if let Some(token) = self.scanner.next(&mut self.input)? {
                return Poll::Ready(Ok(Some(token)));
            }
            match ready!(self.body.poll_next_unpin(cx)) {
                Some(frame) => self.input = frame?,
                None => return Poll::Ready(self.scanner.end().map(|()| None)),
            }
        }
    }

    fn event(&mut self, token: Option<Token>) -> Result<Option<Event>> {
        Ok(match token {
            None => None,
            Some(Token::Content(content)) => Some(Event::Content(content)),
            Some(Token::PartEnd) => Some(Event::PartEnd),
            Some(Token::Head(head)) => {
                self.parts += 1;
                if self.parts > self.limits.parts {
                    return Err(Error::too_large("the form has too many parts"));
                }
                Some(Event::Part(PartHead::parse(&head, self.limits.headers)?))
            }
        })
    }
}

/// A part of a form. Dropped unread, it is passed over.
#[derive(Debug)]
pub struct Part<'a, 'b> {
    head: PartHead,
    form: &'a mut Multipart<'b>,
}

impl<'a, 'b: 'a> Part<'a, 'b> {
    /// The form's field.
    pub fn name(&self) -> &str {
        &self.head.name
    }

    /// The file's name; absent for fields that are no files.
    pub fn filename(&self) -> Option<&str> {
        self.head.filename.as_deref()
    }

    /// The media type that the client declared, unchecked.
    pub fn content_type(&self) -> Option<&str> {
        self.head.content_type.as_deref()
    }

    /// Everything that the part's head says.
    pub fn head(&self) -> &PartHead {
        &self.head
    }

    /// The content. It ends when the delimiter after it was read in full; the parts that follow may
    /// still fail. Where nothing may be kept of such a form, read it by
    /// [`Multipart::into_sole_part`].
    pub fn into_stream(self) -> ByteStream<'a> {
        ByteStream::from_results(content(self.form))
    }

    /// The content as text.
    ///
    /// # Errors
    /// [`TooLarge`](ErrorKind::TooLarge) past [`Limits::text_bytes`];
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) when it is not UTF-8; else as listed at
    /// [`Multipart`].
    pub async fn text(self) -> Result<String> {
        let limit = self.form.limits.text_bytes;
        let Peeked::Whole(bytes) = self.into_stream().peek(limit).await? else {
            return Err(Error::too_large(format!("a field of the form exceeds {limit} bytes")));
        };
        String::from_utf8(bytes.into()).map_err(|_| Error::invalid("a field is not UTF-8"))
    }
}

fn content<'a>(form: &'a mut Multipart<'_>) -> impl Stream<Item = Result<Bytes>> + Send + 'a {
    // Past its end the form must not be polled into the next part.
    let mut ended = false;
    stream::poll_fn(move |cx| {
        if ended {
            return Poll::Ready(None);
        }
        let event = ready!(form.poll_event(cx));
        if let Ok(Some(Event::Content(content))) = event {
            return Poll::Ready(Some(Ok(content)));
        }
        ended = true;
        Poll::Ready(event.err().map(Err))
    })
}

#[cfg(test)]
mod tests;
