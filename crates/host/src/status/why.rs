//! Puts together why a component is where it is, as this host sees it.

use dunlin_manifest::{LinkTarget, Object, Origin, Snapshot, WasmComponent};
use dunlin_placement::SlotState;
use tokio::time::Instant;

use super::assemble::{slot_status, target};
use crate::host::Shared;
use crate::why::{Why, WhyLink, WhySlot, host_views, site};

/// So many events are told.
const EVENTS: usize = 20;

/// The whole of it; `None` if this host knows no such component.
pub(crate) fn why(shared: &Shared, name: &str) -> Option<Why> {
    let (view, snapshot) = (shared.told.load_full(), shared.snapshot.borrow().clone());
    let now = Instant::now();
    let observed = &shared.observed;
    let told = observed.components(&view, &snapshot, now).remove(name);
    let me = view.hosts.get(&shared.id).filter(|entry| entry.state.is_some());
    let slot = me.and_then(|entry| {
        let report = entry.state.as_ref()?.slots.get(name)?;
        Some(WhySlot::of(report, slot_status(report), entry.clock.to_peer(now)))
    });
    let events = observed.events.newest(EVENTS, Some(name));
    let object = snapshot.components.get(name);
    if told.is_none() && object.is_none() && slot.is_none() {
        return None;
    }
    let told = told.unwrap_or_default();
    let demand = observed.desired().and_then(|mut desired| desired.components.remove(name));
    let hosts = host_views(&view, now);
    let sites = demand.iter().flat_map(|demand| {
        demand.sites.keys().map(|name| (name.clone(), site(demand, name, &hosts, &shared.id)))
    });
    Some(Why {
        host: shared.id.to_string(),
        revision: shared.revision(),
        commit: observed.commit(),
        declared: object.map(|object| place(&object.origin)).unwrap_or_default(),
        image: object.map(|object| object.spec.image.clone()).unwrap_or_default(),
        identity: told.identity,
        suspended: object.is_some_and(|object| object.spec.suspend),
        links: object.map(|object| links(shared, &snapshot, object)).unwrap_or_default(),
        sites: sites.collect(),
        result: told.result,
        conditions: told.conditions,
        waits: told.waits,
        slot,
        events: events.iter().map(|event| crate::events::Event::clone(event)).collect(),
    })
}

fn place(origin: &Origin) -> String {
    format!("{}:{}", origin.file, origin.line)
}

fn links(
    shared: &Shared,
    snapshot: &Snapshot,
    object: &Object<WasmComponent>,
) -> std::collections::BTreeMap<String, WhyLink> {
    let view = shared.told.load();
    let at = |has: &dyn Fn(&dunlin_agent::HostState) -> bool| {
        let hosts = view.hosts.iter().filter(|(_, entry)| !entry.goodbye);
        let hosts = hosts.filter(|(_, entry)| entry.state.as_deref().is_some_and(has));
        hosts.map(|(id, _)| id.to_string()).collect::<Vec<_>>()
    };
    let link = |(name, link): (&String, &dunlin_manifest::Link)| {
        let (declared, at) = match &link.target {
            LinkTarget::Provider(provider) => {
                let origin = snapshot.providers.get(provider).map(|found| place(&found.origin));
                (origin, at(&|state| state.providers.contains(provider)))
            }
            LinkTarget::Component(component) => {
                let origin = snapshot.components.get(component).map(|found| place(&found.origin));
                let ready = |state: &dunlin_agent::HostState| {
                    state.slots.get(component).is_some_and(|slot| slot.state == SlotState::Ready)
                };
                (origin, at(&ready))
            }
            LinkTarget::Egress(_) => (None, Vec::new()),
        };
        let declared = declared.unwrap_or_default();
        (name.clone(), WhyLink { target: target(&link.target), declared, at })
    };
    object.spec.links.iter().map(link).collect()
}
