//! The arrows between the states of a session.

use filestore::backend::{Ending, Finished, Publication, Sealed, Segment, check_parts};
use filestore::{
    ContentInfo, Error, ErrorKind, FileId, FileKey, PartNumber, Tenant, Timestamp, UploadSession,
    UploadState, UploadTarget,
};
use rusqlite::{Connection, params};

use super::session::{self, SessionRow, set_state};
use crate::contents;
use crate::error::DbResult;
use crate::files;
use crate::landmarks;
use crate::row;
use crate::sql::{change, first, uint};
use crate::writer::Work;

/// Why a session fails whose file is removed.
const FILE_IS_GONE: &str = "the file is gone";

pub(super) fn seal(work: &mut Work<'_>, tenant: &Tenant, id: FileId) -> DbResult<Sealed> {
    let mut found = session::find(work.db, tenant, id)?;
    match found.session.state {
        UploadState::Open => {}
        UploadState::Sealed | UploadState::Completed => {
            let session = found.session;
            return Ok(Sealed { session, now: false });
        }
        UploadState::Expired => {
            return Err(Error::new(ErrorKind::Expired, "the upload has expired").into());
        }
        UploadState::Failed(_) | UploadState::Canceled => {
            return Err(Error::conflict("the upload has ended").into());
        }
    }
    check_complete(work.db, &found.session)?;
    set_state(work.db, &mut found, UploadState::Sealed, false, work.now)?;
    let session = found.session;
    Ok(Sealed { session, now: true })
}

/// Checks that no part is missing and that they add up.
fn check_complete(db: &Connection, session: &UploadSession) -> DbResult<()> {
    let (parts, last, received) = first(
        db,
        "SELECT count(*), coalesce(max(n), 0), coalesce(sum(size), 0) FROM segment \
         WHERE content = ?",
        params![session.content.as_bytes()],
        |row| {
            let parts: PartNumber = row.get(0)?;
            let last: PartNumber = row.get(1)?;
            Ok((parts, last, uint(row.get(2)?)?))
        },
    )?
    .unwrap_or_default();
    Ok(check_parts(session, parts, last, received)?)
}

pub(super) fn finish(
    work: &mut Work<'_>,
    tenant: &Tenant,
    id: FileId,
    publication: &Publication,
) -> DbResult<Finished> {
    let mut found = session::find(work.db, tenant, id)?;
    match found.session.state {
        UploadState::Open => return Err(Error::conflict("the upload is not sealed").into()),
        UploadState::Sealed => {}
        _ => return finished(work.db, found),
    }
    match found.session.target {
        UploadTarget::NewFile => {
            publish(work.db, &found, publication)?;
            let record = publication.record(&found.session);
            let record = files::insert_file(work, found.tenant, record)?;
            set_state(work.db, &mut found, UploadState::Completed, true, work.now)?;
            Ok(Finished { session: found.session, record: Some(record) })
        }
        UploadTarget::Existing(file) => {
            let Some(file) = row::find(work.db, found.tenant, &FileKey::Id(file))? else {
                fail(work.db, &mut found, work.now)?;
                return finished(work.db, found);
            };
            let content = publish(work.db, &found, publication)?;
            let record = files::replace_content(work, file, content)?;
            set_state(work.db, &mut found, UploadState::Completed, true, work.now)?;
            Ok(Finished { session: found.session, record: Some(record) })
        }
    }
}

/// How a session ended that has.
fn finished(db: &Connection, found: SessionRow) -> DbResult<Finished> {
    let record = match found.session.state {
        UploadState::Completed => row::find(db, found.tenant, &FileKey::Id(found.session.file()))?,
        _ => None,
    };
    Ok(Finished { session: found.session, record: record.map(|found| found.record) })
}

/// Makes content of a session's draft.
fn publish(
    db: &Connection,
    found: &SessionRow,
    publication: &Publication,
) -> DbResult<ContentInfo> {
    let session = &found.session;
    let info = publication.content(session);
    contents::insert(db, found.tenant, &info, session.parts.max(1) as usize)?;
    if session.parts == 0 {
        contents::put_segments(db, session.content, &[Segment::empty()])?;
    }
    landmarks::note(db, session.content, session.parts as usize)?;
    Ok(info)
}

pub(super) fn end(
    work: &mut Work<'_>,
    tenant: &Tenant,
    id: FileId,
    ending: &Ending,
) -> DbResult<UploadSession> {
    let mut found = session::find(work.db, tenant, id)?;
    let session = &found.session;
    if session.state.has_ended() {
        return Ok(found.session);
    }
    let is_early = *ending == Ending::Expired && work.now < session.expires;
    if is_early || !ending.follows(&session.state) {
        return Err(Error::conflict("the upload cannot end so now").into());
    }
    let has_file = match session.target {
        UploadTarget::NewFile => false,
        UploadTarget::Existing(file) => session::is_file(work.db, found.tenant, file)?,
    };
    contents::clear(work.db, session.content, work.now)?;
    set_state(work.db, &mut found, ending.state(), has_file, work.now)?;
    Ok(found.session)
}

/// What the removal of a file means to sessions: those that target it fail, and those that ended
/// with it are kept no longer than others.
pub(crate) fn file_is_gone(
    db: &Connection,
    tenant: i64,
    file: FileId,
    now: Timestamp,
) -> DbResult<()> {
    for mut found in session::live_with_target(db, tenant, file)? {
        fail(db, &mut found, now)?;
    }
    change(
        db,
        "UPDATE session SET has_file = 0 WHERE tenant = ? AND target = ?",
        params![tenant, file.as_bytes()],
    )?;
    change(
        db,
        "UPDATE session SET has_file = 0 WHERE tenant = ? AND id = ?",
        params![tenant, file.as_bytes()],
    )?;
    Ok(())
}

fn fail(db: &Connection, found: &mut SessionRow, now: Timestamp) -> DbResult<()> {
    contents::clear(db, found.session.content, now)?;
    set_state(db, found, UploadState::Failed(FILE_IS_GONE.to_owned()), false, now)
}

pub(super) fn forget(db: &Connection, tenant: &Tenant, id: FileId) -> DbResult<()> {
    let Some(found) = session::look_for(db, tenant, id)? else {
        return Ok(());
    };
    if !found.session.state.has_ended() {
        return Err(Error::conflict("the upload has not ended").into());
    }
    change(db, "DELETE FROM session WHERE row = ?", params![found.row])?;
    Ok(())
}
