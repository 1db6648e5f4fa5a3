//! One function for each route.

use std::time::Duration;

use filestore::{
    Attributes, Error, ErrorKind, Expect, FileId, FileRecord, Files, NewUpload, PartInfo,
    UploadSession, UploadState, UploadTarget,
};
use http::{HeaderMap, Method, StatusCode};
use uuid::Uuid;

use super::error::{already, canceled, expired, unknown_session};
use super::record;
use super::route::Form;
use super::wire::{
    Attachment, Attachments, Begin, BeginBody, Begun, Chunk, ChunkReceived, Copied, CopyBody,
    Location, Message, RecordRef, Status, Uploads,
};
use crate::body::ResponseBody;
use crate::dialect::{Answer, Call, Fault, Head};
use crate::presign::{Grant, is_presigned};
use crate::protocol::base64_json::base64_json;
use crate::protocol::disposition::Kind;
use crate::protocol::download::{self, Presentation};
use crate::protocol::form::media_type;
use crate::protocol::media::{OCTET_STREAM, of_name, served_type};
use crate::protocol::{Object, date, json, lenient_text, read_json, sole_header};

/// What a session keeps for this API, under these names among its extras.
const CHUNK_SIZE: &str = "idempiere.chunkSize";
const LOCATION: &str = "idempiere.uploadLocation";
const IMAGE_ID: &str = "idempiere.imageId";
const PAGE: u32 = 1000;

pub(super) async fn begin(call: Call<'_>) -> Result<Answer, Fault> {
    let Call { files, head, body, principal, host, .. } = call;
    let Object(begin) = read_json::<Object<BeginBody>>(head.headers(), body).await?;
    let Begin { file_name, content_type, file_size, chunk_size, sha256, location, life } =
        begin.checked()?;
    let mut attributes = Attributes::named(file_name);
    attributes.content_type = content_type;
    attributes.extras.insert(CHUNK_SIZE.into(), chunk_size.to_string());
    attributes.extras.insert(LOCATION.into(), location.as_str().into());
    if location == Location::Image {
        let id = files.records().next_number(record::IMAGES).await?;
        attributes.extras.insert(IMAGE_ID.into(), id.to_string());
        record::attach(&mut attributes, record::IMAGES, id);
    }
    let mut new = NewUpload::new(attributes);
    new.expect = Expect { size: file_size, sha256: Some(sha256) };
    new.lifetime = Duration::from_secs(life);
    let session = files.uploads().begin(new).await?;

    let id = text_of(session.id);
    let chunks = format!("{}/{id}/chunks", head.mount);
    let grant = Grant::new(Method::PUT, &*chunks, principal)?;
    let query = host.presigner.sign(&grant, session.expires.since(session.created));
    let begun = Begun {
        presigned_url: format!("{}/{{chunkOrder}}?{query}", relative(&chunks)),
        upload_id: id,
        chunk_size,
        expires_at: date::rfc3339(session.expires),
    };
    Ok(json(StatusCode::CREATED, &begun))
}

/// Clients put `{host}/api/` before it.
fn relative(path: &str) -> &str {
    path.strip_prefix("/api/").unwrap_or_else(|| path.trim_start_matches('/'))
}

fn text_of(id: FileId) -> String {
    Uuid::from_bytes(*id.as_bytes()).hyphenated().to_string()
}

pub(super) async fn chunk(call: Call<'_>, id: FileId, order: i64) -> Result<Answer, Fault> {
    let Call { files, head, body, .. } = call;
    let uploads = files.uploads();
    // What is wrong with the session is said before what is wrong with the chunk.
    let session = session_of(&files, id).await?.ok_or_else(|| unknown_session(&text_of(id)))?;
    if is_canceled(&files, &session).await? {
        return Err(canceled(&text_of(id)));
    }
    let (order, total) = position(order, head.headers())?;
    if !matches!(media_type(head.headers())?.as_str(), "" | OCTET_STREAM) {
        return Err(Fault::Media("a chunk is sent as application/octet-stream"));
    }
    let sha256 = sole_header(head.headers(), "x-content-sha256")?;
    let sha256 = sha256.map(|text| lenient_text(text).parse()).transpose()?;
    let expect = Expect { size: body.declared(), sha256 };
    let received = uploads.put_part(id, order, Some(total), body.stream(), expect).await;
    let session = match received {
        Ok(session) => session,
        Err(error) => return Err(refusal(&files, id, error).await.unwrap_or_else(|it| it)),
    };
    let mut answer = ChunkReceived {
        upload_id: text_of(id),
        chunk_order: order,
        received_size: body.received(),
        message: format!("Chunk {order} uploaded successfully."),
        is_last_chunk: false,
    };
    if session.has_all_parts() {
        match uploads.complete(id).await {
            Ok(completion) => answer.is_last_chunk = completion.now,
            Err(error) if error.kind() == ErrorKind::Incomplete => {
                answer.message = error.to_string();
                return Ok(json(StatusCode::BAD_REQUEST, &answer));
            }
            // Another chunk of the same number of chunks ended the session at this moment.
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(json(StatusCode::OK, &answer))
}

/// Chunk order and total: both are whole numbers, the order from 1 to the total.
fn position(order: i64, headers: &HeaderMap) -> Result<(u32, u32), Fault> {
    let total = sole_header(headers, "x-total-chunks")?.map(lenient_text);
    let total: i64 = total.and_then(|text| text.parse().ok()).unwrap_or_default();
    let total = u32::try_from(total).ok().filter(|total| *total > 0);
    let total = total.ok_or_else(|| Error::invalid("Total chunks must be greater than 0"))?;
    let order = u32::try_from(order).ok().filter(|order| (1..=total).contains(order));
    let order = order
        .ok_or_else(|| Error::invalid(format!("Chunk order must be between 1 and {total}")))?;
    Ok((order, total))
}

/// Why a chunk was refused, in the words for the session's state; of somebody else's session there
/// is nothing to say.
async fn refusal(files: &Files, id: FileId, error: Error) -> Result<Fault, Fault> {
    let name = text_of(id);
    if !matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Expired) {
        return Ok(named(error, id));
    }
    let session = files.uploads().status(id).await.map_err(|error| named(error, id))?;
    if is_canceled(files, &session).await? {
        return Ok(canceled(&name));
    }
    Ok(match session.state {
        UploadState::Completed => already("completed", &name),
        UploadState::Sealed => already("processing", &name),
        UploadState::Failed(_) => already("failed", &name),
        _ if error.kind() == ErrorKind::Expired => expired(&name),
        _ => error.into(),
    })
}

/// A completed upload whose file is gone was canceled.
async fn is_canceled(files: &Files, session: &UploadSession) -> Result<bool, Fault> {
    Ok(match session.state {
        UploadState::Canceled => true,
        UploadState::Completed => {
            files.stat_many(&[session.id.into()]).await?.iter().all(Option::is_none)
        }
        _ => false,
    })
}

pub(super) async fn status(
    call: Call<'_>,
    id: FileId,
    url_life: Option<u64>,
) -> Result<Answer, Fault> {
    let Call { files, head, principal, host, .. } = call;
    let mut status = match find(&files, id).await? {
        Upload::Session(session) => shown(&files, &session).await?,
        Upload::File(record) => shown_file(&record),
    };
    // Else a URL could be renewed for ever by whoever holds it.
    if let Some(life) = url_life.filter(|_| !is_presigned(head.query())) {
        let base = format!("{}/{}", head.mount, text_of(id));
        let grant = Grant::new(Method::GET, &*base, principal)?;
        let query = host.presigner.sign(&grant, Duration::from_secs(life));
        let base = relative(&base);
        status.presigned_url = Some(format!("{base},{base}/file?{query}"));
    }
    Ok(json(StatusCode::OK, &status))
}

/// What an upload's id names.
enum Upload {
    Session(UploadSession),
    /// What another API stored for the same subject.
    File(FileRecord),
}

async fn find(files: &Files, id: FileId) -> Result<Upload, Fault> {
    if let Some(session) = session_of(files, id).await? {
        return Ok(Upload::Session(session));
    }
    let record = files.stat(id).await.map_err(|error| named(error, id))?;
    if record.owner != *files.subject() || record.content.is_none() {
        return Err(unknown_session(&text_of(id)));
    }
    Ok(Upload::File(record))
}

/// The session with this id. One that brings content to a file that is there is another API's.
async fn session_of(files: &Files, id: FileId) -> Result<Option<UploadSession>, Fault> {
    match files.uploads().status(id).await {
        Ok(session) => Ok(Some(session).filter(|it| it.target == UploadTarget::NewFile)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn named(error: Error, id: FileId) -> Fault {
    match error.kind() {
        ErrorKind::NotFound => unknown_session(&text_of(id)),
        _ => error.into(),
    }
}

async fn shown(files: &Files, session: &UploadSession) -> Result<Status, Fault> {
    let id = session.id;
    let file = match session.state {
        UploadState::Completed => files.stat_many(&[id.into()]).await?.pop().flatten(),
        _ => None,
    };
    let parts = match session.parts {
        0 => Vec::new(),
        _ => files.uploads().parts(id).await?,
    };
    let extra = |name| session.attributes.extras.get(name).and_then(|text| text.parse().ok());
    let chunk = |part: PartInfo| Chunk { chunk_order: part.number, received_size: part.size };
    let content = file.as_ref().and_then(|file| file.content.as_ref());
    let (status, message) = words(session, file.is_some());
    Ok(Status {
        upload_id: text_of(id),
        file_name: session.attributes.name.clone(),
        file_size: content.map(|it| it.size).or(session.expect.size).unwrap_or_default(),
        image_id: content
            .and_then(|_| extra(IMAGE_ID))
            .and_then(|id| u32::try_from(id).ok())
            .unwrap_or_default(),
        chunk_size: extra(CHUNK_SIZE).unwrap_or_default(),
        status,
        uploaded_chunks: parts.into_iter().map(chunk).collect(),
        total_received_size: session.received,
        message,
        presigned_url: None,
    })
}

/// Status and message; [`is_canceled`] says why the file counts.
fn words(session: &UploadSession, has_file: bool) -> (&'static str, String) {
    match &session.state {
        UploadState::Open if session.parts == 0 => {
            ("INITIATED", "Upload session initiated.".into())
        }
        UploadState::Open => ("UPLOADING", "Upload in progress.".into()),
        UploadState::Sealed => ("PROCESSING", "Upload is being processed.".into()),
        UploadState::Completed if has_file => ("COMPLETED", "Upload completed.".into()),
        UploadState::Completed | UploadState::Canceled => ("CANCELED", "Upload canceled.".into()),
        UploadState::Failed(reason) => ("FAILED", reason.clone()),
        UploadState::Expired => ("FAILED", "Upload session has expired.".into()),
    }
}

fn shown_file(record: &FileRecord) -> Status {
    let size = record.content.as_ref().map_or(0, |content| content.size);
    Status {
        upload_id: text_of(record.id),
        file_name: record.attributes.name.clone(),
        file_size: size,
        image_id: 0,
        chunk_size: 0,
        status: "COMPLETED",
        uploaded_chunks: Vec::new(),
        total_received_size: size,
        message: "Upload completed.".into(),
        presigned_url: None,
    }
}

pub(super) async fn list(call: Call<'_>) -> Result<Answer, Fault> {
    let files = &call.files;
    let mut uploads = Vec::new();
    let mut after = None;
    loop {
        let page = files.uploads().list(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        for session in &page {
            let is_pending =
                !matches!(session.state, UploadState::Completed | UploadState::Canceled);
            if is_pending && session.target == UploadTarget::NewFile {
                uploads.push(shown(files, session).await?);
            }
        }
    }
    Ok(json(StatusCode::OK, &Uploads { uploads }))
}

pub(super) async fn cancel(call: Call<'_>, id: FileId) -> Result<Answer, Fault> {
    let files = &call.files;
    match find(files, id).await? {
        Upload::File(_) => files.delete(id).await.map_err(|error| named(error, id))?,
        Upload::Session(session) => match session.state {
            UploadState::Canceled => return Err(canceled(&text_of(id))),
            UploadState::Completed => match files.delete(id).await {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    return Err(canceled(&text_of(id)));
                }
                deleted => deleted?,
            },
            _ => drop(files.uploads().abort(id).await?),
        },
    }
    let message = format!("Upload {} canceled successfully.", text_of(id));
    Ok(json(StatusCode::OK, &Message { message }))
}

/// The record of a completed upload.
async fn completed(files: &Files, id: FileId) -> Result<(), Fault> {
    match find(files, id).await? {
        Upload::Session(session) if session.state != UploadState::Completed => {
            let (status, _) = words(&session, false);
            Err(Error::invalid(format!("GET Error\nUpload is not completed: {status}")).into())
        }
        _ => Ok(()),
    }
}

pub(super) async fn file(call: Call<'_>, id: FileId, form: Form) -> Result<Answer, Fault> {
    let Call { files, head, redirects, .. } = call;
    completed(&files, id).await?;
    let file = download::open(&files, id, head).await.map_err(|error| named(error, id))?;
    match form {
        Form::Binary => serve(&file, head, redirects).await,
        Form::Json => {
            let size = file.content().size;
            let (body, left) = base64_json(file.read_all().await?, size);
            let mut answer = json(StatusCode::OK, &());
            *answer.body_mut() = ResponseBody::Stream { body, left };
            Ok(answer)
        }
    }
}

async fn serve(
    file: &filestore::OpenFile,
    head: Head<'_>,
    redirect: bool,
) -> Result<Answer, Fault> {
    let Attributes { name, content_type, .. } = &file.record.attributes;
    let content_type = served_type(Some(content_type.as_deref().unwrap_or_else(|| type_of(name))));
    let presentation = Presentation { name, content_type, kind: Kind::Attachment, redirect };
    download::serve(file, head, presentation).await
}

/// The platform calls some types text that others have a name for.
fn type_of(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).as_deref() {
        Some("csv" | "ssv" | "log") => "text/plain",
        _ => of_name(name),
    }
}

pub(super) async fn copy(call: Call<'_>, id: FileId) -> Result<Answer, Fault> {
    let Call { files, head, body, .. } = call;
    let Object(wanted) = read_json::<Object<CopyBody>>(head.headers(), body).await?;
    let (location, target) = wanted.checked()?;
    completed(&files, id).await?;
    let source = files.stat(id).await.map_err(|error| named(error, id))?;
    let place = record::copy(&files, &source, location, target).await?;
    let copied = Copied {
        upload_id: text_of(id),
        table_name: place.table,
        record_id: place.id,
        record_uu: place.uuid.hyphenated().to_string(),
        copy_location: location.as_str(),
        file_size: source.content.map_or(0, |content| content.size),
        file_name: source.attributes.name,
        content_type: source.attributes.content_type,
    };
    Ok(json(StatusCode::OK, &copied))
}

pub(super) async fn attachments(call: Call<'_>, wanted: &RecordRef) -> Result<Answer, Fault> {
    let attached = record::attached(&call.files, wanted).await?;
    let shown = |file: FileRecord| Attachment {
        size: file.content.map_or(0, |content| content.size),
        name: file.attributes.name,
        content_type: file.attributes.content_type,
    };
    let attachments = attached.into_iter().map(shown).collect();
    Ok(json(StatusCode::OK, &Attachments { attachments }))
}

pub(super) async fn attachment(
    call: Call<'_>,
    wanted: &RecordRef,
    name: &str,
) -> Result<Answer, Fault> {
    let attached = record::attached(&call.files, wanted).await?;
    let found = attached.into_iter().rfind(|file| file.attributes.name == name);
    let found = found.ok_or_else(|| Error::not_found(format!("Attachment not found\n{name}")))?;
    let file = download::open(&call.files, found.id, call.head).await?;
    serve(&file, call.head, call.redirects).await
}
