//! One function for each route.

use bytes::{Bytes, BytesMut};
use filestore::{Attributes, ByteStream, Error, FileId, NewFile};
use futures::StreamExt;
use http::StatusCode;

use super::wire::{Status, UploadInfo, handle};
use crate::dialect::{Answer, Call, Fault};
use crate::protocol::disposition::Kind;
use crate::protocol::download::{self, Presentation};
use crate::protocol::form::{
    Incoming, check_announced, file_within, form_file, media_type, whole_body,
};
use crate::protocol::media::{OCTET_STREAM, served_type};
use crate::protocol::multipart::Boundary;
use crate::protocol::{json, lenient_text};

/// The part that holds the file.
const FIELD: &str = "file";
/// How far an octet stream is looked into for the form that it may be: the head of one part.
const SNIFFED: usize = 16 << 10;

pub(super) async fn upload(call: Call<'_>) -> Result<Answer, Fault> {
    let base = call.base_url();
    let Call { files, head, body, .. } = call;
    let max_file = files.store().limits().max_file;
    let incoming = match media_type(head.headers())?.as_str() {
        "multipart/form-data" => form_file(head.headers(), body, FIELD, max_file).await?,
        OCTET_STREAM => {
            check_announced(body, max_file)?;
            unwrapped(whole_body(head.headers(), body)?).await?
        }
        _ => return Err(Fault::Media("send the file as multipart/form-data, in the part file")),
    };
    let id = files.new_id()?;
    let mut attributes = Attributes::named(handle(id));
    attributes.content_type = incoming.content_type;
    let new = NewFile { id: Some(id), attributes, expect: incoming.expect };
    files.create(new, incoming.content).await?;
    let info = UploadInfo {
        ok: true,
        status: "File upload accepted",
        callback: format!("{base}{}/view/{}", head.mount, handle(id)),
        file_handle: handle(id),
    };
    Ok(json(StatusCode::OK, &info))
}

/// The page has the header `Content-Type: application/octet-stream` beside a form for a body, and
/// programs that copy it send just that. A body that begins like a form with our part in it is
/// taken for one; any other is the file itself.
async fn unwrapped(incoming: Incoming<'_>) -> filestore::Result<Incoming<'_>> {
    let Incoming { mut content, name, content_type, expect } = incoming;
    let mut start = BytesMut::new();
    while start.len() < SNIFFED && !has_part_head(&start) {
        match content.next().await {
            Some(frame) => start.extend_from_slice(&frame?),
            None => break,
        }
    }
    if start.is_empty() {
        return Err(Error::invalid("the body is empty"));
    }
    let start = start.freeze();
    let content = ByteStream::from(start.clone()).chain(content);
    let content = ByteStream::from_results(content);
    match boundary_of(&start) {
        Some(boundary) => file_within(&boundary, content, FIELD).await,
        None => Ok(Incoming { name, content_type, expect, content }),
    }
}

fn has_part_head(start: &[u8]) -> bool {
    !b"--".starts_with(start.get(..2).unwrap_or(start))
        || memchr::memmem::find(start, b"\r\n\r\n").is_some()
}

/// The boundary of the form that begins here, if its first part is the file.
fn boundary_of(start: &Bytes) -> Option<Boundary> {
    let end = memchr::memmem::find(start, b"\r\n\r\n")?;
    let head = lenient_text(start.get(..end)?);
    let (delimiter, fields) = head.split_once("\r\n")?;
    let fields = fields.to_ascii_lowercase();
    let is_ours = fields.contains("content-disposition:")
        && (fields.contains("name=\"file\"") || fields.contains("name=file"));
    let boundary = Boundary::new(delimiter.strip_prefix("--")?.as_bytes()).ok()?;
    is_ours.then_some(boundary)
}

pub(super) async fn download(call: Call<'_>, id: FileId) -> Result<Answer, Fault> {
    let file = download::open(&call.files, id, call.head).await?;
    let name = handle(id);
    let presentation = Presentation {
        name: &name,
        content_type: served_type(None),
        kind: Kind::Attachment,
        redirect: call.redirects,
    };
    download::serve(&file, call.head, presentation).await
}

pub(super) async fn view(call: Call<'_>, id: FileId) -> Result<Answer, Fault> {
    let file = download::open(&call.files, id, call.head).await?;
    let name = handle(id);
    let content_type = served_type(file.record.attributes.content_type.as_deref());
    let kind = call.host.inline.kind(&content_type);
    let presentation = Presentation { name: &name, content_type, kind, redirect: call.redirects };
    download::serve(&file, call.head, presentation).await
}

pub(super) async fn delete(call: Call<'_>, id: FileId) -> Result<Answer, Fault> {
    // What has no content yet is not here to be deleted either.
    if call.files.stat(id).await?.content.is_none() {
        return Err(Error::not_found("no such file").into());
    }
    call.files.delete(id).await?;
    let status = format!("{} has been deleted", handle(id));
    Ok(json(StatusCode::OK, &Status { ok: true, status: &status }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_form_with_our_part_is_unwrapped() {
        let form =
            b"--XyZ\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nabc";
        assert!(boundary_of(&Bytes::from_static(form)).is_some());
        for other in [
            &b"--XyZ\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\nabc"[..],
            b"--XyZ\r\nfile\r\n",
            b"-- a markdown list\r\n\r\nname=\"file\"",
            b"plain",
            b"",
        ] {
            assert!(boundary_of(&Bytes::from_static(other)).is_none());
        }
    }
}
