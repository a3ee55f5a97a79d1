//! The in-process bus: NATS core's semantics between hosts of one process, and the ground for simulation.
//!
//! Without faults a message is handed to its subscribers by the publishing task itself: no clock, no lock but
//! those of the subscribers' queues, no copy of the payload. From the first configured fault on ([`Faults`]),
//! messages pass through a seeded model of the network between hosts, on tokio's clock.

mod connection;
mod faults;
mod flight;
mod interest;
mod shared;

use std::sync::Arc;

use dunlin_manifest::HostId;

pub use faults::{Faults, Link, Place};

use crate::bus::Bus;
use connection::MemoryBus;
use shared::Shared;

/// The largest payload of one message in bytes, as a NATS server has it by default.
pub const MAX_PAYLOAD: usize = 1024 * 1024;

/// A network of hosts within this process. Clones are the same network.
#[derive(Debug, Clone)]
pub struct Network {
    shared: Arc<Shared>,
}

impl Network {
    /// An empty network without faults; `seed` decides what faults do once some are configured.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { shared: Arc::new(Shared::new(seed)) }
    }

    /// The bus as one host sees it. A host that was killed comes back with a new bus; its old one stays dead.
    #[must_use]
    pub fn bus(&self, host: &HostId) -> Arc<dyn Bus> {
        Arc::new(MemoryBus::new(Arc::clone(&self.shared), self.shared.life(host)))
    }

    /// What can go wrong on this network, and makes it so.
    #[must_use]
    pub fn faults(&self) -> Faults {
        Faults::new(Arc::clone(&self.shared))
    }

    /// Messages dropped because a subscription's queue was full (a slow consumer), since the start.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.dropped()
    }

    /// How many subscriptions there are now, those included whose owner is gone but not yet noticed.
    #[must_use]
    pub fn subscriptions(&self) -> usize {
        self.shared.subscriptions()
    }
}

#[cfg(test)]
mod tests;
