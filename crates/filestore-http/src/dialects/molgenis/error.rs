//! Faults in MOLGENIS' words: problem details with its error codes.

use filestore::ErrorKind;
use http::{HeaderValue, Method};

use super::wire::Problem;
use crate::dialect::{Answer, Fault};
use crate::protocol::json_as;

/// The table: which code stands for which kind.
fn code(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::NotFound => Some("D02a"),
        ErrorKind::Unauthenticated | ErrorKind::Forbidden => Some("DS04a"),
        _ => None,
    }
}

pub(super) fn render(fault: &Fault, method: &Method, base: &str) -> Answer {
    let status = fault.status();
    let detail = match fault.kind() {
        Some(ErrorKind::Unauthenticated | ErrorKind::Forbidden) => missing_permission(method),
        _ => fault.message(),
    };
    let problem = Problem {
        kind: format!("{base}/problem"),
        title: status.canonical_reason().unwrap_or("Error"),
        status: status.as_u16(),
        detail,
        error_code: fault.kind().and_then(code),
    };
    let media = HeaderValue::from_static("application/problem+json");
    json_as(status, media, &problem)
}

fn missing_permission(method: &Method) -> String {
    let permission = match *method {
        Method::POST => "ADD_DATA",
        Method::DELETE => "DELETE_DATA",
        _ => "READ_DATA",
    };
    format!("No '{permission}' permission on entity type 'sys_FileMeta'.")
}
