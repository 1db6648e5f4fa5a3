//! So many connections and no more; those that nobody uses give way to new ones.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::activity::{Activity, Patience};

/// The slots that connections take.
#[derive(Debug)]
pub(super) struct Slots {
    free: Arc<Semaphore>,
    taken: Mutex<HashMap<usize, Arc<Activity>>>,
    idle: Arc<Notify>,
    patience: Patience,
}

/// A connection's slot, free again when this is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) activity: Arc<Activity>,
    slots: Arc<Slots>,
    _permit: OwnedSemaphorePermit,
}

impl Slots {
    pub(super) fn new(count: usize, patience: Patience) -> Arc<Self> {
        Arc::new(Self {
            free: Arc::new(Semaphore::new(count)),
            taken: Mutex::default(),
            idle: Arc::default(),
            patience,
        })
    }

    /// A slot for the next connection. When there is none, the connection that has waited longest for a
    /// request of its client gives its own; when requests run on all, one of these has to end.
    pub(super) async fn take(self: &Arc<Self>) -> Slot {
        let permit = self.permit().await;
        let activity = Activity::new(self.patience, Arc::clone(&self.idle));
        self.taken().insert(key(&activity), Arc::clone(&activity));
        Slot { activity, slots: Arc::clone(self), _permit: permit }
    }

    async fn permit(&self) -> OwnedSemaphorePermit {
        loop {
            if let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() {
                return permit;
            }
            if self.longest_idle().is_some_and(|activity| !activity.call_off()) {
                continue; // It got busy meanwhile.
            }
            tokio::select! {
                // The semaphore is never closed.
                Ok(permit) = Arc::clone(&self.free).acquire_owned() => return permit,
                () = self.idle.notified() => {}
            }
        }
    }

    fn longest_idle(&self) -> Option<Arc<Activity>> {
        let taken = self.taken();
        let idle = taken.values().filter_map(|it| it.idle_since().map(|since| (since, it)));
        idle.min_by_key(|(since, _)| *since).map(|(_, activity)| Arc::clone(activity))
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<usize, Arc<Activity>>> {
        // An insertion, a removal or a look: none leaves it half done.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.taken().remove(&key(&self.activity));
    }
}

/// Tells apart what lives at the same time.
fn key(activity: &Arc<Activity>) -> usize {
    Arc::as_ptr(activity).addr()
}
