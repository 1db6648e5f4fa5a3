//! [`Table`]: a map whose changes can be taken back.

use std::collections::BTreeMap;
use std::ops::Bound;

/// Rows by key, and what undoes the changes since the last commit.
#[derive(Debug)]
pub(super) struct Table<K, V> {
    rows: BTreeMap<K, V>,
    /// What was under a key before a change, oldest change first.
    undo: Vec<(K, Option<V>)>,
}

/// What a transaction asks of a table, whatever its rows.
pub(super) trait Undo {
    /// The present place in the series of changes.
    fn mark(&self) -> usize;
    /// Takes back every change made after `mark`.
    fn roll_back(&mut self, mark: usize);
    /// Makes all changes final.
    fn commit(&mut self);
}

impl<K: Ord + Clone, V> Table<K, V> {
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.rows.get(key)
    }

    pub(super) fn contains(&self, key: &K) -> bool {
        self.rows.contains_key(key)
    }

    /// Puts `row` under `key`, in place of what was there.
    pub(super) fn put(&mut self, key: K, row: V) {
        let before = self.rows.insert(key.clone(), row);
        self.undo.push((key, before));
    }

    pub(super) fn remove(&mut self, key: &K) {
        if let Some((key, before)) = self.rows.remove_entry(key) {
            self.undo.push((key, Some(before)));
        }
    }

    /// All rows, in ascending order of their keys.
    pub(super) fn all(&self) -> impl Iterator<Item = (&K, &V)> {
        self.rows.iter()
    }

    /// Rows with keys greater than `after`, in ascending order.
    pub(super) fn after(&self, after: Option<K>) -> impl Iterator<Item = (&K, &V)> {
        self.from(after.map_or(Bound::Unbounded, Bound::Excluded))
    }

    /// Rows from `start` on, in ascending order of their keys.
    pub(super) fn from(&self, start: Bound<K>) -> impl Iterator<Item = (&K, &V)> {
        self.rows.range((start, Bound::Unbounded))
    }
}

impl<P: Ord + Clone, K: Ord + Clone, V> Table<(P, K), V> {
    /// Rows whose keys begin with `first` and go on from `start`, in ascending order.
    pub(super) fn under(&self, first: &P, start: Bound<K>) -> impl Iterator<Item = (&K, &V)> {
        let start = start.map(|rest| (first.clone(), rest));
        self.rows
            .range((start, Bound::Unbounded))
            .take_while(move |((p, _), _)| p == first)
            .map(|((_, k), row)| (k, row))
    }
}

impl<K: Ord + Clone, V> Undo for Table<K, V> {
    fn mark(&self) -> usize {
        self.undo.len()
    }

    fn roll_back(&mut self, mark: usize) {
        while self.undo.len() > mark {
            match self.undo.pop() {
                Some((key, Some(before))) => self.rows.insert(key, before),
                Some((key, None)) => self.rows.remove(&key),
                None => return,
            };
        }
    }

    fn commit(&mut self) {
        self.undo.clear();
    }
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), undo: Vec::new() }
    }
}
