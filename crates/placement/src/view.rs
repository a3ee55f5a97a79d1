//! What one host knows of another: the input of placement on the side of fact.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use dunlin_manifest::HostId;
use serde::{Deserialize, Serialize};

/// Where a slot is in its life. A component without a slot on a host is *absent*.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SlotState {
    /// Being fetched, compiled, or waiting for its readiness path and links.
    Starting,
    /// Serves.
    Ready,
    /// Started, but its readiness path does not answer 2xx now.
    Unready,
    /// Finishes the requests that it has and takes no more.
    Leaving,
    /// Could not start; tried again later.
    Failed,
}

/// How far a failure to start reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Failure {
    /// This host cannot, another may: disk, secret, pull, connection.
    Here,
    /// No host can: digest, signature, unlinked import.
    Everywhere,
}

/// One slot as its host shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotView {
    /// What runs there, or is about to.
    pub identity: String,
    /// Where it is in its life.
    pub state: SlotState,
    /// Set from the first failed start until one succeeds, also while it is tried again: a host that failed gets
    /// its place back when it has shown that it can, not when it hopes so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Failure>,
}

/// One host as the judging host sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct HostView {
    /// Who.
    pub id: HostId,
    /// Drawn at random when its process started.
    pub incarnation: u64,
    /// How long ago its last beat came.
    pub unseen_for: Duration,
    /// How long ago its first beat of this incarnation came.
    pub known_for: Duration,
    /// It said that it stops.
    pub said_goodbye: bool,
    /// All its slots are to go elsewhere.
    pub draining: bool,
    /// What it wants is known to be current.
    pub confirmed: bool,
    /// The digest of what it wants, once it has any.
    pub digest: Option<String>,
    /// What its operator says of it.
    pub labels: Arc<BTreeMap<String, String>>,
    /// Declared bytes of memory for components, fixed as long as it runs.
    pub memory_capacity: u64,
    /// Its share of slots relative to other hosts.
    pub weight: u32,
    /// What it runs, by component.
    pub slots: Arc<BTreeMap<String, SlotView>>,
    /// Components that it should have started [`crate::OVERDUE`] ago and shows nothing of, in the opinion of the
    /// judging host.
    pub overdue: BTreeSet<String>,
    /// Homes of components that it holds to be stood in for, each as component and site.
    pub over: Arc<BTreeSet<(String, String)>>,
}

impl HostView {
    /// Its slot of a component.
    #[must_use]
    pub fn slot(&self, component: &str) -> Option<&SlotView> {
        self.slots.get(component)
    }

    /// Whether it shows a ready slot of a component.
    #[must_use]
    pub fn shows_ready(&self, component: &str) -> bool {
        self.slot(component).is_some_and(|slot| slot.state == SlotState::Ready)
    }

    /// Whether it beat within `limit` and did not say goodbye.
    #[must_use]
    pub fn seen_within(&self, limit: Duration) -> bool {
        !self.said_goodbye && self.unseen_for < limit
    }
}
