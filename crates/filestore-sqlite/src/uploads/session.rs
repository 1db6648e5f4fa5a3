//! Sessions and their rows.

use filestore::backend::BeginUpload;
use filestore::{
    Attributes, ContentId, Digest, Error, ErrorKind, Expect, FileId, Subject, Tenant, Timestamp,
    UploadSession, UploadState, UploadTarget,
};
use rusqlite::{Connection, Row, params};

use crate::error::{DbResult, SqliteError};
use crate::sql::{self, all, change, exists, first, int, millis, past, time, uint};
use crate::writer::Work;

/// What [`read`] reads, of `session u`.
const COLUMNS: &str = "u.row, u.tenant, u.id, u.owner, u.target, u.content, u.attributes, u.size, \
     u.sha256, u.total, u.created, u.expires, u.state, u.reason, u.parts, u.received";

/// A session's row.
pub(super) struct SessionRow {
    pub(super) row: i64,
    pub(super) tenant: i64,
    pub(super) session: UploadSession,
}

/// A session that is there.
pub(super) fn find(db: &Connection, tenant: &Tenant, id: FileId) -> DbResult<SessionRow> {
    look_for(db, tenant, id)?.ok_or_else(|| Error::not_found("there is no such upload").into())
}

/// A session, if it is there.
pub(super) fn look_for(
    db: &Connection,
    tenant: &Tenant,
    id: FileId,
) -> DbResult<Option<SessionRow>> {
    let Some(tenant) = sql::tenant(db, tenant)? else {
        return Ok(None);
    };
    first(
        db,
        &format!("SELECT {COLUMNS} FROM session u WHERE u.tenant = ? AND u.id = ?"),
        params![tenant, id.as_bytes()],
        read,
    )
}

/// Open and sealed sessions that target a file.
pub(super) fn live_with_target(
    db: &Connection,
    tenant: i64,
    target: FileId,
) -> DbResult<Vec<SessionRow>> {
    all(
        db,
        &format!(
            "SELECT {COLUMNS} FROM session u WHERE u.tenant = ? AND u.target = ? AND u.state <= 1"
        ),
        params![tenant, target.as_bytes()],
        read,
    )
}

pub(super) fn begin(
    work: &mut Work<'_>,
    tenant: &Tenant,
    upload: BeginUpload,
) -> DbResult<UploadSession> {
    let (db, now) = (work.db, work.now);
    let tenant = sql::make_tenant(db, tenant)?;
    if let UploadTarget::Existing(file) = upload.target
        && !is_file(db, tenant, file)?
    {
        return Err(Error::not_found("there is no such file").into());
    }
    let taken = || Error::new(ErrorKind::AlreadyExists, "the id is taken");
    if is_file(db, tenant, upload.id)? {
        return Err(taken().into());
    }
    let session = upload.opened(now);
    if !insert(db, tenant, &session)? {
        return Err(taken().into());
    }
    Ok(session)
}

/// Writes a session that ended elsewhere, unless there is one with its id.
pub(crate) fn adopt(
    db: &Connection,
    tenant: i64,
    session: &UploadSession,
    now: Timestamp,
) -> DbResult<()> {
    if !insert(db, tenant, session)? {
        return Ok(());
    }
    let has_file = is_file(db, tenant, session.file())?;
    let (state, reason) = code(&session.state);
    change(
        db,
        "UPDATE session SET state = ?, reason = ?, has_file = ?, changed = ?, parts = ?, \
             received = ? WHERE tenant = ? AND id = ?",
        params![
            state,
            reason,
            has_file,
            millis(now),
            session.parts,
            int(session.received)?,
            tenant,
            session.id.as_bytes()
        ],
    )?;
    Ok(())
}

pub(super) fn is_file(db: &Connection, tenant: i64, id: FileId) -> DbResult<bool> {
    exists(db, "SELECT 1 FROM file WHERE tenant = ? AND id = ?", params![tenant, id.as_bytes()])
}

fn insert(db: &Connection, tenant: i64, session: &UploadSession) -> DbResult<bool> {
    let target = match &session.target {
        UploadTarget::NewFile => None,
        UploadTarget::Existing(file) => Some(file.as_bytes()),
    };
    let attributes = serde_json::to_string(&session.attributes)
        .map_err(|error| Error::internal("attributes cannot be written").with_source(error))?;
    let inserted = change(
        db,
        "INSERT INTO session (tenant, id, owner, target, content, attributes, size, sha256, total, \
             created, expires, state, changed) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 0, ?10) ON CONFLICT DO NOTHING",
        params![
            tenant,
            session.id.as_bytes(),
            session.owner.as_str(),
            target,
            session.content.as_bytes(),
            attributes,
            session.expect.size.map(int).transpose()?,
            session.expect.sha256.as_ref().map(Digest::as_bytes),
            session.total,
            millis(session.created),
            millis(session.expires),
        ],
    )?;
    Ok(inserted > 0)
}

/// Sessions of an owner, oldest first.
pub(super) fn of_owner(
    db: &Connection,
    tenant: &Tenant,
    owner: &Subject,
    after: Option<FileId>,
    limit: u32,
) -> DbResult<Vec<UploadSession>> {
    let Some(tenant) = sql::tenant(db, tenant)? else {
        return Ok(Vec::new());
    };
    let after = past(after.as_ref().map(FileId::as_bytes));
    all(
        db,
        &format!(
            "SELECT {COLUMNS} FROM session u WHERE u.tenant = ? AND u.owner = ? AND u.id > ? \
             ORDER BY u.id LIMIT ?"
        ),
        params![tenant, owner.as_str(), after, limit],
        |row| Ok(read(row)?.session),
    )
}

/// Sessions of all owners, oldest first.
pub(crate) fn of_tenant(
    db: &Connection,
    tenant: &Tenant,
    after: Option<FileId>,
    limit: u32,
) -> DbResult<Vec<UploadSession>> {
    let Some(tenant) = sql::tenant(db, tenant)? else {
        return Ok(Vec::new());
    };
    let after = past(after.as_ref().map(FileId::as_bytes));
    all(
        db,
        &format!(
            "SELECT {COLUMNS} FROM session u WHERE u.tenant = ? AND u.id > ? ORDER BY u.id LIMIT ?"
        ),
        params![tenant, after, limit],
        |row| Ok(read(row)?.session),
    )
}

/// Sessions that upkeep has something to do for; what is due longest comes first of its kind.
pub(super) fn due(
    db: &Connection,
    now: Timestamp,
    stalled: Timestamp,
    kept: Timestamp,
    limit: u32,
) -> DbResult<Vec<(Tenant, UploadSession)>> {
    let mut due = Vec::new();
    for (kind, before) in [
        ("u.state = 0 AND u.expires <= ? ORDER BY u.expires", now),
        ("u.state = 1 AND u.changed <= ? ORDER BY u.changed", stalled),
        // A file that went may have been made again with its id, which nothing says of the session.
        (
            "u.state > 1 AND u.has_file = 0 AND u.changed <= ? AND NOT EXISTS (SELECT 1 FROM file f \
             WHERE f.tenant = u.tenant AND f.id = coalesce(u.target, u.id)) ORDER BY u.changed",
            kept,
        ),
    ] {
        let left = i64::from(limit) - due.len() as i64;
        due.extend(all(
            db,
            &format!("SELECT {COLUMNS} FROM session u WHERE {kind} LIMIT ?"),
            params![millis(before), left],
            read,
        )?);
    }
    due.into_iter().map(|found| Ok((tenant_name(db, found.tenant)?, found.session))).collect()
}

fn tenant_name(db: &Connection, number: i64) -> DbResult<Tenant> {
    let name: Option<String> =
        first(db, "SELECT name FROM tenant WHERE number = ?", params![number], |row| {
            Ok(row.get(0)?)
        })?;
    name.and_then(|name| Tenant::new(&name).ok()).ok_or(SqliteError::Damaged("a tenant"))
}

/// Moves a session to another state; `has_file` says whether it has ended and its file is there.
pub(super) fn set_state(
    db: &Connection,
    found: &mut SessionRow,
    state: UploadState,
    has_file: bool,
    now: Timestamp,
) -> DbResult<()> {
    let (code, reason) = code(&state);
    change(
        db,
        "UPDATE session SET state = ?, reason = ?, has_file = ?, changed = ? WHERE row = ?",
        params![code, reason, has_file, millis(now), found.row],
    )?;
    found.session.state = state;
    Ok(())
}

/// A state as two columns hold it.
fn code(state: &UploadState) -> (i64, Option<&str>) {
    match state {
        UploadState::Open => (0, None),
        UploadState::Sealed => (1, None),
        UploadState::Completed => (2, None),
        UploadState::Failed(reason) => (3, Some(reason)),
        UploadState::Canceled => (4, None),
        UploadState::Expired => (5, None),
    }
}

fn read(row: &Row<'_>) -> DbResult<SessionRow> {
    let owner: String = row.get(3)?;
    let target: Option<[u8; 16]> = row.get(4)?;
    let session = UploadSession {
        id: FileId::from_bytes(row.get(2)?),
        owner: Subject::new(&owner).map_err(|_| SqliteError::Damaged("an owner"))?,
        target: target
            .map_or(UploadTarget::NewFile, |id| UploadTarget::Existing(FileId::from_bytes(id))),
        content: ContentId::from_bytes(row.get(5)?),
        attributes: attributes(row)?,
        expect: Expect {
            size: row.get::<_, Option<i64>>(7)?.map(uint).transpose()?,
            sha256: row.get::<_, Option<_>>(8)?.map(Digest::from_bytes),
        },
        total: row.get(9)?,
        created: time(row.get(10)?)?,
        expires: time(row.get(11)?)?,
        state: state(row)?,
        parts: row.get(14)?,
        received: uint(row.get(15)?)?,
    };
    Ok(SessionRow { row: row.get(0)?, tenant: row.get(1)?, session })
}

fn attributes(row: &Row<'_>) -> DbResult<Attributes> {
    let text: String = row.get(6)?;
    serde_json::from_str(&text).map_err(|_| SqliteError::Damaged("the attributes of an upload"))
}

fn state(row: &Row<'_>) -> DbResult<UploadState> {
    Ok(match row.get::<_, u8>(12)? {
        0 => UploadState::Open,
        1 => UploadState::Sealed,
        2 => UploadState::Completed,
        3 => UploadState::Failed(row.get::<_, Option<_>>(13)?.unwrap_or_default()),
        4 => UploadState::Canceled,
        5 => UploadState::Expired,
        _ => return Err(SqliteError::Damaged("the state of an upload")),
    })
}
