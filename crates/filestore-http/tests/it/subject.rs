//! A dialect, as far as the shared contract needs to know it.

use http::{Method, StatusCode};
use serde_json::Value;

use crate::harness::{Ask, Reply};
use crate::{cdf, idempiere, jea, jmix, molgenis};

/// How a dialect says what all of them say.
pub(crate) trait Subject: Sync {
    /// Where it is mounted.
    fn mount(&self) -> &'static str;

    /// A request without credentials that stores `file`; it may be [after](Ask::after) another.
    fn upload(&self, file: &File<'_>) -> Ask;

    /// How the answer to an upload names the file.
    fn id(&self, uploaded: &Reply) -> String;

    /// Where the content is of a file with this id, which may be anything that fits into a URL.
    fn at(&self, id: &str) -> String;

    /// Where the content is of the file that this answer to an upload is about.
    fn stored(&self, uploaded: &Reply) -> String {
        self.at(&self.id(uploaded))
    }

    /// Requests that would change the file with this id; if it can be deleted, the last one does.
    fn changes(&self, id: &str) -> Vec<Ask>;

    /// What a colleague gets who asks for the content.
    fn to_colleagues(&self) -> u16 {
        200
    }

    /// What those get who name no file.
    fn not_found(&self) -> u16 {
        404
    }

    /// An id that is well-formed, and no file's.
    fn unknown(&self) -> &'static str;

    /// Requests that no route takes, and the methods that are allowed at their paths.
    fn misdirected(&self) -> Vec<(Ask, &'static str)>;

    /// Uploads whose media type is refused; empty where every type is a file's.
    fn refused_media(&self) -> Vec<Ask>;

    /// Fails unless the answer is an error in the dialect's own shape.
    fn assert_error(&self, reply: &Reply);
}

/// All of them.
pub(crate) const ALL: [&'static dyn Subject; 5] =
    [&jea::Api, &molgenis::Api, &jmix::Api, &idempiere::Api, &cdf::Api];

/// What is uploaded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct File<'f> {
    pub(crate) name: &'f str,
    pub(crate) content_type: &'f str,
    pub(crate) content: &'f [u8],
}

impl<'f> File<'f> {
    /// A file of which the content is what matters.
    pub(crate) fn of(content: &'f [u8]) -> Self {
        Self { name: "data.bin", content_type: "application/octet-stream", content }
    }
}

/// A form with one file in the part `field`, as curl sends it.
pub(crate) fn form(target: &str, field: &str, file: &File<'_>) -> Ask {
    let File { name, content_type, content } = file;
    let name = name.replace('\\', "\\\\").replace('"', "\\\"");
    let mut body = format!(
        "--{BOUNDARY}\r\n\
         Content-Disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\n\
         Content-Type: {content_type}\r\n\r\n"
    )
    .into_bytes();
    body.extend_from_slice(content);
    body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    Ask::post(target)
        .header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"))
        .body(body)
}

/// What curl puts between the parts of a form.
pub(crate) const BOUNDARY: &str = "------------------------d74496d66958873e";

/// Fails unless the answer is a refusal for want of a good token.
#[track_caller]
pub(crate) fn assert_challenge(reply: &Reply) {
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    assert_eq!(reply.header("www-authenticate"), "Bearer");
}

/// Text of a JSON member; fails when it is none, or empty.
#[track_caller]
pub(crate) fn words(value: &Value) -> &str {
    let text = value.as_str().unwrap_or_else(|| panic!("no text: {value}"));
    assert!(!text.is_empty());
    text
}

/// A request that uses some method where it is not allowed.
pub(crate) fn wrong(method: Method, target: &str, allowed: &'static str) -> (Ask, &'static str) {
    (Ask::new(method, target), allowed)
}
