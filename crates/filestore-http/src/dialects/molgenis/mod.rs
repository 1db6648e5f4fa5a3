//! MOLGENIS, as documented on the page "Files api".

mod error;
mod handler;
mod route;
mod wire;

use async_trait::async_trait;

use crate::auth::{Right, token};
use crate::dialect::{Answer, Call, Credentials, Dialect, Fault, Head};
use crate::host::Host;
use route::Route;

/// Upload of a raw body with its name in a header; metadata, download, delete.
#[derive(Clone, Copy, Debug, Default)]
pub struct Molgenis;

impl Molgenis {
    /// Where the page has it.
    pub const MOUNT: &'static str = "/api/files";
}

#[async_trait]
impl Dialect for Molgenis {
    type Route = Route;

    fn name(&self) -> &'static str {
        "molgenis"
    }

    fn route(&self, head: Head<'_>) -> Result<Route, Fault> {
        route::of(head)
    }

    fn access(&self, route: &Route) -> Right {
        match route {
            Route::Upload | Route::Delete(_) => Right::Write,
            Route::Metadata(_) | Route::Download(_) => Right::Read,
        }
    }

    /// The header `x-molgenis-token`; else a Bearer token; else the session cookie.
    fn credentials<'a>(&self, head: Head<'a>) -> filestore::Result<Credentials<'a>> {
        let header = token::header(head.headers(), "x-molgenis-token")?;
        if let Some(token) = header.or(token::bearer(head.headers())?) {
            return Ok(Credentials::Token(token));
        }
        let cookie = token::cookie(head.headers(), "JSESSIONID")?;
        Ok(cookie.map_or(Credentials::None, Credentials::Cookie))
    }

    async fn handle(&self, route: Route, call: Call<'_>) -> Result<Answer, Fault> {
        match route {
            Route::Upload => handler::upload(call).await,
            Route::Metadata(id) => handler::metadata(call, id).await,
            Route::Download(id) => handler::download(call, id).await,
            Route::Delete(id) => handler::delete(call, id).await,
        }
    }

    fn render(&self, fault: &Fault, head: Head<'_>, host: &Host) -> Answer {
        error::render(fault, head.method(), &host.base_url(head.parts))
    }
}
