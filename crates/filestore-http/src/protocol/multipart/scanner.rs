//! Cuts a body into heads and content (RFC 2046, section 5.1.1), without reading it.

use std::ops::Range;

use bytes::{Buf, Bytes, BytesMut};
use filestore::{Error, Result};
use memchr::memmem::{self, Finder};

use super::{Boundary, Limits};

/// A piece of a form.
#[derive(Debug, PartialEq)]
pub(super) enum Token {
    /// The head of a part with the empty line at its end.
    Head(Bytes),
    /// Some content of the part; never empty.
    Content(Bytes),
    /// The part is over, and the delimiter after it is whole.
    PartEnd,
}

/// A state machine that is given the body frame by frame.
///
/// Linear: each byte goes once through a search, and at most a delimiter's length at the end of
/// each frame is looked at again.
#[derive(Debug)]
pub(super) struct Scanner {
    delimiter: Bytes,
    finder: Finder<'static>,
    limits: Limits,
    state: State,
    /// Which bytes of the delimiter the input so far ends with; it ends at 0 when there are none.
    /// They are not kept: a slice of the delimiter stands for them if it turns out not to be one.
    /// It starts past the line end where that line end is no content.
    held: Range<usize>,
    /// The beginning of a head that did not arrive in one frame.
    head: BytesMut,
    /// How many bytes of preamble, white space or epilogue there were so far.
    around: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Preamble,
    Content,
    /// Behind a delimiter; the last byte, if any, and whether a part ended with the delimiter.
    Line {
        last: Option<u8>,
        part: bool,
    },
    Head,
    Epilogue,
}

/// What a search for the delimiter came to.
enum Found {
    /// Not there.
    Content(Bytes),
    Delimiter,
    /// All input is used up.
    Starved,
}

/// `\r\n`: of a delimiter, what the line before it may have brought along.
const LINE_END: usize = 2;

impl Scanner {
    pub(super) fn new(boundary: &Boundary, limits: Limits) -> Self {
        let delimiter = Bytes::from(boundary.delimiter());
        Self {
            finder: Finder::new(&delimiter).into_owned(),
            delimiter,
            limits,
            state: State::Preamble,
            held: LINE_END..LINE_END,
            head: BytesMut::new(),
            around: 0,
        }
    }

    /// The next token; `None` when `input` is used up.
    pub(super) fn next(&mut self, input: &mut Bytes) -> Result<Option<Token>> {
        while !input.is_empty() {
            let token = match self.state {
                State::Preamble => self.preamble(input)?,
                State::Content => self.content(input),
                State::Line { last, part } => self.line(input, last, part)?,
                State::Head => self.head(input)?,
                State::Epilogue => {
                    self.pass_over(input.len())?;
                    input.clear();
                    None
                }
            };
            if token.is_some() {
                return Ok(token);
            }
        }
        Ok(None)
    }

    /// Whether the form was complete when the body ended.
    pub(super) fn end(&self) -> Result<()> {
        if self.state == State::Epilogue {
            return Ok(());
        }
        Err(Error::interrupted("the form ends before its closing delimiter"))
    }

    fn preamble(&mut self, input: &mut Bytes) -> Result<Option<Token>> {
        match self.search(input) {
            Found::Content(passed) => self.pass_over(passed.len())?,
            Found::Delimiter => self.enter_line(false),
            Found::Starved => {}
        }
        Ok(None)
    }

    fn content(&mut self, input: &mut Bytes) -> Option<Token> {
        match self.search(input) {
            Found::Content(content) => return Some(Token::Content(content)),
            Found::Delimiter => self.enter_line(true),
            Found::Starved => {}
        }
        None
    }

    fn search(&mut self, input: &mut Bytes) -> Found {
        if self.held.end > 0 {
            return self.search_on(input);
        }
        if let Some(at) = self.finder.find(input) {
            if at > 0 {
                return Found::Content(input.split_to(at));
            }
            input.advance(self.delimiter.len());
            return Found::Delimiter;
        }
        let held = self.delimiter_begun_by_end_of(input);
        self.held = 0..held;
        let content = input.split_to(input.len() - held);
        input.clear();
        if content.is_empty() {
            return Found::Starved;
        }
        Found::Content(content)
    }

    /// Goes on with a delimiter whose beginning is held.
    fn search_on(&mut self, input: &mut Bytes) -> Found {
        let expected = self.delimiter.get(self.held.end..).unwrap_or_default();
        let both = expected.len().min(input.len());
        if expected.get(..both) == input.get(..both) {
            input.advance(both);
            self.held.end += both;
            if both < expected.len() {
                return Found::Starved;
            }
            self.held = 0..0;
            return Found::Delimiter;
        }
        // None of the bytes that were held can begin another: a delimiter's only CR is its first.
        let content = self.delimiter.slice(std::mem::take(&mut self.held));
        if content.is_empty() {
            return self.search(input);
        }
        Found::Content(content)
    }

    /// How many bytes at the end of `input` may be the beginning of a delimiter.
    fn delimiter_begun_by_end_of(&self, input: &[u8]) -> usize {
        let window = input.len().saturating_sub(self.delimiter.len() - 1);
        let end = input.get(window..).unwrap_or_default();
        memchr::memrchr(b'\r', end)
            .and_then(|at| end.get(at..))
            .filter(|begun| self.delimiter.starts_with(begun))
            .map_or(0, <[u8]>::len)
    }

    fn enter_line(&mut self, part: bool) {
        self.around = 0;
        self.state = State::Line { last: None, part };
    }

    /// The rest of a delimiter's line: white space and CRLF, or the two hyphens that close the
    /// form.
    fn line(&mut self, input: &mut Bytes, last: Option<u8>, part: bool) -> Result<Option<Token>> {
        let byte = input.get_u8();
        self.state = match (last, byte) {
            (None, b'-') | (None | Some(b' '), b'\r') => State::Line { last: Some(byte), part },
            (None | Some(b' '), b' ' | b'\t') => {
                self.pass_over(1)?;
                State::Line { last: Some(b' '), part }
            }
            (Some(b'-'), b'-') => {
                self.around = 0;
                State::Epilogue
            }
            (Some(b'\r'), b'\n') => State::Head,
            _ => return Err(Error::invalid("a delimiter of the form is malformed")),
        };
        let complete = !matches!(self.state, State::Line { .. });
        Ok((complete && part).then_some(Token::PartEnd))
    }

    fn head(&mut self, input: &mut Bytes) -> Result<Option<Token>> {
        const EMPTY_LINE: &[u8] = b"\r\n\r\n";
        if self.head.is_empty()
            && let Some(at) = memmem::find(input, EMPTY_LINE)
            && at + EMPTY_LINE.len() <= self.limits.head_bytes
        {
            let head = input.split_to(at + EMPTY_LINE.len());
            return Ok(Some(self.enter_content(head)));
        }
        let before = self.head.len();
        let room = self.limits.head_bytes - before;
        self.head.extend_from_slice(input.get(..room).unwrap_or(input));
        let unseen = before.saturating_sub(EMPTY_LINE.len() - 1);
        let end = memmem::find(self.head.get(unseen..).unwrap_or_default(), EMPTY_LINE);
        if let Some(at) = end {
            let head = self.head.split_to(unseen + at + EMPTY_LINE.len()).freeze();
            self.head.clear();
            input.advance(head.len() - before);
            return Ok(Some(self.enter_content(head)));
        }
        if self.head.starts_with(b"\r\n") {
            return Err(Error::invalid("a part of the form has no head"));
        }
        if input.len() >= room {
            return Err(Error::too_large("the head of a part is too long"));
        }
        input.clear();
        Ok(None)
    }

    /// The empty line is also the beginning of a delimiter, where a part has no body at all.
    fn enter_content(&mut self, head: Bytes) -> Token {
        self.held = LINE_END..LINE_END;
        self.state = State::Content;
        Token::Head(head)
    }

    fn pass_over(&mut self, bytes: usize) -> Result<()> {
        self.around = self.around.saturating_add(bytes);
        if self.around > self.limits.around_bytes {
            return Err(Error::too_large("the form has too much around its parts"));
        }
        Ok(())
    }
}
