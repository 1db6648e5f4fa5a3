//! A short function for each route, all of them methods of the [`Project`] that is asked.

mod content;
mod files;
mod find;
mod parts;

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use filestore::{Error, FileKey, FileRecord, Files};
use http::{Method, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;

use super::error::{duplicated, missing};
use super::route::Action;
use super::wire::{Acl, Capability, Identifier, InspectedProject, Inspection, Nothing};
use super::{Cdf, Place};
use crate::auth::{Principal, Right};
use crate::body::RequestBody;
use crate::dialect::{Answer, Call, Fault, Head};
use crate::host::Host;
use crate::presign::Grant;
use crate::protocol::{Object, json, read_json};

/// How long an upload link is good: a week.
const UPLOAD: Duration = Duration::from_secs(7 * 86_400);
/// Most items of a request, where nothing else is said.
const MAX_ITEMS: usize = 1000;
/// What a segment of a path shows as it is (RFC 3986, section 2.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The project that a request is for, as its caller sees it.
pub(super) struct Project<'c> {
    files: Files,
    principal: Principal,
    head: Head<'c>,
    host: &'c Host,
    place: Place,
    redirects: bool,
}

/// Does what the action says.
pub(super) async fn handle(dialect: &Cdf, action: Action, call: Call<'_>) -> Result<Answer, Fault> {
    let Call { files, principal, head, body, host, redirects } = call;
    let Cdf { place } = *dialect;
    let project = Project { files, principal, head, host, place, redirects };
    match action {
        Action::Create { overwrite } => project.create(body, overwrite).await,
        Action::BeginParts { overwrite, parts } => {
            project.begin_parts(body, overwrite, parts).await
        }
        Action::CompleteParts => project.complete_parts(body).await,
        Action::UploadLink => project.upload_link(body).await,
        Action::PartLinks(parts) => project.part_links(body, parts).await,
        Action::List => project.list(body).await,
        Action::Browse(list) => project.page(&list).await,
        Action::Show(id) => project.show(id).await,
        Action::ByIds => project.by_ids(body).await,
        Action::Search => project.search(body).await,
        Action::Aggregate => project.aggregate(body).await,
        Action::Update => project.update(body).await,
        Action::Delete => project.delete(body).await,
        Action::DownloadLink(lifetime) => project.download_link(body, lifetime).await,
        Action::PutContent(id) => project.put_content(body, id).await,
        Action::GetContent(id) => project.get_content(id).await,
        Action::PutPart { file, upload, part } => project.put_part(body, file, upload, part).await,
        Action::Inspect => Ok(project.inspect()),
    }
}

impl Project<'_> {
    fn inspect(&self) -> Answer {
        let principal = &self.principal;
        let project = principal.tenant.as_str();
        let words = [(Right::Read, "READ"), (Right::Write, "WRITE")];
        let actions = words.into_iter().filter(|(right, _)| principal.rights.allows(*right));
        let inspection = Inspection {
            subject: principal.subject.as_str(),
            projects: [InspectedProject { project_url_name: project, groups: [] }],
            capabilities: [Capability {
                files_acl: Acl {
                    actions: actions.map(|(_, word)| word).collect(),
                    scope: BTreeMap::from([("all", Nothing {})]),
                },
                project_scope: BTreeMap::from([("projects", [project])]),
            }],
        };
        json(StatusCode::OK, &inspection)
    }

    /// A body, which is an object.
    async fn read<T: DeserializeOwned>(&self, body: &mut RequestBody) -> filestore::Result<T> {
        let Object(body) = read_json(self.head.headers(), body).await?;
        Ok(body)
    }

    /// One answer for each name, in order; `None` where there is no such file.
    async fn find(&self, names: &[Identifier]) -> filestore::Result<Vec<Option<FileRecord>>> {
        let keys: Vec<FileKey> = names.iter().filter_map(Identifier::key).collect();
        let mut found = self.files.stat_many(&keys).await?.into_iter();
        let answers = names.iter().map(|name| match name.key() {
            Some(_) => found.next().flatten(),
            None => None,
        });
        Ok(answers.collect())
    }

    /// The files of all names; else an error about the names that are unknown.
    async fn find_all(&self, names: &[Identifier]) -> filestore::Result<Vec<FileRecord>> {
        let found = self.find(names).await?;
        let unknown = names.iter().zip(&found).filter(|(_, record)| record.is_none());
        let unknown: Vec<Identifier> = unknown.map(|(name, _)| name.clone()).collect();
        if unknown.is_empty() {
            Ok(found.into_iter().flatten().collect())
        } else {
            Err(missing(unknown))
        }
    }

    /// The file of this name.
    async fn find_one(&self, name: &Identifier) -> filestore::Result<FileRecord> {
        let found = self.find_all(std::slice::from_ref(name)).await?.pop();
        found.ok_or_else(|| missing(vec![name.clone()]))
    }

    /// A link to something below a file, good for `method` and so long. It works without a token.
    fn link(&self, method: Method, below: &str, lifetime: Duration) -> filestore::Result<String> {
        let path = match self.place {
            Place::Projects => {
                let project = utf8_percent_encode(self.principal.tenant.as_str(), SEGMENT);
                format!("{}/{project}/files/{below}", self.head.mount)
            }
            Place::Bare | Place::Tokens => format!("{}/{below}", self.head.mount),
        };
        let grant = Grant::new(method, path.as_str(), self.principal.clone())?;
        Ok(format!(
            "{}{path}?{}",
            self.host.base_url(self.head.parts),
            self.host.presigner.sign(&grant, lifetime)
        ))
    }
}

/// As many items as a request may have, each once.
fn check_items(names: &[Identifier], most: usize) -> filestore::Result<()> {
    if !(1..=most).contains(&names.len()) {
        return Err(Error::invalid(format!("items must have 1 to {most} elements")));
    }
    let mut seen = HashSet::new();
    let mut twice: Vec<Identifier> = Vec::new();
    for name in names {
        if !seen.insert(name) && !twice.contains(name) {
            twice.push(name.clone());
        }
    }
    if twice.is_empty() { Ok(()) } else { Err(duplicated(twice)) }
}

/// Two names of one file count as one name given twice.
fn check_files(names: &[Identifier], records: &[FileRecord]) -> filestore::Result<()> {
    let mut seen = HashSet::new();
    let again = names.iter().zip(records).filter(|(_, record)| !seen.insert(record.id));
    let twice: Vec<Identifier> = again.map(|(name, _)| name.clone()).collect();
    if twice.is_empty() { Ok(()) } else { Err(duplicated(twice)) }
}
