//! What the conformance suite cannot see: that the tables agree with each other, whatever happens.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::executor::block_on;
use proptest::collection::vec;
use proptest::prelude::*;

use super::MemoryRepository;
use super::ledger::BlobEntry;
use super::state::State;
use crate::backend::*;
use crate::clock::ManualClock;
use crate::error::{ErrorKind, ItemError, Result};
use crate::hash::Digest;
use crate::id::*;
use crate::record::{Attributes, Expect, FileRecord};
use crate::upload::{UploadState, UploadTarget};

fn tenant() -> Tenant {
    Tenant::new("acme").unwrap()
}

fn subject() -> Subject {
    Subject::new("alice").unwrap()
}

fn file(n: u8) -> FileId {
    FileId::from_bytes([n; 16])
}

fn content(n: u8) -> ContentId {
    ContentId::from_bytes([n; 16])
}

fn key(n: u8) -> BlobKey {
    BlobKey::from_bytes([n; 16])
}

fn segment(n: u8) -> Segment {
    Segment { size: u64::from(n), sha256: Digest::of(&[n]), place: Place::Blob(key(n)) }
}

fn inline() -> Segment {
    Segment { size: 3, sha256: Digest::of(b"abc"), place: Place::Inline(Bytes::from("abc")) }
}

fn attributes(external_id: Option<u8>) -> Attributes {
    Attributes { external_id: external_id.map(|n| n.to_string()), ..Attributes::default() }
}

fn new_content(id: u8, segments: Vec<Segment>) -> ContentSource {
    ContentSource::New(NewContent {
        id: content(id),
        size: segments.iter().map(|segment| segment.size).sum(),
        tag: String::new(),
        sha256: None,
        stored: Timestamp::default(),
        segments,
    })
}

fn insert(n: u8, external_id: Option<u8>, content: Option<ContentSource>) -> Change {
    let record = FileRecord {
        id: file(n),
        number: FileNumber::new(u64::from(n) + 1).unwrap(),
        revision: Revision::FIRST,
        owner: subject(),
        created: Timestamp::default(),
        updated: Timestamp::default(),
        content: None,
        attributes: attributes(external_id),
    };
    Change::Insert { record, content }
}

fn update(n: u8, revision: u64, external_id: Option<u8>) -> Change {
    Change::Update {
        id: file(n),
        expected: Revision::new(revision),
        attributes: attributes(external_id),
        updated: Timestamp::default(),
    }
}

fn replace(n: u8, content: ContentSource) -> Change {
    Change::Replace { id: file(n), expected: None, content }
}

fn remove(n: u8) -> Change {
    Change::Remove { id: file(n), expected: None }
}

fn apply(repository: &MemoryRepository, changes: Vec<Change>) -> Result<Vec<FileRecord>> {
    block_on(repository.apply(&tenant(), changes))
}

fn pend(repository: &MemoryRepository, n: u8) -> Result<()> {
    block_on(repository.pend(key(n), Duration::from_secs(60)))
}

#[test]
fn every_refused_element_is_named_and_leaves_no_trace_for_those_after_it() {
    let repository = MemoryRepository::new();
    pend(&repository, 1).unwrap();
    let error = apply(
        &repository,
        vec![
            insert(1, None, Some(new_content(1, vec![segment(1), segment(2)]))),
            insert(2, Some(7), Some(new_content(2, vec![segment(1)]))),
            insert(3, Some(7), None),
            remove(9),
        ],
    )
    .unwrap_err();
    let refused =
        [(0, ErrorKind::Conflict), (2, ErrorKind::AlreadyExists), (3, ErrorKind::NotFound)]
            .map(|(index, kind)| ItemError { index, kind });
    assert_eq!(error.items(), refused);
    repository.read(|state| {
        assert_eq!(state.files.all().count(), 0);
        assert!(matches!(state.blobs.get(&key(1)), Some(BlobEntry::Pending { .. })));
    });
}

#[test]
fn an_element_sees_what_those_before_it_did() {
    let repository = MemoryRepository::new();
    apply(&repository, vec![insert(1, Some(7), None)]).unwrap();
    apply(&repository, vec![remove(1), insert(2, Some(7), None)]).unwrap();
    let taken = apply(&repository, vec![insert(3, Some(7), None), remove(2)]).unwrap_err();
    assert_eq!(taken.items().len(), 1);
}

#[test]
fn a_file_may_be_given_the_content_it_has() {
    let repository = MemoryRepository::new();
    let first = insert(1, None, Some(new_content(1, vec![inline()])));
    apply(&repository, vec![first]).unwrap();
    let again = replace(1, ContentSource::Shared(content(1)));
    apply(&repository, vec![again]).unwrap();
    repository.read(check);
}

#[test]
fn content_is_shared_within_a_tenant_only() {
    let repository = MemoryRepository::new();
    let first = insert(1, None, Some(new_content(1, vec![inline()])));
    apply(&repository, vec![first]).unwrap();
    let stranger = Tenant::new("globex").unwrap();
    let shared = || insert(2, None, Some(ContentSource::Shared(content(1))));
    let refused = block_on(repository.apply(&stranger, vec![shared()])).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    apply(&repository, vec![shared()]).unwrap();
}

#[test]
fn a_transaction_that_panics_has_not_happened() {
    let repository = MemoryRepository::new();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        repository.transact::<()>(|state, _| {
            state.counters.put((tenant(), "images".to_owned()), 7);
            panic!("in the middle");
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(block_on(repository.next_number(&tenant(), "images")).unwrap(), 1);
}

#[test]
fn a_counter_ends_where_signed_columns_do() {
    let repository = MemoryRepository::new();
    let last = i32::MAX.cast_unsigned();
    let start = |state: &mut State, _| {
        let key = (tenant(), "images".to_owned());
        state.counters.put(key, last - 1);
        Ok(())
    };
    repository.transact(start).unwrap();
    let next = || block_on(repository.next_number(&tenant(), "images"));
    assert_eq!(next().unwrap(), last);
    assert_eq!(next().unwrap_err().kind(), ErrorKind::Conflict);
}

/// Something a caller may do, sensible or not.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "only a few dozen exist at a time")]
enum Step {
    Pend(u8),
    Apply(Vec<Change>),
    Begin(u8, UploadTarget),
    PutPart { id: u8, total: Option<u32>, part: Part },
    Seal(u8),
    Finish(u8),
    End(u8, Ending),
    Forget(u8),
    Sweep,
    Merge(u8, u32, Vec<Segment>),
    Wait,
}

fn small() -> std::ops::Range<u8> {
    0..4
}

fn any_segment() -> impl Strategy<Value = Segment> {
    prop_oneof![Just(inline()), (0..8u8).prop_map(segment)]
}

fn any_source() -> impl Strategy<Value = ContentSource> {
    prop_oneof![
        (small(), vec(any_segment(), 0..3)).prop_map(|(id, segments)| new_content(id, segments)),
        small().prop_map(|id| ContentSource::Shared(content(id))),
    ]
}

fn any_change() -> impl Strategy<Value = Change> {
    let name = || proptest::option::of(small());
    prop_oneof![
        (small(), name(), proptest::option::of(any_source())).prop_map(|(n, e, c)| insert(n, e, c)),
        (small(), 1..3u64, name()).prop_map(|(n, revision, e)| update(n, revision, e)),
        (small(), any_source()).prop_map(|(n, source)| replace(n, source)),
        small().prop_map(remove),
    ]
}

fn any_part() -> impl Strategy<Value = Part> {
    (1..4u32, any_segment(), 1..4u64).prop_map(|(number, segment, ticket)| Part {
        number,
        segment,
        ticket,
        chain: None,
    })
}

fn any_ending() -> impl Strategy<Value = Ending> {
    prop_oneof![
        Just(Ending::Canceled),
        Just(Ending::Expired),
        Just(Ending::Failed("wrong digest".to_owned())),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    let target = prop_oneof![
        Just(UploadTarget::NewFile),
        small().prop_map(|n| UploadTarget::Existing(file(n))),
    ];
    let total = proptest::option::of(1..4u32);
    prop_oneof![
        4 => (0..8u8).prop_map(Step::Pend),
        4 => vec(any_change(), 1..4).prop_map(Step::Apply),
        2 => (small(), target).prop_map(|(n, target)| Step::Begin(n, target)),
        4 => (small(), total, any_part()).prop_map(|(id, total, part)| Step::PutPart { id, total, part }),
        2 => small().prop_map(Step::Seal),
        2 => small().prop_map(Step::Finish),
        1 => (small(), any_ending()).prop_map(|(n, ending)| Step::End(n, ending)),
        1 => small().prop_map(Step::Forget),
        1 => Just(Step::Sweep),
        1 => (small(), 0..3u32, vec(any_segment(), 0..3)).prop_map(|(n, expected, segments)| Step::Merge(n, expected, segments)),
        1 => Just(Step::Wait),
    ]
}

fn take(repository: &MemoryRepository, clock: &ManualClock, step: Step) -> Result<()> {
    let tenant = tenant();
    block_on(async {
        match step {
            Step::Pend(n) => repository.pend(key(n), Duration::from_secs(60)).await,
            Step::Apply(changes) => repository.apply(&tenant, changes).await.map(drop),
            Step::Begin(n, target) => {
                let upload = BeginUpload {
                    id: file(n),
                    owner: subject(),
                    target,
                    content: content(n + 10),
                    attributes: attributes(Some(n)),
                    expect: Expect::default(),
                    total: None,
                    lifetime: Duration::from_secs(60),
                };
                repository.begin(&tenant, upload).await.map(drop)
            }
            Step::PutPart { id, total, part } => {
                let put = repository.put_part(&tenant, file(id), total, part);
                put.await.map(drop)
            }
            Step::Seal(n) => repository.seal(&tenant, file(n)).await.map(drop),
            Step::Finish(n) => {
                let publication = Publication {
                    number: FileNumber::new(u64::from(n) + 1).unwrap(),
                    tag: String::new(),
                    sha256: None,
                    stored: Timestamp::default(),
                };
                let finish = repository.finish(&tenant, file(n), publication);
                finish.await.map(drop)
            }
            Step::End(n, ending) => repository.end(&tenant, file(n), ending).await.map(drop),
            Step::Forget(n) => repository.forget(&tenant, file(n)).await,
            Step::Sweep => {
                let claimed = repository.claim(Duration::ZERO, Duration::ZERO, 2).await?;
                repository.settle(&claimed).await
            }
            Step::Merge(n, expected, segments) => {
                let merge = repository.replace_segments(content(n), expected, segments);
                merge.await.map(drop)
            }
            Step::Wait => {
                clock.advance(Duration::from_secs(40));
                Ok(())
            }
        }
    })
}

/// Fails when two tables contradict each other.
fn check(state: &State) {
    let mut users = BTreeMap::new();
    for ((tenant, number), record) in state.files.all() {
        assert_eq!(record.number.get(), *number);
        assert_eq!(state.ids.get(&(tenant.clone(), record.id)), Some(&record.number));
        if let Some(text) = &record.attributes.external_id {
            let named = state.external_ids.get(&(tenant.clone(), text.clone()));
            assert_eq!(named, Some(&record.number));
        }
        if let Some(content) = &record.content {
            assert_eq!(state.contents.get(&content.id).unwrap().info, *content);
            *users.entry(content.id).or_insert(0) += 1;
        }
    }
    assert_eq!(state.ids.all().count(), state.files.all().count());
    let named = |record: &&FileRecord| record.attributes.external_id.is_some();
    assert_eq!(
        state.external_ids.all().count(),
        state.files.all().map(|(_, record)| record).filter(named).count()
    );

    let counted = state.contents.all().map(|(id, row)| (*id, row.users));
    assert_eq!(counted.collect::<BTreeMap<_, _>>(), users);
    let mut live = BTreeMap::new();
    let mut in_use = |content: ContentId, segment: &Segment| {
        if let Some(key) = segment.key() {
            let before = live.insert(key, (segment.size, segment.sha256, content));
            assert_eq!(before, None, "two segments are the same blob");
        }
    };
    let mut segments = 0;
    for (id, row) in state.contents.all() {
        for n in 1..=row.segments {
            in_use(*id, state.segments.get(&(*id, n)).unwrap());
        }
        segments += row.segments as usize;
    }
    assert_eq!(state.segments.all().count(), segments);

    let mut open_parts = 0;
    for row in state.sessions.all().map(|(_, row)| row) {
        let draft = row.session.content;
        let parts = state.parts.all().filter(|((content, _), _)| *content == draft);
        let (mut count, mut received) = (0, 0);
        for ((_, number), part) in parts {
            assert_eq!(part.number, *number);
            in_use(draft, &part.segment);
            count += 1;
            received += part.segment.size;
        }
        match row.session.state {
            UploadState::Open | UploadState::Sealed => {
                assert_eq!((row.session.parts, row.session.received), (count, received));
                if let UploadTarget::Existing(file) = row.session.target {
                    assert!(state.ids.contains(&(tenant(), file)), "its file is gone");
                }
            }
            _ => assert_eq!(count, 0, "parts outlive their session"),
        }
        open_parts += count as usize;
    }
    assert_eq!(state.parts.all().count(), open_parts);

    let recorded = state.blobs.all().filter_map(|(key, entry)| match entry {
        BlobEntry::Live { size, sha256, content } => Some((*key, (*size, *sha256, *content))),
        _ => None,
    });
    assert_eq!(recorded.collect::<BTreeMap<_, _>>(), live);
}

proptest! {
    #[test]
    fn tables_agree_after_every_step_and_a_refused_step_changes_nothing(
        steps in vec(any_step(), 1..80)
    ) {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_795_000_000_000)));
        let repository = MemoryRepository::with_clock(clock.clone());
        for step in steps {
            let before = repository.read(|state| format!("{state:?}"));
            if take(&repository, &clock, step).is_err() {
                assert_eq!(repository.read(|state| format!("{state:?}")), before);
            }
            repository.read(check);
        }
    }
}
