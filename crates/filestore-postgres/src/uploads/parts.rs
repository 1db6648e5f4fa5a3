//! Parts: the segments of a session's draft content. One round trip to admit a part, one to record
//! it.

use async_trait::async_trait;
use filestore::backend::{Admission, Announcement, Chain, Hashed, Part, PartChain};
use filestore::{
    Error, ErrorKind, FileId, HashState, PartNumber, Tenant, UploadSession, UploadState,
};
use tokio_postgres::Row;

use super::session::{self, COLUMN_COUNT, COLUMNS, named};
use crate::PostgresRepository;
use crate::commit::{Change, Commit};
use crate::contents::{SEGMENT, inline_bytes, read_segment};
use crate::error::{DbResult, PgError};
use crate::flight::Answers;
use crate::row::TENANT;
use crate::sql::{Id, Sql, digest, get, int, optional, small, span, time, uint};
use crate::transaction::Tx;

/// Parts of a session that has not ended; those of a completed one are a file's content by now.
pub(super) async fn list(
    repository: &PostgresRepository,
    tenant: &Tenant,
    id: FileId,
    after: PartNumber,
    limit: u32,
) -> DbResult<Vec<Part>> {
    let list = format!(
        "SELECT {SEGMENT}, s.n, s.ticket, s.chain_before, s.chain_after \
         FROM filestore.session u JOIN filestore.segment s ON s.content = u.content \
         WHERE u.tenant = {TENANT} AND u.id = $2 AND u.state <= 1 AND s.n > $3 \
         ORDER BY s.n LIMIT $4"
    );
    let list = named(list, tenant, id).bind(i64::from(after)).bind(i64::from(limit));
    let mut answers = repository.read(&[session::select(tenant, id, ""), list]).await?;
    if answers.next().unwrap_or_default().is_empty() {
        return Err(no_upload());
    }
    answers.next().unwrap_or_default().iter().map(part).collect()
}

fn part(row: &Row) -> DbResult<Part> {
    Ok(Part {
        segment: read_segment(row)?,
        number: small(get(row, 4)?)?,
        ticket: uint(get::<Option<_>>(row, 5)?.unwrap_or_default())?,
        chain: chain(get(row, 6)?, get(row, 7)?)?,
    })
}

/// A chain whose hash another version of the library wrote is as good as none.
fn chain(before: Option<Vec<u8>>, after: Option<Vec<u8>>) -> DbResult<Option<Chain>> {
    let after = after.and_then(|after| HashState::from_bytes(&after));
    let (Some(before), Some(after)) = (before, after) else {
        return Ok(None);
    };
    Ok(Some(Chain { before: digest(before)?, after }))
}

/// Checks that a part may come, and draws its ticket.
pub(super) async fn admit(
    repository: &PostgresRepository,
    tenant: &Tenant,
    id: FileId,
    number: PartNumber,
) -> DbResult<Admission> {
    let row = repository.first(admission(tenant, id, number, repository.given_now())).await?;
    read_admission(&row.ok_or_else(no_upload)?)
}

fn admission(tenant: &Tenant, id: FileId, number: PartNumber, now: Option<i64>) -> Sql {
    let select = format!(
        "SELECT {COLUMNS}, filestore.now($3), p.n, p.chain_after, nextval('filestore.ticket') \
         FROM filestore.session u \
         LEFT JOIN LATERAL ( \
             SELECT s.n, s.chain_after FROM filestore.segment s \
             WHERE s.content = u.content AND s.n < $4 AND s.n >= $4 - $5 \
                 AND s.chain_after IS NOT NULL \
             ORDER BY s.n DESC LIMIT 1 \
         ) p ON true \
         WHERE u.tenant = {TENANT} AND u.id = $2"
    );
    named(select, tenant, id).bind(now).bind(i64::from(number)).bind(i64::from(Hashed::WITHIN))
}

fn read_admission(row: &Row) -> DbResult<Admission> {
    let session = session::read(row)?;
    match session.state {
        UploadState::Open if time(get(row, COLUMN_COUNT)?)? < session.expires => {}
        UploadState::Open | UploadState::Expired => return Err(expired()),
        _ => return Err(Error::conflict("the upload is not open").into()),
    }
    let number = optional(row, COLUMN_COUNT + 1, small)?;
    let state =
        optional(row, COLUMN_COUNT + 2, |state: Vec<u8>| Ok(HashState::from_bytes(&state)))?;
    let hashed = number.zip(state.flatten()).map(|(number, state)| Hashed { number, state });
    let ticket = uint(get(row, COLUMN_COUNT + 3)?)?;
    Ok(Admission { session, ticket, hashed, announced: false })
}

/// Admits a part and announces its blob, in one round trip.
pub(super) struct Admit {
    pub(super) tenant: Tenant,
    pub(super) id: FileId,
    pub(super) number: PartNumber,
    pub(super) announce: Announcement,
    pub(super) now: Option<i64>,
}

#[async_trait]
impl Change for Admit {
    /// What is refused is known when nothing is left to be taken back.
    type Answer = DbResult<Admission>;

    async fn make(&self, _: &mut Tx) -> DbResult<Commit<Self::Answer>> {
        let Self { tenant, id, number, announce, now } = self;
        let is_open = format!(
            "EXISTS (SELECT 1 FROM filestore.session u WHERE u.tenant = {TENANT} AND u.id = $2 \
                 AND u.state = 0 AND u.expires > filestore.now($5))"
        );
        let pend = format!("SELECT filestore.pend($3, $4, $5) WHERE {is_open}");
        let pend = named(pend, tenant, *id)
            .bind(Id::from(announce.key))
            .bind(span(announce.ttl))
            .bind(*now);
        let statements = vec![admission(tenant, *id, *number, *now), pend];
        Ok(Commit::read(statements, |mut answers: Answers| {
            let rows = answers.next().unwrap_or_default();
            let admitted = rows.first().ok_or_else(no_upload).and_then(read_admission);
            let announced = answers.next().is_some_and(|rows| !rows.is_empty());
            Ok(admitted.and_then(|admission| {
                // Its time was up between the two.
                if !announced {
                    return Err(expired());
                }
                Ok(Admission { announced, ..admission })
            }))
        }))
    }
}

fn expired() -> PgError {
    Error::new(ErrorKind::Expired, "the upload has expired").into()
}

pub(super) fn no_upload() -> PgError {
    Error::not_found("there is no such upload").into()
}

/// Records a part, or rejects it when one that was admitted later is there.
pub(super) struct PutPart {
    pub(super) tenant: Tenant,
    pub(super) id: FileId,
    pub(super) total: Option<PartNumber>,
    pub(super) part: Part,
    pub(super) now: Option<i64>,
}

#[async_trait]
impl Change for PutPart {
    type Answer = UploadSession;

    async fn make(&self, _: &mut Tx) -> DbResult<Commit<UploadSession>> {
        let Part { number, segment, ticket, chain } = &self.part;
        let put = "SELECT filestore.put_part($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
        let put = named(put, &self.tenant, self.id)
            .bind(i64::from(*number))
            .bind(self.total.map(i64::from))
            .bind(int(segment.size)?)
            .bind(segment.sha256.as_bytes().to_vec())
            .bind(segment.key().map(Id::from))
            .bind(inline_bytes(segment)?)
            .bind(int(*ticket)?)
            .bind(chain.as_ref().map(|chain| chain.before.as_bytes().to_vec()))
            .bind(chain.as_ref().map(|chain| chain.after.as_bytes().to_vec()))
            .bind(self.now);
        let now = session::select(&self.tenant, self.id, "");
        Ok(Commit::read(vec![put, now], |mut answers: Answers| {
            let rows = answers.nth(1).unwrap_or_default();
            session::read(rows.first().ok_or_else(no_upload)?)
        }))
    }
}

/// Adds the hash of the whole to a part of a session that has not ended.
pub(super) fn save_chain(tenant: &Tenant, id: FileId, found: &PartChain) -> DbResult<Sql> {
    let PartChain { number, ticket, chain } = found;
    let save = format!(
        "UPDATE filestore.segment s SET chain_before = $4, chain_after = $5 \
         FROM filestore.session u WHERE u.tenant = {TENANT} AND u.id = $2 AND u.state <= 1 \
             AND s.content = u.content AND s.n = $3 AND s.ticket = $6"
    );
    Ok(named(save, tenant, id)
        .bind(i64::from(*number))
        .bind(chain.before.as_bytes().to_vec())
        .bind(chain.after.as_bytes().to_vec())
        .bind(int(*ticket)?))
}
