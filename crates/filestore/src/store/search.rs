//! Search by name, in order of relevance.

use std::collections::HashSet;

use crate::error::Result;
use crate::query::{Cond, FileQuery, NameMatch, fold, trigrams};
use crate::record::FileRecord;
use crate::store::Files;

/// So many files are looked at for each way of matching, unless more are asked for.
const CANDIDATES: u32 = 250;

impl Files {
    /// Files whose names resemble `text` and for which all conditions hold, best first, at most
    /// `limit`: the text itself, then names that begin with it, have a word that begins with it,
    /// contain it, resemble it ([`NameMatch::Similar`]); among equals by number. Case and punctuation
    /// do not count. Text without letters and digits finds every file. Looks at 250 candidates for
    /// each of these at most, or at `limit` where that is more; it is 1000 at most.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable).
    pub async fn search(&self, text: &str, all: &[Cond], limit: usize) -> Result<Vec<FileRecord>> {
        let text = fold(text);
        let wanted = trigrams(&text);
        let most = u32::try_from(limit).unwrap_or(u32::MAX).clamp(CANDIDATES, FileQuery::MAX_LIMIT);
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        for how in tiers(&text) {
            let mut conditions = all.to_vec();
            conditions.extend(how.map(|how| Cond::Name(how, text.clone())));
            // Candidates that were found before come again: room is for all of them.
            let query = FileQuery { all: conditions, after: None, limit: most };
            for record in self.list(&query).await?.items {
                if seen.insert(record.id) {
                    found.push(Ranked::new(record, &text, &wanted));
                }
            }
            if found.len() >= limit.min(most as usize) {
                break;
            }
        }
        found.sort_by_key(Ranked::key);
        Ok(found.into_iter().take(limit).map(|ranked| ranked.record).collect())
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
    fn new(record: FileRecord, text: &str, trigrams: &[String]) -> Self {
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
            let shared = trigrams.iter().filter(|trigram| name.contains(trigram.as_str())).count();
            distance = 1000 - shared * 1000 / trigrams.len().max(1);
        }
        Self { rank, distance, record }
    }

    fn key(&self) -> (u8, usize, u64) {
        (self.rank, self.distance, self.record.number.get())
    }
}
