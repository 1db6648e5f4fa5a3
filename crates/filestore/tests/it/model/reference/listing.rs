//! Files found by conditions and by name.

use filestore::{Cond, FileRecord, fold, runs, trigrams};

use super::Model;
use crate::model::answer::Answer;
use crate::model::op::Who;

impl Model {
    /// By number: what else there may be is put in this order before it is compared.
    pub(super) fn list(&self, who: Who, all: &[Cond]) -> Answer {
        Answer::Files(self.matching(who, all))
    }

    pub(super) fn count(&self, who: Who, all: &[Cond]) -> Answer {
        Answer::Count(self.matching(who, all).len() as u64)
    }

    pub(super) fn search(&self, who: Who, text: &str, all: &[Cond], limit: usize) -> Answer {
        let text = fold(text);
        let files = self.matching(who, all).into_iter();
        let mut found: Vec<_> =
            files.filter_map(|file| Some((relevance(&file, &text)?, file))).collect();
        // Stable, so that equals stay in the order of their numbers.
        found.sort_by_key(|(relevance, _)| *relevance);
        Answer::Files(found.into_iter().map(|(_, file)| file).take(limit).collect())
    }

    fn matching(&self, who: Who, all: &[Cond]) -> Vec<FileRecord> {
        let files = self.tenant(who).files.values();
        let mut found: Vec<_> =
            files.filter(|file| all.iter().all(|cond| cond.matches(file))).cloned().collect();
        found.sort_by_key(|file| file.number);
        found
    }
}

/// The text itself, a name that begins with it, one with a word that does, one that contains it,
/// one that has a run of it; `None` of all others.
fn relevance(file: &FileRecord, text: &str) -> Option<(u8, usize)> {
    let name = fold(&file.attributes.name);
    let contains = [
        name == text,
        name.starts_with(text),
        name.contains(&format!(" {text}")),
        name.contains(text),
    ];
    if let Some(rank) = contains.iter().position(|holds| *holds) {
        return Some((rank as u8, 0));
    }
    let is_similar = runs(text).iter().any(|run| name.contains(run));
    let wanted = trigrams(text);
    let shared = wanted.iter().filter(|trigram| name.contains(trigram.as_str())).count();
    is_similar.then(|| (4, 1000 - shared * 1000 / wanted.len()))
}
