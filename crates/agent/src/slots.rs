//! What the agent asks of whoever makes slots, and the table of those that take calls.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dunlin_placement::Demand;
use dunlin_placement::canary::Calls;
use tokio::sync::watch;
use tokio::time::Instant;

/// Makes slots. The host's launcher fetches, compiles and instantiates; the simulation's waits a while.
#[async_trait]
pub trait Launcher: Send + Sync + 'static {
    /// What it makes.
    type Slot: Slot;

    /// Starts a component; returns once it is compiled, instantiated, and every link answered. Dropping the
    /// future gives the start up: whatever it did so far must then be undone or harmless. It is dropped, too, when
    /// it takes longer than [`crate::AgentConfig::start_limit`], which includes becoming ready for the first time.
    ///
    /// # Errors
    /// [`StartFailure`], with how far the failure reaches.
    async fn start(&self, demand: &Demand) -> Result<Arc<Self::Slot>, StartFailure>;

    /// Fetches and compiles ahead what may have to start here when another site is lost, so that the start is quick.
    /// One at a time; given up after [`crate::AgentConfig::start_limit`]. Does nothing unless a launcher knows how.
    ///
    /// # Errors
    /// [`StartFailure`]: it is tried again after a while.
    async fn prepare(&self, _demand: &Demand) -> Result<(), StartFailure> {
        Ok(())
    }
}

/// A started component. Dropping the last reference stops it at once.
#[async_trait]
pub trait Slot: Send + Sync + 'static {
    /// Whether the readiness path answers 2xx; always true without one. The sender must live as long as the slot:
    /// once it is gone the last value stays.
    fn ready(&self) -> watch::Receiver<bool>;

    /// From now on answers `draining` to new calls. Never blocks.
    fn begin_drain(&self);

    /// Returns when the last call is finished, or after `limit`, when those left are broken off.
    async fn drained(&self, limit: Duration);

    /// Calls that it has now.
    fn in_flight(&self) -> usize {
        0
    }

    /// When the last call began.
    fn last_call(&self) -> Option<Instant>;

    /// What came of its calls; asked for while it is on trial.
    fn calls(&self) -> Calls {
        Calls::default()
    }
}

/// Why a component did not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartFailure {
    /// This host cannot, another may: disk, secret, pull, connection. A substitute is found.
    #[error("{0}")]
    Here(String),
    /// No host can: digest, signature, unlinked import. Others do not try.
    #[error("{0}")]
    Everywhere(String),
}

/// The slots of this host that take calls, by component. Swapped as a whole; a reader holds one version.
#[derive(Debug)]
pub struct SlotTable<S> {
    slots: HashMap<String, InSlot<S>>,
}

/// The instance of a component that takes calls now: the newest that was ready and is not on trial.
#[derive(Debug)]
pub struct InSlot<S> {
    /// The instance.
    pub slot: Arc<S>,
    /// What it was started for.
    pub demand: Arc<Demand>,
    /// Whether it is ready; one that is not comes last in routing, but before a 503.
    pub ready: bool,
    /// A new identity on trial, which takes a share of the calls.
    pub canary: Option<CanaryInSlot<S>>,
}

/// An instance that takes a share of the calls to a component.
#[derive(Debug)]
pub struct CanaryInSlot<S> {
    /// The instance.
    pub slot: Arc<S>,
    /// What it was started for.
    pub demand: Arc<Demand>,
    /// Whether it is ready; one that is not takes no calls.
    pub ready: bool,
    /// Its share, in per cent.
    pub weight: u8,
}

impl<S> SlotTable<S> {
    pub(crate) fn new(slots: HashMap<String, InSlot<S>>) -> Self {
        Self { slots }
    }

    /// The slot of a component, if it takes calls here.
    #[must_use]
    pub fn get(&self, component: &str) -> Option<&InSlot<S>> {
        self.slots.get(component)
    }

    /// All slots that take calls, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &InSlot<S>)> {
        self.slots.iter().map(|(name, slot)| (name.as_str(), slot))
    }

    /// How many slots take calls.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether none takes calls.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}

impl<S> Clone for InSlot<S> {
    fn clone(&self) -> Self {
        let (slot, demand) = (Arc::clone(&self.slot), Arc::clone(&self.demand));
        Self { slot, demand, ready: self.ready, canary: self.canary.clone() }
    }
}

impl<S> Clone for CanaryInSlot<S> {
    fn clone(&self) -> Self {
        let (slot, demand) = (Arc::clone(&self.slot), Arc::clone(&self.demand));
        Self { slot, demand, ready: self.ready, weight: self.weight }
    }
}
