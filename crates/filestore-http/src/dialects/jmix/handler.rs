//! One function for each route.

use filestore::{
    Attributes, Error, ErrorKind, Expected, Files, NewFile, OtherRecord, RecordChange,
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

use super::entity::{Entity, Shown, parse_id};
use super::error::{
    cannot_convert, invalid_id, no_such_file, no_such_record, not_an_entity, unknown_storage,
};
use super::reference::{FileReference, STORAGE, form_encoded};
use super::route::{Upload, Wanted};
use super::wire::Uploaded;
use crate::body::RequestBody;
use crate::dialect::{Answer, Call, Fault};
use crate::protocol::disposition::Kind;
use crate::protocol::download::{self, Presentation};
use crate::protocol::form::{form_file, media_type, whole_body};
use crate::protocol::media::{of_name, served_type};
use crate::protocol::{empty, json, located, read_json};

/// Longest name in bytes.
const MAX_NAME: usize = 1024;
/// Most records that one request makes.
const MAX_BULK: usize = 1000;
/// How often an update is repeated that somebody else's update got ahead of.
const TRIES: usize = 16;

pub(super) async fn upload(call: Call<'_>, upload: Upload) -> Result<Answer, Fault> {
    if let Some(storage) = upload.storage.filter(|storage| storage != STORAGE) {
        return Err(unknown_storage(&storage));
    }
    let base = call.base_url();
    let Call { files, head, body, .. } = call;
    let incoming = match media_type(head.headers())?.as_str() {
        "multipart/form-data" => {
            let max_file = files.store().limits().max_file;
            form_file(head.headers(), body, "file", max_file).await?
        }
        _ => whole_body(head.headers(), body)?,
    };
    let name = upload.name.or(incoming.name).unwrap_or_default();
    if name.len() > MAX_NAME || name.chars().any(char::is_control) {
        let limit = format!("a name is limited to {MAX_NAME} bytes without control characters");
        return Err(Error::invalid(limit).into());
    }
    let mut attributes = Attributes::named(name);
    attributes.content_type = incoming.content_type;
    let new = NewFile { expect: incoming.expect, ..attributes.into() };
    let record = files.create(new, incoming.content).await?;

    let file_ref = FileReference::to(&record).to_string();
    let location = format!("{base}{}/files?fileRef={}", head.mount, form_encoded(&file_ref));
    let size = record.content.as_ref().map_or(0, |content| content.size);
    let uploaded = Uploaded { file_ref, name: &record.attributes.name, size };
    Ok(located(json(StatusCode::CREATED, &uploaded), location)?)
}

pub(super) async fn download(call: Call<'_>, wanted: Wanted) -> Result<Answer, Fault> {
    let Some(text) = wanted.reference else {
        return Err(Error::invalid("the parameter fileRef is required").into());
    };
    let reference = FileReference::parse(&text).ok_or_else(|| cannot_convert(&text))?;
    if reference.storage != STORAGE {
        return Err(unknown_storage(&reference.storage));
    }
    let id = reference.id.ok_or_else(|| no_such_file(&text))?;
    let file = match download::open(&call.files, id, call.head).await {
        Ok(file) if reference.names(&file.record) => file,
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        _ => return Err(no_such_file(&text)),
    };
    // The name is whatever the referrer made of it, and so is this type; the policy looks at the
    // type alone.
    let content_type = served_type(Some(of_name(&reference.name)));
    let kind =
        if wanted.attachment { Kind::Attachment } else { call.host.inline.kind(&content_type) };
    let redirect = call.redirects;
    let presentation = Presentation { name: &reference.name, content_type, kind, redirect };
    let mut answer = download::serve(&file, call.head, presentation).await?;
    let headers = answer.headers_mut();
    // What is not to be kept at all is not made to be asked for again.
    if headers.contains_key(header::LOCATION) {
        return Ok(answer);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(header::EXPIRES, HeaderValue::from_static("0"));
    Ok(answer)
}

pub(super) async fn create(call: Call<'_>, entity: &Entity) -> Result<Answer, Fault> {
    let base = call.base_url();
    let Call { files, head, body, .. } = call;
    let (bodies, is_bulk) = match entity_body(head.headers(), body).await? {
        Value::Array(all) if (1..=MAX_BULK).contains(&all.len()) => (all, true),
        Value::Array(_) => return Err(not_an_entity("an array holds 1 to 1000 entities")),
        one => (vec![one], false),
    };
    let changes = bodies.iter().map(|body| creation(entity, body)).collect::<Result<_, _>>()?;
    let made = files.records().write(changes).await?;
    let shown: Vec<Shown<'_>> =
        made.iter().map(|record| shown(entity, record)).collect::<Result<_, _>>()?;
    match shown.as_slice() {
        [one] if !is_bulk => {
            let location = format!("{base}{}/entities/{}/{}", head.mount, entity.name, one.id);
            Ok(located(json(StatusCode::CREATED, one), location)?)
        }
        all => Ok(json(StatusCode::CREATED, &all)),
    }
}

async fn entity_body(headers: &HeaderMap, body: &mut RequestBody) -> Result<Value, Fault> {
    read_json(headers, body).await.map_err(|error| match error.kind() {
        ErrorKind::InvalidArgument => not_an_entity(""),
        _ => error.into(),
    })
}

fn creation(entity: &Entity, body: &Value) -> Result<RecordChange, Fault> {
    let body = object(body)?;
    let id = Entity::id_of(body).ok_or_else(invalid_id)?;
    let record = entity.created(body).map_err(|error| not_an_entity(&error.to_string()))?;
    Ok(RecordChange {
        kind: kind_of(entity),
        key: id.hyphenated().to_string(),
        expected: Expected::Nothing,
        body: Some(Value::Object(record).to_string()),
    })
}

pub(super) async fn load(call: Call<'_>, entity: &Entity, id: &str) -> Result<Answer, Fault> {
    let record = find(&call.files, entity, id).await?;
    Ok(json(StatusCode::OK, &shown(entity, &record)?))
}

pub(super) async fn update(call: Call<'_>, entity: &Entity, id: &str) -> Result<Answer, Fault> {
    find(&call.files, entity, id).await?;
    let Call { files, head, body, .. } = call;
    let body = entity_body(head.headers(), body).await?;
    let body = object(&body)?;
    for _ in 0..TRIES {
        let change = updated(entity, find(&files, entity, id).await?, body)?;
        match files.records().write(vec![change]).await {
            // Somebody else's update came between; the caller has named no revision.
            Err(error) if error.kind() == ErrorKind::PreconditionFailed => {}
            outcome => return answer_one(entity, &outcome?),
        }
    }
    Err(Error::conflict("the entity keeps changing").into())
}

fn updated(
    entity: &Entity,
    found: OtherRecord,
    body: &Map<String, Value>,
) -> Result<RecordChange, Fault> {
    let mut record = attributes_of(&found)?;
    entity.update(&mut record, body).map_err(|error| not_an_entity(&error.to_string()))?;
    Ok(RecordChange {
        kind: found.kind,
        key: found.key,
        expected: Expected::Revision(found.revision),
        body: Some(Value::Object(record).to_string()),
    })
}

fn answer_one(entity: &Entity, records: &[OtherRecord]) -> Result<Answer, Fault> {
    let record = records.first().ok_or_else(|| Error::internal("an update answered nothing"))?;
    Ok(json(StatusCode::OK, &shown(entity, record)?))
}

pub(super) async fn remove(call: Call<'_>, entity: &Entity, id: &str) -> Result<Answer, Fault> {
    let found = find(&call.files, entity, id).await?;
    let removal = RecordChange {
        kind: found.kind,
        key: found.key,
        expected: Expected::Something,
        body: None,
    };
    match call.files.records().write(vec![removal]).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Err(no_such_record(&entity.name, id)),
        outcome => {
            outcome?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
    }
}

async fn find(files: &Files, entity: &Entity, id: &str) -> Result<OtherRecord, Fault> {
    let key = parse_id(id).ok_or_else(invalid_id)?.hyphenated().to_string();
    let found = files.records().load(&kind_of(entity), &key).await?;
    found.ok_or_else(|| no_such_record(&entity.name, id))
}

/// Under which kind the records of an entity are kept, apart from other APIs' records.
fn kind_of(entity: &Entity) -> String {
    format!("jmix.{}", entity.name)
}

fn shown<'s>(entity: &'s Entity, record: &'s OtherRecord) -> Result<Shown<'s>, Fault> {
    Ok(Shown { entity, id: &record.key, attributes: attributes_of(record)? })
}

fn attributes_of(record: &OtherRecord) -> filestore::Result<Map<String, Value>> {
    serde_json::from_str(&record.body)
        .map_err(|error| Error::internal("a stored entity is damaged").with_source(error))
}

fn object(body: &Value) -> Result<&Map<String, Value>, Fault> {
    body.as_object().ok_or_else(|| not_an_entity("an entity is a JSON object"))
}
