//! Requests that dialects turn into routes.

use std::fmt;
use std::hint::black_box;

use filestore_http::dialects::{Cdf, Idempiere, Jea, Jmix, Molgenis};
use filestore_http::{Dialect, Head};
use http::{Method, Request};

/// A request, and the dialect that knows what it asks for.
pub struct Asked {
    /// Dialect and request, as in the names of benches.
    pub name: &'static str,
    route: Box<dyn Fn()>,
}

impl Asked {
    fn new(
        name: &'static str,
        dialect: impl Dialect,
        method: Method,
        mount: &'static str,
        below: &str,
    ) -> Self {
        let request = Request::builder().method(method).uri(format!("{mount}{below}"));
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let route = move || {
            let path = parts.uri.path().strip_prefix(mount).unwrap();
            let route = dialect.route(Head { parts: &parts, path, mount }).unwrap();
            black_box(dialect.access(&route));
        };
        Self { name, route: Box::new(route) }
    }

    /// Routes the request, and asks which right that needs.
    pub fn route(&self) {
        (self.route)();
    }
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Of each dialect a short path and a long one.
pub fn requests() -> Vec<Asked> {
    let projects = Cdf::projects;
    let uploads = Idempiere::uploads;
    vec![
        Asked::new("jea/upload", Jea, Method::POST, Jea::MOUNT, "/upload"),
        Asked::new(
            "jea/download",
            Jea,
            Method::GET,
            Jea::MOUNT,
            "/download/0192f0c12b3a7c4d8e5f60718293a4b5",
        ),
        Asked::new("cdf/list", projects(), Method::POST, Cdf::PROJECTS, "/acme/files/list"),
        Asked::new(
            "cdf/part",
            projects(),
            Method::PUT,
            Cdf::PROJECTS,
            "/acme/files/4503599627370497/parts/0192f0c12b3a7c4d8e5f60718293a4b5/17",
        ),
        Asked::new("molgenis/upload", Molgenis, Method::POST, Molgenis::MOUNT, ""),
        Asked::new(
            "molgenis/download",
            Molgenis,
            Method::GET,
            Molgenis::MOUNT,
            "/agjpbqjlhj6e3ds7mbyyfe5ewu?alt=media",
        ),
        Asked::new(
            "jmix/upload",
            Jmix::default(),
            Method::POST,
            Jmix::MOUNT,
            "/files?name=cat-via-direct-request.jpg",
        ),
        Asked::new(
            "jmix/download",
            Jmix::default(),
            Method::GET,
            Jmix::MOUNT,
            "/files?fileRef=fs%3A%2F%2F2021%2F03%2F12%2Fa3b6011d-9040-151e-7d17-f7ccdf75d72f.jpg\
             %3Fname%3Dcat-via-direct-request.jpg",
        ),
        Asked::new("idempiere/begin", uploads(), Method::POST, Idempiere::UPLOADS, ""),
        Asked::new(
            "idempiere/chunk",
            uploads(),
            Method::PUT,
            Idempiere::UPLOADS,
            "/0192f0c1-2b3a-7c4d-8e5f-60718293a4b5/chunks/17",
        ),
    ]
}
