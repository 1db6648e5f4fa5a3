//! Sessions and their rows.

use std::time::Duration;

use filestore::{
    Attributes, Digest, Error, Expect, FileId, Subject, Tenant, UploadSession, UploadState,
    UploadTarget,
};
use tokio_postgres::Row;

use crate::PostgresRepository;
use crate::error::{DbResult, PgError};
use crate::row::TENANT;
use crate::sql::{Id, Sql, digest, get, int, millis, optional, small, span, time, uint};

/// What [`read`] reads, of `session u`.
pub(super) const COLUMNS: &str = "u.id, u.owner, u.target, u.content, u.attributes, u.size, \
     u.sha256, u.total, u.created, u.expires, u.state, u.reason, u.parts, u.received";

/// How many those are.
pub(super) const COLUMN_COUNT: usize = 14;

/// The session of a tenant, both of which are the first parameters; `lock` says how to hold it.
pub(super) fn select(tenant: &Tenant, id: FileId, lock: &str) -> Sql {
    let text = format!(
        "SELECT {COLUMNS} FROM filestore.session u WHERE u.tenant = {TENANT} AND u.id = $2 {lock}"
    );
    named(text, tenant, id)
}

/// A statement about a session, whose first parameters are the tenant's name and the session's id.
pub(super) fn named(text: impl Into<String>, tenant: &Tenant, id: FileId) -> Sql {
    Sql::new(text).bind(tenant.as_str().to_owned()).bind(Id::from(id))
}

/// Moves a session to another state; `has_file` says whether it has ended and its file is there.
pub(super) fn set_state(
    tenant: &Tenant,
    id: FileId,
    state: &UploadState,
    has_file: bool,
    now: Option<i64>,
) -> Sql {
    let (code, reason) = code(state);
    let text = format!(
        "UPDATE filestore.session SET state = $3, reason = $4, has_file = $5, \
             changed = filestore.now($6) WHERE tenant = {TENANT} AND id = $2"
    );
    named(text, tenant, id).bind(code).bind(reason).bind(has_file).bind(now)
}

/// Writes a session, which came into its state at `changed`; `conflict` says what becomes of one whose
/// id is taken.
pub(crate) fn insert(
    tenant: &Tenant,
    session: &UploadSession,
    changed: Option<i64>,
    conflict: &str,
) -> DbResult<Sql> {
    let insert = format!(
        "INSERT INTO filestore.session (tenant, id, owner, target, content, attributes, size, \
             sha256, total, created, expires, state, reason, changed, parts, received, has_file) \
         VALUES ({TENANT}, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, \
             filestore.now($14), $15, $16, $12 > 1 AND EXISTS (SELECT 1 FROM filestore.file f \
                 WHERE f.tenant = {TENANT} AND f.id = coalesce($4, $2))) {conflict}"
    );
    let target = match session.target {
        UploadTarget::NewFile => None,
        UploadTarget::Existing(file) => Some(Id::from(file)),
    };
    let attributes = serde_json::to_string(&session.attributes)
        .map_err(|error| Error::internal("attributes cannot be written").with_source(error))?;
    let sha256 = session.expect.sha256.as_ref().map(Digest::as_bytes);
    let (state, reason) = code(&session.state);
    Ok(named(insert, tenant, session.id)
        .bind(session.owner.as_str().to_owned())
        .bind(target)
        .bind(Id::from(session.content))
        .bind(attributes)
        .bind(session.expect.size.map(int).transpose()?)
        .bind(sha256.map(|sha256| sha256.to_vec()))
        .bind(session.total.map(i64::from))
        .bind(millis(session.created))
        .bind(millis(session.expires))
        .bind(state)
        .bind(reason)
        .bind(changed)
        .bind(i64::from(session.parts))
        .bind(int(session.received)?))
}

/// A state as two columns hold it.
fn code(state: &UploadState) -> (i16, Option<String>) {
    match state {
        UploadState::Open => (0, None),
        UploadState::Sealed => (1, None),
        UploadState::Completed => (2, None),
        UploadState::Failed(reason) => (3, Some(reason.clone())),
        UploadState::Canceled => (4, None),
        UploadState::Expired => (5, None),
    }
}

/// Sessions of all owners, oldest first.
pub(crate) async fn of_tenant(
    repository: &PostgresRepository,
    tenant: &Tenant,
    after: Option<FileId>,
    limit: u32,
) -> DbResult<Vec<UploadSession>> {
    let list = format!(
        "SELECT {COLUMNS} FROM filestore.session u WHERE u.tenant = {TENANT} \
             AND ($2::uuid IS NULL OR u.id > $2) ORDER BY u.id LIMIT $3"
    );
    let list = Sql::new(list)
        .bind(tenant.as_str().to_owned())
        .bind(after.map(Id::from))
        .bind(i64::from(limit));
    repository.rows(list).await?.iter().map(read).collect()
}

/// Sessions of an owner, oldest first.
pub(super) async fn of_owner(
    repository: &PostgresRepository,
    tenant: &Tenant,
    owner: &Subject,
    after: Option<FileId>,
    limit: u32,
) -> DbResult<Vec<UploadSession>> {
    let list = format!(
        "SELECT {COLUMNS} FROM filestore.session u WHERE u.tenant = {TENANT} AND u.owner = $2 \
             AND ($3::uuid IS NULL OR u.id > $3) ORDER BY u.id LIMIT $4"
    );
    let list = Sql::new(list)
        .bind(tenant.as_str().to_owned())
        .bind(owner.as_str().to_owned())
        .bind(after.map(Id::from))
        .bind(i64::from(limit));
    repository.rows(list).await?.iter().map(read).collect()
}

/// Sessions that upkeep has something to do for; what is due longest comes first of its kind.
pub(super) async fn due(
    repository: &PostgresRepository,
    stalled: Duration,
    keep: Duration,
    limit: u32,
) -> DbResult<Vec<(Tenant, UploadSession)>> {
    let kinds = [
        ("u.state = 0 AND u.expires <= filestore.now($1) - $2 ORDER BY u.expires", Duration::ZERO),
        ("u.state = 1 AND u.changed <= filestore.now($1) - $2 ORDER BY u.changed", stalled),
        // A file that went may have been made again with its id, which nothing says of the session.
        (
            "u.state > 1 AND NOT u.has_file AND u.changed <= filestore.now($1) - $2 \
             AND NOT EXISTS (SELECT 1 FROM filestore.file f \
                 WHERE f.tenant = u.tenant AND f.id = coalesce(u.target, u.id)) ORDER BY u.changed",
            keep,
        ),
    ];
    let flight = kinds.map(|(kind, ago)| {
        let list = format!(
            "SELECT {COLUMNS}, t.name FROM filestore.session u \
             JOIN filestore.tenant t ON t.number = u.tenant WHERE {kind} LIMIT $3"
        );
        Sql::new(list).bind(repository.given_now()).bind(span(ago)).bind(i64::from(limit))
    });
    let rows = repository.read(&flight).await?.flatten().take(limit as usize);
    let with_tenant = |row: Row| {
        let name: String = get(&row, COLUMN_COUNT)?;
        let tenant = Tenant::new(&name).map_err(|_| PgError::Damaged("a tenant"))?;
        Ok((tenant, read(&row)?))
    };
    rows.map(with_tenant).collect()
}

/// Reads a row of [`COLUMNS`].
pub(super) fn read(row: &Row) -> DbResult<UploadSession> {
    let owner: String = get(row, 1)?;
    let target = optional(row, 2, |id: Id| Ok(UploadTarget::Existing(id.into())))?;
    Ok(UploadSession {
        id: get::<Id>(row, 0)?.into(),
        owner: Subject::new(&owner).map_err(|_| PgError::Damaged("an owner"))?,
        target: target.unwrap_or(UploadTarget::NewFile),
        content: get::<Id>(row, 3)?.into(),
        attributes: attributes(row)?,
        expect: Expect { size: optional(row, 5, uint)?, sha256: optional(row, 6, digest)? },
        total: optional(row, 7, small)?,
        created: time(get(row, 8)?)?,
        expires: time(get(row, 9)?)?,
        state: state(row)?,
        parts: small(get(row, 12)?)?,
        received: uint(get(row, 13)?)?,
    })
}

fn attributes(row: &Row) -> DbResult<Attributes> {
    let text: String = get(row, 4)?;
    serde_json::from_str(&text).map_err(|_| PgError::Damaged("the attributes of an upload"))
}

fn state(row: &Row) -> DbResult<UploadState> {
    Ok(match get::<i16>(row, 10)? {
        0 => UploadState::Open,
        1 => UploadState::Sealed,
        2 => UploadState::Completed,
        3 => UploadState::Failed(get::<Option<_>>(row, 11)?.unwrap_or_default()),
        4 => UploadState::Canceled,
        5 => UploadState::Expired,
        _ => return Err(PgError::Damaged("the state of an upload")),
    })
}
