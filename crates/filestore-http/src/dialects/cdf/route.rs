//! Requests become routes.

use std::time::Duration;

use filestore::{Error, FileId, FileNumber};
use http::Method;

use super::Place;
use super::wire::{ListBody, parse_upload_id};
use crate::dialect::{Fault, Head};
use crate::protocol::query::{Query, segments};

/// How long a download link is good.
const DOWNLOAD: Duration = Duration::from_secs(30);
/// And how long when the client asks for more.
const DOWNLOAD_EXTENDED: Duration = Duration::from_secs(3600);
/// Most parts of an upload.
const MAX_PARTS: u32 = 250;

/// What a request asks for, and in which project; `None` is the token's own.
#[derive(Debug)]
pub struct Route {
    pub(super) project: Option<String>,
    pub(super) action: Action,
}

/// What a request asks for. Paths are below `files`, but for the last.
#[derive(Debug)]
pub(super) enum Action {
    /// `POST /`
    Create {
        /// Whether a file with this external id is changed.
        overwrite: bool,
    },
    /// `POST /initmultipartupload`
    BeginParts {
        /// As for `Create`.
        overwrite: bool,
        /// How many parts there will be.
        parts: u32,
    },
    /// `POST /completemultipartupload`
    CompleteParts,
    /// `POST /uploadlink`
    UploadLink,
    /// `POST /multiuploadlink`
    PartLinks(u32),
    /// `POST /list`
    List,
    /// `GET /`, which is the same with a query
    Browse(Box<ListBody>),
    /// `GET /{id}`
    Show(FileNumber),
    /// `POST /byids`
    ByIds,
    /// `POST /search`
    Search,
    /// `POST /aggregate`
    Aggregate,
    /// `POST /update`
    Update,
    /// `POST /delete`
    Delete,
    /// `POST /downloadlink`; links live so long
    DownloadLink(Duration),
    /// `PUT /{id}/content`, our upload URL
    PutContent(FileNumber),
    /// `GET /{id}/content`, our download URL
    GetContent(FileNumber),
    /// `PUT /{id}/parts/{uploadId}/{part}`, our upload URL of one part
    PutPart {
        /// The file it is a part of.
        file: FileNumber,
        /// The upload it belongs to.
        upload: FileId,
        /// Its position, from 1.
        part: u32,
    },
    /// `GET /api/v1/token/inspect`
    Inspect,
}

pub(super) fn of(head: Head<'_>, place: Place) -> Result<Route, Fault> {
    let segments = segments(head.path)?;
    let mut segments: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
    if segments.last() == Some(&"") {
        segments.pop();
    }
    match (place, segments.as_slice()) {
        (Place::Projects, [project, "files", below @ ..]) if !project.is_empty() => {
            Ok(Route { project: Some((*project).to_owned()), action: action(head, below)? })
        }
        (Place::Bare, below) => Ok(Route { project: None, action: action(head, below)? }),
        (Place::Tokens, ["inspect"]) => {
            only(head, &[Method::GET, Method::HEAD], "GET, HEAD")?;
            Ok(Route { project: None, action: Action::Inspect })
        }
        _ => Err(Fault::NoRoute),
    }
}

fn action(head: Head<'_>, below: &[&str]) -> Result<Action, Fault> {
    let reads = matches!(*head.method(), Method::GET | Method::HEAD);
    let query = || Query::parse(head.query());
    match below {
        [] if reads => Ok(Action::Browse(Box::new(ListBody::read(&query()?)?))),
        [] => {
            only(head, &[Method::POST], "GET, HEAD, POST")?;
            Ok(Action::Create { overwrite: flag(&query()?, "overwrite")? })
        }
        [
            verb @ ("initmultipartupload"
            | "completemultipartupload"
            | "uploadlink"
            | "multiuploadlink"
            | "list"
            | "byids"
            | "search"
            | "aggregate"
            | "update"
            | "delete"
            | "downloadlink"),
        ] => {
            only(head, &[Method::POST], "POST")?;
            asked(verb, &query()?)
        }
        [id] => {
            only(head, &[Method::GET, Method::HEAD], "GET, HEAD")?;
            Ok(Action::Show(number(id)?))
        }
        [id, "content"] if reads => Ok(Action::GetContent(number(id)?)),
        [id, "content"] => {
            only(head, &[Method::PUT], "GET, HEAD, PUT")?;
            Ok(Action::PutContent(number(id)?))
        }
        [id, "parts", upload, part] => {
            only(head, &[Method::PUT], "PUT")?;
            let upload =
                parse_upload_id(upload).ok_or_else(|| Error::invalid("no such uploadId"))?;
            let part = part.parse().map_err(|_| Error::invalid("a part is a number"))?;
            Ok(Action::PutPart { file: number(id)?, upload, part })
        }
        _ => Err(Fault::NoRoute),
    }
}

/// The action behind the last segment of a path that takes POST only.
fn asked(verb: &str, query: &Query) -> Result<Action, Fault> {
    Ok(match verb {
        "initmultipartupload" => {
            Action::BeginParts { overwrite: flag(query, "overwrite")?, parts: parts(query)? }
        }
        "completemultipartupload" => Action::CompleteParts,
        "uploadlink" => Action::UploadLink,
        "multiuploadlink" => Action::PartLinks(parts(query)?),
        "list" => Action::List,
        "byids" => Action::ByIds,
        "search" => Action::Search,
        "aggregate" => Action::Aggregate,
        "update" => Action::Update,
        "delete" => Action::Delete,
        "downloadlink" if flag(query, "extendedExpiration")? => {
            Action::DownloadLink(DOWNLOAD_EXTENDED)
        }
        "downloadlink" => Action::DownloadLink(DOWNLOAD),
        _ => return Err(Fault::NoRoute),
    })
}

fn only(head: Head<'_>, methods: &[Method], allowed: &'static str) -> Result<(), Fault> {
    if methods.contains(head.method()) { Ok(()) } else { Err(Fault::Method(allowed)) }
}

fn number(text: &str) -> Result<FileNumber, Fault> {
    let wrong = || Error::invalid("an id is an integer from 1 to 9007199254740991");
    Ok(text.parse().ok().and_then(FileNumber::new).ok_or_else(wrong)?)
}

fn parts(query: &Query) -> filestore::Result<u32> {
    let parts = query.first("parts").and_then(|text| text.parse().ok());
    parts
        .filter(|parts| (1..=MAX_PARTS).contains(parts))
        .ok_or_else(|| Error::invalid(format!("parts is an integer from 1 to {MAX_PARTS}")))
}

/// Absent is false. One of the official clients writes `True` and `False`.
fn flag(query: &Query, name: &str) -> filestore::Result<bool> {
    let value = query.first(name).unwrap_or("false").to_ascii_lowercase();
    match value.as_str() {
        "false" => Ok(false),
        "true" => Ok(true),
        _ => Err(Error::invalid(format!("{name} is true or false"))),
    }
}
