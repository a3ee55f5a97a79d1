//! The agent as its host sees it: configuration, start, handle.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use dunlin_lattice::Connection;
use dunlin_lattice::presence::Presence;
use dunlin_lattice::subjects::Subjects;
use dunlin_manifest::HostId;
use dunlin_placement::Desired;
use dunlin_placement::canary::Aborted;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::core::Bugs;
use crate::events::Events;
use crate::run::{self, Drain};
use crate::slots::{Launcher, SlotTable};
use crate::state::HostFacts;
use crate::view::LatticeView;

/// Who a host is and what it remembers.
#[derive(Debug, Clone)]
pub struct AgentConfig {
    /// Its name.
    pub id: HostId,
    /// The lattice that it belongs to; a DNS label.
    pub lattice: String,
    /// What its operator says of it.
    pub labels: BTreeMap<String, String>,
    /// Declared bytes of memory for components.
    pub memory_capacity: u64,
    /// Its share of slots relative to other hosts; 100 is usual.
    pub weight: u32,
    /// The components that it ran when it stopped, as [`AgentHandle::ran`] told.
    pub ran: BTreeSet<String>,
    /// The last state that it had from its source, to start from while the source cannot be read.
    pub last_good: Option<Desired>,
    /// Identities that were given up on trial, by component, as [`crate::HostState::aborted`] told.
    pub aborted: BTreeMap<String, Aborted>,
    /// How long a start may take until the slot is ready for the first time.
    pub start_limit: Duration,
    /// Where presence's chances come from; the system if not given.
    pub seed: Option<u64>,
    /// Mistakes to make on purpose, for the simulation.
    #[doc(hidden)]
    pub bugs: Bugs,
}

impl AgentConfig {
    /// A host without labels and without a past.
    #[must_use]
    pub fn new(id: HostId, lattice: impl Into<String>, memory_capacity: u64) -> Self {
        Self {
            id,
            lattice: lattice.into(),
            labels: BTreeMap::new(),
            memory_capacity,
            weight: 100,
            ran: BTreeSet::new(),
            last_good: None,
            aborted: BTreeMap::new(),
            start_limit: Duration::from_secs(120),
            seed: None,
            bugs: Bugs::default(),
        }
    }
}

/// Why an agent did not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgentError {
    /// The lattice's name cannot be part of a subject.
    #[error(
        "the lattice name {found:?} is not a DNS label: use a-z, 0-9 and -, at most 63, letter or digit at both ends"
    )]
    LatticeName {
        /// What was given.
        found: String,
    },
}

/// Starts agents.
#[derive(Debug)]
pub struct Agent;

impl Agent {
    /// Starts the control loop of one host on a connection that nothing else should load. `desired` holds `None` until
    /// the source was read; `facts` is published along with the agent's own state. Must be called within a
    /// tokio runtime.
    ///
    /// # Errors
    /// [`AgentError`].
    pub fn start<L: Launcher>(
        config: AgentConfig,
        launcher: Arc<L>,
        connection: Arc<dyn Connection>,
        desired: watch::Receiver<Option<Desired>>,
        facts: watch::Receiver<HostFacts>,
    ) -> Result<AgentHandle<L::Slot>, AgentError> {
        let subjects = Subjects::new(&config.lattice)
            .ok_or_else(|| AgentError::LatticeName { found: config.lattice.clone() })?;
        Ok(run::start(config, launcher, connection, subjects, desired, facts))
    }
}

/// A running agent. Dropping it stops everything at once and without a goodbye.
#[derive(Debug)]
pub struct AgentHandle<S> {
    pub(crate) slots: Arc<ArcSwap<SlotTable<S>>>,
    pub(crate) view: Arc<ArcSwap<LatticeView>>,
    pub(crate) ran: watch::Receiver<BTreeSet<String>>,
    pub(crate) drain: watch::Sender<Option<Drain>>,
    pub(crate) drained: watch::Receiver<bool>,
    pub(crate) presence: Arc<Presence>,
    pub(crate) events: Events,
    pub(crate) task: JoinHandle<()>,
}

impl<S> AgentHandle<S> {
    /// The slots that take calls here: the way of every request.
    #[must_use]
    pub fn slots(&self) -> Arc<ArcSwap<SlotTable<S>>> {
        Arc::clone(&self.slots)
    }

    /// All hosts as this one sees them, itself included, at most a quarter of a second old.
    #[must_use]
    pub fn view(&self) -> Arc<ArcSwap<LatticeView>> {
        Arc::clone(&self.view)
    }

    /// The components that this host runs, to be kept on disk for [`AgentConfig::ran`]. A drain does not shorten it.
    #[must_use]
    pub fn ran(&self) -> watch::Receiver<BTreeSet<String>> {
        self.ran.clone()
    }

    /// This host's presence: clocks for deadlines, incarnation, whether it hears.
    #[must_use]
    pub fn presence(&self) -> &Arc<Presence> {
        &self.presence
    }

    /// What happened here since the start, as far as it is kept, and what happens.
    #[must_use]
    pub fn events(&self) -> Events {
        self.events.clone()
    }

    /// Asks the host to drain: all its slots leave when others have promised to stay, or after `grace`; then it
    /// says goodbye. Returns when that is done, at most `grace` and the longest `timeouts.request` later (and a
    /// second for the goodbye). Asking again may shorten the grace.
    pub async fn drain(&self, grace: Duration) {
        self.drain.send_replace(Some(Drain { grace }));
        // An error means that the loop has ended, which is what is waited for.
        let _ = self.drained.clone().wait_for(|drained| *drained).await;
    }

    /// Stops everything at once and without a goodbye, as a crash would.
    pub fn kill(&self) {
        self.task.abort();
    }
}

impl<S> Drop for AgentHandle<S> {
    fn drop(&mut self) {
        self.task.abort();
    }
}
