//! What Git asks for, resolved: the input of placement on the side of intent.

use std::collections::BTreeMap;
use std::time::Duration;

use dunlin_manifest::WasmComponent;
pub use dunlin_manifest::{Failover, Replicas, Update};
use serde::{Deserialize, Serialize};

/// What one site should run of a component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteDemand {
    /// How many slots.
    pub replicas: Replicas,
    /// Labels that a host must carry, each with this value.
    #[serde(default)]
    pub host_labels: BTreeMap<String, String>,
}

impl SiteDemand {
    /// So many slots on hosts of any labels.
    #[must_use]
    pub fn count(replicas: u32) -> Self {
        Self { replicas: Replicas::Count(replicas), host_labels: BTreeMap::new() }
    }

    /// A slot on every host.
    #[must_use]
    pub fn all() -> Self {
        Self { replicas: Replicas::All, host_labels: BTreeMap::new() }
    }
}

/// One component as a host should run it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demand {
    /// The component's name.
    pub component: String,
    /// What runs in the slot; another identity is another thing to start. Opaque, compared on one host only:
    /// it covers the content of secrets, which two sites may rightly hold in different versions.
    pub identity: String,
    /// Where it should run; a site that is not here should run none.
    pub sites: BTreeMap<String, SiteDemand>,
    /// Bytes of memory that one slot may use.
    pub memory: u64,
    /// Start nothing and stop nothing.
    #[serde(default)]
    pub suspend: bool,
    /// The longest that one request may take, hence the longest that a leaving slot is waited for.
    pub request_timeout: Duration,
    /// Where else it should run when every host of a site is silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failover: Option<Failover>,
    /// How a new identity replaces the old; without it at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<Update>,
}

impl Demand {
    /// What `spec` asks for of the component `name`, with `identity` in its slots.
    #[must_use]
    pub fn of(name: &str, spec: &WasmComponent, identity: String) -> Self {
        let site = |(site, placement): (&String, &dunlin_manifest::SitePlacement)| {
            let host_labels = placement.host_labels.clone();
            (site.clone(), SiteDemand { replicas: placement.replicas, host_labels })
        };
        Self {
            component: name.to_owned(),
            identity,
            sites: spec.sites.iter().map(site).collect(),
            memory: spec.resources.limits.memory,
            suspend: spec.suspend,
            request_timeout: spec.timeouts.request,
            failover: spec.failover.clone(),
            update: spec.update.clone(),
        }
    }
}

/// What a host can start of a component besides what Git says now: the form that took all calls before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// Its identity.
    pub identity: String,
    /// What Git says now has taken its place already.
    #[serde(default)]
    pub replaced: bool,
}

/// All that one host read from its source, resolved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desired {
    /// The Git commit that it was read from.
    pub revision: String,
    /// A hash of the content; two hosts with the same digest want the same, whatever the revisions.
    pub digest: String,
    /// Demands by component name.
    pub components: BTreeMap<String, Demand>,
    /// What this host can go back to, by component name, where an update is tried first.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub before: BTreeMap<String, Before>,
}
