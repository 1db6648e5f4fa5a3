//! The one file of a form, taken only if the whole form is sound.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use filestore::{ByteStream, Error, Result};
use futures::stream;

use super::{Event, Multipart, PartHead};

/// The part of a form that has a name to itself.
#[derive(Debug)]
pub struct SolePart<'b> {
    /// What its head says.
    pub head: PartHead,
    /// Its content; see [`Multipart::into_sole_part`].
    pub content: ByteStream<'b>,
}

impl<'b> Multipart<'b> {
    /// Finds the part called `name` and passes over all others. `None` when there is none in a
    /// form that is otherwise sound.
    ///
    /// The content's stream ends only after the whole form was read, so that whoever stores it
    /// stores nothing of a form that breaks off later or has a second part of this name.
    ///
    /// # Errors
    /// As listed at [`Multipart`], here and from the stream; the stream also with
    /// [`InvalidArgument`](filestore::ErrorKind::InvalidArgument) at a second part of this name.
    pub async fn into_sole_part(mut self, name: &str) -> Result<Option<SolePart<'b>>> {
        let head = loop {
            match self.next_part().await? {
                None => return Ok(None),
                Some(part) if part.name() == name => break part.head,
                Some(_) => {}
            }
        };
        let mut rest = Rest { form: self, name: head.name.clone(), reads: true };
        let frames = stream::poll_fn(move |cx| rest.poll_frame(cx).map(Result::transpose));
        Ok(Some(SolePart { head, content: ByteStream::from_results(frames) }))
    }
}

/// The content of the part called `name`, and the parts behind it.
struct Rest<'b> {
    form: Multipart<'b>,
    name: String,
    /// Whether the part is still being read.
    reads: bool,
}

impl Rest<'_> {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        while let Some(event) = ready!(self.form.poll_event(cx))? {
            match event {
                Event::Content(content) if self.reads => return Poll::Ready(Ok(Some(content))),
                Event::Content(content) => self.form.pass_over(&content)?,
                Event::PartEnd => self.reads = false,
                Event::Part(head) if head.name == self.name => {
                    let name = &self.name;
                    let message = format!("the form has more than one part {name:?}");
                    return Poll::Ready(Err(self.form.fail(Error::invalid(message))));
                }
                Event::Part(_) => {}
            }
        }
        Poll::Ready(Ok(None))
    }
}
