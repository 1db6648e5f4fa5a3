//! Batches of changes: two round trips, whatever is in them.
//!
//! The first locks and reads all that the batch depends on, in the order in which everybody locks:
//! files, sessions, contents, keys of blobs, each by its id. What is to be done is then decided
//! without the database, and the second writes it and commits.

use async_trait::async_trait;
use filestore::backend::{Change as FileChange, ContentSource, Segment};
use filestore::{ContentInfo, FileRecord, Tenant};

use super::batch::{Batch, SharedContent, Taken};
use crate::commit::{Change, Commit};
use crate::error::DbResult;
use crate::flight::Answers;
use crate::index::external_hash;
use crate::row::{COLUMNS, CONTENT, TENANT, read};
use crate::sql::{Id, Sql, digest, get, int, optional, time, uint};
use crate::transaction::Tx;

pub(super) struct Apply {
    pub(super) tenant: Tenant,
    pub(super) changes: Vec<FileChange>,
    pub(super) now: Option<i64>,
}

#[async_trait]
impl Change for Apply {
    type Answer = Vec<FileRecord>;

    async fn make(&self, tx: &mut Tx) -> DbResult<Commit<Vec<FileRecord>>> {
        let named = Named::of(&self.changes)?;
        let answers = tx.fly(named.statements(&self.tenant)).await?;
        let batch = read_batch(answers)?;
        let (writes, records) = batch.decide(&self.changes)?;
        Ok(Commit::known(writes.statements(&self.tenant, self.now)?, records))
    }
}

/// What changes name, and so depend on.
#[derive(Default)]
struct Named {
    /// Files that are to be there.
    files: Vec<Id>,
    /// Those of them that go.
    removed: Vec<Id>,
    /// Contents that are shared, and new ones, which must not be there.
    contents: Vec<Id>,
    /// Keys of blobs in new contents.
    keys: Vec<Id>,
    /// Names that are wanted.
    ids: Vec<Id>,
    numbers: Vec<i64>,
    externals: Vec<Id>,
}

impl Named {
    fn of(changes: &[FileChange]) -> DbResult<Self> {
        let mut named = Self::default();
        for change in changes {
            match change {
                FileChange::Insert { record, content } => {
                    named.ids.push(record.id.into());
                    named.numbers.push(int(record.number.get())?);
                    named
                        .externals
                        .extend(record.attributes.external_id.as_deref().map(external_hash));
                    named.source(content.as_ref());
                }
                FileChange::Update { id, attributes, .. } => {
                    named.files.push((*id).into());
                    named.externals.extend(attributes.external_id.as_deref().map(external_hash));
                }
                FileChange::Replace { id, content, .. } => {
                    named.files.push((*id).into());
                    named.source(Some(content));
                }
                FileChange::Remove { id, .. } => {
                    named.files.push((*id).into());
                    named.removed.push((*id).into());
                }
            }
        }
        Ok(named)
    }

    fn source(&mut self, source: Option<&ContentSource>) {
        match source {
            Some(ContentSource::New(content)) => {
                self.contents.push(content.id.into());
                let keys = content.segments.iter().filter_map(Segment::key);
                self.keys.extend(keys.map(Id::from));
            }
            Some(ContentSource::Shared(id)) => self.contents.push((*id).into()),
            None => {}
        }
    }

    /// A row is locked by one statement and read by the next: what a statement reads beside the row
    /// that it waited for is older than that row.
    fn statements(self, tenant: &Tenant) -> Vec<Sql> {
        let tenant = || Sql::default().bind(tenant.as_str().to_owned());
        let make_tenant = Sql::new("SELECT filestore.make_tenant($1)").then(tenant());
        let lock_files = format!(
            "SELECT 1 FROM filestore.file WHERE tenant = {TENANT} AND id = ANY($2) \
             ORDER BY id FOR UPDATE"
        );
        let files = format!(
            "SELECT {COLUMNS} FROM filestore.file f {CONTENT} \
             WHERE f.tenant = {TENANT} AND f.id = ANY($2)"
        );
        let lock_sessions = format!(
            "SELECT 1 FROM filestore.session \
             WHERE tenant = {TENANT} AND target = ANY($2) AND state <= 1 ORDER BY id FOR UPDATE"
        );
        let contents = format!(
            "SELECT id, tenant = {TENANT}, size, tag, sha256, stored, uses FROM filestore.content \
             WHERE id = ANY($3 || ARRAY(SELECT f.content FROM filestore.file f \
                 WHERE f.tenant = {TENANT} AND f.id = ANY($2) AND f.content IS NOT NULL)) \
             ORDER BY id FOR UPDATE"
        );
        let keys = "SELECT key FROM filestore.ledger WHERE key = ANY($1) AND state = 0 \
             ORDER BY key FOR UPDATE";
        let taken = format!(
            "SELECT id, number, external_hash FROM filestore.file WHERE tenant = {TENANT} \
             AND (id = ANY($2) OR number = ANY($3) OR external_hash = ANY($4))"
        );
        vec![
            make_tenant,
            Sql::new(lock_files).then(tenant()).bind(self.files.clone()),
            Sql::new(lock_sessions).then(tenant()).bind(self.removed),
            Sql::new(contents).then(tenant()).bind(self.files.clone()).bind(self.contents),
            Sql::new(keys).bind(self.keys),
            Sql::new(files).then(tenant()).bind(self.files),
            Sql::new(taken).then(tenant()).bind(self.ids).bind(self.numbers).bind(self.externals),
        ]
    }
}

fn read_batch(answers: Answers) -> DbResult<Batch> {
    let mut answers = answers.skip(3);
    let mut next = || answers.next().unwrap_or_default();
    let mut batch = Batch::default();
    for row in next() {
        let info = ContentInfo {
            id: get::<Id>(&row, 0)?.into(),
            size: uint(get(&row, 2)?)?,
            tag: get(&row, 3)?,
            sha256: optional(&row, 4, digest)?,
            stored: time(get(&row, 5)?)?,
        };
        let content = SharedContent { is_ours: get(&row, 1)?, info, uses: get(&row, 6)? };
        batch.contents.insert(content.info.id, content);
    }
    for row in next() {
        batch.pending.insert(get::<Id>(&row, 0)?.into());
    }
    for row in next() {
        let file = read(&row)?;
        batch.files.insert(file.id, file);
    }
    for row in next() {
        let external = get::<Option<Id>>(&row, 2)?;
        batch.taken.insert(Taken::Id(get(&row, 0)?));
        batch.taken.insert(Taken::Number(get(&row, 1)?));
        batch.taken.extend(external.map(Taken::External));
    }
    Ok(batch)
}
