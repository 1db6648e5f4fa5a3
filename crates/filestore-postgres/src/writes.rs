//! What a change of files writes, gathered so that it takes the same few statements for one file
//! and for a thousand.
//!
//! It has been decided by then, from rows that are locked. Names are not: where another transaction
//! takes one meanwhile, a unique index refuses this one, and it is made again.

use std::collections::BTreeMap;

use filestore::backend::{Segment, TermHash, clamped_edges, extent_edges};
use filestore::{Attributes, ContentId, ContentInfo, Digest, FileId, FileRecord, Tenant, fold};

use crate::contents::inline_bytes;
use crate::error::DbResult;
use crate::index::{external_hash, grams};
use crate::row::{TENANT, details};
use crate::sql::{Id, Sql, int, millis};

/// Why a session fails whose file is removed.
pub(crate) const FILE_IS_GONE: &str = "the file is gone";

#[derive(Debug, Default)]
pub(crate) struct Writes {
    /// Files that are removed, as they were.
    pub(crate) removed: Vec<FileRecord>,
    /// Files with other attributes, and those that they had.
    pub(crate) updated: Vec<(FileRecord, Attributes)>,
    /// Files with other content.
    pub(crate) pointed: Vec<(FileId, ContentInfo)>,
    /// New files. Their content, if any, counts them.
    pub(crate) inserted: Vec<FileRecord>,
    /// New contents, how many records use each, and of how many segments they are.
    pub(crate) contents: Vec<(ContentInfo, i64, u64)>,
    /// Segments to be written. Their blobs' keys are pending.
    pub(crate) segments: Vec<(ContentId, u64, Segment)>,
    /// By how much more or fewer records contents are used that stay.
    pub(crate) uses: BTreeMap<ContentId, i64>,
    /// Contents that no record uses any more. They may be new ones.
    pub(crate) dead: Vec<ContentId>,
}

impl Writes {
    /// The statements, in an order in which no two files have one name at a time.
    pub(crate) fn statements(self, tenant: &Tenant, now: Option<i64>) -> DbResult<Vec<Sql>> {
        let tenant_name = || Sql::default().bind(tenant.as_str().to_owned());
        let mut all = Vec::new();
        self.remove_files(&mut all, &tenant_name, now)?;
        self.update_files(&mut all, &tenant_name)?;
        self.put_contents(&mut all, &tenant_name)?;
        put_segments(&self.segments, &mut all)?;
        self.insert_files(&mut all, &tenant_name)?;
        self.point_files(&mut all, &tenant_name);
        self.index_files(&mut all, tenant)?;
        self.release(&mut all, now);
        Ok(all)
    }

    fn remove_files(
        &self,
        all: &mut Vec<Sql>,
        tenant: &impl Fn() -> Sql,
        now: Option<i64>,
    ) -> DbResult<()> {
        if self.removed.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = self.removed.iter().map(|file| Id::from(file.id)).collect();
        let numbers = numbers(self.removed.iter())?;
        let delete = format!("DELETE FROM filestore.file WHERE tenant = {TENANT} AND id = ANY($2)");
        all.push(Sql::new(delete).then(tenant()).bind(ids.clone()));
        let delete =
            format!("DELETE FROM filestore.name WHERE tenant = {TENANT} AND number = ANY($2)");
        all.push(Sql::new(delete).then(tenant()).bind(numbers));
        let fail = format!(
            "WITH failed AS (UPDATE filestore.session SET state = 3, reason = $4, \
                 has_file = false, changed = filestore.now($3) \
                 WHERE tenant = {TENANT} AND target = ANY($2) AND state <= 1 RETURNING content), \
             {}",
            gone("content IN (SELECT content FROM failed)", "$3")
        );
        let reason = FILE_IS_GONE.to_owned();
        all.push(Sql::new(fail).then(tenant()).bind(ids.clone()).bind(now).bind(reason));
        let gone = format!(
            "UPDATE filestore.session SET has_file = false \
             WHERE tenant = {TENANT} AND (target = ANY($2) OR id = ANY($2)) AND has_file"
        );
        all.push(Sql::new(gone).then(tenant()).bind(ids));
        Ok(())
    }

    fn update_files(&self, all: &mut Vec<Sql>, tenant: &impl Fn() -> Sql) -> DbResult<()> {
        if self.updated.is_empty() {
            return Ok(());
        }
        // An external id may go from one to another of these files.
        let moved = self.updated.iter().filter(|(file, was)| {
            was.external_id.is_some() && was.external_id != file.attributes.external_id
        });
        let moved: Vec<_> = moved.map(|(file, _)| Id::from(file.id)).collect();
        if !moved.is_empty() {
            let free = format!(
                "UPDATE filestore.file SET external_id = NULL, external_hash = NULL \
                 WHERE tenant = {TENANT} AND id = ANY($2)"
            );
            all.push(Sql::new(free).then(tenant()).bind(moved));
        }
        let columns = Columns::of(self.updated.iter().map(|(file, _)| file))?;
        let set = format!(
            "UPDATE filestore.file f SET revision = u.revision, updated = u.updated, {} \
             FROM unnest({}) AS u (id, revision, updated, {SAID}) \
             WHERE f.tenant = {TENANT} AND f.id = u.id",
            SAID.split(", ")
                .map(|name| format!("{name} = {}", said(name)))
                .collect::<Vec<_>>()
                .join(", "),
            marks(2, 3 + SAID_COUNT),
        );
        let sql = Sql::new(set).then(tenant()).bind(columns.ids).bind(columns.revisions);
        all.push(columns.said.bind_to(sql.bind(columns.updated)));
        Ok(())
    }

    fn insert_files(&self, all: &mut Vec<Sql>, tenant: &impl Fn() -> Sql) -> DbResult<()> {
        if self.inserted.is_empty() {
            return Ok(());
        }
        let columns = Columns::of(self.inserted.iter())?;
        let values = SAID.split(", ").map(said).collect::<Vec<_>>().join(", ");
        let insert = format!(
            "INSERT INTO filestore.file (tenant, id, revision, updated, number, owner, created, \
                 content, stored, {SAID}) \
             SELECT {TENANT}, u.id, u.revision, u.updated, u.number, u.owner, u.created, \
                 u.content, u.stored, {values} \
             FROM unnest({}) AS u (id, revision, updated, number, owner, created, content, \
                 stored, {SAID})",
            marks(2, 8 + SAID_COUNT),
        );
        let files = self.inserted.iter();
        let contents = || self.inserted.iter().map(|file| file.content.as_ref());
        let sql = Sql::new(insert)
            .then(tenant())
            .bind(columns.ids)
            .bind(columns.revisions)
            .bind(columns.updated)
            .bind(numbers(files.clone())?)
            .bind(files.clone().map(|file| file.owner.as_str().to_owned()).collect::<Vec<_>>())
            .bind(files.map(|file| millis(file.created)).collect::<Vec<_>>())
            .bind(contents().map(|it| it.map(|it| Id::from(it.id))).collect::<Vec<_>>())
            .bind(contents().map(|it| it.map(|it| millis(it.stored))).collect::<Vec<_>>());
        all.push(columns.said.bind_to(sql));
        Ok(())
    }

    fn point_files(&self, all: &mut Vec<Sql>, tenant: &impl Fn() -> Sql) {
        if self.pointed.is_empty() {
            return;
        }
        let point = format!(
            "UPDATE filestore.file f SET content = u.content, stored = u.stored \
             FROM unnest($2, $3, $4) AS u (id, content, stored) \
             WHERE f.tenant = {TENANT} AND f.id = u.id"
        );
        let pointed = self.pointed.iter();
        all.push(
            Sql::new(point)
                .then(tenant())
                .bind(pointed.clone().map(|(id, _)| Id::from(*id)).collect::<Vec<_>>())
                .bind(pointed.clone().map(|(_, it)| Id::from(it.id)).collect::<Vec<_>>())
                .bind(pointed.map(|(_, it)| millis(it.stored)).collect::<Vec<_>>()),
        );
    }

    fn index_files(&self, all: &mut Vec<Sql>, tenant: &Tenant) -> DbResult<()> {
        let (mut dropped, mut added) = (Pairs::default(), Pairs::default());
        let (mut named, mut names) = (Vec::new(), Vec::new());
        let mut rename = |file: &FileRecord, number| {
            named.push(number);
            // A list of lists must be of one length each, which text need not be.
            let grams = grams(tenant, &fold(&file.attributes.name));
            let grams: Vec<_> = grams.iter().map(i32::to_string).collect();
            names.push(format!("{{{}}}", grams.join(",")));
        };
        for file in &self.removed {
            dropped.add(int(file.number.get())?, TermHash::all_of(&file.attributes));
        }
        for (file, was) in &self.updated {
            let number = int(file.number.get())?;
            let (old, new) = (TermHash::all_of(was), TermHash::all_of(&file.attributes));
            dropped.add(number, old.difference(&new).copied());
            added.add(number, new.difference(&old).copied());
            if was.name != file.attributes.name {
                rename(file, number);
            }
        }
        for file in &self.inserted {
            let number = int(file.number.get())?;
            added.add(number, TermHash::all_of(&file.attributes));
            rename(file, number);
        }
        let tenant = || Sql::default().bind(tenant.as_str().to_owned());
        if !dropped.hashes.is_empty() {
            let delete = format!(
                "DELETE FROM filestore.term t USING unnest($2, $3) AS u (hash, number) \
                 WHERE t.tenant = {TENANT} AND t.hash = u.hash AND t.number = u.number"
            );
            all.push(Sql::new(delete).then(tenant()).bind(dropped.hashes).bind(dropped.numbers));
        }
        if !added.hashes.is_empty() {
            let insert = format!(
                "INSERT INTO filestore.term (tenant, hash, number) \
                 SELECT {TENANT}, u.hash, u.number FROM unnest($2, $3) AS u (hash, number)"
            );
            all.push(Sql::new(insert).then(tenant()).bind(added.hashes).bind(added.numbers));
        }
        if !named.is_empty() {
            let insert = format!(
                "INSERT INTO filestore.name (tenant, number, grams) \
                 SELECT {TENANT}, u.number, u.grams::integer[] \
                 FROM unnest($2, $3) AS u (number, grams) \
                 ON CONFLICT (tenant, number) DO UPDATE SET grams = excluded.grams"
            );
            all.push(Sql::new(insert).then(tenant()).bind(named).bind(names));
        }
        Ok(())
    }

    fn put_contents(&self, all: &mut Vec<Sql>, tenant: &impl Fn() -> Sql) -> DbResult<()> {
        if self.contents.is_empty() {
            return Ok(());
        }
        let insert = format!(
            "INSERT INTO filestore.content (tenant, id, size, tag, sha256, stored, uses, segments) \
             SELECT {TENANT}, u.* FROM unnest($2, $3, $4, $5, $6, $7, $8) AS u"
        );
        let infos = || self.contents.iter().map(|(info, ..)| info);
        let digests = infos().map(|info| info.sha256.as_ref().map(bytes));
        all.push(
            Sql::new(insert)
                .then(tenant())
                .bind(infos().map(|info| Id::from(info.id)).collect::<Vec<_>>())
                .bind(infos().map(|info| int(info.size)).collect::<DbResult<Vec<_>>>()?)
                .bind(infos().map(|info| info.tag.clone()).collect::<Vec<_>>())
                .bind(digests.collect::<Vec<_>>())
                .bind(infos().map(|info| millis(info.stored)).collect::<Vec<_>>())
                .bind(self.contents.iter().map(|(_, uses, _)| *uses).collect::<Vec<_>>())
                .bind(counts(self.contents.iter().map(|(.., segments)| *segments))?),
        );
        Ok(())
    }

    fn release(&self, all: &mut Vec<Sql>, now: Option<i64>) {
        let uses: Vec<_> = self.uses.iter().filter(|(_, change)| **change != 0).collect();
        if !uses.is_empty() {
            let count = "UPDATE filestore.content c SET uses = uses + u.change \
                 FROM unnest($1, $2) AS u (id, change) WHERE c.id = u.id";
            all.push(
                Sql::new(count)
                    .bind(uses.iter().map(|(id, _)| Id::from(**id)).collect::<Vec<_>>())
                    .bind(uses.iter().map(|(_, change)| **change).collect::<Vec<_>>()),
            );
        }
        if !self.dead.is_empty() {
            let dead: Vec<_> = self.dead.iter().map(|id| Id::from(*id)).collect();
            let delete = "DELETE FROM filestore.content WHERE id = ANY($1)";
            all.push(Sql::new(delete).bind(dead.clone()));
            all.push(clear(dead, now));
        }
    }
}

/// Writes segments of contents. Their blobs' keys move out of pending.
pub(crate) fn put_segments(
    written: &[(ContentId, u64, Segment)],
    all: &mut Vec<Sql>,
) -> DbResult<()> {
    if written.is_empty() {
        return Ok(());
    }
    let segments = || written.iter().map(|(.., segment)| segment);
    let keys: Vec<_> = segments().filter_map(Segment::key).map(Id::from).collect();
    if !keys.is_empty() {
        all.push(adopt(keys));
    }
    let insert = "INSERT INTO filestore.segment (content, n, size, sha256, key, data) \
         SELECT * FROM unnest($1, $2, $3, $4, $5, $6)";
    let own_keys = segments().map(|segment| segment.key().map(Id::from));
    all.push(
        Sql::new(insert)
            .bind(written.iter().map(|(id, ..)| Id::from(*id)).collect::<Vec<_>>())
            .bind(counts(written.iter().map(|(_, n, _)| *n))?)
            .bind(counts(segments().map(|segment| segment.size))?)
            .bind(segments().map(|segment| bytes(&segment.sha256)).collect::<Vec<_>>())
            .bind(own_keys.collect::<Vec<_>>())
            .bind(segments().map(inline_bytes).collect::<DbResult<Vec<_>>>()?),
    );
    Ok(())
}

/// Takes keys out of pending for segments that are about to have them.
fn adopt(keys: Vec<Id>) -> Sql {
    let adopt = "WITH adopted AS (DELETE FROM filestore.ledger \
             WHERE key = ANY($1) AND state = 0 RETURNING 1) \
         SELECT filestore.must((SELECT count(*) FROM adopted) = cardinality($1), 'FSCON', \
             'a blob''s key is not pending any more')";
    Sql::new(adopt).bind(keys)
}

/// Removes all segments of contents; their blobs' keys become garbage.
pub(crate) fn clear(contents: Vec<Id>, now: Option<i64>) -> Sql {
    Sql::new(format!("WITH {}", gone("content = ANY($1)", "$2"))).bind(contents).bind(now)
}

/// The last parts of a `WITH` that removes the segments for which a condition holds.
fn gone(which: &str, now: &str) -> String {
    format!(
        "gone AS (DELETE FROM filestore.segment WHERE {which} RETURNING key) \
         INSERT INTO filestore.ledger (key, state, at) \
         SELECT key, 1, filestore.now({now}) FROM gone WHERE key IS NOT NULL"
    )
}

/// The columns that clients say something in, as lists.
const SAID: &str = "name, folded, external_id, external_hash, directory, source, content_type, \
                    source_created, source_modified, min_x, max_x, min_y, max_y, extent, details";
const SAID_COUNT: usize = 15;

/// How such a column is written, from a list that may have another type.
fn said(name: &str) -> String {
    match name {
        "extent" => "u.extent::box".to_owned(),
        "details" => "u.details::jsonb".to_owned(),
        name => format!("u.{name}"),
    }
}

/// The columns of files, each a list with one entry for each file.
struct Columns {
    ids: Vec<Id>,
    revisions: Vec<i64>,
    updated: Vec<i64>,
    said: Said,
}

#[derive(Default)]
struct Said {
    names: Vec<String>,
    folded: Vec<String>,
    external_ids: Vec<Option<String>>,
    external_hashes: Vec<Option<Id>>,
    directories: Vec<Option<String>>,
    sources: Vec<Option<String>>,
    content_types: Vec<Option<String>>,
    source_created: Vec<Option<i64>>,
    source_modified: Vec<Option<i64>>,
    edges: [Vec<Option<f64>>; 4],
    extents: Vec<Option<String>>,
    details: Vec<Option<String>>,
}

impl Columns {
    fn of<'f>(files: impl Iterator<Item = &'f FileRecord>) -> DbResult<Self> {
        let (ids, revisions, updated) = (Vec::new(), Vec::new(), Vec::new());
        let mut columns = Self { ids, revisions, updated, said: Said::default() };
        for file in files {
            columns.ids.push(file.id.into());
            columns.revisions.push(int(file.revision.get())?);
            columns.updated.push(millis(file.updated));
            columns.said.add(&file.attributes)?;
        }
        Ok(columns)
    }
}

impl Said {
    fn add(&mut self, a: &Attributes) -> DbResult<()> {
        self.names.push(a.name.clone());
        self.folded.push(fold(&a.name));
        self.external_ids.push(a.external_id.clone());
        self.external_hashes.push(a.external_id.as_deref().map(external_hash));
        self.directories.push(a.directory.clone());
        self.sources.push(a.source.clone());
        self.content_types.push(a.content_type.clone());
        self.source_created.push(a.source_created.map(millis));
        self.source_modified.push(a.source_modified.map(millis));
        for (column, edge) in self.edges.iter_mut().zip(extent_edges(a.extent)?) {
            column.push(edge);
        }
        self.extents.push(a.extent.map(|extent| {
            let [min_x, max_x, min_y, max_y] = clamped_edges(&extent);
            format!("(({max_x:e},{max_y:e}),({min_x:e},{min_y:e}))")
        }));
        self.details.push(details(a)?);
        Ok(())
    }

    fn bind_to(self, sql: Sql) -> Sql {
        let sql = sql
            .bind(self.names)
            .bind(self.folded)
            .bind(self.external_ids)
            .bind(self.external_hashes)
            .bind(self.directories)
            .bind(self.sources)
            .bind(self.content_types)
            .bind(self.source_created)
            .bind(self.source_modified);
        let sql = self.edges.into_iter().fold(sql, Sql::bind);
        sql.bind(self.extents).bind(self.details)
    }
}

/// Hashes and the numbers of the files that have them.
#[derive(Default)]
struct Pairs {
    hashes: Vec<Id>,
    numbers: Vec<i64>,
}

impl Pairs {
    fn add(&mut self, number: i64, hashes: impl IntoIterator<Item = TermHash>) {
        for hash in hashes {
            self.hashes.push(hash.into());
            self.numbers.push(number);
        }
    }
}

fn numbers<'f>(files: impl Iterator<Item = &'f FileRecord>) -> DbResult<Vec<i64>> {
    files.map(|file| int(file.number.get())).collect()
}

fn counts(values: impl Iterator<Item = u64>) -> DbResult<Vec<i64>> {
    values.map(int).collect()
}

fn bytes(digest: &Digest) -> Vec<u8> {
    digest.as_bytes().to_vec()
}

/// So many parameters from the one with this number on.
fn marks(first: usize, count: usize) -> String {
    let marks: Vec<_> = (first..first + count).map(|n| format!("${n}")).collect();
    marks.join(", ")
}
