//! Who has what, worked out of the picture of the lattice whenever that changes and read on every request.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use dunlin_agent::LatticeView;
use dunlin_lattice::presence::PeerClock;
use dunlin_manifest::HostId;
use dunlin_placement::SlotState;
use tokio::time::Instant;

/// Where components and providers are, this host left out.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    components: HashMap<String, Vec<Replica>>,
    providers: HashMap<String, Vec<Replica>>,
    /// Components that have a slot of any kind anywhere, this host included.
    pub(crate) alive: BTreeSet<String>,
}

/// One host that has what is looked for.
#[derive(Debug, Clone)]
pub(crate) struct Replica {
    pub(crate) host: Arc<HostId>,
    pub(crate) ready: bool,
    pub(crate) last_beat: Instant,
    pub(crate) clock: PeerClock,
}

impl Directory {
    /// Works it out.
    pub(crate) fn of(view: &LatticeView) -> Self {
        let mut directory = Self::default();
        for (id, entry) in &view.hosts {
            let Some(state) = entry.state.as_deref() else { continue };
            directory.alive.extend(state.slots.keys().cloned());
            // A host that said goodbye has nothing any more.
            if *id == view.me || entry.goodbye {
                continue;
            }
            let host = Arc::new(id.clone());
            let replica = |ready| Replica {
                host: Arc::clone(&host),
                ready,
                last_beat: entry.last_beat,
                clock: entry.clock,
            };
            for (component, slot) in &state.slots {
                // One that leaves would only answer that it does.
                if matches!(slot.state, SlotState::Ready | SlotState::Unready) {
                    let replicas = directory.components.entry(component.clone()).or_default();
                    replicas.push(replica(slot.state == SlotState::Ready));
                }
            }
            for provider in &state.providers {
                directory.providers.entry(provider.clone()).or_default().push(replica(true));
            }
        }
        directory
    }

    /// One provider at some hosts, for tests.
    #[cfg(test)]
    pub(crate) fn with_provider(provider: &str, replicas: Vec<Replica>) -> Self {
        Self { providers: [(provider.to_owned(), replicas)].into(), ..Self::default() }
    }

    /// Other hosts with a slot of `component` that takes calls.
    pub(crate) fn component(&self, component: &str) -> &[Replica] {
        self.components.get(component).map_or(&[], Vec::as_slice)
    }

    /// Other hosts that have `provider` open.
    pub(crate) fn provider(&self, provider: &str) -> &[Replica] {
        self.providers.get(provider).map_or(&[], Vec::as_slice)
    }
}
