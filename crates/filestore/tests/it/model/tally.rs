//! How often each call was made, and what came of it: printed at the end of a run.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::answer::Outcome;
use super::op::Op;

#[derive(Default)]
pub(crate) struct Tally(Mutex<BTreeMap<String, usize>>);

pub(crate) static TALLY: Tally = Tally(Mutex::new(BTreeMap::new()));

impl Tally {
    pub(crate) fn count(&self, op: &Op, outcome: &Outcome) {
        let op = format!("{op:?}");
        let name = op.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        let outcome = match outcome {
            Ok(_) => "ok".to_owned(),
            Err(refusal) => format!("{:?}", refusal.kind),
        };
        *self.0.lock().unwrap().entry(format!("{name} {outcome}")).or_default() += 1;
    }

    pub(crate) fn print(&self) {
        let counts = self.0.lock().unwrap();
        println!("{} calls: {counts:#?}", counts.values().sum::<usize>());
    }
}
