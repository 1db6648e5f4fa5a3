//! JEA, as documented on the page "Upload a File to JEA".

mod error;
mod handler;
mod route;
mod wire;

use async_trait::async_trait;

use crate::auth::{Right, token};
use crate::dialect::{Answer, Call, Credentials, Dialect, Fault, Head};
use crate::host::Host;
use route::Route;

/// Upload under a JWT, download by an opaque handle. The name a file was uploaded under is dropped
/// on arrival: nobody gets it from this server again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Jea;

impl Jea {
    /// Where the page has it.
    pub const MOUNT: &'static str = "/jea_web/api";
}

#[async_trait]
impl Dialect for Jea {
    type Route = Route;

    fn name(&self) -> &'static str {
        "jea"
    }

    fn route(&self, head: Head<'_>) -> Result<Route, Fault> {
        route::of(head)
    }

    fn access(&self, route: &Route) -> Right {
        match route {
            Route::Upload | Route::Delete(_) => Right::Write,
            Route::Download(_) | Route::View(_) => Right::Read,
        }
    }

    /// A Bearer token; else the cookie that logging on sets.
    fn credentials<'a>(&self, head: Head<'a>) -> filestore::Result<Credentials<'a>> {
        if let Some(token) = token::bearer(head.headers())? {
            return Ok(Credentials::Token(token));
        }
        let cookie = token::cookie(head.headers(), "session_token")?;
        Ok(cookie.map_or(Credentials::None, Credentials::Cookie))
    }

    async fn handle(&self, route: Route, call: Call<'_>) -> Result<Answer, Fault> {
        match route {
            Route::Upload => handler::upload(call).await,
            Route::Download(handle) => handler::download(call, handle).await,
            Route::View(handle) => handler::view(call, handle).await,
            Route::Delete(handle) => handler::delete(call, handle).await,
        }
    }

    fn render(&self, fault: &Fault, _: Head<'_>, _: &Host) -> Answer {
        error::render(fault)
    }
}
