//! What happens to the slots of one host, told as it happens: a ring that each reader follows at its own pace.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dunlin_manifest::HostId;
use dunlin_placement::Failure;
use tokio::sync::watch;
use tokio::time::Instant;

/// So many events are kept for readers that are late; older ones are missed.
const KEPT: usize = 1024;

/// Something that happened to a component on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Instant,
    /// The component; empty where it is about the whole host.
    pub component: String,
    /// What runs, or was to run; empty where that means nothing.
    pub identity: String,
    /// The revision that the host followed then.
    pub revision: String,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The first instance of a slot is being started.
    Starting,
    /// It takes calls, so long after it was started or became unready.
    Ready {
        /// How long that took.
        after: Duration,
    },
    /// Its readiness path no longer answers 2xx.
    Unready,
    /// It did not start.
    Failed {
        /// How far that reaches.
        reach: Failure,
        /// Why.
        reason: String,
        /// Attempts in a row that failed.
        attempts: u32,
    },
    /// It is no longer to be started.
    GivenUp,
    /// A new identity is being started beside the old.
    UpdateBegun,
    /// The new identity takes the calls, so long after it was started.
    Updated {
        /// How long that took.
        after: Duration,
    },
    /// The new identity did not start; the old serves on.
    UpdateFailed {
        /// How far that reaches.
        reach: Failure,
        /// Why.
        reason: String,
        /// Attempts in a row that failed.
        attempts: u32,
    },
    /// The new identity is no longer asked for; the old serves on.
    UpdateGivenUp,
    /// It takes no more calls and finishes those that it has.
    Leaving {
        /// Who promised to stay.
        promised: Vec<HostId>,
        /// All slots of this host go elsewhere.
        draining: bool,
        /// Git does not have the component any more.
        deleted: bool,
    },
    /// An instance that was to stop has stopped.
    Stopped {
        /// Calls that it finished meanwhile.
        finished: usize,
        /// Calls that were broken off because they took too long.
        cut: usize,
    },
    /// Something is not as asked; see [`crate::Condition`].
    Condition {
        /// What, as a word for machines.
        kind: String,
        /// What, as a sentence for people.
        message: String,
    },
    /// That is over.
    ConditionOver {
        /// What, as a word for machines.
        kind: String,
    },
}

/// Events from a place in the ring on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// The events, the oldest first.
    pub events: Vec<Event>,
    /// So many before them are no longer kept.
    pub missed: u64,
    /// Where the next reading goes on.
    pub next: u64,
}

/// The events of one host.
#[derive(Debug, Clone)]
pub struct Events {
    ring: Arc<Mutex<Ring>>,
    newest: Arc<watch::Sender<u64>>,
}

#[derive(Debug, Default)]
struct Ring {
    events: VecDeque<Event>,
    /// The number of the event that comes next.
    next: u64,
}

impl Events {
    pub(crate) fn new() -> Self {
        Self { ring: Arc::default(), newest: Arc::new(watch::Sender::new(0)) }
    }

    /// Adds what happened, in order.
    pub(crate) fn tell(&self, events: impl IntoIterator<Item = Event>) {
        let mut ring = self.ring();
        let before = ring.next;
        for event in events {
            if ring.events.len() == KEPT {
                ring.events.pop_front();
            }
            ring.events.push_back(event);
            ring.next += 1;
        }
        let next = ring.next;
        drop(ring);
        if next != before {
            self.newest.send_replace(next);
        }
    }

    /// All that is kept from the event with number `from` on; the first has number 0.
    #[must_use]
    pub fn since(&self, from: u64) -> Batch {
        let ring = self.ring();
        let first = ring.next - ring.events.len() as u64;
        let skip = usize::try_from(from.saturating_sub(first)).unwrap_or(usize::MAX);
        Batch {
            events: ring.events.iter().skip(skip).cloned().collect(),
            missed: first.saturating_sub(from),
            next: ring.next,
        }
    }

    /// Changes whenever something was told; its value is the number of the event that comes next.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(identity: usize) -> Event {
        Event {
            at: Instant::now(),
            component: "todo".into(),
            identity: identity.to_string(),
            revision: "r".into(),
            what: What::Starting,
        }
    }

    #[test]
    fn a_late_reader_is_told_what_it_missed() {
        let events = Events::new();
        events.tell((0..10).map(event));
        let batch = events.since(7);
        let identities: Vec<_> = batch.events.iter().map(|event| event.identity.as_str()).collect();
        assert_eq!((identities, batch.missed, batch.next), (vec!["7", "8", "9"], 0, 10));
        assert_eq!(events.since(10).events, []);
        events.tell((10..KEPT + 20).map(event));
        let batch = events.since(10);
        assert_eq!((batch.events.len(), batch.missed, batch.next), (KEPT, 10, KEPT as u64 + 20));
        assert_eq!(*events.changes().borrow(), batch.next);
    }
}
