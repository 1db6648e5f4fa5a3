//! Faults in JEA's words: `{"ok": false, "status": "…"}`.

use filestore::ErrorKind;
use http::{HeaderValue, header};

use super::wire::Status;
use crate::dialect::{Answer, Fault};
use crate::protocol::json;

pub(super) fn render(fault: &Fault) -> Answer {
    let unauthorized = fault.kind() == Some(ErrorKind::Unauthenticated);
    let status = if unauthorized { "Unauthorized".to_owned() } else { fault.message() };
    let mut answer = json(fault.status(), &Status { ok: false, status: &status });
    if unauthorized {
        answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    answer
}
