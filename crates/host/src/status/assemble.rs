//! Puts together what this host sees: manifests, the picture of the lattice, and what every host says of itself.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dunlin_agent::{HostEntry, HostState, UpdateReport};
use dunlin_manifest::{HostId, LinkTarget, Object, Replicas, Snapshot, WasmComponent};
use dunlin_placement::SlotState;
use tokio::time::Instant;

use super::{
    CanaryStatus, ComponentStatus, Condition, Count, HostStatus, OwnStatus, ProviderStatus, SiteStatus,
    SlotStatus, Status,
};
use crate::host::Shared;
use crate::observe::Told;
use crate::stores::backend_in_words;

/// A host unseen for this long is told to be silent.
const SILENT: Duration = Duration::from_secs(3);
/// What a host unseen for this long said is no longer counted.
const UNKNOWN: Duration = Duration::from_secs(10);

/// The whole of it.
pub(crate) fn assemble(shared: &Shared) -> Status {
    let (view, snapshot) = (shared.told.load_full(), shared.snapshot.borrow().clone());
    let now = Instant::now();
    let mut sites: BTreeMap<String, SiteStatus> = snapshot
        .lattice
        .iter()
        .flat_map(|lattice| lattice.spec.sites.keys())
        .map(|site| (site.clone(), SiteStatus::default()))
        .collect();
    for (id, entry) in &view.hosts {
        sites
            .entry(id.site.clone())
            .or_default()
            .hosts
            .insert(id.host.clone(), host(entry, *id == shared.id, now));
    }
    let states: Vec<(&HostId, &HostState)> = live(&view.hosts).collect();
    let told = shared.observed.components(&view, &snapshot, now);
    let components = told.into_iter().map(|(name, told)| {
        let object = snapshot.components.get(&name);
        let counted = object.map(|object| component(&name, object, &states)).unwrap_or_default();
        let Told { result, conditions, waits, identity } = told;
        (name, ComponentStatus { identity, result, conditions, waits, ..counted })
    });
    let components = components.collect();
    let mut status = Status {
        lattice: shared.lattice.clone(),
        seen_by: shared.id.to_string(),
        own: own(shared),
        revision: shared.revision(),
        sites,
        components,
        providers: providers(&snapshot, &states, shared.stand_ins),
        conditions: conditions(&states),
    };
    status.conditions.extend(empty_sites(&snapshot, &states));
    if view.deaf {
        let message = format!("{} does not hear the bus and judges nobody; what runs goes on", shared.id);
        status.conditions.push(Condition { object: String::new(), reason: "Deaf".into(), message });
    }
    status
}

fn own(shared: &Shared) -> OwnStatus {
    let (requests, failures) = shared.metrics.requests_and_failures();
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    OwnStatus {
        ready: shared.is_ready(),
        requests,
        failures,
        clock: u64::try_from(clock.as_millis()).unwrap_or(u64::MAX),
        latencies: shared.calls.latencies(),
    }
}

/// Gauges that follow the picture.
pub(crate) fn set_gauges(shared: &Shared) {
    let view = shared.told.load();
    shared.metrics.hosts_seen.reset();
    for (id, _) in live(&view.hosts) {
        shared.metrics.hosts_seen.with_label_values(&[id.site.as_str()]).inc();
    }
    shared.metrics.slots.reset();
    let me = view.hosts.get(&shared.id).and_then(|entry| entry.state.as_ref());
    for slot in me.into_iter().flat_map(|state| state.slots.values()) {
        shared.metrics.slots.with_label_values(&[slot_state(slot.state)]).inc();
    }
}

/// Hosts that said something of themselves and did not say goodbye.
fn live(hosts: &BTreeMap<HostId, HostEntry>) -> impl Iterator<Item = (&HostId, &HostState)> {
    hosts
        .iter()
        .filter(|(_, entry)| !entry.goodbye && entry.last_beat.elapsed() < UNKNOWN)
        .filter_map(|(id, entry)| Some((id, entry.state.as_deref()?)))
}

fn host(entry: &HostEntry, me: bool, now: Instant) -> HostStatus {
    let unseen = if me { Duration::ZERO } else { now.saturating_duration_since(entry.last_beat) };
    // What a host said before its goodbye, or long ago, may no longer be so.
    let state = entry.state.as_deref().filter(|_| !entry.goodbye && unseen < UNKNOWN);
    let word = match state {
        _ if entry.goodbye => "gone",
        _ if unseen >= SILENT => "silent",
        Some(state) if state.draining => "draining",
        _ => "live",
    };
    let slot = |(name, report): (&String, &dunlin_agent::SlotReport)| {
        let update = report.update.as_ref();
        let canary = update.and_then(|update| canary(entry, update, now));
        (name.clone(), SlotStatus { canary, ..slot_status(report) })
    };
    HostStatus {
        state: word.into(),
        unseen_milliseconds: u64::try_from(unseen.as_millis()).unwrap_or(u64::MAX),
        confirmed: state.is_some_and(|state| state.confirmed),
        revision: state.and_then(|state| state.revision.clone()).unwrap_or_default(),
        labels: state.map(|state| state.labels.as_ref().clone()).unwrap_or_default(),
        memory: state.map_or(0, |state| state.memory_capacity),
        weight: state.map_or(0, |state| state.weight),
        providers: state.map(|state| state.providers.iter().cloned().collect()).unwrap_or_default(),
        slots: state.map(|state| state.slots.iter().map(slot).collect()).unwrap_or_default(),
    }
}

pub(super) fn slot_status(report: &dunlin_agent::SlotReport) -> SlotStatus {
    let update = report.update.as_ref();
    let reason = report.reason.clone().or_else(|| update.and_then(|update| update.reason.clone()));
    SlotStatus {
        state: slot_state(report.state).into(),
        reason: reason.unwrap_or_default(),
        identity: report.identity.clone(),
        canary: None,
    }
}

fn canary(entry: &HostEntry, update: &UpdateReport, now: Instant) -> Option<CanaryStatus> {
    let canary = update.canary?;
    let since = entry.clock.to_peer(now).saturating_sub(Duration::from_millis(canary.since_ms)).as_secs();
    Some(CanaryStatus {
        identity: update.identity.clone(),
        weight: canary.weight,
        since_milliseconds: since.saturating_mul(1000),
        calls: canary.calls.counted,
        failed: canary.calls.failed,
    })
}

fn slot_state(state: SlotState) -> &'static str {
    match state {
        SlotState::Starting => "starting",
        SlotState::Ready => "ready",
        SlotState::Unready => "unready",
        SlotState::Leaving => "leaving",
        SlotState::Failed => "failed",
    }
}

fn component(
    name: &str,
    object: &Object<WasmComponent>,
    states: &[(&HostId, &HostState)],
) -> ComponentStatus {
    let count = |site: &str, ready_only: bool| {
        let here = states.iter().filter(|(id, _)| id.site == site);
        let counted = here.filter(|(_, state)| {
            !ready_only || state.slots.get(name).is_some_and(|slot| slot.state == SlotState::Ready)
        });
        u32::try_from(counted.count()).unwrap_or(u32::MAX)
    };
    let mut sites: BTreeMap<String, Count> = BTreeMap::new();
    for (site, placement) in &object.spec.sites {
        let wanted = match placement.replicas {
            Replicas::Count(wanted) => wanted,
            Replicas::All => count(site, false),
        };
        sites.insert(site.clone(), Count { wanted, ready: count(site, true) });
    }
    // Where it still runs although nobody asks for it any more.
    for site in states.iter().map(|(id, _)| &id.site).collect::<BTreeSet<_>>() {
        let ready = count(site, true);
        if ready > 0 {
            sites.entry(site.clone()).or_insert(Count { wanted: 0, ready });
        }
    }
    let links = object.spec.links.iter().map(|(name, link)| (name.clone(), target(&link.target))).collect();
    let routes = object.spec.http.iter().flat_map(|http| {
        let hostnames = if http.hostnames.is_empty() { vec![String::new()] } else { http.hostnames.clone() };
        hostnames.into_iter().map(|hostname| format!("{hostname}{}", http.path))
    });
    ComponentStatus { sites, routes: routes.collect(), links, ..ComponentStatus::default() }
}

/// What a link leads to, as commands name objects.
pub(super) fn target(target: &LinkTarget) -> String {
    match target {
        LinkTarget::Provider(provider) => format!("provider/{provider}"),
        LinkTarget::Component(component) => format!("component/{component}"),
        LinkTarget::Egress(egress) => egress.hosts.join(" "),
    }
}

fn providers(
    snapshot: &Snapshot,
    states: &[(&HostId, &HostState)],
    stand_ins: bool,
) -> BTreeMap<String, ProviderStatus> {
    let status = |(name, object): (&String, &Object<dunlin_manifest::WasmProvider>)| {
        let open = states.iter().filter(|(_, state)| state.providers.contains(name));
        let open_at = open.map(|(id, _)| id.to_string()).collect();
        (name.clone(), ProviderStatus { backend: backend_in_words(&object.spec, stand_ins).into(), open_at })
    };
    snapshot.providers.iter().map(status).collect()
}

/// Sites that should run something and have no live host: nobody there can say so.
fn empty_sites(snapshot: &Snapshot, states: &[(&HostId, &HostState)]) -> Vec<Condition> {
    let empty = |site: &str| !states.iter().any(|(id, _)| id.site == site);
    let mut all = Vec::new();
    for (name, object) in &snapshot.components {
        for (site, placement) in object.spec.sites.iter().filter(|(site, _)| empty(site)) {
            let wanted = match placement.replicas {
                Replicas::Count(0) => continue,
                Replicas::Count(wanted) => format!("0 of {wanted}"),
                Replicas::All => "none".to_owned(),
            };
            let message = format!("{wanted} in {site}: no live host");
            all.push(Condition { object: format!("component/{name}"), reason: "Shortage".into(), message });
        }
    }
    all
}

/// What hosts say is not as it should be, each thing once. Several hosts mostly say the same.
fn conditions(states: &[(&HostId, &HostState)]) -> Vec<Condition> {
    let mut all = BTreeSet::new();
    for (id, state) in states {
        all.extend(serde_json::from_value::<Vec<Condition>>(state.details.clone()).unwrap_or_default());
        for condition in &state.conditions {
            let object =
                condition.component.as_ref().map(|name| format!("component/{name}")).unwrap_or_default();
            let message = match condition.component {
                Some(_) => condition.message.clone(),
                None => format!("{id}: {}", condition.message),
            };
            all.insert(Condition { object, reason: condition.kind.clone(), message });
        }
        for (name, slot) in &state.slots {
            let update = slot.update.as_ref();
            let failed = slot.failed.is_some() || update.is_some_and(|update| update.failed.is_some());
            let reason = slot.reason.clone().or_else(|| update.and_then(|update| update.reason.clone()));
            if let (true, Some(message)) = (failed, reason) {
                let message = format!("{id}: {message}");
                all.insert(Condition {
                    object: format!("component/{name}"),
                    reason: "Failed".into(),
                    message,
                });
            }
        }
    }
    all.into_iter().collect()
}
