//! Records of tables that copies go to. A copy is a file of its own, under a term that names its
//! record; a record has a number and a UUID, and exists from its first copy on.

use filestore::{
    Attributes, Cond, Error, ErrorKind, Expected, FileQuery, FileRecord, Files, OtherRecord,
    RecordChange, SetField, Term,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::wire::{Location, RecordKey, RecordRef};
use crate::dialect::Fault;

/// The table of images.
pub(super) const IMAGES: &str = "AD_Image";
/// The table of archives.
const ARCHIVES: &str = "AD_Archive";
/// The records a file is attached to: `C_Order/100`.
const RECORD: &str = "idempiere.record";
/// The records a file is an archive of.
const ARCHIVE_OF: &str = "idempiere.archiveOf";
/// Which attachment was asked for later, among an attachment's extras, and what counts them: ids of
/// the same millisecond do not tell.
const TURN: &str = "idempiere.turn";
const TURNS: &str = "idempiere.turns";

/// Where a copy is.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) table: String,
    pub(super) id: u32,
    pub(super) uuid: Uuid,
}

/// Both names of a record, as they are kept.
#[derive(Debug, Serialize, Deserialize)]
struct Names {
    id: u32,
    uuid: Uuid,
}

/// Attaches a file to a record.
pub(super) fn attach(attributes: &mut Attributes, table: &str, id: u32) {
    attributes.terms.insert(RECORD.into(), vec![term(table, id)]);
}

fn term(table: &str, id: u32) -> Term {
    Term::Text(format!("{table}/{id}"))
}

/// Copies a file to where it is wanted; the copy shares the bytes and lives on its own.
pub(super) async fn copy(
    files: &Files,
    source: &FileRecord,
    location: Location,
    target: Option<RecordRef>,
) -> Result<Place, Fault> {
    let target = match target {
        Some(target) => Some(resolve(files, target).await?),
        None => None,
    };
    let mut attributes = Attributes::named(source.attributes.name.clone());
    attributes.content_type.clone_from(&source.attributes.content_type);
    match (location, target) {
        (Location::Attachment, Some(place)) => {
            attach(&mut attributes, &place.table, place.id);
            let turn = files.records().next_number(TURNS).await?;
            attributes.extras.insert(TURN.into(), turn.to_string());
            let copy = files.copy(source.id, attributes).await?;
            drop_former(files, &place, &copy.attributes.name).await?;
            Ok(place)
        }
        (location, target) => {
            let table = if location == Location::Image { IMAGES } else { ARCHIVES };
            let id = files.records().next_number(table).await?;
            attach(&mut attributes, table, id);
            if let Some(place) = target {
                let term = vec![term(&place.table, place.id)];
                attributes.terms.insert(ARCHIVE_OF.into(), term);
            }
            let copy = files.copy(source.id, attributes).await?;
            Ok(Place { table: table.to_owned(), id, uuid: Uuid::from_bytes(*copy.id.as_bytes()) })
        }
    }
}

/// Leaves only the newest attachment of this name. Of copies that are made at the same time, the
/// last to come here sees all.
async fn drop_former(files: &Files, place: &Place, name: &str) -> Result<(), Fault> {
    let turn = |file: &FileRecord| -> u32 {
        let turn = file.attributes.extras.get(TURN);
        turn.and_then(|text| text.parse().ok()).unwrap_or_default()
    };
    let mut attached = attached_to(files, &place.table, place.id).await?;
    attached.retain(|file| file.attributes.name == name);
    let newest = attached.iter().map(turn).max().unwrap_or_default();
    for file in attached.iter().filter(|file| turn(file) < newest) {
        match files.delete(file.id).await {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

/// The files attached to a record, oldest first.
pub(super) async fn attached(files: &Files, wanted: &RecordRef) -> Result<Vec<FileRecord>, Fault> {
    let table = &wanted.table;
    let id = match wanted.id {
        RecordKey::Id(id) => Some(id),
        RecordKey::Uuid(uuid) => match load(files, &by_uuid(table), &uuid.to_string()).await? {
            Some(names) => Some(names.id),
            None => return own(files, table, uuid).await,
        },
    };
    let found = attached_to(files, table, id.unwrap_or_default()).await?;
    if found.is_empty() {
        return Err(no_record(wanted));
    }
    Ok(found)
}

/// Archives and images are named by the copy's own UUID.
async fn own(files: &Files, table: &str, uuid: Uuid) -> Result<Vec<FileRecord>, Fault> {
    let id = filestore::FileId::from_bytes(uuid.into_bytes());
    let found = files.stat_many(&[id.into()]).await?.pop().flatten();
    let is_of_table = |file: &FileRecord| {
        let terms = file.attributes.terms.get(RECORD).into_iter().flatten();
        let prefix = format!("{table}/");
        terms.into_iter().any(|it| matches!(it, Term::Text(text) if text.starts_with(&prefix)))
    };
    match found.filter(is_of_table) {
        Some(file) => Ok(vec![file]),
        None => {
            let wanted = RecordRef { table: table.to_owned(), id: RecordKey::Uuid(uuid) };
            Err(no_record(&wanted))
        }
    }
}

async fn attached_to(files: &Files, table: &str, id: u32) -> Result<Vec<FileRecord>, Fault> {
    let field = SetField::Terms(RECORD.into());
    let all = vec![Cond::AnyOf(field, vec![term(table, id)]), Cond::HasContent(true)];
    let mut query = FileQuery { all, after: None, limit: FileQuery::MAX_LIMIT };
    let mut found = Vec::new();
    loop {
        let page = files.list(&query).await?;
        found.extend(page.items);
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(found),
        }
    }
}

fn no_record(wanted: &RecordRef) -> Fault {
    Error::not_found(format!("Record not found\n{}", wanted.table)).into()
}

/// Both names of a record; it is made when it is not there yet.
async fn resolve(files: &Files, wanted: RecordRef) -> Result<Place, Fault> {
    let RecordRef { table, id } = wanted;
    loop {
        let found = match id {
            RecordKey::Id(id) => load(files, &by_id(&table), &id.to_string()).await?,
            RecordKey::Uuid(uuid) => load(files, &by_uuid(&table), &uuid.to_string()).await?,
        };
        if let Some(Names { id, uuid }) = found {
            return Ok(Place { table, id, uuid });
        }
        let names = match id {
            RecordKey::Id(id) => Names { id, uuid: Uuid::new_v4() },
            RecordKey::Uuid(uuid) => Names { id: files.records().next_number(&table).await?, uuid },
        };
        let body = serde_json::to_string(&names).map_err(|error| {
            Error::internal("a record's names could not be written").with_source(error)
        })?;
        let new = |kind, key| RecordChange {
            kind,
            key,
            expected: Expected::Nothing,
            body: Some(body.clone()),
        };
        let changes = vec![
            new(by_id(&table), names.id.to_string()),
            new(by_uuid(&table), names.uuid.to_string()),
        ];
        match files.records().write(changes).await {
            // Somebody else made it, or has this number: look again.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            outcome => {
                outcome?;
                return Ok(Place { table, id: names.id, uuid: names.uuid });
            }
        }
    }
}

async fn load(files: &Files, kind: &str, key: &str) -> Result<Option<Names>, Fault> {
    let found = files.records().load(kind, key).await?;
    let names = |record: OtherRecord| serde_json::from_str(&record.body);
    let damaged = |error| Error::internal("a record's names are damaged").with_source(error);
    Ok(found.map(names).transpose().map_err(damaged)?)
}

fn by_id(table: &str) -> String {
    format!("idempiere.id/{table}")
}

fn by_uuid(table: &str) -> String {
    format!("idempiere.uuid/{table}")
}
