//! iDempiere, as documented on the page "Uploads API".

mod error;
mod handler;
mod record;
mod route;
mod wire;

use async_trait::async_trait;

use crate::auth::{Right, token};
use crate::dialect::{Answer, Call, Credentials, Dialect, Fault, Head};
use crate::host::Host;
use crate::presign::is_presigned;
use route::Route;

/// Chunked uploads with a hash for each chunk and for the file, presigned URLs, and copies to the
/// records of other tables.
#[derive(Clone, Copy, Debug)]
pub struct Idempiere {
    resource: Resource,
}

/// What is mounted: the page's uploads, or the records that copies went to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resource {
    Uploads,
    Models,
}

impl Idempiere {
    /// Where the page has uploads.
    pub const UPLOADS: &'static str = "/api/v1/uploads";
    /// Where the platform has records.
    pub const MODELS: &'static str = "/api/v1/models";

    /// The page's routes.
    pub fn uploads() -> Self {
        Self { resource: Resource::Uploads }
    }

    /// The routes that read what was copied to a record.
    pub fn models() -> Self {
        Self { resource: Resource::Models }
    }
}

#[async_trait]
impl Dialect for Idempiere {
    type Route = Route;

    fn name(&self) -> &'static str {
        "idempiere"
    }

    fn route(&self, head: Head<'_>) -> Result<Route, Fault> {
        match self.resource {
            Resource::Uploads => route::of_uploads(head),
            Resource::Models => route::of_models(head),
        }
    }

    fn access(&self, route: &Route) -> Right {
        match route {
            Route::Begin | Route::Chunk(..) | Route::Cancel(_) | Route::Copy(_) => Right::Write,
            Route::List
            | Route::Status(..)
            | Route::File(..)
            | Route::Attachments(_)
            | Route::Attachment(..) => Right::Read,
        }
    }

    /// A signature in the query, and then nothing else counts; else a Bearer token.
    fn credentials<'a>(&self, head: Head<'a>) -> filestore::Result<Credentials<'a>> {
        if is_presigned(head.query()) {
            return Ok(Credentials::Presigned);
        }
        let token = token::bearer(head.headers())?;
        Ok(token.map_or(Credentials::None, Credentials::Token))
    }

    async fn handle(&self, route: Route, call: Call<'_>) -> Result<Answer, Fault> {
        match route {
            Route::Begin => handler::begin(call).await,
            Route::List => handler::list(call).await,
            Route::Status(id, url) => handler::status(call, id, url).await,
            Route::Cancel(id) => handler::cancel(call, id).await,
            Route::Chunk(id, order) => handler::chunk(call, id, order).await,
            Route::File(id, form) => handler::file(call, id, form).await,
            Route::Copy(id) => handler::copy(call, id).await,
            Route::Attachments(record) => handler::attachments(call, &record).await,
            Route::Attachment(record, name) => handler::attachment(call, &record, &name).await,
        }
    }

    fn render(&self, fault: &Fault, head: Head<'_>, _: &Host) -> Answer {
        error::render(fault, matches!(self.credentials(head), Ok(Credentials::None)))
    }
}
