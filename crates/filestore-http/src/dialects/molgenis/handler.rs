//! One function for each route.

use filestore::{Attributes, Error, FileId, FileRecord, NewFile};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::wire::{FileMeta, content_type, id_text, unknown};
use crate::dialect::{Answer, Call, Fault};
use crate::protocol::disposition::Kind;
use crate::protocol::download::{self, Presentation};
use crate::protocol::form::{media_type, whole_body};
use crate::protocol::media::{OCTET_STREAM, served_type};
use crate::protocol::{empty, json, lenient_text, located, sole_header};

/// Longest name in bytes.
const MAX_NAME: usize = 1024;

pub(super) async fn upload(call: Call<'_>) -> Result<Answer, Fault> {
    let base = call.base_url();
    let Call { files, head, body, .. } = call;
    if matches!(
        media_type(head.headers())?.as_str(),
        "multipart/form-data" | "application/x-www-form-urlencoded"
    ) {
        return Err(Fault::Media("forms are not taken: send the file itself as the body"));
    }
    let name = file_name(head.headers())?;
    let incoming = whole_body(head.headers(), body)?;
    let mut attributes = Attributes::named(name);
    attributes.content_type = incoming.content_type.or_else(|| Some(OCTET_STREAM.to_owned()));
    let new = NewFile { expect: incoming.expect, ..attributes.into() };
    let record = files.create(new, incoming.content).await?;

    let location = format!("{base}{}/{}?alt=media", head.mount, id_text(record.id));
    Ok(located(json(StatusCode::CREATED, &meta(&record)?), location)?)
}

/// Header `x-molgenis-filename`, verbatim: nothing in it is decoded.
fn file_name(headers: &HeaderMap) -> filestore::Result<String> {
    let name = sole_header(headers, "x-molgenis-filename")?;
    let name = name.map_or_else(|| "unknown".to_owned(), lenient_text);
    if name.len() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(Error::invalid(format!(
            "x-molgenis-filename is limited to {MAX_NAME} bytes without control characters"
        )));
    }
    Ok(name)
}

fn meta(record: &FileRecord) -> filestore::Result<FileMeta<'_>> {
    FileMeta::of(record).ok_or_else(|| Error::not_found(unknown(&id_text(record.id))))
}

pub(super) async fn metadata(call: Call<'_>, id: FileId) -> Result<Answer, Fault> {
    let record = call.files.stat(id).await.map_err(|error| named(error, id))?;
    Ok(json(StatusCode::OK, &meta(&record)?))
}

pub(super) async fn download(call: Call<'_>, id: FileId) -> Result<Answer, Fault> {
    let file =
        download::open(&call.files, id, call.head).await.map_err(|error| named(error, id))?;
    let presentation = Presentation {
        name: &file.record.attributes.name,
        content_type: served_type(Some(content_type(&file.record))),
        kind: Kind::Attachment,
        redirect: call.redirects,
    };
    let mut answer = download::serve(&file, call.head, presentation).await?;
    let deny = HeaderValue::from_static("DENY");
    answer.headers_mut().insert(header::X_FRAME_OPTIONS, deny);
    Ok(answer)
}

pub(super) async fn delete(call: Call<'_>, id: FileId) -> Result<Answer, Fault> {
    // What has no content yet is not here to be deleted either.
    let record = call.files.stat(id).await.map_err(|error| named(error, id))?;
    meta(&record)?;
    call.files.delete(id).await.map_err(|error| named(error, id))?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// Says which id it was that names nothing.
fn named(error: Error, id: FileId) -> Error {
    if error.kind() == filestore::ErrorKind::NotFound {
        return Error::not_found(unknown(&id_text(id)));
    }
    error
}
