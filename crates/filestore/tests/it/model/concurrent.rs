//! Several calls at the same time: there must be an order in which the model takes them, one after
//! the other, to the same answers and the same end.

use std::sync::Arc;

use filestore::{ErrorKind, FileRecord, UploadSession, UploadState};
use futures::future::join_all;

use super::answer::{Answer, Outcome};
use super::generate::steps_and_race;
use super::names::Names;
use super::op::{Op, Step, Who};
use super::reference::{Model, Seen};
use super::sequential::{Pair, agree};
use super::system::{Over, looks};
use super::{block_on, check};
use crate::store::rig::HOUR;

#[test]
fn memory_takes_calls_in_some_order() {
    check(200, steps_and_race(), |(before, at_once)| {
        block_on(there_is_an_order(Over::Memory, before, at_once))
    });
}

#[test]
fn sqlite_takes_calls_in_some_order() {
    check(60, steps_and_race(), |(before, at_once)| {
        block_on(there_is_an_order(Over::Sqlite, before, at_once))
    });
}

#[test]
fn postgres_takes_calls_in_some_order() {
    check(40, steps_and_race(), |(before, at_once)| {
        block_on(there_is_an_order(Over::Postgres, before, at_once))
    });
}

/// A call and its answer.
struct Asked {
    who: Who,
    op: Op,
    outcome: Outcome,
}

async fn there_is_an_order(
    over: Over,
    before: Vec<Step>,
    at_once: Vec<Step>,
) -> Result<(), String> {
    let mut pair = Pair::new(over).await;
    pair.take(&before).await?;
    let Pair { system, model, names } = pair;
    let node = &system.node;

    node.yield_everywhere();
    let then = Arc::new(names.clone());
    let calls = at_once.into_iter().map(|Step { who, is_strange, op }| {
        let who = names.who(&Step { who, is_strange, op: op.clone() });
        let (node, names) = (node.clone(), then.clone());
        tokio::spawn(async move {
            let outcome = node.ask(&names, who, &op).await;
            Asked { who, op, outcome }
        })
    });
    let calls: Vec<_> = join_all(calls).await.into_iter().map(Result::unwrap).collect();

    let files = node.files_of_sessions(&model, |_| true).await;
    let mut names = names;
    for Asked { who, op, outcome } in &calls {
        names.learn(*who, op, outcome, &files);
    }
    let mut end = Vec::new();
    for (who, op) in looks(&names) {
        let outcome = node.ask(&names, who, &op).await;
        end.push(Asked { who, op, outcome });
    }
    let search = Search { then: &then, calls: &calls, files: &files, names: &names, end: &end };
    let Some(mut model) = search.order(&model, &mut Vec::new()) else {
        let answers = calls
            .iter()
            .map(|Asked { who, op, outcome }| format!("\n{who:?} {op:?}\n found {outcome:?}"));
        let end =
            end.iter().map(|Asked { who, op, outcome }| format!("\n{who:?} {op:?} {outcome:?}"));
        return Err(format!(
            "no order explains:{}\nand in the end{}",
            answers.collect::<String>(),
            end.collect::<String>()
        ));
    };

    for op in [Op::Advance(HOUR * 7), Op::Sweep, Op::Advance(HOUR), Op::Sweep] {
        let outcome = node.ask(&names, Who::ALL[0], &op).await;
        let _ = model.step(&names, Who::ALL[0], &op, Seen { outcome: &outcome, resumed: &files });
    }
    node.assert_nothing_leaks(&model).await;
    let outcome = node.ask(&names, Who::ALL[0], &Op::Check).await;
    let seen = Seen { outcome: &outcome, resumed: &[] };
    assert_eq!(outcome, model.step(&names, Who::ALL[0], &Op::Check, seen));
    Ok(())
}

struct Search<'s> {
    /// What could be named when the calls were made.
    then: &'s Names,
    calls: &'s [Asked],
    files: &'s [FileRecord],
    names: &'s Names,
    end: &'s [Asked],
}

impl Search<'_> {
    /// The model after the rest of the calls, in an order that explains all answers.
    fn order(&self, model: &Model, taken: &mut Vec<usize>) -> Option<Model> {
        if taken.len() == self.calls.len() {
            return self.ends(model.clone());
        }
        for (index, Asked { who, op, outcome }) in self.calls.iter().enumerate() {
            if taken.contains(&index) {
                continue;
            }
            let mut next = model.clone();
            let expected = next.step(self.then, *who, op, Seen { outcome, resumed: self.files });
            if !explains(op, outcome, &expected) {
                continue;
            }
            taken.push(index);
            let found = self.order(&next, taken);
            taken.pop();
            if found.is_some() {
                return found;
            }
        }
        None
    }

    fn ends(&self, mut model: Model) -> Option<Model> {
        for Asked { who, op, outcome } in self.end {
            let expected = model.step(self.names, *who, op, Seen { outcome, resumed: &[] });
            if !agree(op, outcome, &expected) {
                return None;
            }
        }
        Some(model)
    }
}

/// Whether an answer is as the model's, as far as calls are one step.
fn explains(op: &Op, found: &Outcome, expected: &Outcome) -> bool {
    let (answer, model) = match (found, expected) {
        (Ok(answer), Ok(model)) => (answer, model),
        // Of two that cannot publish a session, both are told why, and not that it has failed.
        (Err(found), Err(expected)) if matches!(op, Op::Complete { .. }) => {
            let is_why = matches!(found.kind, ErrorKind::AlreadyExists | ErrorKind::DigestMismatch);
            return found.kind == expected.kind || is_why && expected.kind == ErrorKind::Conflict;
        }
        _ => return agree(op, found, expected),
    };
    match (op, answer, model) {
        // It works through many things one by one.
        (Op::Sweep, _, _) => true,
        // A part is counted together with those that came meanwhile, even if it has been replaced.
        (Op::PutPart { .. }, Answer::Session(found), Answer::Session(expected)) => {
            uncounted(found) == uncounted(expected)
        }
        // The file is looked up when the session has ended: it may be gone or changed by then.
        (Op::Complete { .. }, Answer::Completed(found), Answer::Completed(expected)) => {
            (&found.session, found.now) == (&expected.session, expected.now)
        }
        // A completion may be under way.
        (_, Answer::Session(found), Answer::Session(expected)) => stands(found, expected),
        (_, Answer::Sessions(found), Answer::Sessions(expected)) => {
            found.len() == expected.len()
                && found.iter().zip(expected).all(|(found, expected)| stands(found, expected))
        }
        _ => answer == model,
    }
}

fn uncounted(session: &UploadSession) -> UploadSession {
    UploadSession { parts: 0, received: 0, total: None, ..session.clone() }
}

fn stands(found: &UploadSession, expected: &UploadSession) -> bool {
    let expected = match found.state {
        UploadState::Sealed => &UploadSession { state: UploadState::Sealed, ..expected.clone() },
        _ => expected,
    };
    found == expected
}
