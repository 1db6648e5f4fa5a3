//! Content: links to it, and what is behind them.

use std::time::Duration;

use filestore::{Error, ErrorKind, FileNumber, FileRecord};
use http::{Method, StatusCode};

use super::{Project, check_items};
use crate::body::RequestBody;
use crate::dialect::{Answer, Fault};
use crate::dialects::cdf::error::{missing, not_uploaded};
use crate::dialects::cdf::wire::{Download, File, Identifier, Items, ItemsBody, Nothing};
use crate::protocol::disposition::Kind;
use crate::protocol::download::{self, Presentation};
use crate::protocol::form::whole_body;
use crate::protocol::json;
use crate::protocol::media::served_type;

/// Most links of one request.
const MAX_LINKS: usize = 100;

impl Project<'_> {
    /// The one file that a request for upload links may be about.
    pub(super) async fn sole_item(&self, body: &mut RequestBody) -> filestore::Result<Identifier> {
        let body: ItemsBody<Identifier> = self.read(body).await?;
        match <[_; 1]>::try_from(body.items) {
            Ok([item]) => Ok(item),
            Err(_) => Err(Error::invalid("items must have exactly 1 element")),
        }
    }

    pub(super) async fn upload_link(&self, body: &mut RequestBody) -> Result<Answer, Fault> {
        let name = self.sole_item(body).await?;
        let record = self.find_one(&name).await?;
        let mut file = File::from(&record);
        file.upload_url = Some(self.upload_url(&record)?);
        Ok(json(StatusCode::OK, &Items::from(vec![file])))
    }

    /// Every link is shown under the name that was asked for.
    pub(super) async fn download_link(
        &self,
        body: &mut RequestBody,
        lifetime: Duration,
    ) -> Result<Answer, Fault> {
        let body: ItemsBody<Identifier> = self.read(body).await?;
        check_items(&body.items, MAX_LINKS)?;
        let records = self.find_all(&body.items).await?;
        let named = || body.items.iter().cloned().zip(&records);
        let empty: Vec<_> = named().filter(|(_, record)| record.content.is_none()).collect();
        if !empty.is_empty() {
            return Err(not_uploaded(empty.into_iter().map(|(name, _)| name).collect()).into());
        }
        let mut links = Vec::with_capacity(records.len());
        for (file, record) in named() {
            let download_url = match self.direct_link(record, lifetime).await? {
                Some(url) => url,
                None => {
                    let below = format!("{}/content", record.number.get());
                    self.link(Method::GET, &below, lifetime)?
                }
            };
            links.push(Download { file, download_url });
        }
        Ok(json(StatusCode::OK, &Items::from(links)))
    }

    /// A link past this server, where there are any.
    async fn direct_link(
        &self,
        record: &FileRecord,
        lifetime: Duration,
    ) -> filestore::Result<Option<String>> {
        if !self.redirects {
            return Ok(None);
        }
        match self.files.open(record.id, None).await {
            Ok(file) => download::link(&file, &self.presentation(&file.record), lifetime).await,
            // It went meanwhile; whoever follows the other link learns of it.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn presentation<'r>(&self, record: &'r FileRecord) -> Presentation<'r> {
        let attributes = &record.attributes;
        Presentation {
            name: &attributes.name,
            content_type: served_type(attributes.content_type.as_deref()),
            kind: Kind::Attachment,
            redirect: self.redirects,
        }
    }

    /// The type a client sends with content is not looked at: the file has its own, or none.
    pub(super) async fn put_content(
        &self,
        body: &mut RequestBody,
        id: FileNumber,
    ) -> Result<Answer, Fault> {
        self.find_one(&Identifier::Id(id)).await?;
        let incoming = whole_body(self.head.headers(), body)?;
        let written = self.files.write(id, incoming.content, incoming.expect).await;
        written.map_err(|error| named(error, id))?;
        Ok(json(StatusCode::OK, &Nothing {}))
    }

    pub(super) async fn get_content(&self, id: FileNumber) -> Result<Answer, Fault> {
        let opened = download::open(&self.files, id, self.head).await;
        let file = opened.map_err(|error| named(error, id))?;
        download::serve(&file, self.head, self.presentation(&file.record)).await
    }
}

/// Says which file it was that is not there.
fn named(error: Error, id: FileNumber) -> Error {
    if error.kind() == ErrorKind::NotFound { missing(vec![Identifier::Id(id)]) } else { error }
}
