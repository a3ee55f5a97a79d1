//! The rules of *Semantics*, one table or example each.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use dunlin_manifest::HostId;
use dunlin_placement::{
    Asker, Demand, Failure, Hearing, HostView, Replicas, Responder, SiteDemand, SlotState, SlotView,
    Standing, deleted_may_leave, may_promise, may_start, order, others_possible, promises_needed,
    retry_after, standing, total_asked, wanted,
};

fn id(name: &str) -> HostId {
    let (site, host) = name.split_once('/').unwrap();
    HostId { site: site.to_owned(), host: host.to_owned() }
}

fn host(name: &str) -> HostView {
    HostView {
        id: id(name),
        incarnation: 1,
        unseen_for: Duration::ZERO,
        known_for: Duration::from_secs(60),
        said_goodbye: false,
        draining: false,
        confirmed: true,
        digest: Some("d1".into()),
        labels: Arc::default(),
        memory_capacity: 1 << 30,
        weight: 100,
        slots: Arc::default(),
        overdue: BTreeSet::new(),
        over: Arc::default(),
    }
}

fn showing(mut host: HostView, state: SlotState, failed: Option<Failure>) -> HostView {
    host.slots =
        Arc::new(BTreeMap::from([("todo".into(), SlotView { identity: "1".into(), state, failed })]));
    host
}

fn unseen(mut host: HostView, seconds: u64) -> HostView {
    host.unseen_for = Duration::from_secs(seconds);
    host
}

fn demand(sites: &[(&str, Replicas)]) -> Demand {
    let sites = sites.iter().map(|(name, replicas)| {
        ((*name).to_owned(), SiteDemand { replicas: *replicas, host_labels: BTreeMap::new() })
    });
    Demand {
        component: "todo".into(),
        identity: "1".into(),
        sites: sites.collect(),
        memory: 64 << 20,
        suspend: false,
        request_timeout: Duration::from_secs(5),
        failover: None,
        update: None,
    }
}

fn shortage(demand: &Demand, hosts: &[HostView]) -> String {
    wanted(demand, "gcp", hosts, None).shortage.map(|shortage| shortage.to_string()).unwrap_or_default()
}

/// The hosts of gcp in rank for `todo`, the first choice first.
fn ranked(count: usize) -> Vec<HostView> {
    let hosts: Vec<HostView> = (1..=count).map(|n| host(&format!("gcp/gcp-{n}"))).collect();
    order("todo", hosts.iter().map(|host| (&host.id, host.weight)))
        .into_iter()
        .map(|id| hosts.iter().find(|host| host.id == *id).unwrap().clone())
        .collect()
}

#[test]
fn shortages_say_why() {
    let two = demand(&[("gcp", Replicas::Count(2))]);
    assert_eq!(shortage(&two, &[host("gcp/a"), host("aws/b")]), "1 of 2 in gcp: one live host");
    assert_eq!(shortage(&two, &[]), "0 of 2 in gcp: no live host");
    assert_eq!(shortage(&two, &[host("gcp/a"), host("gcp/b")]), "");
    assert_eq!(shortage(&two, &[host("gcp/a"), unseen(host("gcp/b"), 10)]), "1 of 2 in gcp: one live host");

    let mut draining = host("gcp/b");
    draining.draining = true;
    assert_eq!(shortage(&two, &[host("gcp/a"), draining]), "1 of 2 in gcp: two live hosts, one draining");
    let failed = showing(host("gcp/b"), SlotState::Failed, Some(Failure::Here));
    assert_eq!(
        shortage(&two, &[host("gcp/a"), failed]),
        "1 of 2 in gcp: two live hosts, one where it failed to start"
    );
    let mut labelled = two.clone();
    labelled.sites.get_mut("gcp").unwrap().host_labels.insert("disk".into(), "ssd".into());
    assert_eq!(
        shortage(&labelled, &[host("gcp/a"), host("gcp/b")]),
        "0 of 2 in gcp: two live hosts, two without disk=ssd"
    );
    let mut large = two.clone();
    large.memory = 1 << 40;
    assert_eq!(
        shortage(&large, &[host("gcp/a")]),
        "0 of 2 in gcp: one live host, one with too little memory"
    );
    assert_eq!(shortage(&demand(&[("gcp", Replicas::All)]), &[]), "0 of all in gcp: no live host");
    assert_eq!(shortage(&demand(&[("gcp", Replicas::Count(0))]), &[]), "");
}

#[test]
fn a_site_that_is_not_listed_wants_none() {
    let hosts = [host("gcp/a"), host("aws/b")];
    let outcome = wanted(&demand(&[("aws", Replicas::Count(1))]), "gcp", &hosts, None);
    assert!(outcome.hosts.is_empty() && outcome.shortage.is_none());
}

#[test]
fn all_means_every_candidate() {
    let hosts = [host("gcp/a"), host("gcp/b"), unseen(host("gcp/c"), 11), host("aws/d")];
    let outcome = wanted(&demand(&[("gcp", Replicas::All)]), "gcp", &hosts, None);
    assert_eq!(outcome.hosts.iter().collect::<BTreeSet<_>>(), BTreeSet::from([&id("gcp/a"), &id("gcp/b")]));
}

#[test]
fn failed_here_gets_a_substitute_failed_everywhere_does_not() {
    let one = demand(&[("gcp", Replicas::Count(1))]);
    let mut hosts = ranked(3);
    hosts[0] = showing(hosts[0].clone(), SlotState::Failed, Some(Failure::Here));
    let outcome = wanted(&one, "gcp", &hosts, None);
    assert_eq!((outcome.hosts, outcome.passed_over), (vec![hosts[1].id.clone()], vec![hosts[0].id.clone()]));

    // Trying again gives no place back, being ready does.
    hosts[0] = showing(hosts[0].clone(), SlotState::Starting, Some(Failure::Here));
    assert_eq!(wanted(&one, "gcp", &hosts, None).hosts, [hosts[1].id.clone()]);
    hosts[0] = showing(hosts[0].clone(), SlotState::Ready, None);
    assert_eq!(wanted(&one, "gcp", &hosts, None).hosts, [hosts[0].id.clone()]);

    hosts[0] = showing(hosts[0].clone(), SlotState::Failed, Some(Failure::Everywhere));
    assert_eq!(wanted(&one, "gcp", &hosts, None).hosts, [hosts[0].id.clone()]);
}

#[test]
fn silent_hosts_are_passed_over_but_not_by_themselves() {
    let one = demand(&[("gcp", Replicas::Count(1))]);
    let mut hosts = ranked(2);
    hosts[0].overdue.insert("todo".into());
    assert_eq!(wanted(&one, "gcp", &hosts, None).hosts, [hosts[1].id.clone()]);
    let first = hosts[0].id.clone();
    assert_eq!(wanted(&one, "gcp", &hosts, Some(&first)).hosts, [first]);
}

#[test]
fn myself_always_unless_failed_or_draining() {
    let one = demand(&[("gcp", Replicas::Count(1))]);
    let myself = id("gcp/a");
    let me = HostView { confirmed: false, ..unseen(host("gcp/a"), 60) };
    assert!(wanted(&one, "gcp", std::slice::from_ref(&me), Some(&myself)).wants(&myself));
    assert!(!wanted(&one, "gcp", std::slice::from_ref(&me), None).wants(&myself));
    let draining = HostView { draining: true, ..me.clone() };
    assert!(!wanted(&one, "gcp", &[draining], Some(&myself)).wants(&myself));
    let failed = wanted(&one, "gcp", &[showing(me, SlotState::Failed, Some(Failure::Here))], Some(&myself));
    assert!(!failed.wants(&myself) && failed.passes_over(&myself));
}

#[test]
fn all_asks_for_every_host_that_may_be_there() {
    let all = demand(&[("gcp", Replicas::All), ("aws", Replicas::Count(1)), ("azure", Replicas::All)]);
    let mut gone = host("gcp/gone");
    gone.said_goodbye = true;
    let mut draining = host("gcp/draining");
    draining.draining = true;
    let hosts = [
        host("gcp/a"),
        unseen(host("gcp/silent"), 200),
        unseen(host("gcp/lost"), 300),
        gone,
        draining,
        host("aws/b"),
    ];
    // Two of gcp, one of aws, and azure counts once though no host of it is known.
    assert_eq!(total_asked(&all, &hosts), 4);
}

#[test]
fn a_drain_waits_for_those_who_could_take_over() {
    let two = demand(&[("gcp", Replicas::Count(2))]);
    let ready = |name| showing(host(name), SlotState::Ready, None);
    let me = HostView { draining: true, ..ready("gcp/a") };
    let needed =
        |hosts: &[HostView], deaf| promises_needed(&two, &BTreeSet::new(), hosts, &id("gcp/a"), true, deaf);
    assert_eq!(needed(std::slice::from_ref(&me), false), 0, "nobody else at all");
    assert_eq!(needed(&[me.clone(), ready("gcp/b")], false), 1, "the other already runs it");
    assert_eq!(needed(&[me.clone(), ready("gcp/b"), host("gcp/c")], false), 2, "a third could");
    assert_eq!(needed(&[me.clone(), ready("gcp/b"), host("aws/c")], false), 1, "not asked for there");
    assert_eq!(needed(&[me.clone(), ready("gcp/b"), ready("aws/c")], false), 2, "still runs there");
    assert_eq!(needed(std::slice::from_ref(&me), true), 2, "deaf hosts judge nobody");
    let unconfirmed = HostView { confirmed: false, ..host("gcp/c") };
    assert_eq!(needed(&[me.clone(), ready("gcp/b"), unconfirmed], false), 2, "about to be confirmed");
    let failed = showing(host("gcp/c"), SlotState::Failed, Some(Failure::Here));
    assert_eq!(needed(&[me.clone(), ready("gcp/b"), failed], false), 1);
    let mut suspended = two.clone();
    suspended.suspend = true;
    assert_eq!(others_possible(&suspended, &[me, ready("gcp/b"), host("gcp/c")], &id("gcp/a")), 1);
}

#[test]
fn who_may_promise() {
    let hosts = ranked(2);
    let (first, last) = (&hosts[0].id, &hosts[1].id);
    let yes = |id| Responder {
        id,
        weight: 100,
        ready: true,
        leaving: false,
        draining: false,
        demanded: true,
        wanted: true,
    };
    let asker = |id| Asker { id, weight: 100 };
    let says = |responder| may_promise("todo", responder, asker(first));
    assert!(says(yes(last)), "wanted by its own host");
    assert!(!says(Responder { wanted: false, ..yes(last) }), "unwanted and after the asker");
    assert!(may_promise("todo", Responder { wanted: false, ..yes(first) }, asker(last)), "before the asker");
    assert!(!says(Responder { ready: false, ..yes(last) }));
    assert!(!says(Responder { leaving: true, ..yes(last) }));
    assert!(!says(Responder { draining: true, ..yes(last) }));
    assert!(!says(Responder { demanded: false, ..yes(last) }));
    assert!(!says(yes(first)), "nobody promises to himself");
}

#[test]
fn restart_rule() {
    let me = id("gcp/a");
    let seconds = Duration::from_secs;
    let says = |read, last_good, hosts: &[HostView], up| standing(read, last_good, &me, hosts, seconds(up));
    let peer = host("gcp/b");
    let unconfirmed = HostView { confirmed: false, ..peer.clone() };
    assert_eq!(says(true, None, &[], 0), Standing::Confirmed);
    assert_eq!(says(false, None, &[], 60), Standing::Waiting, "no last good state");
    assert_eq!(says(false, Some("d1"), &[], 2), Standing::Waiting);
    assert_eq!(says(false, Some("d1"), &[], 3), Standing::Restarting);
    assert_eq!(says(false, Some("d1"), std::slice::from_ref(&peer), 0), Standing::Confirmed);
    assert_eq!(says(false, Some("d0"), std::slice::from_ref(&peer), 60), Standing::Waiting);
    assert_eq!(says(false, Some("d1"), std::slice::from_ref(&unconfirmed), 3), Standing::Restarting);
    assert_eq!(says(false, Some("d1"), &[unseen(peer, 10)], 3), Standing::Restarting);
    assert_eq!(says(false, Some("d1"), &[host("aws/b")], 3), Standing::Restarting, "of its own site");
    assert_eq!(says(false, Some("d1"), &[host("gcp/a")], 3), Standing::Restarting, "not itself");
}

#[test]
fn who_may_start() {
    let demand = demand(&[("gcp", Replicas::Count(1))]);
    assert!(may_start(&demand, Standing::Confirmed, false, Hearing::Good));
    assert!(!may_start(&demand, Standing::Confirmed, true, Hearing::Deaf));
    assert!(may_start(&demand, Standing::Restarting, true, Hearing::Good));
    assert!(!may_start(&demand, Standing::Restarting, false, Hearing::Good));
    assert!(may_start(&demand, Standing::Restarting, true, Hearing::Never), "the bus is gone too");
    assert!(!may_start(&demand, Standing::Confirmed, false, Hearing::Never));
    assert!(!may_start(&demand, Standing::Waiting, true, Hearing::Good));
    assert!(!may_start(&Demand { suspend: true, ..demand }, Standing::Confirmed, true, Hearing::Good));
}

#[test]
fn retries_double_to_five_minutes() {
    let seconds: Vec<u64> = (0..9).map(|failures| retry_after(failures).as_secs()).collect();
    assert_eq!(seconds, [10, 10, 20, 40, 80, 160, 300, 300, 300]);
    assert_eq!(retry_after(u32::MAX).as_secs(), 300);
}

#[test]
fn deleted_components_leave_when_idle_or_late() {
    let seconds = Duration::from_secs;
    for (deleted, called, leaves) in [
        (9, None, false),
        (10, None, true),
        (60, Some(9), false),
        (60, Some(10), true),
        (299, Some(0), false),
        (300, Some(0), true),
        (5, Some(60), false),
    ] {
        assert_eq!(deleted_may_leave(seconds(deleted), called.map(seconds)), leaves, "{deleted} {called:?}");
    }
}
