//! Properties of placement over generated lattices.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use dunlin_manifest::HostId;
use dunlin_placement::{
    Asker, Demand, Failure, HostView, Replicas, Responder, SiteDemand, SlotState, SlotView, Yes, before,
    enough_promises, may_promise, others_possible, promises_needed, total_asked, wanted,
};
use proptest::prelude::*;

fn host_view(site: usize, index: usize) -> HostView {
    HostView {
        id: HostId { site: format!("s{site}"), host: format!("h{index}") },
        incarnation: 1,
        unseen_for: Duration::ZERO,
        known_for: Duration::from_secs(60),
        said_goodbye: false,
        draining: false,
        confirmed: true,
        digest: None,
        labels: Arc::default(),
        memory_capacity: 1 << 30,
        weight: 100,
        slots: Arc::default(),
        overdue: BTreeSet::new(),
        over: Arc::default(),
    }
}

fn demand(sites: &[Replicas]) -> Demand {
    let sites = sites.iter().enumerate().map(|(n, replicas)| {
        (format!("s{n}"), SiteDemand { replicas: *replicas, host_labels: BTreeMap::new() })
    });
    Demand {
        component: "todo".into(),
        identity: "1".into(),
        sites: sites.collect(),
        memory: 1 << 20,
        suspend: false,
        request_timeout: Duration::from_secs(5),
        failover: None,
        update: None,
    }
}

prop_compose! {
    /// A host in any condition.
    fn any_host(site: usize, index: usize)(
        unseen in prop_oneof![4 => 0_u64..10, 1 => 10_u64..400],
        flags in prop::array::uniform4(prop::bool::weighted(0.15)),
        labelled in prop::bool::weighted(0.8),
        weight in prop_oneof![3 => Just(100_u32), 1 => 0_u32..300],
        small in prop::bool::weighted(0.1),
        slot in prop::option::of((0_usize..5, prop::option::weighted(0.2, prop_oneof![Just(Failure::Here), Just(Failure::Everywhere)]))),
    ) -> HostView {
        let mut host = host_view(site, index);
        host.unseen_for = Duration::from_secs(unseen);
        host.said_goodbye = flags[0];
        host.draining = flags[1];
        host.confirmed = !flags[2];
        if flags[3] {
            host.overdue.insert("todo".into());
        }
        if labelled {
            host.labels = Arc::new(BTreeMap::from([("disk".into(), "ssd".into())]));
        }
        host.weight = weight;
        host.memory_capacity = if small { 1 << 10 } else { 1 << 30 };
        if let Some((state, failed)) = slot {
            let state = [SlotState::Starting, SlotState::Ready, SlotState::Unready, SlotState::Leaving, SlotState::Failed][state];
            host.slots = Arc::new(BTreeMap::from([("todo".into(), SlotView { identity: "1".into(), state, failed })]));
        }
        host
    }
}

fn any_lattice() -> impl Strategy<Value = Vec<HostView>> {
    prop::collection::vec((0_usize..3, 0_usize..8), 0..14).prop_flat_map(|places| {
        let places: BTreeSet<(usize, usize)> = places.into_iter().collect();
        places.into_iter().map(|(site, index)| any_host(site, index)).collect::<Vec<_>>()
    })
}

fn any_demand() -> impl Strategy<Value = Demand> {
    let replicas = prop_oneof![4 => (0_u32..5).prop_map(Replicas::Count), 1 => Just(Replicas::All)];
    (prop::collection::vec(replicas, 1..4), any::<bool>(), prop::bool::weighted(0.1)).prop_map(
        |(sites, labelled, suspend)| {
            let mut demand = demand(&sites);
            if labelled {
                for site in demand.sites.values_mut() {
                    site.host_labels.insert("disk".into(), "ssd".into());
                }
            }
            demand.suspend = suspend;
            demand
        },
    )
}

proptest! {
    #[test]
    fn never_more_than_asked_never_twice_never_an_unfit_host(hosts in any_lattice(), demand in any_demand()) {
        for (site, asked) in &demand.sites {
            let outcome = wanted(&demand, site, &hosts, None);
            let chosen: BTreeSet<_> = outcome.hosts.iter().collect();
            prop_assert_eq!(chosen.len(), outcome.hosts.len());
            if let Replicas::Count(count) = asked.replicas {
                prop_assert!(outcome.hosts.len() <= count as usize);
                prop_assert_eq!(outcome.shortage.is_some(), outcome.hosts.len() < count as usize);
                prop_assert!(outcome.hosts.len() + outcome.passed_over.len() <= 2 * count as usize);
            }
            for id in &outcome.hosts {
                let host = hosts.iter().find(|host| host.id == *id).unwrap();
                prop_assert_eq!(&host.id.site, site);
                prop_assert!(host.confirmed && !host.draining && !host.said_goodbye);
                prop_assert!(host.unseen_for < Duration::from_secs(10));
                prop_assert!(host.memory_capacity >= demand.memory);
                prop_assert!(asked.host_labels.is_empty() || !host.labels.is_empty());
                prop_assert!(!host.overdue.contains("todo"));
                prop_assert!(host.slot("todo").is_none_or(|slot| slot.failed != Some(Failure::Here)));
            }
        }
    }

    #[test]
    fn order_of_input_does_not_matter(hosts in any_lattice(), demand in any_demand(), turn in 0_usize..14) {
        let mut turned = hosts.clone();
        turned.reverse();
        if !turned.is_empty() {
            let by = turn % turned.len();
            turned.rotate_left(by);
        }
        for site in demand.sites.keys() {
            prop_assert_eq!(wanted(&demand, site, &hosts, None), wanted(&demand, site, &turned, None));
        }
        prop_assert_eq!(total_asked(&demand, &hosts), total_asked(&demand, &turned));
        if let Some(host) = hosts.first() {
            prop_assert_eq!(others_possible(&demand, &hosts, &host.id), others_possible(&demand, &turned, &host.id));
        }
    }

    /// Healthy hosts only: as many as asked or all there are, and a host that goes moves no slot but its own.
    #[test]
    fn minimal_movement(count in 1_u32..6, hosts in 1_usize..12, gone in 0_usize..12, weights in prop::collection::vec(1_u32..400, 12)) {
        let all: Vec<HostView> = (0..hosts).map(|index| {
            let mut host = host_view(0, index);
            host.weight = weights[index];
            host
        }).collect();
        let demand = demand(&[Replicas::Count(count)]);
        let before = wanted(&demand, "s0", &all, None);
        prop_assert_eq!(before.hosts.len(), (count as usize).min(hosts));

        let gone = all[gone % hosts].id.clone();
        let rest: Vec<HostView> = all.iter().filter(|host| host.id != gone).cloned().collect();
        let after = wanted(&demand, "s0", &rest, None);
        let stayed: Vec<_> = before.hosts.iter().filter(|id| **id != gone).collect();
        prop_assert!(stayed.iter().all(|id| after.hosts.contains(id)), "a slot moved that need not");
        prop_assert!(after.hosts.len() - stayed.len() <= 1);
    }

    /// Changing one host's weight moves at most its own slot.
    #[test]
    fn weight_moves_only_its_own(count in 1_u32..6, hosts in 2_usize..12, changed in 0_usize..12, weight in 1_u32..500) {
        let mut all: Vec<HostView> = (0..hosts).map(|index| host_view(0, index)).collect();
        let demand = demand(&[Replicas::Count(count)]);
        let before: BTreeSet<_> = wanted(&demand, "s0", &all, None).hosts.into_iter().collect();
        let changed = changed % hosts;
        all[changed].weight = weight;
        let after: BTreeSet<_> = wanted(&demand, "s0", &all, None).hosts.into_iter().collect();
        let id = &all[changed].id;
        prop_assert!(before.symmetric_difference(&after).count() <= 2);
        prop_assert!(before == after || before.contains(id) != after.contains(id));
    }

    /// A failed host keeps being passed over, so others' places do not change when more fail than may be stood in for.
    #[test]
    fn substitutes_are_bounded(count in 1_u32..4, hosts in 1_usize..12) {
        let slots = Arc::new(BTreeMap::from([("todo".to_owned(), SlotView { identity: "1".into(), state: SlotState::Failed, failed: Some(Failure::Here) })]));
        let all: Vec<HostView> = (0..hosts).map(|index| HostView { slots: slots.clone(), ..host_view(0, index) }).collect();
        let outcome = wanted(&demand(&[Replicas::Count(count)]), "s0", &all, None);
        prop_assert!(outcome.hosts.is_empty());
        prop_assert_eq!(outcome.passed_over.len(), (2 * count as usize).min(hosts));
    }

    /// Of any set of slots, those that leave by each other's promises leave at least `asked` behind: whoever said
    /// yes comes before the asker or is wanted, so the set that stays never relies on one that goes.
    #[test]
    fn promises_never_go_round_in_a_circle(ids in prop::collection::btree_set((0_usize..3, 0_usize..8), 2..10), weights in prop::collection::vec(0_u32..300, 10)) {
        let hosts: Vec<HostView> = ids.iter().map(|(site, index)| host_view(*site, *index)).collect();
        for (first, first_weight) in hosts.iter().zip(&weights) {
            for (second, second_weight) in hosts.iter().zip(&weights) {
                let unwanted = |id, weight| Responder { id, weight, ready: true, leaving: false, draining: false, demanded: true, wanted: false };
                let there = may_promise("todo", unwanted(&first.id, *first_weight), Asker { id: &second.id, weight: *second_weight });
                let back = may_promise("todo", unwanted(&second.id, *second_weight), Asker { id: &first.id, weight: *first_weight });
                prop_assert!(if first.id == second.id { !there } else { there != back }, "exactly one of two unwanted slots may rely on the other");
                prop_assert_eq!(there, before("todo", (&first.id, *first_weight), (&second.id, *second_weight)));
            }
        }
    }

    #[test]
    fn a_drain_never_needs_more_than_a_leave(hosts in any_lattice(), demand in any_demand()) {
        for host in &hosts {
            let leave = promises_needed(&demand, &BTreeSet::new(), &hosts, &host.id, false, false);
            prop_assert_eq!(leave, total_asked(&demand, &hosts));
            prop_assert_eq!(promises_needed(&demand, &BTreeSet::new(), &hosts, &host.id, true, true), leave);
            prop_assert!(promises_needed(&demand, &BTreeSet::new(), &hosts, &host.id, true, false) <= leave);
        }
    }

    #[test]
    fn only_fresh_yeses_of_different_others_count(ages in prop::collection::vec((0_usize..4, 0_u64..2000), 0..8), needed in 0_usize..4) {
        let ids: Vec<HostId> = (0..4).map(|index| host_view(0, index).id).collect();
        let answers = ages.iter().map(|(from, age)| Yes { from: &ids[*from], asked_ago: Duration::from_millis(*age) });
        let fresh: BTreeSet<usize> = ages.iter().filter(|(from, age)| *from != 0 && *age < 1000).map(|(from, _)| *from).collect();
        prop_assert_eq!(enough_promises(needed, &ids[0], answers), fresh.len() >= needed);
    }
}
