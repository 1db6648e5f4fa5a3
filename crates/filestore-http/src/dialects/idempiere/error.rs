//! Faults in iDempiere's words: `{"title": "…", "status": 404, "detail": "…"}`; a few that come
//! before any session is looked at are `{"error": "…"}`.

use filestore::{Error, ErrorKind};
use http::StatusCode;
use serde::Serialize;

use crate::dialect::{Answer, Fault};
use crate::protocol::{empty, json};

#[derive(Serialize)]
struct Problem<'p> {
    title: &'p str,
    status: u16,
    #[serde(skip_serializing_if = "str::is_empty")]
    detail: &'p str,
}

#[derive(Serialize)]
struct Plain<'p> {
    error: &'p str,
}

/// Begins the message of a fault that is shown as `{"error": "…"}`.
const PLAIN: char = '\u{1}';

/// A fault that is shown as `{"error": "…"}`.
pub(super) fn plain(message: &str) -> Fault {
    Error::invalid(format!("{PLAIN}{message}")).into()
}

pub(super) fn unknown_session(id: &str) -> Fault {
    Error::not_found(format!("Upload session not found: \n{id}")).into()
}

pub(super) fn canceled(id: &str) -> Fault {
    Error::invalid(format!("Upload session has been canceled: \n{id}")).into()
}

pub(super) fn expired(id: &str) -> Fault {
    Error::new(ErrorKind::Expired, format!("Upload session has expired: \n{id}")).into()
}

pub(super) fn already(state: &str, id: &str) -> Fault {
    Error::conflict(format!("Upload session is already: {state}\n{id}")).into()
}

/// The title is the message up to its line end, the detail what comes after. A stranger, who showed
/// no credentials at all, gets no body either.
pub(super) fn render(fault: &Fault, is_stranger: bool) -> Answer {
    let status = fault.status();
    let message = fault.message();
    if status == StatusCode::UNAUTHORIZED && is_stranger {
        return empty(status);
    }
    if let Some(error) = message.strip_prefix(PLAIN) {
        return json(status, &Plain { error });
    }
    let (title, detail) = message.split_once('\n').unwrap_or((&message, ""));
    json(status, &Problem { title, status: status.as_u16(), detail })
}
