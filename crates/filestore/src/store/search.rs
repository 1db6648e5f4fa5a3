//! Search by name, in order of relevance.

use std::collections::HashSet;

use crate::error::Result;
use crate::query::{Cond, FileQuery, NameMatch, fold, trigrams};
use crate::record::FileRecord;
use crate::store::Files;

/// How many files are looked at, at most, for each way of matching.
const CANDIDATES: usize = 1000;
/// A name is similar when it has this share of the text's trigrams, in tenths.
const SIMILAR_TENTHS: usize = 3;

impl Files {
    /// Files whose names resemble `text` and for which all conditions hold, best first, at most
    /// `limit`: the text itself, then names that begin with it, have a word that begins with it,
    /// contain it, resemble it; among equals by number. Case and punctuation do not count. Looks at no
    /// more than 1000 candidates for each of these. Text without letters and digits finds every file.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable).
    pub async fn search(&self, text: &str, all: &[Cond], limit: usize) -> Result<Vec<FileRecord>> {
        let text = fold(text);
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        for how in tiers(&text) {
            let mut conditions = all.to_vec();
            conditions.extend(how.map(|how| Cond::Name(how, text.clone())));
            // Candidates that were found before come again: room is for all of them.
            for record in self.candidates(conditions).await? {
                if seen.insert(record.id) {
                    found.extend(Ranked::new(record, &text));
                }
            }
            if found.len() >= limit.min(CANDIDATES) {
                break;
            }
        }
        found.sort_by_key(Ranked::key);
        Ok(found.into_iter().take(limit).map(|ranked| ranked.record).collect())
    }

    async fn candidates(&self, all: Vec<Cond>) -> Result<Vec<FileRecord>> {
        let mut query = FileQuery { all, after: None, limit: FileQuery::MAX_LIMIT };
        let mut found = Vec::new();
        while found.len() < CANDIDATES {
            let page = self.list(&query).await?;
            found.extend(page.items);
            match page.next {
                Some(next) => query.after = Some(next),
                None => break,
            }
        }
        found.truncate(CANDIDATES);
        Ok(found)
    }
}

/// The ways of matching, best first, each of which finds what the one before does and more.
fn tiers(text: &str) -> &'static [Option<NameMatch>] {
    if text.is_empty() {
        return &[None];
    }
    &[
        Some(NameMatch::Is),
        Some(NameMatch::Prefix),
        Some(NameMatch::Contains),
        Some(NameMatch::Similar),
    ]
}

struct Ranked {
    rank: u8,
    /// Per mille of the text's trigrams that the name lacks.
    distance: usize,
    record: FileRecord,
}

impl Ranked {
    /// `None` when the name is not similar enough.
    fn new(record: FileRecord, text: &str) -> Option<Self> {
        let name = fold(&record.attributes.name);
        let rank = if name == text {
            0
        } else if name.starts_with(text) {
            1
        } else if name.contains(&format!(" {text}")) {
            2
        } else if name.contains(text) {
            3
        } else {
            4
        };
        let mut distance = 0;
        if rank == 4 {
            let wanted = trigrams(text);
            let shared = wanted.iter().filter(|trigram| name.contains(trigram.as_str())).count();
            if shared * 10 < wanted.len() * SIMILAR_TENTHS {
                return None;
            }
            distance = 1000 - shared * 1000 / wanted.len().max(1);
        }
        Some(Self { rank, distance, record })
    }

    fn key(&self) -> (u8, usize, u64) {
        (self.rank, self.distance, self.record.number.get())
    }
}
