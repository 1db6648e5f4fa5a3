//! Forms, read by our own parser and by another one.

use std::convert::Infallible;

use bytes::Bytes;
use filestore::ErrorKind;
use filestore_http::protocol::multipart::{Boundary, Limits, Multipart, PartHead};
use futures::{StreamExt, stream};

use crate::{frames, now};

/// What came of a form: its parts, the last of which may be cut off, and how it ended.
#[derive(Debug, PartialEq)]
pub struct Read {
    pub parts: Vec<(PartHead, Vec<u8>)>,
    pub end: Result<(), ErrorKind>,
}

/// Reads a form that arrives in these frames.
pub fn read(boundary: &Boundary, frames: Vec<Bytes>) -> Read {
    let mut form = Multipart::new(boundary, frames::stream_of(frames), Limits::default());
    let mut parts = Vec::new();
    let end = now(async {
        while let Some(part) = form.next_part().await? {
            parts.push((part.head().clone(), Vec::new()));
            let (_, content) = parts.last_mut().expect("one was pushed");
            let mut stream = part.into_stream();
            while let Some(frame) = stream.next().await {
                let frame = frame?;
                assert!(!frame.is_empty(), "an empty frame says nothing");
                content.extend_from_slice(&frame);
            }
        }
        Ok::<_, filestore::Error>(())
    });
    Read { parts, end: end.map_err(|error| error.kind()) }
}

/// Finds the one part called `name`: its content, if the whole form is sound.
pub fn read_sole(
    boundary: &Boundary,
    frames: Vec<Bytes>,
    name: &str,
) -> Result<Option<(PartHead, Bytes)>, ErrorKind> {
    let form = Multipart::new(boundary, frames::stream_of(frames), Limits::default());
    let read = now(async {
        let Some(part) = form.into_sole_part(name).await? else { return Ok(None) };
        Ok(Some((part.head, part.content.collect().await?)))
    });
    read.map_err(|error: filestore::Error| error.kind())
}

/// A part as the crate `multer` sees it.
#[derive(Debug)]
pub struct Theirs {
    pub name: Option<String>,
    pub filename: Option<String>,
    pub disposition: Vec<u8>,
    pub content: Vec<u8>,
}

/// Reads the form with `multer`; `None` when it refuses it, or waits for more where there is none.
pub fn read_by_multer(boundary: &str, frames: Vec<Bytes>) -> Option<Vec<Theirs>> {
    let frames = stream::iter(frames.into_iter().map(Ok::<_, Infallible>));
    let mut form = multer::Multipart::new(frames, boundary);
    let read = async {
        let mut parts = Vec::new();
        while let Some(field) = form.next_field().await? {
            let disposition = field.headers().get(http::header::CONTENT_DISPOSITION);
            parts.push(Theirs {
                name: field.name().map(str::to_owned),
                filename: field.file_name().map(str::to_owned),
                disposition: disposition.map(|it| it.as_bytes().to_vec()).unwrap_or_default(),
                content: field.bytes().await?.to_vec(),
            });
        }
        Ok::<_, multer::Error>(parts)
    };
    futures::FutureExt::now_or_never(read)?.ok()
}

/// The boundary that a body's first line has, as far as it has one; so inputs are plain bodies.
pub fn boundary_of(body: &[u8]) -> String {
    let body = body.strip_prefix(b"\r\n").unwrap_or(body);
    let line = body.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = line.strip_prefix(b"--").unwrap_or_default();
    let line = line.strip_suffix(b"--").unwrap_or(line).trim_ascii_end();
    match std::str::from_utf8(line) {
        Ok(boundary) if Boundary::new(line).is_ok() => boundary.to_owned(),
        _ => "b".to_owned(),
    }
}
