//! Sessions that something is being done for in this process.

use std::collections::HashSet;
use std::sync::Mutex;

use crate::id::FileId;

/// A set of sessions, each for as long as somebody is [in](Self::enter) it.
#[derive(Debug, Default)]
pub(super) struct Busy(Mutex<HashSet<FileId>>);

impl Busy {
    pub(super) fn has(&self, id: FileId) -> bool {
        self.0.lock().is_ok_and(|ids| ids.contains(&id))
    }

    /// Enters a session until the answer is dropped; `None` when it is entered already.
    pub(super) fn enter(&self, id: FileId) -> Option<Entered<'_>> {
        let is_first = self.0.lock().is_ok_and(|mut ids| ids.insert(id));
        is_first.then(|| Entered { busy: self, id })
    }
}

/// A session that was entered.
#[derive(Debug)]
pub(super) struct Entered<'b> {
    busy: &'b Busy,
    id: FileId,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if let Ok(mut ids) = self.busy.0.lock() {
            ids.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_may_not_enter_lets_nobody_else_in() {
        let (busy, id) = (Busy::default(), FileId::from_bytes([1; 16]));
        let entered = busy.enter(id);
        for _ in 0..2 {
            assert!(busy.enter(id).is_none());
            assert!(busy.has(id));
        }
        drop(entered);
        assert!(!busy.has(id));
        assert!(busy.enter(id).is_some());
    }
}
