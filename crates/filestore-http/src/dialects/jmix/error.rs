//! Faults in Jmix's words: `{"error": "…", "details": "…"}`; 401 has no body.

use filestore::{Error, ErrorKind};
use http::{Method, StatusCode};

use super::wire::ErrorInfo;
use crate::dialect::{Answer, Fault, Head};
use crate::protocol::{empty, json};

/// A message that carries its own title, apart by a line end.
fn titled(kind: ErrorKind, title: &str, details: &str) -> Fault {
    Error::new(kind, format!("{title}\n{details}")).into()
}

pub(super) fn cannot_convert(text: &str) -> Fault {
    let details = format!("Cannot convert '{text}' into valid file reference");
    titled(ErrorKind::InvalidArgument, "Invalid file reference", &details)
}

pub(super) fn unknown_storage(name: &str) -> Fault {
    let details = format!("Cannot find FileStorage with name: '{name}'");
    titled(ErrorKind::InvalidArgument, "Invalid file reference", &details)
}

pub(super) fn no_such_file(reference: &str) -> Fault {
    let details = format!("File not found. File reference: {reference}");
    titled(ErrorKind::NotFound, "File not found", &details)
}

pub(super) fn unknown_entity(name: &str) -> Fault {
    titled(ErrorKind::NotFound, "Entity not found", &format!("Entity {name} not found"))
}

pub(super) fn no_such_record(entity: &str, id: &str) -> Fault {
    let details = format!("Entity {entity} with id {id} not found");
    titled(ErrorKind::NotFound, "Entity not found", &details)
}

pub(super) fn invalid_id() -> Fault {
    titled(ErrorKind::InvalidArgument, "Invalid entity ID", "")
}

/// The body is no entity: no JSON at all, or `details` say what is wrong with it.
pub(super) fn not_an_entity(details: &str) -> Fault {
    titled(ErrorKind::InvalidArgument, "Cannot deserialize an entity from JSON", details)
}

pub(super) fn render(fault: &Fault, head: Head<'_>) -> Answer {
    let status = fault.status();
    if status == StatusCode::UNAUTHORIZED {
        return empty(status);
    }
    let (error, details) = words(fault, head);
    json(status, &ErrorInfo { error, details })
}

/// The table: title and details for each kind, by what was asked for.
fn words(fault: &Fault, head: Head<'_>) -> (String, String) {
    let message = fault.message();
    if let Some((title, details)) = message.split_once('\n') {
        return (title.into(), details.into());
    }
    let is_file = head.path.starts_with("/files");
    let is_upload = *head.method() == Method::POST;
    let title = match (fault.kind(), is_file, is_upload) {
        (Some(ErrorKind::Internal | ErrorKind::Unavailable), ..) => {
            return ("Server error".into(), String::new());
        }
        (Some(ErrorKind::Forbidden), true, true) => {
            return ("File upload failed".into(), "File upload is not permitted".into());
        }
        (Some(ErrorKind::Forbidden), true, false) => {
            return ("File download failed".into(), "File download is not permitted".into());
        }
        (Some(ErrorKind::Forbidden), false, _) => return forbidden(head),
        (_, true, true) => "File upload failed",
        (_, true, false) => "Error on downloading the file",
        _ => fault.status().canonical_reason().unwrap_or("Error"),
    };
    (title.into(), message)
}

/// What may not be done to which entity.
fn forbidden(head: Head<'_>) -> (String, String) {
    let what = match *head.method() {
        Method::POST => "Creation",
        Method::PUT => "Updating",
        Method::DELETE => "Deletion",
        _ => "Reading",
    };
    let entity = head.path.split('/').nth(2).unwrap_or_default();
    (format!("{what} forbidden"), format!("{what} of the {entity} is forbidden"))
}
