//! Moving house: everything that one store keeps, copied into another over other backends.
//!
//! What has been done is told by what the target has, and by nothing else: whatever is there is whole,
//! so a copy that was broken off goes on where it was, from any machine.

mod content;
mod sessions;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::stream::{self, StreamExt, TryStreamExt};

use crate::backend::{Change, ContentSource, Kept};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{ContentId, FileId, Tenant};
use crate::query::FileQuery;
use crate::record::{FileKey, FileRecord};
use crate::store::FileStore;

/// Files that are looked for in the target with one question.
const PAGE: u32 = 200;
/// Sessions, records and tenants that are read at a time.
const OTHERS: u32 = 500;

/// How a store is copied.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Migrate {
    /// Files that are copied at the same time, each with up to two of its segments; 8 by default.
    pub at_once: usize,
}

impl Default for Migrate {
    fn default() -> Self {
        Self { at_once: 8 }
    }
}

/// How far a copy has come; to be looked at while it runs.
#[derive(Debug, Default)]
pub struct MigrateProgress {
    total: AtomicU64,
    files: AtomicU64,
    bytes: AtomicU64,
}

impl MigrateProgress {
    /// Files there are to be copied; 0 until they have been counted.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Files that are done, those among them that were there already.
    pub fn files(&self) -> u64 {
        self.files.load(Ordering::Relaxed)
    }

    /// Bytes of content that were read.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// What a copy has done, and what it could not do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MigrateReport {
    /// Files that were copied now.
    pub copied: u64,
    /// Files that were there already, the same in every respect.
    pub found: u64,
    /// Bytes of content that were read, compared with their digests, and stored.
    pub bytes: u64,
    /// Upload sessions that are there now.
    pub sessions: u64,
    /// Records of other systems that are there now.
    pub records: u64,
    /// Upload sessions that had not ended and were left behind: their time is over, or they target
    /// what is not there.
    pub dropped: u64,
    /// Files and upload sessions with bytes that are missing or not what they were. They were not
    /// copied; a session is there without those parts.
    pub damaged: Vec<(Tenant, FileId)>,
    /// Files that the target has otherwise, or whose number or external id another file has there.
    /// They were left as they are there.
    pub different: Vec<(Tenant, FileId)>,
    /// Files that only the target has, of tenants that both have.
    pub surplus: u64,
}

impl MigrateReport {
    /// Whether the target has all files, and no others.
    pub fn is_whole(&self) -> bool {
        self.damaged.is_empty() && self.different.is_empty() && self.surplus == 0
    }
}

impl FileStore {
    /// Copies everything into `target`, a store over other backends: files of all tenants with their
    /// contents, ids, numbers, times and revisions; upload sessions, open ones with their parts;
    /// records of other systems, and counters. Every byte is compared with its digest on the way.
    ///
    /// Nobody should change either store meanwhile: what changes behind the walk is not copied. May
    /// be repeated, also after it was broken off in any way: what is there already is compared, and
    /// not copied again. An open session begins anew there and ends when it would have here, a record
    /// or session that is there stays as it is.
    ///
    /// # Errors
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) when both are one store; the first of a
    /// backend. Damaged content is a finding and no error.
    pub async fn migrate_to(
        &self,
        target: &Self,
        options: &Migrate,
        progress: &MigrateProgress,
    ) -> Result<MigrateReport> {
        if self.0.repository.store_id().await? == target.0.repository.store_id().await? {
            return Err(Error::invalid("a store is not copied into itself"));
        }
        let tenants = self.tenants().await?;
        for tenant in &tenants {
            let files = self.0.repository.count(tenant, &[]).await?;
            progress.total.fetch_add(files, Ordering::Relaxed);
        }
        let mut copy = Copy {
            source: self,
            target,
            at_once: options.at_once.max(1),
            progress,
            report: MigrateReport::default(),
        };
        for tenant in &tenants {
            copy.files(tenant).await?;
            // A session may target a file, which is there now.
            copy.sessions(tenant).await?;
            copy.others(tenant).await?;
        }
        copy.report.bytes = progress.bytes();
        Ok(copy.report)
    }

    async fn tenants(&self) -> Result<Vec<Tenant>> {
        let mut all: Vec<Tenant> = Vec::new();
        loop {
            let page = self.0.repository.tenants(all.last(), OTHERS).await?;
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
        }
    }
}

struct Copy<'c> {
    source: &'c FileStore,
    target: &'c FileStore,
    at_once: usize,
    progress: &'c MigrateProgress,
    report: MigrateReport,
}

/// What became of a file.
enum Outcome {
    Copied,
    Damaged,
    Different,
}

impl Copy<'_> {
    async fn files(&mut self, tenant: &Tenant) -> Result<()> {
        let mut query = FileQuery { limit: PAGE, ..FileQuery::default() };
        let mut there = 0;
        loop {
            let page = self.source.0.repository.list(tenant, &query).await?;
            there += self.page(tenant, page.items).await?;
            match page.next {
                Some(next) => query.after = Some(next),
                None => break,
            }
        }
        let count = self.target.0.repository.count(tenant, &[]).await?;
        self.report.surplus += count.saturating_sub(there);
        Ok(())
    }

    /// Copies those that are not there yet; answers how many are there then.
    async fn page(&mut self, tenant: &Tenant, records: Vec<FileRecord>) -> Result<u64> {
        let keys: Vec<FileKey> = records.iter().map(|record| record.id.into()).collect();
        let found = self.target.0.repository.find(tenant, &keys).await?;
        let mut missing = Vec::new();
        let mut there = 0;
        for (record, found) in records.into_iter().zip(found) {
            match found {
                None => missing.push(record),
                Some(found) => {
                    there += 1;
                    if found == record {
                        self.report.found += 1;
                    } else {
                        self.report.different.push((tenant.clone(), record.id));
                    }
                    self.progress.files.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        let outcomes: Vec<_> = {
            let this = &*self;
            let groups = by_content(missing).into_iter();
            let copies = groups.map(|group| async move { this.group(tenant, group).await });
            stream::iter(copies).buffer_unordered(self.at_once).try_concat().await?
        };
        for (id, outcome) in outcomes {
            match outcome {
                Outcome::Copied => {
                    self.report.copied += 1;
                    there += 1;
                }
                Outcome::Damaged => self.report.damaged.push((tenant.clone(), id)),
                Outcome::Different => self.report.different.push((tenant.clone(), id)),
            }
        }
        Ok(there)
    }

    /// Copies files that have one content, one after the other: the first brings it.
    async fn group(
        &self,
        tenant: &Tenant,
        records: Vec<FileRecord>,
    ) -> Result<Vec<(FileId, Outcome)>> {
        let mut outcomes = Vec::with_capacity(records.len());
        for record in records {
            let id = record.id;
            outcomes.push((id, self.file(tenant, record).await?));
            self.progress.files.fetch_add(1, Ordering::Relaxed);
        }
        Ok(outcomes)
    }

    async fn file(&self, tenant: &Tenant, record: FileRecord) -> Result<Outcome> {
        let content = match &record.content {
            None => None,
            Some(content) if self.has_content(content.id).await? => {
                Some(ContentSource::Shared(content.id))
            }
            Some(content) => match self.content(content).await? {
                Some(content) => Some(ContentSource::New(content)),
                None => return Ok(Outcome::Damaged),
            },
        };
        let insert = Change::Insert { record, content };
        match self.target.0.repository.apply(tenant, vec![insert]).await {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Outcome::Different),
            inserted => inserted.map(|_| Outcome::Copied),
        }
    }

    async fn others(&mut self, tenant: &Tenant) -> Result<()> {
        let (source, target) = (&self.source.0.repository, &self.target.0.repository);
        let mut last: Option<(String, String)> = None;
        loop {
            let after = last.as_ref().map(|(kind, key)| (kind.as_str(), key.as_str()));
            let records = source.all_records(tenant, after, OTHERS).await?;
            let Some(end) = records.last() else { break };
            last = Some((end.kind.clone(), end.key.clone()));
            self.report.records += records.len() as u64;
            target.adopt(tenant, Kept { records, ..Kept::default() }).await?;
        }
        let counters = source.counters(tenant).await?;
        target.adopt(tenant, Kept { counters, ..Kept::default() }).await
    }
}

/// Puts records together that have one content; order stays otherwise.
fn by_content(records: Vec<FileRecord>) -> Vec<Vec<FileRecord>> {
    let mut groups: Vec<Vec<FileRecord>> = Vec::new();
    let mut places: HashMap<ContentId, usize> = HashMap::new();
    for record in records {
        let place = record.content.as_ref().map(|content| content.id);
        let known = place.and_then(|id| places.get(&id).copied());
        if let Some(group) = known.and_then(|known| groups.get_mut(known)) {
            group.push(record);
            continue;
        }
        if let Some(id) = place {
            places.insert(id, groups.len());
        }
        groups.push(vec![record]);
    }
    groups
}
