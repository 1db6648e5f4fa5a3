//! Content that comes in parts.

use filestore::{
    Attributes, Error, ErrorKind, FileId, FileKey, FileNumber, FileRecord, NewUpload,
    UploadSession, UploadTarget,
};
use http::{Method, StatusCode};

use super::{Project, UPLOAD};
use crate::body::RequestBody;
use crate::dialect::{Answer, Fault};
use crate::dialects::cdf::wire::{
    CompleteBody, File, Identifier, Items, Nothing, parse_upload_id, upload_id,
};
use crate::protocol::form::whole_body;
use crate::protocol::json;

impl Project<'_> {
    /// The file is there at once; what it had for content stays until the parts are complete.
    pub(super) async fn begin_parts(
        &self,
        body: &mut RequestBody,
        overwrite: bool,
        parts: u32,
    ) -> Result<Answer, Fault> {
        let record = self.new_file(body, overwrite).await?;
        let file = self.with_part_links(File::created(&record), &record, parts).await?;
        Ok(json(StatusCode::CREATED, &file))
    }

    pub(super) async fn part_links(
        &self,
        body: &mut RequestBody,
        parts: u32,
    ) -> Result<Answer, Fault> {
        let name = self.sole_item(body).await?;
        let record = self.find_one(&name).await?;
        let file = self.with_part_links(File::from(&record), &record, parts).await?;
        Ok(json(StatusCode::OK, &Items::from(vec![file])))
    }

    /// Opens an upload of so many parts, and shows where they go.
    async fn with_part_links<'r>(
        &self,
        mut file: File<'r>,
        record: &FileRecord,
        parts: u32,
    ) -> filestore::Result<File<'r>> {
        let new = NewUpload {
            total: Some(parts),
            lifetime: UPLOAD,
            target: Some(FileKey::Id(record.id)),
            ..NewUpload::new(Attributes::default())
        };
        let id = upload_id(self.files.uploads().begin(new).await?.id);
        let number = record.number.get();
        let below = |part| format!("{number}/parts/{id}/{part}");
        let links = (1..=parts).map(|part| self.link(Method::PUT, &below(part), UPLOAD));
        file.upload_urls = Some(links.collect::<filestore::Result<Vec<_>>>()?);
        file.upload_id = Some(id.clone());
        Ok(file)
    }

    pub(super) async fn put_part(
        &self,
        body: &mut RequestBody,
        file: FileNumber,
        upload: FileId,
        part: u32,
    ) -> Result<Answer, Fault> {
        let record = self.find_one(&Identifier::Id(file)).await?;
        self.upload_of(&record, upload).await?;
        let incoming = whole_body(self.head.headers(), body)?;
        let uploads = self.files.uploads();
        uploads.put_part(upload, part, None, incoming.content, incoming.expect).await?;
        Ok(json(StatusCode::OK, &Nothing {}))
    }

    /// To complete again is no error: clients do, when they missed the answer.
    pub(super) async fn complete_parts(&self, body: &mut RequestBody) -> Result<Answer, Fault> {
        let body: CompleteBody = self.read(body).await?;
        let record = self.find_one(&body.file()?).await?;
        let id = parse_upload_id(&body.upload_id).ok_or_else(unknown_upload)?;
        self.upload_of(&record, id).await?;
        self.files.uploads().complete(id).await?;
        Ok(json(StatusCode::OK, &Nothing {}))
    }

    /// The upload with this id, if it is one to this file.
    async fn upload_of(&self, file: &FileRecord, id: FileId) -> filestore::Result<UploadSession> {
        match self.files.uploads().status(id).await {
            Ok(session) if session.target == UploadTarget::Existing(file.id) => Ok(session),
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Err(unknown_upload()),
        }
    }
}

fn unknown_upload() -> Error {
    Error::invalid("there is no such uploadId for this file")
}
