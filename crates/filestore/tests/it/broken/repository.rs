//! Repositories that break one promise each: one wrapper that passes every call on, but for a flaw.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use filestore::backend::{
    Admission, Announcement, BeginUpload, BlobState, Change, Content, ContentRepository,
    ContentSource, Ending, FileRepository, Finished, Kept, KnownBlob, LedgerRepository, NewContent,
    Part, PartChain, Publication, RecordRepository, Sealed, Segment, StoredFile,
    TransferRepository, UploadRepository,
};
use filestore::conformance::{
    Fixture, completions, contents, endings, files, ledger, queries, races, records, transfers,
    uploads,
};
use filestore::{
    BlobKey, Cond, ContentId, ErrorKind, Expected, FileId, FileKey, FileQuery, FileRecord,
    ManualClock, MemoryRepository, OtherRecord, Page, PartNumber, RangeSpec, RecordChange, Result,
    StoreId, Subject, Tenant, Timestamp, UploadSession, UploadState,
};

super::caught! {
    broken;
    ShowsToStrangers: a_find_that_crosses_tenants by files::tenants_never_meet;
    FoldsNames: a_find_that_folds_external_ids by files::a_file_is_found_by_every_key;
    IgnoresRevisions: an_update_of_any_revision by files::an_update_takes_the_next_revision;
    IgnoresContents: a_replacement_of_any_content by files::a_replacement_may_name_what_it_replaces;
    AppliesHalves: a_batch_that_is_carried_out_in_part by files::a_refused_batch_changes_nothing;
    NamesFirstOnly: a_batch_that_names_one_element by files::a_refused_batch_changes_nothing;
    LoadsAll: a_load_of_more_than_the_range by files::a_load_answers_what_the_range_needs;
    LoadsDamaged: a_load_of_damaged_content by files::damaged_content_is_refused;
    LoadsInSteps: a_load_of_two_moments by races::a_load_is_one_snapshot;
    ForgetsGarbage: a_removal_without_garbage by files::shared_content_stays_for_its_last_user;
    PagesOverlap: pages_that_overlap by queries::every_pair_of_conditions_is_answered;
    DropsConditions: a_list_of_one_condition by queries::every_pair_of_conditions_is_answered;
    CountsAll: a_count_of_everything by queries::every_pair_of_conditions_is_answered;
    ListsBackwards: pages_in_another_order by queries::equalities_are_answered_by_number;
    TakesAnyCursor: a_list_that_takes_any_cursor by queries::a_strange_cursor_is_refused;
    TakesAnyLimit: a_list_that_takes_any_limit by queries::a_page_has_1_to_1000_records;
    PutsIntoSealed: a_part_put_into_a_sealed_session by uploads::only_an_open_session_takes_parts;
    LastWriteWins: an_older_ticket_that_replaces by uploads::the_later_ticket_stays;
    RepeatsTickets: tickets_that_repeat by uploads::tickets_ascend;
    AnnouncesInVain: an_announcement_that_is_not_made by uploads::an_admission_says_what_it_announced;
    AdmitsLate: an_admission_past_the_time by uploads::time_counts_at_admission_only;
    MixesOwners: sessions_of_other_owners by uploads::sessions_are_listed_by_owner;
    SealsGaps: a_seal_over_gaps by completions::a_gap_is_incomplete;
    ChainsReplaced: a_chain_for_whatever_part_is_there by uploads::a_replaced_part_takes_no_chain;
    SealsTwice: a_seal_that_is_first_twice by races::of_two_seals_one_is_first;
    BringsBack: a_completion_that_brings_a_file_back by completions::a_deleted_file_stays_deleted;
    SwapsBack: a_completion_that_swaps_content_back by completions::replaced_content_stays_replaced;
    PublishesAnew: a_completion_that_answers_anew by completions::a_completion_is_repeated_without_effect;
    EndsAgain: an_end_that_is_told_twice by endings::a_session_ends_once;
    ForgetsOpen: an_open_session_forgotten by endings::only_ended_sessions_are_forgotten;
    ForgetsOverdue: sessions_that_are_never_due by endings::overdue_sessions_are_due;
    ChangesId: a_store_of_many_ids by ledger::the_store_keeps_its_id;
    PendsAgain: a_key_announced_twice by ledger::a_key_is_announced_once;
    ClaimsLive: a_claim_of_live_keys by ledger::a_claim_is_limited;
    ClaimsEarly: a_claim_before_its_time by ledger::garbage_is_kept_for_a_while;
    ForgetsLeases: a_lease_that_does_not_hold by ledger::a_lease_runs_out;
    KnowsLess: keys_that_are_not_listed by ledger::keys_of_every_state_are_listed_in_order;
    CollectsNothing: strays_that_stay by ledger::only_unknown_keys_are_collected;
    MergesAnything: a_merge_of_other_segments by contents::a_merge_of_something_else_is_none;
    FindsFragments: fragments_of_any_number by contents::fragmented_contents_are_found;
    IgnoresExpected: a_record_written_over by records::what_is_there_must_be_what_is_expected;
    SortsByCase: records_in_order_of_letters by records::records_are_listed_by_the_bytes_of_their_keys;
    RepeatsNumbers: a_counter_that_repeats by records::a_counter_never_repeats;
    HidesSessions: sessions_of_one_owner by transfers::sessions_of_every_owner_are_listed;
    AdoptsOver: an_adoption_that_replaces by transfers::what_is_here_stays_as_it_is;
    AdoptsOpen: an_open_session_adopted by transfers::an_open_session_is_not_adopted;
    HidesCounters: counters_that_are_not_listed by transfers::every_counter_is_listed;
}

#[derive(Debug)]
struct Broken {
    inner: MemoryRepository,
    flaw: Option<Flaw>,
    calls: AtomicU64,
}

fn broken(flaw: Option<Flaw>) -> Fixture<Broken> {
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_790_000_000_000)));
    let inner = MemoryRepository::with_clock(clock.clone());
    Fixture::new(Broken { inner, flaw, calls: AtomicU64::new(0) }).with_clock(clock)
}

impl Broken {
    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn call(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::SeqCst)
    }
}

#[async_trait]
impl FileRepository for Broken {
    fn inline_limit(&self) -> usize {
        self.inner.inline_limit()
    }

    async fn find(&self, tenant: &Tenant, keys: &[FileKey]) -> Result<Vec<Option<FileRecord>>> {
        let mut found = self.inner.find(tenant, keys).await?;
        for (key, found) in keys.iter().zip(&mut found) {
            let (tenant, key) = match key {
                FileKey::Id(_) if self.has(Flaw::ShowsToStrangers) => {
                    (Tenant::new("here")?, key.clone())
                }
                FileKey::External(text) if self.has(Flaw::FoldsNames) => {
                    (tenant.clone(), FileKey::External(text.to_lowercase()))
                }
                _ => continue,
            };
            *found = self.inner.find(&tenant, &[key]).await?.remove(0);
        }
        Ok(found)
    }

    async fn load(
        &self,
        tenant: &Tenant,
        key: &FileKey,
        range: Option<RangeSpec>,
    ) -> Result<StoredFile> {
        if self.has(Flaw::LoadsInSteps) {
            let record = self.inner.load(tenant, key, range).await?.record;
            tokio::task::yield_now().await;
            return Ok(StoredFile { record, ..self.inner.load(tenant, key, range).await? });
        }
        let range = range.filter(|_| !self.has(Flaw::LoadsAll));
        self.inner.load(tenant, key, range).await
    }

    async fn apply(&self, tenant: &Tenant, mut changes: Vec<Change>) -> Result<Vec<FileRecord>> {
        for change in &mut changes {
            match change {
                Change::Update { id, expected, .. } if self.has(Flaw::IgnoresRevisions) => {
                    let key = FileKey::Id(*id);
                    if let Some(now) = self.inner.find(tenant, &[key]).await?.remove(0) {
                        *expected = now.revision;
                    }
                }
                Change::Replace { expected, .. } if self.has(Flaw::IgnoresContents) => {
                    *expected = None;
                }
                _ => {}
            }
        }
        if self.has(Flaw::AppliesHalves) {
            let whole = self.inner.apply(tenant, changes.clone()).await;
            if whole.is_err() {
                for change in changes {
                    self.inner.apply(tenant, vec![change]).await.ok();
                }
            }
            return whole;
        }
        self.inner.apply(tenant, changes).await.map_err(|error| {
            if !self.has(Flaw::NamesFirstOnly) {
                return error;
            }
            let first = error.items().iter().take(1).copied().collect();
            filestore::Error::of_items(first, "refused")
        })
    }

    async fn list(&self, tenant: &Tenant, query: &FileQuery) -> Result<Page<FileRecord>> {
        let mut query = query.clone();
        match self.flaw {
            Some(Flaw::PagesOverlap) => {
                let mut page = self.inner.list(tenant, &query).await?;
                if query.after.is_some() {
                    query.after = None;
                    query.limit = 1;
                    page.items.extend(self.inner.list(tenant, &query).await?.items);
                }
                return Ok(page);
            }
            Some(Flaw::DropsConditions) => query.all.truncate(1),
            Some(Flaw::TakesAnyLimit) => query.limit = query.limit.clamp(1, FileQuery::MAX_LIMIT),
            Some(Flaw::TakesAnyCursor) => {
                let page = self.inner.list(tenant, &query).await;
                if page.is_ok() {
                    return page;
                }
                query.after = None;
            }
            _ => {}
        }
        let mut page = self.inner.list(tenant, &query).await?;
        if self.has(Flaw::ListsBackwards) {
            page.items.reverse();
        }
        Ok(page)
    }

    async fn count(&self, tenant: &Tenant, all: &[Cond]) -> Result<u64> {
        let all = if self.has(Flaw::CountsAll) { &[] } else { all };
        self.inner.count(tenant, all).await
    }
}

#[async_trait]
impl UploadRepository for Broken {
    async fn begin(&self, tenant: &Tenant, upload: BeginUpload) -> Result<UploadSession> {
        self.inner.begin(tenant, upload).await
    }

    async fn session(&self, tenant: &Tenant, id: FileId) -> Result<UploadSession> {
        self.inner.session(tenant, id).await
    }

    async fn sessions(
        &self,
        tenant: &Tenant,
        owner: &Subject,
        after: Option<FileId>,
        limit: u32,
    ) -> Result<Vec<UploadSession>> {
        let mut sessions = self.inner.sessions(tenant, owner, after, limit).await?;
        if self.has(Flaw::MixesOwners) {
            let other = Subject::new("Ann")?;
            sessions.extend(self.inner.sessions(tenant, &other, after, limit).await?);
            sessions.sort_by_key(|session| session.id);
            sessions.truncate(limit as usize);
        }
        Ok(sessions)
    }

    async fn parts(
        &self,
        tenant: &Tenant,
        id: FileId,
        after: PartNumber,
        limit: u32,
    ) -> Result<Vec<Part>> {
        self.inner.parts(tenant, id, after, limit).await
    }

    async fn admit(
        &self,
        tenant: &Tenant,
        id: FileId,
        number: PartNumber,
        announce: Option<Announcement>,
    ) -> Result<Admission> {
        let announced = announce.is_some() && self.has(Flaw::AnnouncesInVain);
        match self.inner.admit(tenant, id, number, announce).await {
            Ok(admission) if announced => Ok(Admission { announced, ..admission }),
            Ok(admission) if self.has(Flaw::RepeatsTickets) => {
                Ok(Admission { ticket: 1 + admission.ticket / 2, ..admission })
            }
            Err(error) if self.has(Flaw::AdmitsLate) && error.kind() == ErrorKind::Expired => {
                let session = self.inner.session(tenant, id).await?;
                Ok(Admission { session, ticket: u64::from(u32::MAX), hashed: None, announced })
            }
            admitted => admitted,
        }
    }

    async fn put_part(
        &self,
        tenant: &Tenant,
        id: FileId,
        total: Option<PartNumber>,
        mut part: Part,
    ) -> Result<UploadSession> {
        if self.has(Flaw::LastWriteWins) {
            part.ticket = u64::from(u32::MAX) + self.call();
        }
        let put = self.inner.put_part(tenant, id, total, part).await;
        if self.has(Flaw::PutsIntoSealed) && put.is_err() {
            return self.inner.session(tenant, id).await;
        }
        put
    }

    async fn save_chains(
        &self,
        tenant: &Tenant,
        id: FileId,
        mut chains: Vec<PartChain>,
    ) -> Result<()> {
        if self.has(Flaw::ChainsReplaced) {
            let there = self.inner.parts(tenant, id, 0, u32::MAX).await?;
            for (chain, part) in chains.iter_mut().zip(there) {
                chain.ticket = part.ticket;
            }
        }
        self.inner.save_chains(tenant, id, chains).await
    }

    async fn seal(&self, tenant: &Tenant, id: FileId) -> Result<Sealed> {
        match self.inner.seal(tenant, id).await {
            Err(error) if self.has(Flaw::SealsGaps) && error.kind() == ErrorKind::Incomplete => {
                let session = self.inner.session(tenant, id).await?;
                Ok(Sealed { session, now: true })
            }
            Ok(sealed) if self.has(Flaw::SealsTwice) => Ok(Sealed { now: true, ..sealed }),
            sealed => sealed,
        }
    }

    async fn finish(
        &self,
        tenant: &Tenant,
        id: FileId,
        publication: Publication,
    ) -> Result<Finished> {
        let mut finished = self.inner.finish(tenant, id, publication.clone()).await?;
        match (self.flaw, &mut finished.record) {
            (Some(Flaw::PublishesAnew), Some(record)) => record.number = publication.number,
            (Some(Flaw::SwapsBack), Some(FileRecord { id: file, content: Some(now), .. })) => {
                let session = &finished.session;
                if now.id != session.content {
                    let content = NewContent {
                        id: session.content,
                        size: 0,
                        tag: publication.tag,
                        sha256: publication.sha256,
                        stored: publication.stored,
                        segments: Vec::new(),
                    };
                    let content = ContentSource::New(content);
                    let change = Change::Replace { id: *file, expected: None, content };
                    self.inner.apply(tenant, vec![change]).await?;
                }
            }
            (Some(Flaw::BringsBack), None) => {
                let session = &finished.session;
                let record = FileRecord {
                    id,
                    number: publication.number,
                    revision: filestore::Revision::FIRST,
                    owner: session.owner.clone(),
                    created: session.created,
                    updated: session.created,
                    content: None,
                    attributes: session.attributes.clone(),
                };
                let insert = Change::Insert { record, content: None };
                self.inner.apply(tenant, vec![insert]).await?;
            }
            _ => {}
        }
        Ok(finished)
    }

    async fn end(&self, tenant: &Tenant, id: FileId, ending: Ending) -> Result<UploadSession> {
        let session = self.inner.end(tenant, id, ending.clone()).await?;
        if self.has(Flaw::EndsAgain) {
            return Ok(UploadSession { state: ending.state(), ..session });
        }
        Ok(session)
    }

    async fn due(
        &self,
        stalled: Duration,
        keep: Duration,
        limit: u32,
    ) -> Result<Vec<(Tenant, UploadSession)>> {
        let mut due = self.inner.due(stalled, keep, limit).await?;
        due.retain(|(_, session)| {
            !self.has(Flaw::ForgetsOverdue) || session.state != UploadState::Open
        });
        Ok(due)
    }

    async fn forget(&self, tenant: &Tenant, id: FileId) -> Result<()> {
        if self.has(Flaw::ForgetsOpen) {
            self.inner.end(tenant, id, Ending::Canceled).await.ok();
        }
        self.inner.forget(tenant, id).await
    }
}

#[async_trait]
impl RecordRepository for Broken {
    async fn record(&self, tenant: &Tenant, kind: &str, key: &str) -> Result<Option<OtherRecord>> {
        self.inner.record(tenant, kind, key).await
    }

    async fn records(
        &self,
        tenant: &Tenant,
        kind: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<OtherRecord>> {
        let mut records = self.inner.records(tenant, kind, after, limit).await?;
        if self.has(Flaw::SortsByCase) {
            records.sort_by_key(|record| record.key.to_lowercase());
        }
        Ok(records)
    }

    async fn write_records(
        &self,
        tenant: &Tenant,
        mut changes: Vec<RecordChange>,
        now: Timestamp,
    ) -> Result<Vec<OtherRecord>> {
        if self.has(Flaw::IgnoresExpected) {
            for change in &mut changes {
                change.expected = Expected::Anything;
            }
        }
        self.inner.write_records(tenant, changes, now).await
    }

    async fn next_number(&self, tenant: &Tenant, counter: &str) -> Result<u32> {
        let number = self.inner.next_number(tenant, counter).await?;
        Ok(if self.has(Flaw::RepeatsNumbers) { number.div_ceil(2) } else { number })
    }
}

#[async_trait]
impl LedgerRepository for Broken {
    async fn store_id(&self) -> Result<StoreId> {
        if self.has(Flaw::ChangesId) { StoreId::mint() } else { self.inner.store_id().await }
    }

    async fn ready(&self) -> Result<()> {
        self.inner.ready().await
    }

    async fn pend(&self, key: BlobKey, ttl: Duration) -> Result<()> {
        let pended = self.inner.pend(key, ttl).await;
        if self.has(Flaw::PendsAgain) { Ok(()) } else { pended }
    }

    async fn renew(&self, key: BlobKey, ttl: Duration) -> Result<()> {
        self.inner.renew(key, ttl).await
    }

    async fn claim(
        &self,
        keep_deleted: Duration,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<BlobKey>> {
        let early = self.has(Flaw::ClaimsEarly);
        let keep_deleted = if early { Duration::ZERO } else { keep_deleted };
        let unheld = self.has(Flaw::ForgetsLeases);
        let lease = if unheld { Duration::ZERO } else { lease };
        let mut claimed = self.inner.claim(keep_deleted, lease, limit).await?;
        if self.has(Flaw::ClaimsLive) {
            let known = self.inner.known(None, 1000).await?;
            let live = known.iter().filter(|blob| matches!(blob.state, BlobState::Live { .. }));
            claimed.extend(live.map(|blob| blob.key));
        }
        Ok(claimed)
    }

    async fn settle(&self, keys: &[BlobKey]) -> Result<()> {
        self.inner.settle(keys).await
    }

    async fn known(&self, after: Option<BlobKey>, limit: u32) -> Result<Vec<KnownBlob>> {
        let mut known = self.inner.known(after, limit).await?;
        known.retain(|blob| match self.flaw {
            Some(Flaw::ForgetsGarbage) => blob.state != BlobState::Garbage,
            Some(Flaw::KnowsLess) => blob.state != BlobState::Pending,
            _ => true,
        });
        Ok(known)
    }

    async fn collect(&self, keys: &[BlobKey]) -> Result<()> {
        let keys = if self.has(Flaw::CollectsNothing) { &[] } else { keys };
        self.inner.collect(keys).await
    }
}

#[async_trait]
impl ContentRepository for Broken {
    async fn contents(&self, after: Option<ContentId>, limit: u32) -> Result<Vec<Content>> {
        self.inner.contents(after, limit).await
    }

    async fn segments(&self, id: ContentId) -> Result<Vec<Segment>> {
        self.inner.segments(id).await
    }

    async fn fragmented(&self, segments: u32, average: u64, limit: u32) -> Result<Vec<Content>> {
        let segments = if self.has(Flaw::FindsFragments) { 0 } else { segments };
        self.inner.fragmented(segments, average, limit).await
    }

    async fn replace_segments(
        &self,
        id: ContentId,
        mut expected: u32,
        segments: Vec<Segment>,
    ) -> Result<bool> {
        if self.has(Flaw::MergesAnything) {
            expected = u32::try_from(self.inner.segments(id).await?.len()).unwrap();
        }
        self.inner.replace_segments(id, expected, segments).await
    }

    async fn quarantine(&self, id: ContentId, damaged: bool) -> Result<()> {
        self.inner.quarantine(id, damaged && !self.has(Flaw::LoadsDamaged)).await
    }
}

#[async_trait]
impl TransferRepository for Broken {
    async fn tenants(&self, after: Option<&Tenant>, limit: u32) -> Result<Vec<Tenant>> {
        self.inner.tenants(after, limit).await
    }

    async fn all_sessions(
        &self,
        tenant: &Tenant,
        after: Option<FileId>,
        limit: u32,
    ) -> Result<Vec<UploadSession>> {
        let mut sessions = self.inner.all_sessions(tenant, after, limit).await?;
        if self.has(Flaw::HidesSessions) {
            sessions.retain(|session| session.owner.as_str() == "ann");
        }
        Ok(sessions)
    }

    async fn all_records(
        &self,
        tenant: &Tenant,
        after: Option<(&str, &str)>,
        limit: u32,
    ) -> Result<Vec<OtherRecord>> {
        self.inner.all_records(tenant, after, limit).await
    }

    async fn counters(&self, tenant: &Tenant) -> Result<Vec<(String, u32)>> {
        let mut counters = self.inner.counters(tenant).await?;
        if self.has(Flaw::HidesCounters) {
            counters.pop();
        }
        Ok(counters)
    }

    async fn adopt(&self, tenant: &Tenant, mut kept: Kept) -> Result<()> {
        if self.has(Flaw::AdoptsOver) {
            for record in &kept.records {
                let removal = RecordChange {
                    kind: record.kind.clone(),
                    key: record.key.clone(),
                    expected: Expected::Anything,
                    body: None,
                };
                self.inner.write_records(tenant, vec![removal], record.updated).await.ok();
            }
        }
        if self.has(Flaw::AdoptsOpen) {
            kept.sessions.retain(|session| session.state.has_ended());
        }
        self.inner.adopt(tenant, kept).await
    }
}
