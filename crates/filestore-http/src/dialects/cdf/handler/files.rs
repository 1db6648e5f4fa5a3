//! Files: made, overwritten, shown, changed, deleted.

use filestore::{Attributes, Error, ErrorKind, FileKey, FileNumber, FileRecord};
use http::{Method, StatusCode};

use super::{MAX_ITEMS, Project, UPLOAD, check_files, check_items};
use crate::body::RequestBody;
use crate::dialect::{Answer, Fault};
use crate::dialects::cdf::error::{duplicated, missing};
use crate::dialects::cdf::wire::{
    File, Identifier, Items, ItemsBody, NewFields, NewFileBody, Nothing, UpdateItem,
};
use crate::protocol::{Object, json, read_json_within};

/// How often making and overwriting take turns, when others make and delete the same file.
const TRIES: usize = 8;

/// Most bytes of a request that changes many files: metadata alone may take 10 KiB of each.
const BATCH_LIMIT: usize = 16 << 20;

impl Project<'_> {
    pub(super) async fn create(
        &self,
        body: &mut RequestBody,
        overwrite: bool,
    ) -> Result<Answer, Fault> {
        let record = self.new_file(body, overwrite).await?;
        let mut file = File::created(&record);
        file.upload_url = Some(self.upload_url(&record)?);
        Ok(json(StatusCode::CREATED, &file))
    }

    pub(super) fn upload_url(&self, record: &FileRecord) -> filestore::Result<String> {
        self.link(Method::PUT, &format!("{}/content", record.number.get()), UPLOAD)
    }

    /// The file that the body describes: a new one, or the one with its external id.
    pub(super) async fn new_file(
        &self,
        body: &mut RequestBody,
        overwrite: bool,
    ) -> filestore::Result<FileRecord> {
        let fields = self.read::<NewFileBody>(body).await?.checked()?;
        let mut attributes = Attributes::default();
        fields.apply(&mut attributes)?;
        let Some(external_id) = attributes.external_id.clone() else {
            return self.files.reserve(attributes).await;
        };
        for _ in 0..TRIES {
            match self.files.reserve(attributes.clone()).await {
                Err(error) if error.kind() == ErrorKind::AlreadyExists && overwrite => {}
                Err(error) if error.kind() == ErrorKind::AlreadyExists => break,
                outcome => return outcome,
            }
            match self.overwrite(&external_id, &fields).await {
                // Deleted since; the name is free again. Or it may not be seen, and is not.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                outcome => return outcome,
            }
        }
        Err(duplicated(vec![Identifier::ExternalId(external_id)]))
    }

    /// What the body does not have stays as it is, the content above all.
    async fn overwrite(
        &self,
        external_id: &str,
        fields: &NewFields,
    ) -> filestore::Result<FileRecord> {
        let edit = |attributes: &mut Attributes| fields.apply(attributes);
        self.files.update(FileKey::External(external_id.to_owned()), edit).await
    }

    pub(super) async fn show(&self, id: FileNumber) -> Result<Answer, Fault> {
        let record = self.find_one(&Identifier::Id(id)).await?;
        Ok(json(StatusCode::OK, &File::from(&record)))
    }

    pub(super) async fn by_ids(&self, body: &mut RequestBody) -> Result<Answer, Fault> {
        let body: ItemsBody<Identifier> = self.read(body).await?;
        check_items(&body.items, MAX_ITEMS)?;
        let found = if body.ignores_unknown() {
            self.find(&body.items).await?.into_iter().flatten().collect()
        } else {
            self.find_all(&body.items).await?
        };
        let files: Vec<File<'_>> = found.iter().map(File::from).collect();
        Ok(json(StatusCode::OK, &Items::from(files)))
    }

    pub(super) async fn update(&self, body: &mut RequestBody) -> Result<Answer, Fault> {
        let Object(body): Object<ItemsBody<Object<UpdateItem>>> =
            read_json_within(BATCH_LIMIT, self.head.headers(), body).await?;
        let names = body.items.iter().map(|Object(item)| item.file());
        let names = names.collect::<filestore::Result<Vec<_>>>()?;
        check_items(&names, MAX_ITEMS)?;
        let records = self.find_all(&names).await?;
        check_files(&names, &records)?;

        let keys: Vec<FileKey> = records.iter().map(|record| record.id.into()).collect();
        let edit = |index: usize, attributes: &mut Attributes| match body.items.get(index) {
            Some(Object(item)) => item.update.0.apply(attributes),
            None => Ok(()),
        };
        let updated = self.files.update_many(&keys, edit).await;
        let updated = updated.map_err(|error| refused(error, &names, &body.items))?;
        let files: Vec<File<'_>> = updated.iter().map(File::updated).collect();
        Ok(json(StatusCode::OK, &Items::from(files)))
    }

    pub(super) async fn delete(&self, body: &mut RequestBody) -> Result<Answer, Fault> {
        let body: ItemsBody<Identifier> = self.read(body).await?;
        check_items(&body.items, MAX_ITEMS)?;
        loop {
            let mut names = body.items.clone();
            if body.ignores_unknown() {
                let found = self.find(&names).await?;
                let mut known = found.iter().map(Option::is_some);
                names.retain(|_| known.next() == Some(true));
            }
            let records = self.find_all(&names).await?;
            check_files(&names, &records)?;
            let keys: Vec<FileKey> = records.iter().map(|record| record.id.into()).collect();
            if keys.is_empty() {
                return Ok(json(StatusCode::OK, &Nothing {}));
            }
            match self.files.delete_many(&keys).await {
                Ok(()) => return Ok(json(StatusCode::OK, &Nothing {})),
                // Somebody else was faster, which is what ignoring is for.
                Err(error) if error.kind() == ErrorKind::NotFound && body.ignores_unknown() => {}
                Err(error) => return Err(refused(error, &names, &[]).into()),
            }
        }
    }
}

/// Says which items it was that the store refused.
fn refused(error: Error, names: &[Identifier], updates: &[Object<UpdateItem>]) -> Error {
    let items: Vec<usize> = error.items().iter().map(|item| item.index).collect();
    match error.kind() {
        ErrorKind::NotFound => {
            missing(items.iter().filter_map(|index| names.get(*index)).cloned().collect())
        }
        ErrorKind::AlreadyExists => {
            let wanted = items.iter().filter_map(|index| updates.get(*index));
            let taken = wanted.filter_map(|Object(item)| item.update.0.new_external_id());
            duplicated(taken.map(|text| Identifier::ExternalId(text.to_owned())).collect())
        }
        _ => error,
    }
}
