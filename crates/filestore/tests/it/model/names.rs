//! What was made so far, by whom, so that later steps can ask for it.

use std::collections::BTreeMap;

use filestore::{Expect, FileId, FileKey, FileNumber, FileRecord, NewUpload};

use super::answer::{Answer, Outcome};
use super::content::{MAX_SESSION, planned, planned_whole};
use super::op::{Begin, Key, Op, PartContent, Pick, Step, Who};

#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    files: Vec<(Who, FileId)>,
    sessions: Vec<(Who, FileId)>,
    numbers: BTreeMap<FileId, FileNumber>,
}

impl Names {
    /// An id to make a file with: that of a file or of a session.
    pub(crate) fn id(&self, pick: Pick) -> FileId {
        let made = if pick.is_multiple_of(2) { &self.files } else { &self.sessions };
        picked(made, pick / 2).1
    }

    fn file(&self, pick: Pick) -> FileId {
        picked(&self.files, pick).1
    }

    pub(crate) fn upload(&self, pick: Pick) -> FileId {
        picked(&self.sessions, pick).1
    }

    /// How many files can be picked.
    pub(crate) fn files(&self) -> Pick {
        self.files.len() as Pick
    }

    /// How many uploads can be picked.
    pub(crate) fn uploads(&self) -> Pick {
        self.sessions.len() as Pick
    }

    pub(crate) fn key(&self, key: &Key) -> FileKey {
        match key {
            Key::Id(pick) => FileKey::Id(self.file(*pick)),
            Key::Number(pick) => {
                let number = self.numbers.get(&self.file(*pick)).copied();
                FileKey::Number(number.unwrap_or(FileNumber::MAX))
            }
            Key::External(text) => FileKey::External((*text).to_owned()),
        }
    }

    pub(crate) fn keys(&self, keys: &[Key]) -> Vec<FileKey> {
        keys.iter().map(|key| self.key(key)).collect()
    }

    pub(crate) fn begin(&self, begin: &Begin) -> NewUpload {
        use super::op::Whole;
        let expect = match begin.declared {
            Whole::Nothing => Expect::default(),
            Whole::Size(parts) => size(&planned_whole(parts)),
            Whole::Digest(parts) => digest(&planned_whole(parts)),
            Whole::Both(parts) => {
                let whole = planned_whole(parts);
                Expect { size: size(&whole).size, ..digest(&whole) }
            }
            Whole::TooMuch => Expect { size: Some(MAX_SESSION as u64 + 1), sha256: None },
        };
        NewUpload {
            attributes: begin.attributes.attributes(),
            expect,
            total: begin.total,
            lifetime: begin.lifetime,
            target: begin.target.as_ref().map(|key| self.key(key)),
        }
    }

    pub(crate) fn part(number: u32, content: &PartContent) -> super::content::Sent {
        match content {
            PartContent::Planned => planned(number),
            PartContent::Other(sent) => sent.clone(),
        }
    }

    /// Who takes a step: whoever made what it is about, mostly.
    pub(crate) fn who(&self, step: &Step) -> Who {
        if step.is_strange {
            return step.who;
        }
        let file = |key: &Key| match key {
            Key::Id(pick) | Key::Number(pick) => Some(picked(&self.files, *pick).0),
            Key::External(_) => None,
        };
        let maker = match &step.op {
            Op::Copy { from: key, .. }
            | Op::Write { key, .. }
            | Op::Open { key, .. }
            | Op::Hold { key }
            | Op::UpdateAt { key, .. } => file(key),
            Op::Begin(begin) => begin.target.as_ref().and_then(file),
            Op::Stat { keys } | Op::Update { keys, .. } | Op::Delete { keys } => {
                keys.first().and_then(file)
            }
            Op::PutPart { upload, .. }
            | Op::Status { upload }
            | Op::Parts { upload }
            | Op::Complete { upload, .. }
            | Op::Abort { upload } => Some(picked(&self.sessions, *upload).0),
            _ => None,
        };
        maker.unwrap_or(step.who)
    }

    /// Remembers what a step made.
    pub(crate) fn learn(&mut self, who: Who, op: &Op, outcome: &Outcome, resumed: &[FileRecord]) {
        match outcome {
            Ok(Answer::Session(session)) if matches!(op, Op::Begin(_)) => {
                self.sessions.push((who, session.id));
            }
            Ok(Answer::File(file)) => self.learn_file(who, file),
            Ok(Answer::Completed(completion)) => {
                completion.record.iter().for_each(|file| self.learn_file(who, file));
            }
            _ => {}
        }
        resumed.iter().for_each(|file| self.learn_file(who, file));
    }

    fn learn_file(&mut self, who: Who, file: &FileRecord) {
        self.numbers.insert(file.id, file.number);
        if self.files.iter().all(|(_, known)| *known != file.id) {
            self.files.push((who, file.id));
        }
    }
}

/// From the newest on. What never was has an id, too.
fn picked(made: &[(Who, FileId)], pick: Pick) -> (Who, FileId) {
    match made.len() {
        0 => (Who { tenant: 0, subject: 0 }, FileId::from_bytes([0xEE; 16])),
        len => made[len - 1 - pick as usize % len],
    }
}

fn size(bytes: &[u8]) -> Expect {
    crate::store::rig::size(bytes.len())
}

fn digest(bytes: &[u8]) -> Expect {
    crate::store::rig::digest_of(bytes)
}
