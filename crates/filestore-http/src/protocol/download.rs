//! Downloads: an opened file and what the client asked for become an answer, in the order of
//! RFC 9110, section 13.2.2: conditions first, then ranges. HEAD takes the same path.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use filestore::backend::SignedGet;
use filestore::{ByteStream, Error, ErrorKind, FileKey, Files, OpenFile, RangeSpec};
use futures::stream::{self, StreamExt, TryStreamExt};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};

use super::byteranges::{Part, Parts};
use super::conditional::{Decision, Preconditions, Validators, etag, has_conditions, http_date};
use super::digest::repr_digest;
use super::disposition::{Kind, content_disposition};
use super::header_value;
use super::media::essence;
use super::range::{Selection, content_range, parse, select, unsatisfied};
use crate::body::ResponseBody;
use crate::dialect::{Answer, Fault, Head};

const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
/// Nothing that a user uploaded runs in this server's origin.
const SANDBOXED: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox");
/// Browsers show an empty page for a PDF in a sandbox.
const PDF_POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; object-src 'self'");
/// Every use asks whether the content is still the same, and whether the caller still may.
const REVALIDATED: HeaderValue = HeaderValue::from_static("private, no-cache");
/// A redirect is good once, and for a moment.
const NOT_KEPT: HeaderValue = HeaderValue::from_static("no-store");
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");

/// How long the target of a redirect answers. Clients follow at once; the rest is for clocks that
/// differ.
const REDIRECT: Duration = Duration::from_secs(60);

/// How a file is shown.
#[derive(Clone, Debug)]
pub struct Presentation<'p> {
    /// The name to save it under.
    pub name: &'p str,
    /// Its media type.
    pub content_type: HeaderValue,
    /// Whether the browser may show it in place.
    pub kind: Kind,
    /// Whether the client may be sent to where the bytes are kept; see
    /// [`redirect_downloads`](crate::AdapterBuilder::redirect_downloads).
    pub redirect: bool,
}

/// Opens a file for what the request asks of it.
///
/// # Errors
/// As [`Files::open`].
pub async fn open(
    files: &Files,
    key: impl Into<FileKey>,
    head: Head<'_>,
) -> filestore::Result<OpenFile> {
    files.open(key, wanted(head)).await
}

/// The one range that is asked for without conditions; then its segments alone need be loaded.
fn wanted(head: Head<'_>) -> Option<RangeSpec> {
    if head.method() != Method::GET || head.headers().contains_key(header::IF_RANGE) {
        return None;
    }
    match parse(head.headers()).as_slice() {
        [only] => Some(*only),
        _ => None,
    }
}

/// Answers with the file that [`open`] opened for this request: 200, 206, 304 or 416; or 307, to
/// where the blob store answers.
///
/// # Errors
/// [`PreconditionFailed`](ErrorKind::PreconditionFailed); those of [`OpenFile::read`] and
/// [`OpenFile::signed_url`].
pub async fn serve(
    file: &OpenFile,
    head: Head<'_>,
    presentation: Presentation<'_>,
) -> Result<Answer, Fault> {
    let content = file.content();
    let current = Validators { tag: &content.tag, modified: content.stored };
    let conditions = Preconditions::of(head.headers());
    match conditions.decide(head.method(), Some(current)) {
        Decision::Proceed => {}
        Decision::NotModified => return Ok(not_modified(current)),
        Decision::Failed => {
            return Err(Error::new(
                ErrorKind::PreconditionFailed,
                "the file is not the one the request counts on",
            )
            .into());
        }
    }
    if head.method() == Method::GET
        && !has_conditions(head.headers())
        && let Some(url) = link(file, &presentation, REDIRECT).await?
    {
        return Ok(redirect(url));
    }
    let selection = if conditions.range_applies(head.method(), current) {
        select(&parse(head.headers()), content.size)
    } else {
        Selection::Whole
    };
    let reads = head.method() == Method::GET;
    let mut answer = body_of(file, &presentation.content_type, selection, reads).await?;
    describe(answer.headers_mut(), file, &presentation);
    Ok(answer)
}

/// A URL by which the blob store hands out the file for so long, as it is to be presented. `None`
/// where there is none, or the client may not be sent there.
///
/// What a browser shows in place is served here: the blob store would say neither that the type is
/// not to be guessed, nor that nothing of it may run.
///
/// # Errors
/// Those of [`OpenFile::signed_url`].
pub async fn link(
    file: &OpenFile,
    presentation: &Presentation<'_>,
    lifetime: Duration,
) -> filestore::Result<Option<String>> {
    let Presentation { name, content_type, kind, redirect } = presentation;
    if !redirect || *kind == Kind::Inline {
        return Ok(None);
    }
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    let get = SignedGet {
        lifetime,
        content_type: text(content_type),
        content_disposition: text(&content_disposition(*kind, name)),
    };
    file.signed_url(&get).await
}

/// The client repeats its range there; its method is GET.
fn redirect(url: String) -> Answer {
    let mut answer = Response::new(ResponseBody::Empty);
    *answer.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    let headers = answer.headers_mut();
    headers.insert(header::LOCATION, header_value(url));
    headers.insert(header::CACHE_CONTROL, NOT_KEPT);
    headers.insert(header::REFERRER_POLICY, NO_REFERRER);
    answer
}

/// Status, body, and the headers that belong to the selection.
async fn body_of(
    file: &OpenFile,
    content_type: &HeaderValue,
    selection: Selection,
    reads: bool,
) -> filestore::Result<Answer> {
    let size = file.content().size;
    let mut answer = Response::new(ResponseBody::Empty);
    match selection {
        Selection::Whole => {
            let body = if reads {
                file.read_all().await?
            } else {
                ByteStream::from_results(stream::empty())
            };
            *answer.body_mut() = ResponseBody::sized(body, size);
            answer.headers_mut().insert(header::CONTENT_TYPE, content_type.clone());
        }
        Selection::One(range) => {
            let length = range.end - range.start;
            let body = file.read(range.clone()).await?;
            *answer.body_mut() = ResponseBody::sized(body, length);
            *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
            let headers = answer.headers_mut();
            headers.insert(header::CONTENT_TYPE, content_type.clone());
            headers.insert(header::CONTENT_RANGE, content_range(&range, size));
        }
        Selection::Many(ranges) => {
            let parts = Parts::new(&file.content().tag, content_type, &ranges, size);
            *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
            answer.headers_mut().insert(header::CONTENT_TYPE, parts.content_type());
            let left = parts.content_length();
            *answer.body_mut() = ResponseBody::Stream { body: framed(file.clone(), &parts), left };
        }
        Selection::Unsatisfiable => {
            *answer.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            answer.headers_mut().insert(header::CONTENT_RANGE, unsatisfied(size));
        }
    }
    Ok(answer)
}

/// A `multipart/byteranges` body; each range is opened when it is its turn.
fn framed(file: OpenFile, parts: &Parts) -> ByteStream<'static> {
    let queue: VecDeque<Part> = parts.parts().iter().cloned().collect();
    let ranges = stream::iter(queue)
        .then(move |part| {
            let file = file.clone();
            async move {
                let content = file.read(part.range).await?;
                Ok::<_, Error>(one(part.head).chain(content))
            }
        })
        .try_flatten();
    ByteStream::from_results(ranges.chain(one(parts.tail())))
}

fn one(bytes: Bytes) -> ByteStream<'static> {
    bytes.into()
}

fn not_modified(current: Validators<'_>) -> Answer {
    let mut answer = Response::new(ResponseBody::Empty);
    *answer.status_mut() = StatusCode::NOT_MODIFIED;
    validate(answer.headers_mut(), current);
    answer
}

fn validate(headers: &mut HeaderMap, current: Validators<'_>) {
    headers.insert(header::ETAG, etag(current.tag));
    headers.insert(header::LAST_MODIFIED, http_date(current.modified));
    headers.insert(header::CACHE_CONTROL, REVALIDATED);
}

/// The headers that do not depend on the selection.
fn describe(headers: &mut HeaderMap, file: &OpenFile, presentation: &Presentation<'_>) {
    let content = file.content();
    validate(headers, Validators { tag: &content.tag, modified: content.stored });
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let Presentation { name, content_type, kind, .. } = presentation;
    headers.insert(header::CONTENT_DISPOSITION, content_disposition(*kind, name));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    headers.insert(header::REFERRER_POLICY, NO_REFERRER);
    let is_pdf = essence(content_type.to_str().unwrap_or_default()) == "application/pdf";
    let policy = if is_pdf && *kind == Kind::Inline { PDF_POLICY } else { SANDBOXED };
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    if let Some(sha256) = &content.sha256 {
        headers.insert("repr-digest", repr_digest(sha256));
    }
}
