//! What a documented API looks like from here: [`Dialect`].
//!
//! Route, decide, render are three functions, and a dialect is a translation only: a request
//! becomes a route, a route becomes calls of the store, an outcome becomes an answer.

use std::fmt::Debug;

use async_trait::async_trait;
use filestore::{Error, ErrorKind, Files};
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode};

use crate::auth::{Principal, Right};
use crate::body::{RequestBody, ResponseBody};
use crate::host::Host;

/// The head of a request, and where in it the dialect's own path begins.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// All of it.
    pub parts: &'a Parts,
    /// The path below the mount point: empty, or beginning with a slash. Not decoded.
    pub path: &'a str,
    /// The mount point, as the client wrote it.
    pub mount: &'a str,
}

impl<'a> Head<'a> {
    /// The method. HEAD takes the same path as GET; the adapter drops the body.
    pub fn method(&self) -> &'a Method {
        &self.parts.method
    }

    /// The headers.
    pub fn headers(&self) -> &'a HeaderMap {
        &self.parts.headers
    }

    /// The query without its question mark; empty when there is none. Not decoded.
    pub fn query(&self) -> &'a str {
        self.parts.uri.query().unwrap_or_default()
    }
}

/// What a request presents to be let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credentials<'a> {
    /// Nothing.
    None,
    /// A token in a header.
    Token(&'a str),
    /// A token in a cookie, which browsers send unasked: writes from foreign origins are refused.
    Cookie(&'a str),
    /// A signature in the query.
    Presigned,
}

/// A request that was let in.
#[derive(Debug)]
pub struct Call<'c> {
    /// The caller's files.
    pub files: Files,
    /// The caller.
    pub principal: Principal,
    /// The request.
    pub head: Head<'c>,
    /// Its body, unread.
    pub body: &'c mut RequestBody,
    /// What the server is.
    pub host: &'c Host,
    /// Whether this dialect's downloads may be answered with a redirect to where the bytes are kept.
    pub redirects: bool,
}

impl Call<'_> {
    /// Scheme and authority that the client reaches this server by, without a slash at the end.
    pub fn base_url(&self) -> String {
        self.host.base_url(self.head.parts)
    }
}

/// Why a request was not answered as it wished.
#[derive(Debug)]
pub enum Fault {
    /// There is nothing at this path.
    NoRoute,
    /// There is, and not for this method; these are allowed.
    Method(&'static str),
    /// The media type of the body is refused.
    Media(&'static str),
    /// The store, or a check before it, says no.
    Store(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl Fault {
    /// The status that HTTP itself suggests. Dialects depart from it where their pages do.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NoRoute => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Media(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Store(error) => status_of(error.kind()),
        }
    }

    /// The kind of the store's error, if it is one.
    pub fn kind(&self) -> Option<ErrorKind> {
        match self {
            Self::Store(error) => Some(error.kind()),
            _ => None,
        }
    }

    /// A sentence for people. What went wrong on this side of the wire is not the client's to know.
    pub fn message(&self) -> String {
        match self {
            Self::NoRoute => "there is nothing at this path".into(),
            Self::Method(allowed) => {
                format!("the method is not allowed here, these are: {allowed}")
            }
            Self::Media(refused) => (*refused).into(),
            Self::Store(error) => match error.kind() {
                ErrorKind::Internal => "internal error".into(),
                ErrorKind::Unavailable => "the storage is unavailable".into(),
                _ => error.to_string(),
            },
        }
    }
}

fn status_of(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::AlreadyExists | ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorKind::Forbidden => StatusCode::FORBIDDEN,
        ErrorKind::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        ErrorKind::RangeNotSatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::Expired => StatusCode::GONE,
        ErrorKind::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::InvalidArgument
        | ErrorKind::DigestMismatch
        | ErrorKind::Incomplete
        | ErrorKind::Interrupted => StatusCode::BAD_REQUEST,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// An answer on its way out.
pub type Answer = Response<ResponseBody>;

/// A documented API.
#[async_trait]
pub trait Dialect: Debug + Send + Sync + 'static {
    /// Its routes: what a request asks for, with everything taken out of path and query.
    type Route: Debug + Send + 'static;

    /// Its name, for configuration and logs.
    fn name(&self) -> &'static str;

    /// What a request asks for, once it is known who asks. Looks at nothing but the head.
    ///
    /// # Errors
    /// [`Fault::NoRoute`], [`Fault::Method`], or what is wrong with path or query.
    fn route(&self, head: Head<'_>) -> Result<Self::Route, Fault>;

    /// The right that the route asks of the caller. There is no route for nobody.
    fn access(&self, route: &Self::Route) -> Right;

    /// Where this API's clients put their credentials.
    ///
    /// # Errors
    /// [`Unauthenticated`](ErrorKind::Unauthenticated) when the places contradict each other.
    fn credentials<'a>(&self, head: Head<'a>) -> filestore::Result<Credentials<'a>>;

    /// Does what the route asks for.
    ///
    /// # Errors
    /// Whatever [`render`](Self::render) turns into this API's words.
    async fn handle(&self, route: Self::Route, call: Call<'_>) -> Result<Answer, Fault>;

    /// The answer to a request that failed, in this API's shape.
    fn render(&self, fault: &Fault, head: Head<'_>, host: &Host) -> Answer;
}
