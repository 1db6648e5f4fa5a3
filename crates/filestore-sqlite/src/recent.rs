//! What was looked up a moment ago, for as long as nothing is committed.

use std::sync::Arc;

use filestore::backend::{Place, Segment, StoredFile};
use filestore::{Attributes, FileKey, FileRecord, Result, Tenant};
use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};

use crate::commits::{Commits, Mark};

/// About how many bytes a look-up takes beside texts and contents.
const FIXED: u64 = 512;

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
}

impl<V: Clone + Weigh> Recent<V> {
    /// Keeps answers of so many bytes together.
    pub(crate) fn new(commits: Option<Arc<Commits>>, bytes: u64) -> Self {
        let items = usize::try_from(bytes / FIXED).unwrap_or(usize::MAX);
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
        // What is read after this is of this commit, or of a later one and never given again.
        let mark = commits.mark();
        if let Some(answer) = self.answers.get(&(tenant, key))
            && answer.mark == mark
        {
            return Ok(Some(answer.value.clone()));
        }
        let value = read()?;
        if let Some(value) = &value {
            let answer = Arc::new(Answer { mark, value: value.clone() });
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

impl<V: Weigh> Weighter<Key, Arc<Answer<V>>> for Size {
    fn weight(&self, _: &Key, answer: &Arc<Answer<V>>) -> u64 {
        FIXED + answer.value.weight() as u64
    }
}

/// What can be kept.
pub(crate) trait Weigh {
    /// Bytes of its texts and contents, more or less.
    fn weight(&self) -> usize;
}

impl Weigh for FileRecord {
    fn weight(&self) -> usize {
        let Attributes { name, directory, source, metadata, labels, terms, extras, .. } =
            &self.attributes;
        let pairs = metadata.iter().chain(extras).map(|(key, value)| key.len() + value.len());
        let terms = terms.iter().map(|(field, terms)| field.len() + size_of_val(terms.as_slice()));
        name.len()
            + directory.iter().chain(source).chain(labels).map(String::len).sum::<usize>()
            + pairs.chain(terms).sum::<usize>()
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

    use filestore::{Durability, FileNumber};
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
            let commits = Commits::of(&path).unwrap().map(Arc::new);
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
}
