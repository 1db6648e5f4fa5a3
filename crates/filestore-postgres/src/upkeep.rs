//! [`ContentRepository`].

use async_trait::async_trait;
use filestore::backend::{Content, ContentRepository, Segment};
use filestore::{ContentId, Result};
use tokio_postgres::Row;

use crate::PostgresRepository;
use crate::commit::{Change, Commit};
use crate::contents::{SEGMENT, note_landmarks, read_segment};
use crate::error::DbResult;
use crate::ledger::Statements;
use crate::sql::{Id, Sql, digest, get, int, optional, small, uint};
use crate::transaction::Tx;
use crate::writes::{clear, put_segments};

const COLUMNS: &str = "id, size, tag, sha256, segments, damaged";

#[async_trait]
impl ContentRepository for PostgresRepository {
    async fn contents(&self, after: Option<ContentId>, limit: u32) -> Result<Vec<Content>> {
        let list = format!(
            "SELECT {COLUMNS} FROM filestore.content \
             WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2"
        );
        let list = Sql::new(list).bind(after.map(Id::from)).bind(i64::from(limit));
        Ok(self.rows(list).await?.iter().map(read).collect::<DbResult<_>>()?)
    }

    async fn segments(&self, id: ContentId) -> Result<Vec<Segment>> {
        let list = format!(
            "SELECT {SEGMENT} FROM filestore.segment s JOIN filestore.content c ON c.id = s.content \
             WHERE c.id = $1 ORDER BY s.n"
        );
        let rows = self.rows(Sql::new(list).bind(Id::from(id))).await?;
        Ok(rows.iter().map(read_segment).collect::<DbResult<_>>()?)
    }

    async fn fragmented(&self, segments: u32, average: u64, limit: u32) -> Result<Vec<Content>> {
        // The quotient is rounded down, which does not matter to a comparison with a whole number.
        let list = format!(
            "SELECT {COLUMNS} FROM filestore.content \
             WHERE segments > $1 AND size / segments < $2 AND NOT damaged LIMIT $3"
        );
        let list = Sql::new(list)
            .bind(i64::from(segments))
            .bind(i64::try_from(average).unwrap_or(i64::MAX))
            .bind(i64::from(limit));
        Ok(self.rows(list).await?.iter().map(read).collect::<DbResult<_>>()?)
    }

    async fn replace_segments(
        &self,
        id: ContentId,
        expected: u32,
        segments: Vec<Segment>,
    ) -> Result<bool> {
        let segments = (1..).zip(segments).map(|(n, segment)| (id, n, segment)).collect();
        self.commit_known(Replace { id, expected, segments, now: self.given_now() }).await
    }

    async fn quarantine(&self, id: ContentId, damaged: bool) -> Result<()> {
        let mark = "UPDATE filestore.content SET damaged = $2 WHERE id = $1";
        let mark = Sql::new(mark).bind(Id::from(id)).bind(damaged);
        self.commit_known(Statements(vec![mark])).await
    }
}

fn read(row: &Row) -> DbResult<Content> {
    Ok(Content {
        id: get::<Id>(row, 0)?.into(),
        size: uint(get(row, 1)?)?,
        tag: get(row, 2)?,
        sha256: optional(row, 3, digest)?,
        segments: small(get(row, 4)?)?,
        damaged: get(row, 5)?,
    })
}

struct Replace {
    id: ContentId,
    expected: u32,
    segments: Vec<(ContentId, u64, Segment)>,
    now: Option<i64>,
}

#[async_trait]
impl Change for Replace {
    type Answer = bool;

    async fn make(&self, tx: &mut Tx) -> DbResult<Commit<bool>> {
        let lock = "SELECT 1 FROM filestore.content WHERE id = $1 AND segments = $2 FOR UPDATE";
        let lock = Sql::new(lock).bind(Id::from(self.id)).bind(i64::from(self.expected));
        let is_expected = tx.fly(vec![lock]).await?.next().is_some_and(|rows| !rows.is_empty());
        if !is_expected {
            return Ok(Commit::known(Vec::new(), false));
        }
        let mut statements = vec![clear(vec![self.id.into()], self.now)];
        put_segments(&self.segments, &mut statements)?;
        let count = "UPDATE filestore.content SET segments = $2 WHERE id = $1";
        let segments = int(self.segments.len() as u64)?;
        statements.push(Sql::new(count).bind(Id::from(self.id)).bind(segments));
        statements.push(note_landmarks(self.id));
        Ok(Commit::known(statements, true))
    }
}
