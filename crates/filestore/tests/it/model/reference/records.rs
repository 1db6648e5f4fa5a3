//! Records of other systems, and counters.

use filestore::{ErrorKind, Expected, ItemError, OtherRecord, Revision};

use super::Model;
use crate::model::answer::{Answer, Outcome};
use crate::model::op::{Who, WriteRecord};

impl Model {
    pub(super) fn write_records(&mut self, who: Who, changes: &[WriteRecord]) -> Outcome {
        for WriteRecord { key, body, .. } in changes {
            if key.is_empty() {
                return Err(ErrorKind::InvalidArgument.into());
            }
            if body.is_some_and(|body| body.len() > self.limits.max_record) {
                return Err(ErrorKind::TooLarge.into());
            }
        }
        let before = self.tenant(who).records.clone();
        let mut records = Vec::new();
        let mut refused = Vec::new();
        for (index, change) in changes.iter().enumerate() {
            match self.write_record(who, change) {
                Ok(record) => records.push(record),
                Err(kind) => refused.push(ItemError { index, kind }),
            }
        }
        if !refused.is_empty() {
            self.tenant_mut(who).records = before;
            return Err(refused.into());
        }
        Ok(Answer::Records(records))
    }

    fn write_record(&mut self, who: Who, change: &WriteRecord) -> Result<OtherRecord, ErrorKind> {
        let now = self.now;
        let records = &mut self.tenant_mut(who).records;
        let key = (change.kind.to_owned(), change.key.to_owned());
        let before = records.get(&key).cloned();
        match (change.expected, &before) {
            (Expected::Nothing, Some(_)) => return Err(ErrorKind::AlreadyExists),
            (Expected::Something | Expected::Revision(_), None) => return Err(ErrorKind::NotFound),
            (Expected::Revision(revision), Some(before)) if before.revision != revision => {
                return Err(ErrorKind::PreconditionFailed);
            }
            _ => {}
        }
        let Some(body) = change.body else {
            records.remove(&key);
            return before.ok_or(ErrorKind::NotFound);
        };
        let record = OtherRecord {
            kind: change.kind.to_owned(),
            key: change.key.to_owned(),
            revision: before.as_ref().map_or(Revision::FIRST, |before| before.revision.next()),
            created: before.map_or(now, |before| before.created),
            updated: now,
            body: body.to_owned(),
        };
        records.insert(key, record.clone());
        Ok(record)
    }

    pub(super) fn load_record(&self, who: Who, kind: &str, key: &str) -> Answer {
        let key = (kind.to_owned(), key.to_owned());
        Answer::Record(self.tenant(who).records.get(&key).cloned())
    }

    pub(super) fn records(&self, who: Who, kind: &str, after: Option<&str>, limit: u32) -> Answer {
        let records = self.tenant(who).records.values();
        let asked = records.filter(|record| {
            record.kind == kind && after.is_none_or(|after| record.key.as_str() > after)
        });
        Answer::Records(asked.take(limit as usize).cloned().collect())
    }

    pub(super) fn next_number(&mut self, who: Who, counter: &str) -> Answer {
        let last = self.tenant_mut(who).counters.entry(counter.to_owned()).or_default();
        *last += 1;
        Answer::Number(*last)
    }
}
