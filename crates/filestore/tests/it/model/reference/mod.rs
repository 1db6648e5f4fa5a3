//! The store as plain maps: what each call answers, and what is there afterwards. Whatever the
//! store may choose (ids, numbers) is taken from its own answer, once it is found to be new.

mod files;
mod ledger;
mod listing;
mod records;
mod uploads;

use std::collections::BTreeMap;

use bytes::Bytes;
use filestore::{
    ContentId, ContentInfo, ErrorKind, FileId, FileRecord, Limits, OtherRecord, Subject, Sweep,
    Tenant, Timestamp,
};

use super::answer::{Answer, Outcome};
use super::generate::limits;
use super::names::Names;
use super::op::{Op, Who};
use crate::store::rig::start;
use ledger::Segment;
pub(crate) use ledger::{Backend, Ledger};
use uploads::Session;

/// All of a store.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) now: Timestamp,
    limits: Limits,
    pub(crate) ledger: Ledger,
    pub(crate) tenants: [TenantModel; 2],
    held: Vec<(FileRecord, Vec<Segment>)>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct TenantModel {
    pub(crate) files: BTreeMap<FileId, FileRecord>,
    /// Every content that a file has.
    contents: BTreeMap<ContentId, Content>,
    pub(crate) sessions: BTreeMap<FileId, Session>,
    records: BTreeMap<(String, String), OtherRecord>,
    counters: BTreeMap<String, u32>,
}

#[derive(Clone, Debug)]
struct Content {
    info: ContentInfo,
    segments: Vec<Segment>,
}

/// What the store did at this step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'s> {
    pub(crate) outcome: &'s Outcome,
    /// The files of sessions that were sealed before, as far as they are there after.
    pub(crate) resumed: &'s [FileRecord],
}

impl Seen<'_> {
    /// The file that is there because of this step, to choose as the store chose.
    fn file(&self, id: Option<FileId>) -> Option<&FileRecord> {
        let answered = match self.outcome {
            Ok(Answer::File(file)) => Some(file),
            Ok(Answer::Completed(completion)) => completion.record.as_ref(),
            _ => None,
        };
        answered.into_iter().chain(self.resumed).find(|file| id.is_none_or(|id| file.id == id))
    }
}

impl Model {
    pub(crate) fn new(backend: Backend) -> Self {
        Self {
            now: start(),
            limits: limits(),
            ledger: Ledger::new(backend),
            tenants: Default::default(),
            held: Vec::new(),
        }
    }

    /// Takes a step, and answers what the store must have answered.
    pub(crate) fn step(&mut self, names: &Names, who: Who, op: &Op, seen: Seen<'_>) -> Outcome {
        match op {
            Op::Create { id, attributes, content } => {
                self.create(who, id.map(|id| names.id(id)), &attributes.attributes(), content, seen)
            }
            Op::Reserve { id, attributes } => {
                self.reserve(who, id.map(|id| names.id(id)), &attributes.attributes(), seen)
            }
            Op::Copy { from, id, attributes } => {
                let id = id.map(|id| names.id(id));
                self.copy(who, &names.key(from), id, &attributes.attributes(), seen)
            }
            Op::Write { key, content } => self.write(who, &names.key(key), content, seen),
            Op::Open { key, range } => self.open(who, &names.key(key), *range),
            Op::Hold { key } => self.hold(who, &names.key(key)),
            Op::ReadHeld { held } => Ok(self.read_held(*held)),
            Op::Stat { keys } => Ok(self.stat(who, &names.keys(keys))),
            Op::Update { keys, edit } => self.update(who, &names.keys(keys), edit),
            Op::UpdateAt { key, revision, edit } => {
                self.update_at(who, &names.key(key), *revision, edit)
            }
            Op::Delete { keys } => self.delete(who, &names.keys(keys)),
            Op::List { all, .. } => Ok(self.list(who, all)),
            Op::Count { all } => Ok(self.count(who, all)),
            Op::Search { text, all, limit } => Ok(self.search(who, text, all, *limit)),
            Op::Begin(begin) => self.begin(who, names.begin(begin), seen),
            Op::PutPart { upload, number, total, content } => {
                let sent = Names::part(*number, content);
                self.put_part(who, names.upload(*upload), *number, *total, &sent)
            }
            Op::Status { upload } => self.status(who, names.upload(*upload), seen),
            Op::Parts { upload } => self.parts(who, names.upload(*upload)),
            Op::Uploads { after, limit } => {
                Ok(self.uploads(who, after.map(|after| names.upload(after)), *limit))
            }
            Op::Complete { upload, is_cut_off } => {
                self.complete(who, names.upload(*upload), *is_cut_off, seen)
            }
            Op::Abort { upload } => self.abort(who, names.upload(*upload)),
            Op::WriteRecords(changes) => self.write_records(who, changes),
            Op::LoadRecord { kind, key } => Ok(self.load_record(who, kind, key)),
            Op::Records { kind, after, limit } => Ok(self.records(who, kind, *after, *limit)),
            Op::NextNumber { counter } => Ok(self.next_number(who, counter)),
            Op::Sweep => Ok(self.sweep(seen)),
            Op::Check => Ok(Answer::Checked(Some(self.contents()))),
            Op::Advance(by) => {
                self.now = self.now.after(*by);
                Ok(Answer::Done)
            }
            Op::Restart => {
                self.held.clear();
                Ok(Answer::Done)
            }
        }
    }

    fn tenant(&self, who: Who) -> &TenantModel {
        &self.tenants[who.tenant]
    }

    fn tenant_mut(&mut self, who: Who) -> &mut TenantModel {
        &mut self.tenants[who.tenant]
    }

    fn contents(&self) -> u64 {
        self.tenants.iter().map(|tenant| tenant.contents.len() as u64).sum()
    }
}

impl Content {
    fn bytes(&self) -> Bytes {
        ledger::joined(&self.segments)
    }
}

/// What a sweep is told.
pub(crate) fn sweep_options() -> Sweep {
    let mut options = Sweep::default();
    options.merge_above = 2;
    options.merges = 1000;
    options
}

pub(crate) fn tenant(number: usize) -> Tenant {
    Tenant::new(["acme", "umbrella"][number]).unwrap()
}

pub(crate) fn subject(number: usize) -> Subject {
    Subject::new(["ann", "bob"][number]).unwrap()
}

/// What the model answers to a choice that the store must not have made: what was chosen is taken.
const NOT_NEW: ErrorKind = ErrorKind::Internal;
