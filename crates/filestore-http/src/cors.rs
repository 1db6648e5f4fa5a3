//! Cross-origin calls from browsers (the Fetch standard's CORS protocol). Off unless origins are
//! named.

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use crate::dialect::Answer;
use crate::protocol::empty;

const ALLOWED_METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, DELETE");
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "Location, ETag, Content-Disposition, Content-Range, Accept-Ranges, Repr-Digest, X-Request-Id",
);
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// Which pages of other origins may call, with tokens they hold and never with cookies.
#[derive(Clone, Debug, Default)]
pub struct Cors {
    origins: Vec<HeaderValue>,
}

impl Cors {
    /// Lets in pages of these origins: `https://app.example`, or `*` for all.
    pub fn new(origins: Vec<HeaderValue>) -> Self {
        Self { origins }
    }

    /// The answer to a preflight request; `None` when it is none, or nothing is allowed.
    pub(crate) fn preflight(&self, head: &Parts) -> Option<Answer> {
        let asks = head.method == Method::OPTIONS
            && head.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if !asks || self.allowed(&head.headers).is_none() {
            return None;
        }
        let mut answer = empty(StatusCode::NO_CONTENT);
        let headers = answer.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, ALLOWED_METHODS);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        if let Some(asked) = head.headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
        }
        Some(answer)
    }

    /// Lets an allowed page read the answer.
    pub(crate) fn expose(&self, head: &Parts, headers: &mut HeaderMap) {
        if self.origins.is_empty() {
            return;
        }
        vary(headers, header::ORIGIN);
        if let Some(origin) = self.allowed(&head.headers) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }

    fn allowed<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
        let origin = headers.get(header::ORIGIN)?;
        self.origins.iter().any(|it| it == origin || it == "*").then_some(origin)
    }
}

fn vary(headers: &mut HeaderMap, name: HeaderName) {
    headers.append(header::VARY, name.into());
}
