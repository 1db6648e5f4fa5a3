//! Cognite CDF, as documented on the pages "Cognite CDF Files".

mod error;
mod handler;
mod route;
mod wire;

use async_trait::async_trait;
use filestore::{Error, ErrorKind};

use crate::auth::{Right, token};
use crate::dialect::{Answer, Call, Credentials, Dialect, Fault, Head};
use crate::host::Host;
use crate::presign::is_presigned;
use route::{Action, Route};

/// Metadata first, content afterwards to a signed URL; external ids, overwriting, lists, search,
/// updates, uploads in parts. The project of a path is the token's tenant.
#[derive(Clone, Copy, Debug)]
pub struct Cdf {
    place: Place,
}

/// What is below a mount point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// `/{project}/files…`
    Projects,
    /// What is below the files of the token's own project.
    Bare,
    /// `/inspect`
    Tokens,
}

impl Cdf {
    /// Where the platform has its projects.
    pub const PROJECTS: &'static str = "/api/v1/projects";
    /// Where the page has the files.
    pub const FILES: &'static str = "/files";
    /// Where the platform tells what a token is good for.
    pub const TOKENS: &'static str = "/api/v1/token";

    /// The terms of a file that hold its security categories, for
    /// [`enforce_security_categories`](crate::AdapterBuilder::enforce_security_categories).
    pub const SECURITY_CATEGORIES: &'static str = wire::SECURITY_CATEGORIES;

    /// Files of the project that the path names; for [`Cdf::PROJECTS`].
    pub const fn projects() -> Self {
        Self::at(Place::Projects)
    }

    /// Files of the project that the token is for; for [`Cdf::FILES`].
    pub const fn bare() -> Self {
        Self::at(Place::Bare)
    }

    /// The inspection of tokens; for [`Cdf::TOKENS`].
    pub const fn tokens() -> Self {
        Self::at(Place::Tokens)
    }

    /// All of it, each with its mount point.
    pub const fn mounts() -> [(&'static str, Self); 3] {
        [
            (Self::PROJECTS, Self::projects()),
            (Self::FILES, Self::bare()),
            (Self::TOKENS, Self::tokens()),
        ]
    }

    const fn at(place: Place) -> Self {
        Self { place }
    }
}

#[async_trait]
impl Dialect for Cdf {
    type Route = Route;

    fn name(&self) -> &'static str {
        "cdf"
    }

    fn route(&self, head: Head<'_>) -> Result<Route, Fault> {
        route::of(head, self.place)
    }

    fn access(&self, route: &Route) -> Right {
        match route.action {
            Action::Create { .. }
            | Action::BeginParts { .. }
            | Action::CompleteParts
            | Action::UploadLink
            | Action::PartLinks(_)
            | Action::Update
            | Action::Delete
            | Action::PutContent(_)
            | Action::PutPart { .. } => Right::Write,
            Action::List
            | Action::Browse(_)
            | Action::Show(_)
            | Action::ByIds
            | Action::Search
            | Action::Aggregate
            | Action::DownloadLink(_)
            | Action::GetContent(_)
            | Action::Inspect => Right::Read,
        }
    }

    /// A signed URL speaks for itself, whatever else the client sends along; else a Bearer token.
    fn credentials<'a>(&self, head: Head<'a>) -> filestore::Result<Credentials<'a>> {
        if is_presigned(head.query()) {
            return Ok(Credentials::Presigned);
        }
        let token = token::bearer(head.headers())?;
        Ok(token.map_or(Credentials::None, Credentials::Token))
    }

    async fn handle(&self, route: Route, call: Call<'_>) -> Result<Answer, Fault> {
        let tenant = call.principal.tenant.as_str();
        if route.project.as_deref().is_some_and(|project| project != tenant) {
            return Err(Error::new(ErrorKind::Unauthenticated, "no access to this project").into());
        }
        handler::handle(self, route.action, call).await
    }

    fn render(&self, fault: &Fault, head: Head<'_>, _: &Host) -> Answer {
        error::render(fault, is_presigned(head.query()))
    }
}
