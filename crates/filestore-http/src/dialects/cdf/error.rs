//! Faults in Cognite CDF's words: `{"error": {"code": …, "message": …}}`, and which items of the
//! request were missing or given twice.

use std::error::Error as _;
use std::fmt;

use filestore::{Error, ErrorKind};
use http::StatusCode;
use serde::Serialize;

use super::wire::Identifier;
use crate::dialect::{Answer, Fault};
use crate::protocol::json;

#[derive(Serialize)]
struct Body<'b> {
    error: Info<'b>,
}

#[derive(Serialize)]
struct Info<'b> {
    code: u16,
    message: String,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    missing: &'b [Identifier],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    duplicated: &'b [Identifier],
}

/// The items that an error is about; its source.
#[derive(Debug)]
struct Items(Vec<Identifier>);

impl fmt::Display for Items {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&texts.join(", "))
    }
}

impl std::error::Error for Items {}

/// Nothing has these names.
pub(super) fn missing(items: Vec<Identifier>) -> Error {
    let what = match items.first() {
        Some(Identifier::Id(_)) => "File ids not found",
        _ => "Files ids not found",
    };
    about(ErrorKind::NotFound, what, items)
}

/// These stand in the request, or in the project, already.
pub(super) fn duplicated(items: Vec<Identifier>) -> Error {
    let what = match items.first() {
        Some(Identifier::Id(_)) => "Duplicate ids",
        _ => "Duplicate external ids",
    };
    about(ErrorKind::AlreadyExists, what, items)
}

/// These have no content to download.
pub(super) fn not_uploaded(items: Vec<Identifier>) -> Error {
    let items = Items(items);
    Error::invalid(format!("Files not uploaded: {items}"))
}

fn about(kind: ErrorKind, what: &str, items: Vec<Identifier>) -> Error {
    let items = Items(items);
    Error::new(kind, format!("{what}: {items}")).with_source(items)
}

pub(super) fn render(fault: &Fault, is_presigned: bool) -> Answer {
    let status = status(fault, is_presigned);
    let items = match fault {
        Fault::Store(error) => error.source().and_then(|source| source.downcast_ref::<Items>()),
        _ => None,
    };
    let items = items.map(|items| items.0.as_slice()).unwrap_or_default();
    let (missing, duplicated): (_, &[_]) =
        if status == StatusCode::CONFLICT { (&[][..], items) } else { (items, &[]) };
    let message = match fault.kind() {
        Some(ErrorKind::Forbidden) => format!("insufficient access rights: {}", fault.message()),
        _ => fault.message(),
    };
    let error = Info { code: status.as_u16(), message, missing, duplicated };
    json(status, &Body { error })
}

/// The table, where it departs from what HTTP suggests.
fn status(fault: &Fault, is_presigned: bool) -> StatusCode {
    match fault.kind() {
        // Asking for another token does not help whoever has a bad link.
        Some(ErrorKind::Unauthenticated | ErrorKind::Expired) if is_presigned => {
            StatusCode::FORBIDDEN
        }
        Some(ErrorKind::NotFound | ErrorKind::Expired) => StatusCode::BAD_REQUEST,
        _ => fault.status(),
    }
}
