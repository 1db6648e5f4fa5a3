//! Faults in JEA's words: `{"ok": false, "status": "…"}`.

use filestore::ErrorKind;

use super::wire::Status;
use crate::dialect::{Answer, Fault};
use crate::protocol::json;

pub(super) fn render(fault: &Fault) -> Answer {
    let unauthorized = fault.kind() == Some(ErrorKind::Unauthenticated);
    let status = if unauthorized { "Unauthorized".to_owned() } else { fault.message() };
    json(fault.status(), &Status { ok: false, status: &status })
}
