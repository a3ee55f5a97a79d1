//! What starts where, what stays and what may stop, were a change to take effect. Pure: the same functions that hosts
//! use, over what one of them sees.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dunlin_host::status::{HostStatus, Status};
use dunlin_manifest::{HostId, Replicas, WasmComponent};
use dunlin_placement::{Demand, HostView, SlotState, SlotView, total_asked, wanted};
use serde::Serialize;

/// What becomes of the slots of one component.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Slots {
    /// Hosts (`aws/aws-1`) or, where no lattice runs, counts (`2 in aws`) of what starts.
    pub(crate) starts: Vec<String>,
    /// What runs already and is asked for.
    pub(crate) stays: Vec<String>,
    /// What may stop once others have promised.
    pub(crate) may_stop: Vec<String>,
    /// How many others have to promise before one may stop.
    pub(crate) promises: usize,
    /// Sites with fewer hosts than are asked for, in words.
    pub(crate) short: Vec<String>,
}

/// What becomes of a component: with the running lattice by host, without it by count.
pub(crate) fn slots(
    name: &str,
    before: Option<&WasmComponent>,
    after: &WasmComponent,
    status: Option<&Status>,
) -> Slots {
    match status {
        Some(status) => by_host(name, after, status),
        None => by_count(before, after),
    }
}

fn by_host(name: &str, after: &WasmComponent, status: &Status) -> Slots {
    let hosts: Vec<HostView> = status
        .sites
        .iter()
        .flat_map(|(site, found)| {
            found.hosts.iter().map(move |(host, seen)| view(HostId::new(site, host), seen))
        })
        .collect();
    // Who is wanted does not depend on what runs in a slot.
    let demand = Demand::of(name, after, String::new());
    let mut slots = Slots { promises: total_asked(&demand, &hosts), ..Slots::default() };
    let mut chosen = Vec::new();
    for site in demand.sites.keys() {
        let wanted = wanted(&demand, site, &hosts, None);
        chosen.extend(wanted.hosts);
        slots
            .short
            .extend(wanted.shortage.filter(|_| !is_none(&demand, site)).map(|shortage| shortage.to_string()));
    }
    for host in &hosts {
        let runs = host.slot(name).is_some_and(|slot| slot.state != SlotState::Failed);
        let list = match (chosen.contains(&host.id), runs) {
            (true, false) => &mut slots.starts,
            (true, true) => &mut slots.stays,
            (false, true) => &mut slots.may_stop,
            (false, false) => continue,
        };
        list.push(host.id.to_string());
    }
    slots
}

fn is_none(demand: &Demand, site: &str) -> bool {
    demand.sites.get(site).is_none_or(|site| site.replicas == Replicas::Count(0))
}

fn view(id: HostId, seen: &HostStatus) -> HostView {
    let slot = |(name, slot): (&String, &dunlin_host::status::SlotStatus)| {
        let state = match slot.state.as_str() {
            "ready" => SlotState::Ready,
            "unready" => SlotState::Unready,
            "leaving" => SlotState::Leaving,
            "failed" => SlotState::Failed,
            _ => SlotState::Starting,
        };
        (name.clone(), SlotView { identity: slot.identity.clone(), state, failed: None })
    };
    HostView {
        id,
        incarnation: 0,
        unseen_for: Duration::from_millis(seen.unseen_milliseconds),
        known_for: Duration::MAX,
        said_goodbye: seen.state == "gone",
        draining: seen.state == "draining",
        confirmed: seen.confirmed,
        digest: None,
        labels: Arc::new(seen.labels.clone()),
        memory_capacity: seen.memory,
        weight: seen.weight,
        slots: Arc::new(seen.slots.iter().map(slot).collect()),
        overdue: Default::default(),
        over: Default::default(),
    }
}

fn by_count(before: Option<&WasmComponent>, after: &WasmComponent) -> Slots {
    let mut slots = Slots::default();
    let none = BTreeMap::new();
    let former = before.map_or(&none, |before| &before.sites);
    let count = |sites: &BTreeMap<String, dunlin_manifest::SitePlacement>, site: &str| {
        sites.get(site).map_or(Replicas::Count(0), |placement| placement.replicas)
    };
    let mut names: Vec<&String> = former.keys().chain(after.sites.keys()).collect();
    names.sort();
    names.dedup();
    for site in names {
        let (old, new) = (count(former, site), count(&after.sites, site));
        match (old, new) {
            (Replicas::Count(old), Replicas::Count(new)) => {
                let mut tell = |list: fn(&mut Slots) -> &mut Vec<String>, count: u32| {
                    if count > 0 {
                        list(&mut slots).push(format!("{count} in {site}"));
                    }
                };
                tell(|slots| &mut slots.starts, new.saturating_sub(old));
                tell(|slots| &mut slots.stays, old.min(new));
                tell(|slots| &mut slots.may_stop, old.saturating_sub(new));
            }
            (Replicas::All, Replicas::All) => slots.stays.push(format!("all in {site}")),
            (_, Replicas::All) => slots.starts.push(format!("all in {site}")),
            (Replicas::All, Replicas::Count(0)) => slots.may_stop.push(format!("all in {site}")),
            (Replicas::All, Replicas::Count(new)) => {
                slots.stays.push(format!("{new} in {site}"));
                slots.may_stop.push(format!("all others in {site}"));
            }
        }
        if let Replicas::Count(new) = new {
            slots.promises += new as usize;
        }
    }
    slots
}

#[cfg(test)]
mod tests {
    use dunlin_host::status::{SiteStatus, SlotStatus};
    use dunlin_manifest::SitePlacement;

    use super::*;

    pub(crate) fn component(sites: &[(&str, Replicas)]) -> WasmComponent {
        let sites = sites.iter().map(|(site, replicas)| {
            ((*site).to_owned(), SitePlacement { replicas: *replicas, ..SitePlacement::default() })
        });
        WasmComponent {
            image: "todo:1".into(),
            sites: sites.collect(),
            failover: None,
            http: None,
            links: BTreeMap::new(),
            config: BTreeMap::new(),
            readiness: None,
            resources: Default::default(),
            timeouts: Default::default(),
            max_concurrency: 200,
            update: None,
            suspend: false,
        }
    }

    fn host(state: &str, runs: bool) -> HostStatus {
        let slot = SlotStatus { state: "ready".into(), ..SlotStatus::default() };
        HostStatus {
            state: state.into(),
            confirmed: true,
            weight: 1,
            memory: 1 << 30,
            slots: runs.then(|| ("todo".to_owned(), slot)).into_iter().collect(),
            ..HostStatus::default()
        }
    }

    #[test]
    fn hosts_are_named_where_the_lattice_runs() {
        let site = |hosts: Vec<(&str, HostStatus)>| SiteStatus {
            hosts: hosts.into_iter().map(|(name, host)| (name.to_owned(), host)).collect(),
        };
        let status = Status {
            sites: [
                ("gcp".to_owned(), site(vec![("gcp-1", host("live", true)), ("gcp-2", host("live", true))])),
                ("aws".to_owned(), site(vec![("aws-1", host("live", true)), ("aws-2", host("gone", false))])),
            ]
            .into(),
            ..Status::default()
        };
        let after = component(&[("gcp", Replicas::Count(0)), ("aws", Replicas::Count(2))]);
        let found = slots("todo", None, &after, Some(&status));
        assert_eq!(found.stays, ["aws/aws-1"]);
        assert_eq!(found.may_stop, ["gcp/gcp-1", "gcp/gcp-2"]);
        assert!(found.starts.is_empty(), "{found:?}");
        assert_eq!((found.promises, found.short), (2, vec!["1 of 2 in aws: one live host".to_owned()]));
        let after = component(&[("gcp", Replicas::All), ("aws", Replicas::Count(0))]);
        let found = slots("todo", None, &after, Some(&status));
        assert_eq!((found.stays.len(), found.may_stop.as_slice()), (2, &["aws/aws-1".to_owned()][..]));
    }

    #[test]
    fn counts_where_it_does_not() {
        use Replicas::{All, Count};
        let before = component(&[("a", Count(2)), ("b", Count(1)), ("c", All), ("d", All)]);
        let after = component(&[("a", Count(0)), ("b", Count(3)), ("c", Count(1)), ("d", All), ("e", All)]);
        let found = slots("todo", Some(&before), &after, None);
        assert_eq!(found.starts, ["2 in b", "all in e"]);
        assert_eq!(found.stays, ["1 in b", "1 in c", "all in d"]);
        assert_eq!(found.may_stop, ["2 in a", "all others in c"]);
    }
}
