//! What goes on on a connection, and since when nothing does: every wait for a client ends here,
//! but for those for a request's body.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// How long a client may leave a connection waiting.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For the head of a request, while none runs.
    pub(super) head: Duration,
    /// To take something of an answer.
    pub(super) write: Duration,
}

/// One connection's requests, and what it waits for.
#[derive(Debug)]
pub(super) struct Activity {
    patience: Patience,
    state: Mutex<State>,
    /// Told when it is called off.
    off: Notify,
    /// Told whenever nothing goes on any more.
    idle: Arc<Notify>,
}

#[derive(Debug)]
struct State {
    is_called_off: bool,
    idle_since: Instant,
    /// Bytes are there to be written, and nobody has taken any since then.
    blocked_since: Option<Instant>,
    /// The requests that run, each with the moment when something of its answer was last handed
    /// over or taken; there is no such moment while the next step is ours.
    requests: HashMap<u64, Option<Instant>>,
    next_request: u64,
}

impl State {
    fn is_idle(&self) -> bool {
        self.requests.is_empty() && self.blocked_since.is_none()
    }

    /// When somebody has been waited for long enough; `None` while it is our turn.
    fn end(&self, patience: Patience) -> Option<Instant> {
        if self.is_called_off {
            return Some(self.idle_since);
        }
        if self.is_idle() {
            return Some(self.idle_since + patience.head);
        }
        let waiting = self.requests.values().flatten().chain(&self.blocked_since);
        waiting.min().map(|since| *since + patience.write)
    }
}

impl Activity {
    pub(super) fn new(patience: Patience, idle: Arc<Notify>) -> Arc<Self> {
        let state = Mutex::new(State {
            is_called_off: false,
            idle_since: Instant::now(),
            blocked_since: None,
            requests: HashMap::new(),
            next_request: 0,
        });
        Arc::new(Self { patience, state, off: Notify::new(), idle })
    }

    /// Since when no request runs; `None` while one does, and of a connection that ends anyway.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let state = self.state();
        (state.is_idle() && !state.is_called_off).then_some(state.idle_since)
    }

    /// Has the connection end unless a request runs; a client whose next one is on its way learns
    /// by the end of the connection that it was not looked at. Whether it ends.
    pub(super) fn call_off(&self) -> bool {
        let mut state = self.state();
        state.is_called_off |= state.is_idle();
        if state.is_called_off {
            self.off.notify_one();
        }
        state.is_called_off
    }

    /// Ready when the connection has to end.
    pub(super) async fn over(&self) {
        loop {
            let now = Instant::now();
            let end = self.state().end(self.patience);
            if end.is_some_and(|end| end <= now) {
                return;
            }
            // No wait that begins from now on is over before that.
            let soonest = now + self.patience.head.min(self.patience.write);
            let next = end.map_or(soonest, |end| end.min(soonest));
            tokio::select! {
                () = tokio::time::sleep_until(next) => {}
                () = self.off.notified() => {}
            }
        }
    }

    pub(super) fn begin(self: &Arc<Self>) -> Arc<Running> {
        let mut state = self.state();
        let id = state.next_request;
        state.next_request += 1;
        state.requests.insert(id, None);
        Arc::new(Running { activity: Arc::clone(self), id })
    }

    pub(super) fn write(&self, is_blocked: bool) {
        let mut state = self.state();
        let was_idle = state.is_idle();
        state.blocked_since = is_blocked.then(|| state.blocked_since.unwrap_or_else(Instant::now));
        self.note(&mut state, was_idle);
    }

    /// Idleness begins when the last thing ends that went on.
    fn note(&self, state: &mut State, was_idle: bool) {
        if !was_idle && state.is_idle() {
            state.idle_since = Instant::now();
            self.idle.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held, and none of it is left half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that runs until this is dropped.
#[derive(Debug)]
pub(super) struct Running {
    activity: Arc<Activity>,
    id: u64,
}

impl Running {
    /// It is the client's turn to take something now, or else ours.
    pub(super) fn moved(&self, is_to_be_taken: bool) {
        let since = is_to_be_taken.then(Instant::now);
        self.activity.state().requests.insert(self.id, since);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut state = self.activity.state();
        let was_idle = state.is_idle();
        state.requests.remove(&self.id);
        self.activity.note(&mut state, was_idle);
    }
}
