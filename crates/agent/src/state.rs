//! What a host publishes of itself, as the bytes of its presence state.
//!
//! JSON: it is written on change only, read by people as well as hosts, and a host of an older release skips the
//! fields that it does not know.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use dunlin_placement::canary::{Aborted, Calls};
use dunlin_placement::{Failure, SlotState, SlotView};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// The version of [`HostState`] that this code writes. Additions do not change it; readers refuse a higher one.
pub const STATE_VERSION: u32 = 1;

/// What one host says of itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HostState {
    /// [`STATE_VERSION`] of the writer.
    pub version: u32,
    /// What it wants is known to be current.
    pub confirmed: bool,
    /// All its slots are to go elsewhere.
    #[serde(default)]
    pub draining: bool,
    /// The commit that it wants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The digest of what it wants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// What its operator says of it.
    #[serde(default)]
    pub labels: Arc<BTreeMap<String, String>>,
    /// Bytes of memory for components, as declared.
    pub memory_capacity: u64,
    /// Its share of slots relative to other hosts.
    pub weight: u32,
    /// What it runs, by component.
    #[serde(default)]
    pub slots: BTreeMap<String, SlotReport>,
    /// Providers that it has open.
    #[serde(default)]
    pub providers: BTreeSet<String>,
    /// Identities that were given up on trial, by component, as long as Git names them here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub aborted: BTreeMap<String, Aborted>,
    /// What its operator should know: shortages, what it waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Homes of components that it holds to be stood in for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failovers: Vec<FailoverReport>,
    /// What the process around the agent adds; opaque here.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub details: serde_json::Value,
}

/// One slot, as its host reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotReport {
    /// What runs there, or is about to.
    pub identity: String,
    /// Where it is in its life.
    pub state: SlotState,
    /// See [`SlotView::failed`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Failure>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The host's uptime in milliseconds when the slot came into this state.
    pub since_ms: u64,
    /// Attempts in a row that failed; 0 once one succeeded.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempts: u32,
    /// The identity that is to take over, where that is under way or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<UpdateReport>,
}

/// A new identity on its way into a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateReport {
    /// What is to run.
    pub identity: String,
    /// Set if the last attempt failed; the old identity serves on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Failure>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The host's uptime in milliseconds when the attempt that is under way began; none is without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<u64>,
    /// Attempts in a row that failed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempts: u32,
    /// Set while it is on trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<CanaryReport>,
}

/// A site that another stands in for, in the opinion of the reporting host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailoverReport {
    /// The component.
    pub component: String,
    /// The site that was lost.
    pub from: String,
    /// The reporting host's uptime in milliseconds when it came to think so.
    pub since_ms: u64,
    /// The site is ready again, though not for long enough yet.
    #[serde(default)]
    pub ready: bool,
}

/// A new identity that takes a share of the calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanaryReport {
    /// Its share, in per cent.
    pub weight: u8,
    /// The host's uptime in milliseconds when it became ready.
    pub since_ms: u64,
    /// What came of its calls, as far as was counted a moment ago.
    pub calls: Calls,
}

/// Something that is not as asked, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// The component that it is about, if one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// What is the matter, as a word for machines: `Shortage`, `WaitsForPromises`, `NotConfirmed`, `FailedOver`, `Deaf`,
    /// `Stalled`.
    pub kind: String,
    /// What is the matter, as a sentence for people.
    pub message: String,
    /// The host's uptime in milliseconds since when it is so, whatever the words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<u64>,
}

/// What the process around the agent adds to the published state.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HostFacts {
    /// Providers that this host has open.
    pub providers: BTreeSet<String>,
    /// Anything else that `dunlin status` shows: mistakes in manifests, addresses.
    pub details: serde_json::Value,
    /// Whether the server that this host is connected to has a link to the hub; `None` if that is not known.
    pub linked: Option<bool>,
    /// Components that Git no longer has, but whose route is still theirs: whoever gets it is not ready anywhere.
    pub holds: BTreeSet<String>,
}

impl HostState {
    /// The state as bytes for presence.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // Maps with string keys and plain values: this cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads a state that another host published; `None` if it is malformed or of a newer version.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Self>(bytes).ok().filter(|state| state.version <= STATE_VERSION)
    }

    /// The homes that it holds to be stood in for, as placement wants them.
    pub(crate) fn over(&self) -> BTreeSet<(String, String)> {
        self.failovers.iter().map(|report| (report.component.clone(), report.from.clone())).collect()
    }

    /// Its slots, as placement wants them.
    pub(crate) fn slot_views(&self) -> BTreeMap<String, SlotView> {
        self.slots.iter().map(|(component, slot)| (component.clone(), slot.view())).collect()
    }
}

impl SlotReport {
    fn view(&self) -> SlotView {
        SlotView { identity: self.identity.clone(), state: self.state, failed: self.failed }
    }

    /// The uptime of its host at which the slot came into this state.
    #[must_use]
    pub fn since(&self) -> Duration {
        Duration::from_millis(self.since_ms)
    }
}

/// The uptime in milliseconds, at `at`, of a host that started at `started`.
pub(crate) fn uptime(started: Instant, at: Instant) -> u64 {
    u64::try_from(at.saturating_duration_since(started).as_millis()).unwrap_or(u64::MAX)
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde hands over a reference
fn is_zero(count: &u32) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_fields_are_skipped_and_newer_versions_refused() {
        let newer = br#"{"version":1,"confirmed":true,"memory_capacity":1,"weight":100,"fresh":[1],
            "slots":{"todo":{"identity":"i","state":"ready","since_ms":7,"fresh":{}}}}"#;
        let state = HostState::from_bytes(newer).unwrap();
        assert_eq!(state.slots["todo"].state, SlotState::Ready);
        assert_eq!(HostState::from_bytes(&state.to_bytes()), Some(state));
        assert_eq!(
            HostState::from_bytes(br#"{"version":2,"confirmed":true,"memory_capacity":1,"weight":1}"#),
            None
        );
        assert_eq!(HostState::from_bytes(b"\xff{"), None);
    }
}
