//! Parts: the segments of a session's draft content.

use filestore::backend::{Chain, Hashed, Part, PartChain};
use filestore::{
    Digest, Error, ErrorKind, FileId, HashState, PartNumber, Tenant, Timestamp, UploadSession,
    UploadState,
};
use rusqlite::{Connection, Row, params};

use super::session::{self, SessionRow};
use crate::contents::{self, INLINE, SEGMENT, read_segment};
use crate::error::DbResult;
use crate::sql::{all, change, first, int, uint};
use crate::writer::Work;

/// Parts of a session that has not ended; those of a completed one are a file's content by now.
pub(super) fn list(
    db: &Connection,
    tenant: &Tenant,
    id: FileId,
    after: PartNumber,
    limit: u32,
) -> DbResult<Vec<Part>> {
    let session = session::find(db, tenant, id)?.session;
    if session.state.has_ended() {
        return Ok(Vec::new());
    }
    all(
        db,
        &format!(
            "SELECT {SEGMENT}, s.n, s.ticket, s.chain_before, s.chain_after \
             FROM segment s {INLINE} WHERE s.content = ? AND s.n > ? ORDER BY s.n LIMIT ?"
        ),
        params![session.content.as_bytes(), after, limit],
        |row| {
            Ok(Part {
                segment: read_segment(row)?,
                number: row.get(4)?,
                ticket: uint(row.get::<_, Option<_>>(5)?.unwrap_or_default())?,
                chain: chain(row.get(6)?, &row.get(7)?),
            })
        },
    )
}

/// A chain whose hash another version of the library wrote is as good as none.
fn chain(before: Option<[u8; 32]>, after: &Option<Vec<u8>>) -> Option<Chain> {
    Some(Chain {
        before: Digest::from_bytes(before?),
        after: HashState::from_bytes(after.as_deref()?)?,
    })
}

/// Checks that a part may come; answers with the session and how far its hash has come.
pub(super) fn admit(
    db: &Connection,
    tenant: &Tenant,
    id: FileId,
    number: PartNumber,
    now: Timestamp,
) -> DbResult<(UploadSession, Option<Hashed>)> {
    let session = session::find(db, tenant, id)?.session;
    match session.state {
        UploadState::Open if now < session.expires => {}
        UploadState::Open | UploadState::Expired => {
            return Err(Error::new(ErrorKind::Expired, "the upload has expired").into());
        }
        _ => return Err(not_open()),
    }
    let hashed: Option<(PartNumber, Vec<u8>)> = first(
        db,
        "SELECT n, chain_after FROM segment \
         WHERE content = ?1 AND n < ?2 AND n >= ?2 - ?3 AND chain_after IS NOT NULL \
         ORDER BY n DESC LIMIT 1",
        params![session.content.as_bytes(), number, Hashed::WITHIN],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let hashed = hashed.and_then(|(number, state)| {
        HashState::from_bytes(&state).map(|state| Hashed { number, state })
    });
    Ok((session, hashed))
}

fn not_open() -> crate::error::SqliteError {
    Error::conflict("the upload is not open").into()
}

/// Records a part, or rejects it when one that was admitted later is there.
pub(super) fn put(
    work: &mut Work<'_>,
    tenant: &Tenant,
    id: FileId,
    total: Option<PartNumber>,
    part: &Part,
) -> DbResult<UploadSession> {
    let (db, now) = (work.db, work.now);
    let SessionRow { row, mut session, .. } = session::find(db, tenant, id)?;
    if session.state != UploadState::Open {
        return Err(not_open());
    }
    session.total = agreed(session.total, total)?;
    if part.number == 0 || session.total.is_some_and(|total| part.number > total) {
        return Err(Error::invalid("there is no part of this number").into());
    }
    let there = there(db, &session, part.number)?;
    if there.as_ref().is_some_and(|there| there.ticket > part.ticket) {
        if let Some(key) = part.segment.key() {
            contents::reject(db, key, now)?;
        }
    } else {
        match there {
            Some(there) => {
                session.received -= there.size;
                contents::drop_segment(db, session.content, part.number, now)?;
            }
            None => session.parts += 1,
        }
        session.received += part.segment.size;
        let (ticket, chain) = (Some(part.ticket), part.chain.as_ref());
        contents::put_segment(db, session.content, part.number, &part.segment, ticket, chain)?;
    }
    change(
        db,
        "UPDATE session SET total = ?, parts = ?, received = ? WHERE row = ?",
        params![session.total, session.parts, int(session.received)?, row],
    )?;
    Ok(session)
}

/// The total, which once known does not change.
fn agreed(known: Option<PartNumber>, given: Option<PartNumber>) -> DbResult<Option<PartNumber>> {
    match (known, given) {
        (Some(known), Some(given)) if known != given => {
            Err(Error::conflict("the upload has another number of parts").into())
        }
        _ => Ok(known.or(given)),
    }
}

/// What is there of a part already.
struct There {
    size: u64,
    ticket: u64,
}

fn there(db: &Connection, session: &UploadSession, number: PartNumber) -> DbResult<Option<There>> {
    first(
        db,
        "SELECT size, ticket FROM segment WHERE content = ? AND n = ?",
        params![session.content.as_bytes(), number],
        |row: &Row<'_>| {
            Ok(There {
                size: uint(row.get(0)?)?,
                ticket: uint(row.get::<_, Option<_>>(1)?.unwrap_or_default())?,
            })
        },
    )
}

pub(super) fn save_chains(
    db: &Connection,
    tenant: &Tenant,
    id: FileId,
    chains: &[PartChain],
) -> DbResult<()> {
    let Some(found) = session::look_for(db, tenant, id)? else {
        return Ok(());
    };
    if found.session.state.has_ended() {
        return Ok(());
    }
    for PartChain { number, ticket, chain } in chains {
        change(
            db,
            "UPDATE segment SET chain_before = ?, chain_after = ? \
             WHERE content = ? AND n = ? AND ticket = ?",
            params![
                chain.before.as_bytes(),
                chain.after.as_bytes(),
                found.session.content.as_bytes(),
                number,
                int(*ticket)?,
            ],
        )?;
    }
    Ok(())
}

/// The greatest ticket of a part that can still be replaced. Those that were drawn and not used
/// cannot come any more: whoever drew them has gone with the process.
pub(crate) fn last_ticket(db: &Connection) -> DbResult<u64> {
    let last: Option<Option<i64>> = first(
        db,
        "SELECT max(s.ticket) FROM session u JOIN segment s ON s.content = u.content \
         WHERE u.state = 0",
        [],
        |row| Ok(row.get(0)?),
    )?;
    uint(last.flatten().unwrap_or_default())
}
