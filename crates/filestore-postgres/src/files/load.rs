//! A record and the segments of a range of its content, from one snapshot: one statement.

use std::sync::LazyLock;

use filestore::backend::StoredFile;
use filestore::{BlobKey, Error, FileKey, RangeSpec, Tenant};
use tokio_postgres::Row;

use crate::PostgresRepository;
use crate::contents::{LANDMARKS, segment};
use crate::error::{DbResult, PgError};
use crate::index::external_hash;
use crate::row::{COLUMN_COUNT, COLUMNS, CONTENT, TENANT, is_damaged, read};
use crate::sql::{Id, Sql, get, int, uint};

/// The segments that reach into the range, each with where it ends; all when the range is null. A
/// content of one segment, as most are, needs no sums.
const SEGMENTS: &str = "LEFT JOIN LATERAL ( \
     SELECT array_agg(s.stop) AS stops, array_agg(s.size) AS sizes, \
         array_agg(s.sha256) AS digests, array_agg(s.key) AS keys, array_agg(s.data) AS data \
     FROM (SELECT s.size, s.sha256, s.key, s.data, \
             m.start + (sum(s.size) OVER (ORDER BY s.n))::bigint AS stop \
         FROM filestore.segment s \
         WHERE s.content = c.id AND s.n > m.before AND s.n <= m.up_to ORDER BY s.n) s \
     WHERE $3::bigint IS NULL OR (s.stop > r.first AND s.stop - s.size <= r.last) \
 ) s ON true";

/// The range's first and last byte. A range of the last so many bytes has no first one yet.
const RANGE: &str = "CROSS JOIN LATERAL ( \
     SELECT CASE WHEN $4::bigint IS NULL THEN $3::bigint ELSE c.size - $4::bigint END AS first, \
         CASE WHEN $3::bigint IS NULL THEN NULL ELSE least($5::bigint, c.size - 1) END AS last \
 ) r";

/// Between which landmarks the range is: the segments before the first of them, and where it is in
/// the content; the last segment up to the other one. Without landmarks, or a range, all are.
static MARKS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "CROSS JOIN LATERAL ( \
             SELECT coalesce(width_bucket(r.first, c.landmarks) * {LANDMARKS}, 0) AS before, \
                 coalesce(c.landmarks[width_bucket(r.first, c.landmarks)], 0) AS start, \
                 coalesce((width_bucket(r.last, c.landmarks) + 1) * {LANDMARKS}, {}) AS up_to \
         ) m",
        i64::MAX
    )
});

pub(super) async fn load(
    repository: &PostgresRepository,
    tenant: &Tenant,
    key: &FileKey,
    range: Option<RangeSpec>,
) -> DbResult<StoredFile> {
    let row = repository.first(select(tenant, key, range)?).await?;
    let row = row.ok_or_else(|| Error::not_found("there is no such file"))?;
    if is_damaged(&row)? {
        return Err(Error::unavailable("the content is damaged and in quarantine").into());
    }
    let mut loaded = StoredFile { record: read(&row)?, segments: Vec::new(), offset: 0 };
    let size = loaded.record.content.as_ref().map(|content| content.size);
    let is_empty = match (size, range) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(size), Some(range)) => range.resolve(size).is_err(),
    };
    if !is_empty {
        read_segments(&row, &mut loaded)?;
    }
    Ok(loaded)
}

fn select(tenant: &Tenant, key: &FileKey, range: Option<RangeSpec>) -> DbResult<Sql> {
    let column = match key {
        FileKey::Id(_) => "id",
        FileKey::Number(_) => "number",
        FileKey::External(_) => "external_hash",
    };
    let text = format!(
        "SELECT {COLUMNS}, s.stops, s.sizes, s.digests, s.keys, s.data \
         FROM filestore.file f {CONTENT} {RANGE} {} {SEGMENTS} \
         WHERE f.tenant = {TENANT} AND f.{column} = $2",
        *MARKS
    );
    let sql = Sql::new(text).bind(tenant.as_str().to_owned());
    let sql = match key {
        FileKey::Id(id) => sql.bind(Id::from(*id)),
        FileKey::Number(number) => sql.bind(int(number.get())?),
        FileKey::External(text) => sql.bind(external_hash(text)),
    };
    // No content is so large that a bound past these numbers is another.
    let bound = |at: u64| i64::try_from(at).unwrap_or(i64::MAX);
    let [first, of_last, last] = match range {
        None => [None; 3],
        Some(RangeSpec::From(first)) => [Some(bound(first)), None, None],
        Some(RangeSpec::FromTo(first, last)) => [Some(bound(first)), None, Some(bound(last))],
        Some(RangeSpec::Last(count)) => [Some(0), Some(bound(count)), None],
    };
    Ok(sql.bind(first).bind(of_last).bind(last))
}

fn read_segments(row: &Row, loaded: &mut StoredFile) -> DbResult<()> {
    let at = COLUMN_COUNT;
    let Some(stops) = get::<Option<Vec<i64>>>(row, at)? else {
        return Err(PgError::Damaged("content without segments"));
    };
    let sizes: Vec<i64> = get(row, at + 1)?;
    let digests: Vec<Vec<u8>> = get(row, at + 2)?;
    let keys: Vec<Option<Id>> = get(row, at + 3)?;
    let data: Vec<Option<Vec<u8>>> = get(row, at + 4)?;
    if let (Some(stop), Some(size)) = (stops.first(), sizes.first()) {
        loaded.offset = uint(stop - size)?;
    }
    for (((size, sha256), key), data) in sizes.into_iter().zip(digests).zip(keys).zip(data) {
        loaded.segments.push(segment(size, sha256, key.map(BlobKey::from), data)?);
    }
    Ok(())
}
