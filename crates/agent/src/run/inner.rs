//! What is behind the lock: the core, the instances that it decides about, and what it sees.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dunlin_lattice::presence::Presence;
use dunlin_placement::Hearing;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::core::{Core, InstanceFacts, Seen, Token, World};
use crate::slots::Slot;
use crate::view::States;

#[derive(Debug)]
pub(super) struct Inner<S> {
    pub(super) core: Core,
    pub(super) instances: BTreeMap<Token, Instance<S>>,
    pub(super) states: States,
    /// Whether this host's server has a link to the hub, where that is known.
    pub(super) linked: Option<bool>,
    /// Components that Git no longer has and that hold a route until its next owner is ready.
    pub(super) holds: BTreeSet<String>,
}

/// An instance that runs and was not told to retire.
#[derive(Debug)]
pub(super) struct Instance<S> {
    pub(super) slot: Arc<S>,
    ready: watch::Receiver<bool>,
    watcher: AbortHandle,
}

impl<S: Slot> Inner<S> {
    /// Shows the core the world as it is at this moment.
    pub(super) fn with_world<R>(
        &mut self,
        presence: &Presence,
        decide: impl FnOnce(&mut Core, &World<'_>) -> R,
    ) -> R {
        let now = Instant::now();
        let others = self.states.views(&presence.table(), now);
        let facts = |instance: &Instance<S>| InstanceFacts {
            ready: *instance.ready.borrow(),
            last_call: instance.slot.last_call(),
        };
        let instances: BTreeMap<Token, InstanceFacts> =
            self.instances.iter().map(|(token, instance)| (*token, facts(instance))).collect();
        let hearing = match (presence.deaf(), presence.ever_heard()) {
            (true, false) => Hearing::Never,
            (false, true) => Hearing::Good,
            (true, true) | (false, false) => Hearing::Deaf,
        };
        let linked = self.linked;
        let mut trials = Seen {
            calls: self.instances.iter().map(|(token, instance)| (*token, instance.slot.calls())).collect(),
            ..Seen::default()
        };
        for host in &others {
            if let Some(state) = self.states.state(&host.id) {
                trials.hear(host, state);
            }
        }
        let world = World {
            now,
            others: &others,
            hearing,
            linked,
            holds: &self.holds,
            instances: &instances,
            trials: &trials,
        };
        decide(&mut self.core, &world)
    }
}

impl<S> Inner<S> {
    pub(super) fn new(core: Core) -> Self {
        Self {
            core,
            instances: BTreeMap::new(),
            states: States::default(),
            linked: None,
            holds: BTreeSet::new(),
        }
    }
}

impl<S: Slot> Instance<S> {
    /// Watches the readiness of an instance and wakes the loop when it changes.
    pub(super) fn new(slot: Arc<S>, wake: &Arc<Notify>) -> Self {
        let ready = slot.ready();
        let mut changes = ready.clone();
        let wake = Arc::clone(wake);
        let watch = async move {
            while changes.changed().await.is_ok() {
                wake.notify_one();
            }
        };
        Self { slot, ready, watcher: tokio::spawn(watch).abort_handle() }
    }
}

impl<S> Drop for Instance<S> {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}
