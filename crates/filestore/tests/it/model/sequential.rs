//! One call after the other.

use filestore::UploadState;

use super::answer::Outcome;
use super::generate::steps;
use super::names::Names;
use super::op::{Op, Step, Who};
use super::reference::{Model, Seen};
use super::system::{Over, System, looks};
use super::{block_on, check};
use crate::store::rig::HOUR;

#[test]
fn memory_answers_as_the_model() {
    check(150, steps(1..80), |steps| block_on(answers_as_the_model(Over::Memory, steps)));
}

#[test]
fn sqlite_answers_as_the_model() {
    check(30, steps(1..150), |steps| block_on(answers_as_the_model(Over::Sqlite, steps)));
}

#[test]
fn postgres_answers_as_the_model() {
    check(15, steps(1..150), |steps| block_on(answers_as_the_model(Over::Postgres, steps)));
}

async fn answers_as_the_model(over: Over, steps: Vec<Step>) -> Result<(), String> {
    let mut pair = Pair::new(over).await;
    pair.take(&steps).await?;
    pair.end().await
}

/// The store and its model.
pub(crate) struct Pair {
    pub(crate) system: System,
    pub(crate) model: Model,
    pub(crate) names: Names,
}

impl Pair {
    pub(crate) async fn new(over: Over) -> Self {
        let system = System::new(over).await;
        let model = Model::new(system.node.backend(over));
        Self { system, model, names: Names::default() }
    }

    /// Takes steps in both.
    pub(crate) async fn take(&mut self, steps: &[Step]) -> Result<(), String> {
        for (n, step) in steps.iter().enumerate() {
            let who = self.names.who(step);
            let taken = self.step(who, &step.op).await;
            taken.map_err(|difference| format!("step {n}: {difference}"))?;
        }
        Ok(())
    }

    /// Takes a step in both.
    async fn step(&mut self, who: Who, op: &Op) -> Result<(), String> {
        let outcome = self.system.step(&self.names, who, op).await;
        let sealed = |state: &UploadState| *state == UploadState::Sealed;
        let resumed = self.system.node.files_of_sessions(&self.model, sealed).await;
        let seen = Seen { outcome: &outcome, resumed: &resumed };
        let expected = self.model.step(&self.names, who, op, seen);
        if !agree(op, &outcome, &expected) {
            return Err(format!("{who:?} {op:?}\n found {outcome:?}\n expected {expected:?}"));
        }
        self.names.learn(who, op, &outcome, &resumed);
        Ok(())
    }

    /// Compares everything that is left.
    pub(crate) async fn end(mut self) -> Result<(), String> {
        for op in [Op::Restart, Op::Check] {
            self.step(Who::ALL[0], &op).await?;
        }
        self.look_at_everything().await?;
        for by in [HOUR * 7, HOUR * 2] {
            for op in [Op::Advance(by), Op::Sweep, Op::Sweep] {
                self.step(Who::ALL[0], &op).await?;
            }
        }
        self.look_at_everything().await?;
        self.system.node.assert_nothing_leaks(&self.model).await;
        self.step(Who::ALL[0], &Op::Check).await
    }

    async fn look_at_everything(&mut self) -> Result<(), String> {
        for (who, op) in looks(&self.names) {
            self.step(who, &op).await.map_err(|difference| format!("in the end: {difference}"))?;
        }
        Ok(())
    }
}

/// Whether two answers are the same. Only refusals of batches name elements.
pub(crate) fn agree(op: &Op, found: &Outcome, expected: &Outcome) -> bool {
    let is_batch = matches!(op, Op::Update { .. } | Op::Delete { .. } | Op::WriteRecords(_));
    match (found, expected) {
        (Err(found), Err(expected)) if !is_batch => found.kind == expected.kind,
        _ => found == expected,
    }
}
