//! What every answer must look like.

use filestore::Digest;
use filestore_http::dialects::{Cdf, Idempiere, Jea, Jmix, Molgenis};
use filestore_http::protocol::digest::repr_digest;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, header, response};
use serde_json::Value;

/// Checks an answer to any request at all.
pub fn check(asked: &Parts, head: &response::Parts, body: &[u8]) {
    let text = String::from_utf8_lossy(body);
    let status = head.status;
    assert!(!status.is_server_error(), "{asked:?}: {status} {text}");
    assert!(head.headers.contains_key("x-request-id"), "{asked:?}");
    if asked.method == Method::HEAD {
        assert!(body.is_empty(), "{asked:?}: {text}");
        return;
    }
    if status == StatusCode::UNAUTHORIZED {
        assert!(head.headers.contains_key(header::WWW_AUTHENTICATE), "{asked:?}");
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        assert!(head.headers.contains_key(header::ALLOW), "{asked:?}");
    }
    if !body.is_empty() {
        assert_eq!(head.headers["x-content-type-options"], "nosniff", "{asked:?}");
    }
    if status == StatusCode::OK
        && let Some(declared) = head.headers.get("repr-digest")
        && !is_json(&head.headers)
    {
        assert_eq!(*declared, repr_digest(&Digest::of(body)), "{asked:?}");
    }
    if status.is_client_error() {
        check_refusal(asked, head, body);
    }
}

/// Whether the answer is JSON of our own making; a download may be JSON as well.
pub fn is_json(headers: &HeaderMap) -> bool {
    let is_download = headers.contains_key(header::CONTENT_DISPOSITION);
    let media = headers.get(header::CONTENT_TYPE).map(|value| value.as_bytes());
    !is_download && media.is_some_and(|it| it.ends_with(b"json"))
}

/// Every refusal is in the words of the dialect that was asked.
fn check_refusal(asked: &Parts, head: &response::Parts, body: &[u8]) {
    let path = asked.uri.path();
    let below = |mount: &str| {
        path.strip_prefix(mount).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let has_no_body = body.is_empty();
    let status = u64::from(head.status.as_u16());
    let refusal: Value = if is_json(&head.headers) {
        serde_json::from_slice(body).unwrap_or_else(|error| panic!("{asked:?}: {error}"))
    } else {
        Value::Null
    };
    let is_text = |name: &str| refusal[name].is_string();
    let is_well_said = if head.status == StatusCode::RANGE_NOT_SATISFIABLE {
        has_no_body
    } else if below(Molgenis::MOUNT) {
        refusal["status"] == status && is_text("type") && is_text("title") && is_text("detail")
    } else if below(Jea::MOUNT) {
        refusal["ok"] == false && is_text("status")
    } else if below(Jmix::MOUNT) {
        (head.status == StatusCode::UNAUTHORIZED && has_no_body)
            || (is_text("error") && is_text("details"))
    } else if below(Idempiere::UPLOADS) || below(Idempiere::MODELS) {
        (head.status == StatusCode::UNAUTHORIZED && has_no_body)
            || (refusal["status"] == status && is_text("title"))
            || is_text("error")
            // What a chunk is told that completes nothing.
            || (is_text("uploadId") && refusal["isLastChunk"] == false)
    } else if Cdf::mounts().iter().any(|(mount, _)| below(mount)) {
        refusal["error"]["code"] == status && refusal["error"]["message"].is_string()
    } else {
        head.status == StatusCode::NOT_FOUND
    };
    assert!(is_well_said, "{asked:?}: {head:?} {}", String::from_utf8_lossy(body));
}
