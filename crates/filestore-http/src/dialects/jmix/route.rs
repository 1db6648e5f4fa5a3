//! Requests become routes.

use http::Method;

use crate::dialect::{Fault, Head};
use crate::protocol::query::{Query, segments};

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Route {
    /// `POST /files[?name=…]`
    Upload(Upload),
    /// `GET /files?fileRef=…[&attachment=true]`
    Download(Wanted),
    /// `POST /entities/{entity}`
    Create(String),
    /// `GET /entities/{entity}/{id}`
    Load(String, String),
    /// `PUT /entities/{entity}/{id}`
    Update(String, String),
    /// `DELETE /entities/{entity}/{id}`
    Remove(String, String),
}

/// Parameters of an upload.
#[derive(Debug, PartialEq, Eq)]
pub struct Upload {
    /// The name that beats the form's own.
    pub(super) name: Option<String>,
    pub(super) storage: Option<String>,
}

/// Parameters of a download.
#[derive(Debug, PartialEq, Eq)]
pub struct Wanted {
    pub(super) reference: Option<String>,
    pub(super) attachment: bool,
}

pub(super) fn of(head: Head<'_>) -> Result<Route, Fault> {
    let segments = segments(head.path)?;
    let segments: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
    match (head.method(), segments.as_slice()) {
        (&Method::POST, ["files"]) => upload(head),
        (&Method::GET | &Method::HEAD, ["files"]) => download(head),
        (_, ["files"]) => Err(Fault::Method("GET, HEAD, POST")),
        (&Method::POST, ["entities", entity]) => Ok(Route::Create((*entity).into())),
        (_, ["entities", _]) => Err(Fault::Method("POST")),
        (method, ["entities", entity, id]) => {
            let (entity, id) = ((*entity).to_owned(), (*id).to_owned());
            match *method {
                Method::GET | Method::HEAD => Ok(Route::Load(entity, id)),
                Method::PUT => Ok(Route::Update(entity, id)),
                Method::DELETE => Ok(Route::Remove(entity, id)),
                _ => Err(Fault::Method("GET, HEAD, PUT, DELETE")),
            }
        }
        _ => Err(Fault::NoRoute),
    }
}

fn upload(head: Head<'_>) -> Result<Route, Fault> {
    let query = Query::parse(head.query())?;
    let parameter = |name| query.first(name).filter(|it| !it.is_empty()).map(str::to_owned);
    Ok(Route::Upload(Upload { name: parameter("name"), storage: parameter("storageName") }))
}

fn download(head: Head<'_>) -> Result<Route, Fault> {
    let query = Query::parse(head.query())?;
    let attachment = query.first("attachment") == Some("true");
    Ok(Route::Download(Wanted { reference: query.first("fileRef").map(str::to_owned), attachment }))
}
