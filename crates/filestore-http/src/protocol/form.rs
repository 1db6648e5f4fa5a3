//! Bodies that bring one file: as they are, or in a form.

use filestore::{ByteStream, Error, Expect, Result};
use http::{HeaderMap, header};

use super::digest::declared;
use super::media::essence;
use super::multipart::{Boundary, Limits, Multipart};
use super::{lenient_text, sole_header};
use crate::body::RequestBody;

/// What a form's body may hold beside its file.
const FORM_OVERHEAD: u64 = 1 << 20;

/// A file that a body brings.
#[derive(Debug)]
pub struct Incoming<'b> {
    /// The name its sender gave it.
    pub name: Option<String>,
    /// The media type its sender gave it.
    pub content_type: Option<String>,
    /// What its sender declared of the bytes.
    pub expect: Expect,
    /// The bytes. The stream ends only when all of the body was sound.
    pub content: ByteStream<'b>,
}

/// The media type of a body, without parameters, in lower case; empty when there is none.
///
/// # Errors
/// As [`sole_header`].
pub fn media_type(headers: &HeaderMap) -> Result<String> {
    let value = sole_header(headers, header::CONTENT_TYPE)?.unwrap_or_default();
    Ok(essence(&lenient_text(value)).to_ascii_lowercase())
}

/// Refuses a body that announces more than `max_file` bytes and what a form adds to them, before
/// anything is read.
///
/// # Errors
/// [`TooLarge`](filestore::ErrorKind::TooLarge).
pub fn check_announced(body: &RequestBody, max_file: u64) -> Result<()> {
    let most = max_file.saturating_add(FORM_OVERHEAD);
    if body.declared().is_some_and(|size| size > most) {
        return Err(Error::too_large(format!("content is limited to {max_file} bytes")));
    }
    Ok(())
}

/// The file of a `multipart/form-data` body: its part called `field`.
///
/// # Errors
/// [`InvalidArgument`](filestore::ErrorKind::InvalidArgument) when there is no such part, or no
/// form; those of [`check_announced`]. Of the stream: as [`Multipart::into_sole_part`].
pub async fn form_file<'b>(
    headers: &HeaderMap,
    body: &'b mut RequestBody,
    field: &str,
    max_file: u64,
) -> Result<Incoming<'b>> {
    let content_type = sole_header(headers, header::CONTENT_TYPE)?;
    let boundary = Boundary::of(content_type.unwrap_or_default())?;
    check_announced(body, max_file)?;
    file_within(&boundary, body.stream(), field).await
}

/// The file of a form whose boundary is known.
///
/// # Errors
/// As [`form_file`].
pub async fn file_within<'b>(
    boundary: &Boundary,
    body: ByteStream<'b>,
    field: &str,
) -> Result<Incoming<'b>> {
    let form = Multipart::new(boundary, body, Limits::default());
    let Some(part) = form.into_sole_part(field).await? else {
        return Err(Error::invalid(format!("the form has no part {field:?}")));
    };
    Ok(Incoming {
        name: part.head.filename,
        content_type: part.head.content_type,
        expect: Expect::default(),
        content: part.content,
    })
}

/// The file that a body is. Its announced size and digest are held against it.
///
/// # Errors
/// [`InvalidArgument`](filestore::ErrorKind::InvalidArgument) for a digest that cannot be read, and
/// as [`sole_header`].
pub fn whole_body<'b>(headers: &HeaderMap, body: &'b mut RequestBody) -> Result<Incoming<'b>> {
    Ok(Incoming {
        name: None,
        content_type: sole_header(headers, header::CONTENT_TYPE)?.map(lenient_text),
        expect: Expect { size: body.declared(), sha256: declared(headers)? },
        content: body.stream(),
    })
}
