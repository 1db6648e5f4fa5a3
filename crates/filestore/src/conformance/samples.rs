//! What the cases store, and the questions they ask again and again: short, so that a case shows
//! only what it is about.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::backend::{
    BeginUpload, BlobState, Change, ContentSource, NewContent, Part, Place, Publication,
    Repository, Segment, content_tag,
};
use crate::error::{ErrorKind, Result};
use crate::hash::Digest;
use crate::id::{BlobKey, ContentId, FileId, FileNumber, Revision, Subject, Tenant, Timestamp};
use crate::record::{Attributes, Expect, Extent, FileKey, FileRecord, Term};
use crate::upload::{PartNumber, UploadSession, UploadTarget};

/// The least step of a clock.
pub(super) const TICK: Duration = Duration::from_millis(1);
/// Longer than anything a case does not wait for.
pub(super) const HOUR: Duration = Duration::from_secs(3600);

/// The tenant of nearly everything.
pub(super) fn here() -> Tenant {
    Tenant::new("here").unwrap()
}

/// A tenant that must not see any of it.
pub(super) fn elsewhere() -> Tenant {
    Tenant::new("elsewhere").unwrap()
}

pub(super) fn subject(name: &str) -> Subject {
    Subject::new(name).unwrap()
}

pub(super) fn moment(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000 + millis)
}

pub(super) fn number(number: u64) -> FileNumber {
    FileNumber::new(number).unwrap()
}

pub(super) fn key() -> BlobKey {
    BlobKey::mint().unwrap()
}

pub(super) fn file_id() -> FileId {
    FileId::mint(moment(0)).unwrap()
}

pub(super) fn content_id() -> ContentId {
    ContentId::mint(moment(0)).unwrap()
}

/// Bytes without a pattern, the same for the same length.
pub(super) fn noise(len: usize) -> Bytes {
    let mut random = Random(len as u64);
    (0..len).map(|_| random.below(256) as u8).collect()
}

/// Numbers without a pattern, the same for the same seed (splitmix64).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// A file of this number that nothing else is said of.
pub(super) fn record(n: u64) -> FileRecord {
    FileRecord {
        id: FileId::mint(moment(n)).unwrap(),
        number: number(n),
        revision: Revision::FIRST,
        owner: subject("ann"),
        created: moment(n),
        updated: moment(n),
        content: None,
        attributes: Attributes::named(format!("file {n}")),
    }
}

/// A file of this number with a client's own identifier.
pub(super) fn record_of(n: u64, external_id: &str) -> FileRecord {
    let mut record = record(n);
    record.attributes.external_id = Some(external_id.to_owned());
    record
}

/// Attributes with something unusual in every field.
pub(super) fn full_attributes() -> Attributes {
    let last = "\u{10FFFF}";
    Attributes {
        name: format!("Größe 文件 {last}.txt"),
        external_id: Some(format!("x%_\\'\"{last}")),
        directory: Some("/a/../b//".to_owned()),
        source: Some(String::new()),
        content_type: Some("text/plain; charset=\"utf-8\"".to_owned()),
        metadata: BTreeMap::from([
            (String::new(), String::new()),
            ("Key".to_owned(), "one\r\ntwo\t".to_owned()),
            ("key".to_owned(), last.to_owned()),
        ]),
        labels: ["z", "a", "z", "é", "e\u{301}"].map(str::to_owned).to_vec(),
        source_created: Some(Timestamp::default()),
        source_modified: Some(Timestamp::MAX),
        extent: Some(Extent {
            min_x: -180.0,
            max_x: 0.1 + 0.2,
            min_y: f64::MIN_POSITIVE,
            max_y: 1e300,
        }),
        terms: BTreeMap::from([
            ("cdf.assetIds".to_owned(), vec![i64::MAX.into(), i64::MIN.into()]),
            ("t".to_owned(), vec!["1".into(), Term::Int(1), "1".into()]),
            ("none".to_owned(), Vec::new()),
        ]),
        extras: BTreeMap::from([("raw".to_owned(), "{\"a\": [1,  2]}".to_owned())]),
    }
}

/// A segment in a blob of its own.
pub(super) fn blob(size: u64) -> Segment {
    let key = key();
    Segment { size, sha256: Digest::of(key.as_bytes()), place: Place::Blob(key) }
}

/// A segment inline.
pub(super) fn inline(bytes: &'static str) -> Segment {
    Segment {
        size: bytes.len() as u64,
        sha256: Digest::of(bytes.as_bytes()),
        place: Place::Inline(Bytes::from(bytes)),
    }
}

/// A segment inline where the repository takes it, else in a blob.
pub(super) fn small(repository: &impl Repository, bytes: &'static str) -> Segment {
    if bytes.len() > repository.inline_limit() {
        return blob(bytes.len() as u64);
    }
    inline(bytes)
}

/// A content of these segments.
pub(super) fn content(segments: &[Segment]) -> NewContent {
    NewContent {
        id: content_id(),
        size: segments.iter().map(|segment| segment.size).sum(),
        tag: content_tag(segments.iter().map(|segment| (segment.size, segment.sha256))),
        sha256: None,
        stored: moment(7),
        segments: segments.to_vec(),
    }
}

/// A new file without content.
pub(super) fn insert(record: FileRecord) -> Change {
    Change::Insert { record, content: None }
}

/// A new file with content.
pub(super) fn insert_with(record: FileRecord, content: ContentSource) -> Change {
    Change::Insert { record, content: Some(content) }
}

/// Other content for a file, whatever it has.
pub(super) fn replace(id: FileId, content: ContentSource) -> Change {
    Change::Replace { id, expected: None, content }
}

/// No more file, whatever its revision.
pub(super) fn remove(id: FileId) -> Change {
    Change::Remove { id, expected: None }
}

/// Announces the blobs of segments.
pub(super) async fn announce(repository: &impl Repository, segments: &[Segment]) {
    for key in segments.iter().filter_map(Segment::key) {
        repository.pend(key, HOUR).await.unwrap();
    }
}

/// Makes one change that must succeed.
pub(super) async fn change(repository: &impl Repository, change: Change) -> FileRecord {
    let mut records = repository.apply(&here(), vec![change]).await.unwrap();
    assert_eq!(records.len(), 1, "one answer for one change");
    records.remove(0)
}

/// Stores a file with content of these segments.
pub(super) async fn store(
    repository: &impl Repository,
    record: FileRecord,
    segments: &[Segment],
) -> FileRecord {
    announce(repository, segments).await;
    let content = ContentSource::New(content(segments));
    change(repository, insert_with(record, content)).await
}

/// A file of the tenant, by id.
pub(super) async fn find(repository: &impl Repository, id: FileId) -> Option<FileRecord> {
    let mut found = repository.find(&here(), &[id.into()]).await.unwrap();
    assert_eq!(found.len(), 1, "one answer for one key");
    found.remove(0)
}

/// All segments of a file.
pub(super) async fn segments(repository: &impl Repository, id: FileId) -> Vec<Segment> {
    let key = FileKey::Id(id);
    let stored = repository.load(&here(), &key, None).await.unwrap();
    stored.segments
}

/// What the ledger says of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Unknown,
    Pending,
    Live,
    Garbage,
}

/// What the ledger says of a segment's blob.
pub(super) async fn fate(repository: &impl Repository, segment: &Segment) -> Fate {
    let key = segment.key().unwrap();
    fate_of(repository, key).await
}

/// What the ledger says of a key.
pub(super) async fn fate_of(repository: &impl Repository, key: BlobKey) -> Fate {
    let known = repository.known(None, 100_000).await.unwrap();
    let state = known.iter().find(|blob| blob.key == key);
    match state.map(|blob| blob.state) {
        None => Fate::Unknown,
        Some(BlobState::Pending) => Fate::Pending,
        Some(BlobState::Live { .. }) => Fate::Live,
        Some(BlobState::Garbage) => Fate::Garbage,
    }
}

/// Why a call was refused.
#[track_caller]
pub(super) fn refused<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.unwrap_err().kind()
}

/// A session for a new file.
pub(super) fn upload() -> BeginUpload {
    BeginUpload {
        id: file_id(),
        owner: subject("ann"),
        target: UploadTarget::NewFile,
        content: content_id(),
        attributes: Attributes::named("upload"),
        expect: Expect::default(),
        total: None,
        lifetime: HOUR,
    }
}

/// A session for other content of a file.
pub(super) fn upload_to(file: FileId) -> BeginUpload {
    BeginUpload { target: UploadTarget::Existing(file), ..upload() }
}

/// Opens a session.
pub(super) async fn begin(repository: &impl Repository, upload: BeginUpload) -> FileId {
    repository.begin(&here(), upload).await.unwrap().id
}

/// A part that is admitted and whose blob is announced.
pub(super) async fn admitted(
    repository: &impl Repository,
    id: FileId,
    number: PartNumber,
    segment: Segment,
) -> Part {
    announce(repository, std::slice::from_ref(&segment)).await;
    let admission = repository.admit(&here(), id, number, None).await.unwrap();
    Part { number, segment, ticket: admission.ticket, chain: None }
}

/// Sends a part in a blob of its own.
pub(super) async fn send(
    repository: &impl Repository,
    id: FileId,
    number: PartNumber,
    size: u64,
) -> Part {
    let part = admitted(repository, id, number, blob(size)).await;
    put_part(repository, id, part.clone()).await;
    part
}

/// Puts a part that must be taken.
pub(super) async fn put_part(
    repository: &impl Repository,
    id: FileId,
    part: Part,
) -> UploadSession {
    repository.put_part(&here(), id, None, part).await.unwrap()
}

/// All parts of a session.
pub(super) async fn parts(repository: &impl Repository, id: FileId) -> Vec<Part> {
    repository.parts(&here(), id, 0, 1000).await.unwrap()
}

/// How a session stands.
pub(super) async fn session(repository: &impl Repository, id: FileId) -> UploadSession {
    repository.session(&here(), id).await.unwrap()
}

/// A session with one part that is sealed.
pub(super) async fn sealed(repository: &impl Repository, upload: BeginUpload) -> (FileId, Part) {
    let id = begin(repository, upload).await;
    let part = send(repository, id, 1, 10).await;
    repository.seal(&here(), id).await.unwrap();
    (id, part)
}

/// What is said when a sealed session is published as a file of this number.
pub(super) fn publication(n: u64) -> Publication {
    Publication {
        number: number(n),
        tag: format!("tag-{n}"),
        sha256: Some(Digest::of(&n.to_be_bytes())),
        stored: moment(n),
    }
}

/// Runs calls at the same time, each a task of its own, and answers in their order.
pub(super) async fn together<F>(calls: impl IntoIterator<Item = F>) -> Vec<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let tasks: Vec<_> = calls.into_iter().map(tokio::spawn).collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.expect("a call panicked"));
    }
    answers
}

/// Makes one call for each item, all at the same time.
pub(super) async fn for_each_at_once<R, I, F>(
    repository: &Arc<R>,
    items: impl IntoIterator<Item = I>,
    call: impl Fn(Arc<R>, I) -> F,
) -> Vec<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let calls = items.into_iter().map(|item| call(repository.clone(), item));
    together(calls.collect::<Vec<_>>()).await
}
