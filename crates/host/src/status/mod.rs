//! What a host tells of the whole lattice when asked: plain values for `dunlin status` and for scripts.
//!
//! Status decides nothing; it is what this host sees.

mod assemble;
mod conditions;
mod why;

use std::collections::BTreeMap;

use dunlin_manifest::Snapshot;
use serde::{Deserialize, Serialize};

pub(crate) use self::assemble::{assemble, set_gauges};
pub(crate) use self::conditions::{Accepted, Ages, Facts, Picture, judge};
pub use self::conditions::{ComponentCondition, Kstatus, Truth, Wait};
pub(crate) use self::why::why;

/// The lattice as one host sees it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The lattice's name.
    pub lattice: String,
    /// The host that answers.
    pub seen_by: String,
    /// What only that host knows of itself.
    #[serde(default)]
    pub own: OwnStatus,
    /// The revision that it follows.
    pub revision: String,
    /// Sites by name.
    pub sites: BTreeMap<String, SiteStatus>,
    /// Components by name.
    pub components: BTreeMap<String, ComponentStatus>,
    /// Providers by name.
    pub providers: BTreeMap<String, ProviderStatus>,
    /// What is not as it should be, and mistakes in the manifests.
    pub conditions: Vec<Condition>,
}

/// The manifests that a host follows: every object that is good, and the last good form of those that are not.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifests {
    /// The revision that they were read from.
    pub revision: String,
    /// What they say. Secrets are named in it, never written.
    pub snapshot: Snapshot,
}

/// What a host tells of itself alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnStatus {
    /// Whether requests should be sent to it.
    pub ready: bool,
    /// Requests at its ingress since it started.
    pub requests: u64,
    /// Those among them that Dunlin itself had to fail.
    pub failures: u64,
    /// Its wall clock, in milliseconds since 1970; for whoever checks clocks, nothing depends on it.
    pub clock: u64,
    /// How long calls of this host to others (`site/host`) lately took, in microseconds: the way there and back, and
    /// the work. Hosts that it did not call are not in it.
    #[serde(default)]
    pub latencies: BTreeMap<String, u64>,
}

/// One site.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SiteStatus {
    /// Its hosts by name.
    pub hosts: BTreeMap<String, HostStatus>,
}

/// One host.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostStatus {
    /// `live`, `silent`, `draining` or `gone`.
    pub state: String,
    /// Milliseconds since it was last heard.
    pub unseen_milliseconds: u64,
    /// Whether it has read its source or agrees with a neighbour that has.
    pub confirmed: bool,
    /// The revision that it follows.
    pub revision: String,
    /// What its operator says of it.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Bytes of memory for components, as declared.
    #[serde(default)]
    pub memory: u64,
    /// Its share of slots relative to other hosts.
    #[serde(default)]
    pub weight: u32,
    /// Providers that are open there.
    pub providers: Vec<String>,
    /// Its slots by component.
    pub slots: BTreeMap<String, SlotStatus>,
}

/// One component on one host.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SlotStatus {
    /// `starting`, `ready`, `unready`, `leaving` or `failed`.
    pub state: String,
    /// Why, where there is something to say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What runs: see *identity* in the guide.
    pub identity: String,
    /// What is on trial beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<CanaryStatus>,
}

/// A new identity that takes a share of the calls.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CanaryStatus {
    /// What is tried.
    pub identity: String,
    /// Its share of the calls, in per cent.
    pub weight: u8,
    /// Milliseconds since it became ready, in whole seconds.
    pub since_milliseconds: u64,
    /// Its calls so far, as counted a moment ago.
    pub calls: u64,
    /// Those among them that failed.
    pub failed: u64,
}

/// One component over all sites.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ComponentStatus {
    /// Slots asked for and ready, by site.
    pub sites: BTreeMap<String, Count>,
    /// Where its requests come in, such as `/` or `shop.example/api`.
    pub routes: Vec<String>,
    /// What its links lead to: link name to target.
    pub links: BTreeMap<String, String>,
    /// The identity that is asked for, as the answering host resolves it.
    #[serde(default)]
    pub identity: String,
    /// What kstatus makes of its conditions.
    #[serde(default)]
    pub result: Kstatus,
    /// Its conditions.
    #[serde(default)]
    pub conditions: Vec<ComponentCondition>,
    /// What it waits for.
    #[serde(default)]
    pub waits: Vec<Wait>,
}

/// Slots of one component in one site.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Slots that Git asks for.
    pub wanted: u32,
    /// Slots that are ready.
    pub ready: u32,
}

/// One provider.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderStatus {
    /// The backend in words, such as `embedded store`.
    pub backend: String,
    /// Hosts that have it open, as `site/host`.
    pub open_at: Vec<String>,
}

/// Something worth knowing about one object.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// The object, such as `component/todo`; empty for the whole.
    pub object: String,
    /// One word in CamelCase, such as `Invalid` or `TooFewHosts`.
    pub reason: String,
    /// In words, with what to do next where there is something to do.
    pub message: String,
}
