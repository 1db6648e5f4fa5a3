//! A client's session: requests, one after another, to a server that has nothing yet.
//!
//! The input is text for people to write and for a fuzzer to bend:
//!
//! ```text
//! POST /api/v1/uploads
//! content-type: application/json
//!
//! {"fileName":"a","sha256":"ba78…15ad"}
//! ####
//! PUT /api/v1/uploads/{uploadId}/chunks/1
//! x-total-chunks: 1
//!
//! abc
//! ```
//!
//! `{name}` stands for the value that a member of this name had in an answer before, wherever in
//! its JSON, or for the header of this name; `{name.0}` for the first of several values. A request without `authorization` is Ann's.
//! `content-length` is believed, as hyper has it: what is missing breaks off. A line `wait 60`
//! instead of a request lets so many seconds pass.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use serde_json::Value;

use crate::server::Server;
use crate::{frames, lines, now, shape};

/// What separates requests.
const SEPARATOR: &[u8] = b"\n####\n";
/// Most requests of one input, so that inputs stay quick.
const MAX_REQUESTS: usize = 12;
const HOST: &str = "files.test";

/// Whether to print each request and its answer: `FUZZ_VERBOSE=1`.
static VERBOSE: LazyLock<bool> = LazyLock::new(|| std::env::var_os("FUZZ_VERBOSE").is_some());

/// Plays a session and looks at everything that must hold whatever a client sends.
pub fn play(input: &[u8]) {
    let server = Server::default();
    let mut known = BTreeMap::from([("chunkOrder".to_owned(), "1".to_owned())]);
    for text in split(input).take(MAX_REQUESTS) {
        let text = filled(text, &known);
        if let Some(seconds) = wait(&text) {
            server.advance(seconds);
        } else if let Some(request) = parse(&text) {
            exchange(&server, request, &mut known);
        }
    }
    server.check_store();
}

fn split(input: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(input);
    std::iter::from_fn(move || {
        let text = rest?;
        let at = text.windows(SEPARATOR.len()).position(|window| window == SEPARATOR);
        rest = at.map(|at| &text[at + SEPARATOR.len()..]);
        Some(&text[..at.unwrap_or(text.len())])
    })
}

fn wait(text: &[u8]) -> Option<Duration> {
    let seconds = std::str::from_utf8(text.strip_prefix(b"wait ")?).ok()?;
    seconds.trim().parse::<u32>().ok().map(|seconds| Duration::from_secs(seconds.into()))
}

/// The text with what is known filled in; twice, since presigned URLs have a place of their own to
/// be filled.
fn filled(text: &[u8], known: &BTreeMap<String, String>) -> Vec<u8> {
    let once = fill(text, known);
    if once == text { once } else { fill(&once, known) }
}

fn fill(text: &[u8], known: &BTreeMap<String, String>) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.iter().position(|byte| *byte == b'{') {
        out.extend_from_slice(&rest[..start]);
        rest = &rest[start..];
        let end = rest.iter().position(|byte| *byte == b'}');
        let name = end.and_then(|end| std::str::from_utf8(&rest[1..end]).ok());
        match (name.and_then(|name| known.get(name)), end) {
            (Some(value), Some(end)) if out.len() < 64 << 10 => {
                out.extend_from_slice(value.as_bytes());
                rest = &rest[end + 1..];
            }
            _ => {
                out.push(b'{');
                rest = &rest[1..];
            }
        }
    }
    out.extend_from_slice(rest);
    out
}

fn parse(text: &[u8]) -> Option<Request<Sent>> {
    let (first, mut rest) = lines::first(text);
    let (method, target) = std::str::from_utf8(first).ok()?.split_once(' ')?;
    // Absolute URLs are what answers hold, and paths are what servers see.
    let target = target
        .strip_prefix("http://")
        .map_or(target, |url| url.find('/').map_or("/", |at| &url[at..]));
    let mut fields = Vec::new();
    loop {
        let (line, after) = lines::first(rest);
        rest = after;
        if line.is_empty() {
            break;
        }
        fields.push(line);
    }
    let mut headers = lines::headers(fields);
    headers.entry(header::HOST).or_insert(HeaderValue::from_static(HOST));
    headers.entry(header::AUTHORIZATION).or_insert(HeaderValue::from_static("Bearer ann"));
    let body = Sent::new(&headers, rest)?;
    let mut request = Request::new(body);
    *request.method_mut() = Method::from_bytes(method.as_bytes()).ok()?;
    *request.uri_mut() = target.parse::<Uri>().ok().filter(|uri| uri.authority().is_none())?;
    *request.headers_mut() = headers;
    Some(request)
}

fn exchange(server: &Server, request: Request<Sent>, known: &mut BTreeMap<String, String>) {
    let (asked, body) = request.into_parts();
    let answer = now(server.adapter.respond(Request::from_parts(asked.clone(), body)));
    let (head, body) = answer.into_parts();
    let announced = body.size_hint().exact().expect("every length is known beforehand");
    let body = now(body.collect()).expect("a body that does not fail").to_bytes();
    if *VERBOSE {
        let text = String::from_utf8_lossy(&body);
        eprintln!("{} {}\n  {} {text}", asked.method, asked.uri, head.status);
    }
    assert_eq!(announced, body.len() as u64, "{asked:?}: {head:?}");
    shape::check(&asked, &head, &body);
    remember(&asked, &head, &body, known);
}

/// Keeps what an answer says under the names that it has there.
fn remember(
    asked: &Parts,
    head: &http::response::Parts,
    body: &[u8],
    known: &mut BTreeMap<String, String>,
) {
    if asked.method == Method::HEAD || !head.status.is_success() {
        return;
    }
    for name in [header::LOCATION, header::ETAG, header::LAST_MODIFIED] {
        if let Some(Ok(value)) = head.headers.get(&name).map(HeaderValue::to_str) {
            known.insert(name.as_str().to_owned(), value.to_owned());
        }
    }
    if shape::is_json(&head.headers)
        && let Ok(value) = serde_json::from_slice::<Value>(body)
    {
        remember_members(&value, known);
    }
}

fn remember_members(value: &Value, known: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                remember_value(name, value, known);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| remember_members(item, known)),
        _ => {}
    }
}

fn remember_value(name: &str, value: &Value, known: &mut BTreeMap<String, String>) {
    match value {
        Value::String(text) => drop(known.insert(name.to_owned(), text.clone())),
        Value::Number(number) => drop(known.insert(name.to_owned(), number.to_string())),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            for (at, item) in items.iter().enumerate() {
                remember_value(&format!("{name}.{at}"), item, known);
            }
        }
        _ => remember_members(value, known),
    }
}

/// A request's body as hyper would hand it on.
struct Sent {
    frames: VecDeque<Result<Bytes, &'static str>>,
    declared: Option<u64>,
}

impl Sent {
    /// `None` for lengths that hyper refuses.
    fn new(headers: &HeaderMap, content: &[u8]) -> Option<Self> {
        let is_chunked = headers.contains_key(header::TRANSFER_ENCODING);
        let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
        let declared = match (lengths.next(), lengths.next()) {
            (None, _) if is_chunked => None,
            (None, _) => Some(content.len() as u64),
            (Some(_), _) if is_chunked => return None,
            (Some(one), None) => Some(one.to_str().ok()?.parse().ok()?),
            _ => return None,
        };
        let kept = declared.map_or(content.len() as u64, |it| it.min(content.len() as u64));
        let content = &content[..usize::try_from(kept).ok()?];
        let mut frames: VecDeque<_> = frames::uneven(content).into_iter().map(Ok).collect();
        if declared.is_some_and(|size| size > content.len() as u64) {
            frames.push_back(Err("the connection is gone"));
        }
        Some(Self { frames, declared })
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        Poll::Ready(self.frames.pop_front().map(|frame| frame.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        self.declared.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
