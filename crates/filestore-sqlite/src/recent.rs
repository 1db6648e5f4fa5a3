//! What was looked up a moment ago, for as long as nothing is committed.

use std::sync::Arc;

use filestore::backend::{Place, Segment, StoredFile};
use filestore::{FileKey, FileRecord, Result, Tenant, Term};
use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};

use crate::commits::{Commits, Mark};
use crate::contents::INLINE_LIMIT;

/// About how many bytes an answer takes beside texts and contents.
const FIXED: usize = 1 << 10;
/// About how many bytes a text takes beside its own.
const TEXT: usize = 48;

/// Answers to look-ups, each with the commit that it is of. One is given again as long as the
/// database is at that commit, whichever process makes the next one: a look-up sees what it would
/// have seen without this.
#[derive(Debug)]
pub(crate) struct Recent<V> {
    /// Without them nothing is kept.
    commits: Option<Arc<Commits>>,
    answers: Cache<Key, Arc<Answer<V>>, Size>,
}

#[derive(Debug)]
struct Answer<V> {
    mark: Mark,
    value: V,
    /// Bytes in memory, with its key.
    size: u64,
}

impl<V: Clone + Weigh> Recent<V> {
    /// Keeps answers of so many bytes together.
    pub(crate) fn new(commits: Option<Arc<Commits>>, bytes: u64) -> Self {
        // Of the largest: it decides into how many shards the room is divided, and each has to have
        // some for them.
        let items = usize::try_from(bytes).unwrap_or(usize::MAX) / (FIXED + INLINE_LIMIT);
        Self { commits, answers: Cache::with_weighter(items, bytes, Size) }
    }

    /// The answer, which is read when there is none of now. What is not there is not kept.
    pub(crate) fn find(
        &self,
        tenant: &Tenant,
        key: &FileKey,
        read: impl FnOnce() -> Result<Option<V>>,
    ) -> Result<Option<V>> {
        let Some(commits) = &self.commits else { return read() };
        // What is read after this is of this commit, or of a later one, and given only to look-ups
        // that began before that one.
        let mark = commits.mark();
        if let Some(answer) = self.answers.get(&(tenant, key))
            && answer.mark == mark
        {
            return Ok(Some(answer.value.clone()));
        }
        let value = read()?;
        if let Some(value) = &value {
            let size = (FIXED + key.weight() + value.weight()) as u64;
            let answer = Arc::new(Answer { mark, value: value.clone(), size });
            self.answers.insert(Key { tenant: tenant.clone(), key: key.clone() }, answer);
        }
        Ok(value)
    }
}

/// Hashes as a tuple of its fields does.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    tenant: Tenant,
    key: FileKey,
}

impl Equivalent<Key> for (&Tenant, &FileKey) {
    fn equivalent(&self, other: &Key) -> bool {
        *self.0 == other.tenant && *self.1 == other.key
    }
}

#[derive(Clone, Debug)]
struct Size;

impl<V> Weighter<Key, Arc<Answer<V>>> for Size {
    fn weight(&self, _: &Key, answer: &Arc<Answer<V>>) -> u64 {
        answer.size
    }
}

/// What can be kept.
pub(crate) trait Weigh {
    /// Bytes of its texts and contents in memory, more or less.
    fn weight(&self) -> usize;
}

fn text(text: &str) -> usize {
    TEXT + text.len()
}

impl Weigh for FileKey {
    fn weight(&self) -> usize {
        match self {
            Self::External(id) => text(id),
            Self::Id(_) | Self::Number(_) => 0,
        }
    }
}

impl Weigh for FileRecord {
    fn weight(&self) -> usize {
        let numbers = self.attributes.terms.values().flatten();
        let numbers = numbers.filter(|term| matches!(term, Term::Int(_))).count();
        self.attributes.texts().map(text).sum::<usize>() + numbers * TEXT
    }
}

impl Weigh for StoredFile {
    fn weight(&self) -> usize {
        let inline = |segment: &Segment| match &segment.place {
            Place::Inline(bytes) => bytes.len(),
            Place::Blob(_) => 0,
        };
        let segments = self.segments.iter();
        self.record.weight()
            + segments.map(|segment| size_of::<Segment>() + inline(segment)).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use filestore::{Attributes, Durability, FileId, FileNumber, Revision, Subject, Timestamp};
    use rusqlite::Connection;

    use super::*;
    use crate::connection;

    impl Weigh for String {
        fn weight(&self) -> usize {
            self.len()
        }
    }

    /// A database that others commit to, and answers that are read from it.
    struct Bench {
        db: Connection,
        recent: Recent<String>,
        reads: Cell<u64>,
        _dir: tempfile::TempDir,
    }

    impl Bench {
        fn new(bytes: u64) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("test.db");
            let db = connection::writing(&path, Durability::Relaxed).unwrap();
            db.execute_batch("CREATE TABLE note (n)").unwrap();
            let commits = Commits::of(&path).map(Arc::new);
            Self { db, recent: Recent::new(commits, bytes), reads: Cell::new(0), _dir: dir }
        }

        fn commit(&self) {
            self.db.execute_batch("INSERT INTO note VALUES (1)").unwrap();
        }

        /// How many times `answer` was read for this.
        fn find(&self, number: u64, answer: Option<&str>) -> u64 {
            let before = self.reads.get();
            let key = FileKey::Number(FileNumber::new(number).unwrap());
            let read = || {
                self.reads.set(self.reads.get() + 1);
                Ok(answer.map(str::to_owned))
            };
            let found = self.recent.find(&Tenant::new("t").unwrap(), &key, read).unwrap();
            assert_eq!(found.as_deref(), answer);
            self.reads.get() - before
        }
    }

    #[test]
    fn an_answer_is_read_once_for_each_commit() {
        let bench = Bench::new(1 << 20);
        let asked = || [bench.find(1, Some("a")), bench.find(2, Some("b"))];
        for _ in 0..3 {
            assert_eq!(asked(), [1, 1]);
            assert_eq!(asked(), [0, 0]);
            bench.commit();
        }
    }

    #[test]
    fn what_changes_while_it_is_read_is_not_given_again() {
        let bench = Bench::new(1 << 20);
        let key = FileKey::Number(FileNumber::new(1).unwrap());
        let read = || {
            bench.commit();
            Ok(Some("before".to_owned()))
        };
        bench.recent.find(&Tenant::new("t").unwrap(), &key, read).unwrap();
        assert_eq!(bench.find(1, Some("after")), 1);
    }

    #[test]
    fn what_is_not_there_is_looked_for_each_time() {
        let bench = Bench::new(1 << 20);
        assert_eq!([bench.find(1, None), bench.find(1, None)], [1, 1]);
    }

    #[test]
    fn tenants_do_not_share_answers() {
        let bench = Bench::new(1 << 20);
        let key = FileKey::External("a".to_owned());
        let answer_of = |tenant: &str| {
            let read = || Ok(Some(tenant.to_owned()));
            bench.recent.find(&Tenant::new(tenant).unwrap(), &key, read).unwrap()
        };
        for tenant in ["t", "u", "t", "u"] {
            assert_eq!(answer_of(tenant).as_deref(), Some(tenant));
        }
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let bench = Bench::new(64 << 10);
        let text = "a".repeat(1 << 10);
        for number in 1..1000 {
            bench.find(number, Some(&text));
        }
        assert!(bench.recent.answers.weight() <= 64 << 10);
        assert!(bench.recent.answers.len() > 20);
    }

    #[test]
    fn every_text_of_a_record_is_counted() {
        let texts: [fn(&mut Attributes, String); 9] = [
            |a, text| a.name = text,
            |a, text| a.external_id = Some(text),
            |a, text| a.directory = Some(text),
            |a, text| a.source = Some(text),
            |a, text| a.content_type = Some(text),
            |a, text| drop(a.metadata.insert(String::new(), text)),
            |a, text| a.labels.push(text),
            |a, text| drop(a.terms.insert(String::new(), vec![Term::Text(text)])),
            |a, text| drop(a.extras.insert(text, String::new())),
        ];
        for set in texts {
            let mut record = FileRecord {
                id: FileId::from_bytes([1; 16]),
                number: FileNumber::MAX,
                revision: Revision::FIRST,
                owner: Subject::new("me").unwrap(),
                created: Timestamp::MAX,
                updated: Timestamp::MAX,
                content: None,
                attributes: Attributes::default(),
            };
            set(&mut record.attributes, "a".repeat(1 << 10));
            assert!(record.weight() >= 1 << 10);
        }
    }
}
