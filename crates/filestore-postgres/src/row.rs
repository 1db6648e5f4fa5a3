//! Rows of files and the records they are.

use filestore::backend::Details;
use filestore::{
    Attributes, ContentInfo, Error, Extent, FileKey, FileNumber, FileRecord, Revision, Subject,
    Tenant,
};
use tokio_postgres::Row;

use crate::error::{DbResult, PgError};
use crate::index::external_hash;
use crate::sql::{Id, Sql, digest, get, int, optional, time, uint};

/// The number of the tenant whose name is the first parameter.
pub(crate) const TENANT: &str = "(SELECT number FROM filestore.tenant WHERE name = $1)";

/// What [`read`] reads, of `file f` and the content joined by [`CONTENT`].
pub(crate) const COLUMNS: &str = "f.id, f.number, f.revision, f.owner, f.created, f.updated, \
     f.name, f.external_id, f.directory, f.source, f.content_type, f.source_created, \
     f.source_modified, f.min_x, f.max_x, f.min_y, f.max_y, f.details::text, \
     c.id, c.size, c.tag, c.sha256, c.stored, c.damaged";

/// How many those are.
pub(crate) const COLUMN_COUNT: usize = 24;

/// Joins a file's content.
pub(crate) const CONTENT: &str = "LEFT JOIN filestore.content c ON c.id = f.content";

/// The files of a tenant that keys name, in no order.
pub(crate) fn select(tenant: &Tenant, keys: &[FileKey]) -> DbResult<Sql> {
    let (mut ids, mut numbers, mut externals) = (Vec::new(), Vec::new(), Vec::new());
    for key in keys {
        match key {
            FileKey::Id(id) => ids.push(Id::from(*id)),
            FileKey::Number(number) => numbers.push(int(number.get())?),
            FileKey::External(text) => externals.push(external_hash(text)),
        }
    }
    let mut any = Vec::new();
    let mut sql = Sql::default().bind(tenant.as_str().to_owned());
    if !ids.is_empty() {
        sql = sql.bind(ids);
        any.push("f.id");
    }
    if !numbers.is_empty() {
        sql = sql.bind(numbers);
        any.push("f.number");
    }
    if !externals.is_empty() {
        sql = sql.bind(externals);
        any.push("f.external_hash");
    }
    let any = (2..).zip(any).map(|(n, column)| format!("{column} = ANY(${n})"));
    let any = any.collect::<Vec<_>>().join(" OR ");
    let text = format!(
        "SELECT {COLUMNS} FROM filestore.file f {CONTENT} WHERE f.tenant = {TENANT} AND ({any})"
    );
    Ok(Sql::new(text).then(sql))
}

/// Reads a row of [`COLUMNS`].
pub(crate) fn read(row: &Row) -> DbResult<FileRecord> {
    let owner: String = get(row, 3)?;
    Ok(FileRecord {
        id: get::<Id>(row, 0)?.into(),
        number: FileNumber::new(uint(get(row, 1)?)?).ok_or(PgError::Damaged("a number"))?,
        revision: Revision::new(uint(get(row, 2)?)?),
        owner: Subject::new(&owner).map_err(|_| PgError::Damaged("an owner"))?,
        created: time(get(row, 4)?)?,
        updated: time(get(row, 5)?)?,
        content: content(row)?,
        attributes: attributes(row)?,
    })
}

/// Whether the content of a row of [`COLUMNS`] is in quarantine.
pub(crate) fn is_damaged(row: &Row) -> DbResult<bool> {
    Ok(get::<Option<bool>>(row, 23)?.unwrap_or_default())
}

fn attributes(row: &Row) -> DbResult<Attributes> {
    let details: Option<String> = get(row, 17)?;
    let details: Attributes = match &details {
        Some(text) => {
            serde_json::from_str(text).map_err(|_| PgError::Damaged("the details of a file"))?
        }
        None => Attributes::default(),
    };
    let extent = match get(row, 13)? {
        Some(min_x) => {
            let (max_x, min_y, max_y) = (get(row, 14)?, get(row, 15)?, get(row, 16)?);
            Some(Extent { min_x, max_x, min_y, max_y })
        }
        None => None,
    };
    Ok(Attributes {
        name: get(row, 6)?,
        external_id: get(row, 7)?,
        directory: get(row, 8)?,
        source: get(row, 9)?,
        content_type: get(row, 10)?,
        source_created: optional(row, 11, time)?,
        source_modified: optional(row, 12, time)?,
        extent,
        ..details
    })
}

fn content(row: &Row) -> DbResult<Option<ContentInfo>> {
    optional(row, 18, |id: Id| {
        Ok(ContentInfo {
            id: id.into(),
            size: uint(get(row, 19)?)?,
            tag: get(row, 20)?,
            sha256: optional(row, 21, digest)?,
            stored: time(get(row, 22)?)?,
        })
    })
}

/// The text for the column of details; none when there is nothing to say.
pub(crate) fn details(attributes: &Attributes) -> DbResult<Option<String>> {
    let text = Details::of(attributes).map(|details| serde_json::to_string(&details)).transpose();
    Ok(text.map_err(|error| Error::internal("details cannot be written").with_source(error))?)
}
