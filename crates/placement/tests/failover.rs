//! Failover: who stands in for whom, as each host sees it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use dunlin_manifest::HostId;
use dunlin_placement::{
    Demand, Failover, Failure, HostView, Replicas, SiteDemand, SlotState, SlotView, cut_off, home_ready,
    is_over, is_told, lost_for, lost_homes, others_possible, prepares, promises_needed, stand_in,
    total_asked, wanted, with_stand_ins,
};
use expect_test::{Expect, expect};
use proptest::prelude::*;

fn id(name: &str) -> HostId {
    let (site, host) = name.split_once('/').unwrap();
    HostId { site: site.to_owned(), host: host.to_owned() }
}

/// A host, by words: `aws/a`, then any of `silent` (for 10 s), `gone`, `draining`, `unconfirmed`, `ssd`, `small`,
/// `ready`, `starting`, `failed`.
fn host(words: &str) -> HostView {
    let mut words = words.split_whitespace();
    let mut host = HostView {
        id: id(words.next().unwrap()),
        incarnation: 1,
        unseen_for: Duration::from_millis(500),
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
    };
    let show = |host: &mut HostView, state, failed| {
        let slot = SlotView { identity: "1".into(), state, failed };
        host.slots = Arc::new(BTreeMap::from([("todo".to_owned(), slot)]));
    };
    for word in words {
        match word {
            "silent" => host.unseen_for = Duration::from_secs(10),
            "gone" => host.said_goodbye = true,
            "draining" => host.draining = true,
            "unconfirmed" => host.confirmed = false,
            "ssd" => host.labels = Arc::new(BTreeMap::from([("disk".into(), "ssd".into())])),
            "small" => host.memory_capacity = 1,
            "ready" => show(&mut host, SlotState::Ready, None),
            "starting" => show(&mut host, SlotState::Starting, None),
            "failed" => show(&mut host, SlotState::Failed, Some(Failure::Here)),
            other => panic!("{other}"),
        }
    }
    host
}

fn hosts(lines: &[&str]) -> Vec<HostView> {
    lines.iter().map(|line| host(line)).collect()
}

/// A demand, by words: `gcp=2 edge=all aws=0`; the sites of `to` after `->`.
fn demand(words: &str) -> Demand {
    let (sites, to) = words.split_once("->").unwrap_or((words, ""));
    let site = |word: &str| {
        let (site, count) = word.split_once('=').unwrap();
        let replicas = count.parse().map_or(Replicas::All, Replicas::Count);
        (site.to_owned(), SiteDemand { replicas, host_labels: BTreeMap::new() })
    };
    let to: Vec<String> = to.split_whitespace().map(str::to_owned).collect();
    Demand {
        component: "todo".into(),
        identity: "1".into(),
        sites: sites.split_whitespace().map(site).collect(),
        memory: 64 << 20,
        suspend: false,
        request_timeout: Duration::from_secs(5),
        failover: (!to.is_empty()).then(|| Failover {
            after: Duration::from_secs(30),
            to,
            back: Duration::from_secs(20),
        }),
        update: None,
    }
}

fn with_labels(mut demand: Demand, site: &str, label: (&str, &str)) -> Demand {
    let labels = BTreeMap::from([(label.0.to_owned(), label.1.to_owned())]);
    demand.sites.get_mut(site).unwrap().host_labels = labels;
    demand
}

fn asked(demand: &Demand) -> String {
    let mut words = String::new();
    for (site, asked) in &demand.sites {
        let labels: Vec<String> = asked.host_labels.iter().map(|(k, v)| format!(" {k}={v}")).collect();
        let count = match asked.replicas {
            Replicas::All => "all".to_owned(),
            Replicas::Count(count) => count.to_string(),
        };
        write!(words, "{site}={count}{} ", labels.concat()).unwrap();
    }
    words.trim_end().to_owned()
}

/// What each site is asked for, as the host `me` sees it while `over` are lost.
fn sees(demand: &Demand, over: &[&str], lines: &[&str], me: &str) -> String {
    let me = (!me.is_empty()).then(|| id(me));
    let whole = with_stand_ins(demand, over.iter().copied(), &hosts(lines), me.as_ref());
    asked(&whole.unwrap_or_else(|| demand.clone()))
}

#[track_caller]
fn table(rows: &[(&str, &[&str], &[&str], &str)], expected: &Expect) {
    let mut text = String::new();
    for (words, over, lines, me) in rows {
        let found = sees(&demand(words), over, lines, me);
        writeln!(text, "{words} | {} lost | {} | {me}: {found}", over.join(" "), lines.join(", ")).unwrap();
    }
    expected.assert_eq(&text);
}

#[test]
fn the_first_site_of_to_that_a_host_sees_stands_in() {
    let (aws, edge): (&[&str], &[&str]) = (&["aws/a", "aws/b"], &["edge/c"]);
    let all = [aws, edge].concat();
    table(
        &[
            ("gcp=2 -> aws edge", &["gcp"], &all, "aws/a"),
            ("gcp=2 -> aws edge", &["gcp"], &all, "edge/c"),
            ("gcp=2 -> aws edge", &[], &all, "aws/a"),
            ("gcp=2", &["gcp"], &all, "aws/a"),
            ("gcp=2 -> aws edge", &["gcp"], edge, "edge/c"),
            ("gcp=2 -> aws edge", &["gcp"], &["aws/a silent", "aws/b gone", "edge/c"], "edge/c"),
            ("gcp=2 -> aws edge", &["gcp"], &["aws/a draining", "aws/b unconfirmed", "edge/c"], "edge/c"),
            ("gcp=2 -> aws edge", &["gcp"], &["aws/a small", "edge/c"], "edge/c"),
            // It sees itself, whatever it hears of itself; but not if it drains.
            ("gcp=2 -> aws edge", &["gcp"], &["aws/a silent unconfirmed", "edge/c"], "aws/a"),
            ("gcp=2 -> aws edge", &["gcp"], &["aws/a draining", "edge/c"], "aws/a"),
            // Where nothing starts others stand in, and it goes on trying.
            ("gcp=2 -> aws edge", &["gcp"], &["aws/a failed", "edge/c"], "edge/c"),
            ("gcp=2 -> aws edge", &["gcp"], &["aws/a failed", "edge/c"], "aws/a"),
            ("gcp=2 -> aws edge", &["gcp"], &[], ""),
        ],
        &expect![[r#"
            gcp=2 -> aws edge | gcp lost | aws/a, aws/b, edge/c | aws/a: aws=2 gcp=2
            gcp=2 -> aws edge | gcp lost | aws/a, aws/b, edge/c | edge/c: aws=2 gcp=2
            gcp=2 -> aws edge |  lost | aws/a, aws/b, edge/c | aws/a: gcp=2
            gcp=2 | gcp lost | aws/a, aws/b, edge/c | aws/a: gcp=2
            gcp=2 -> aws edge | gcp lost | edge/c | edge/c: edge=2 gcp=2
            gcp=2 -> aws edge | gcp lost | aws/a silent, aws/b gone, edge/c | edge/c: edge=2 gcp=2
            gcp=2 -> aws edge | gcp lost | aws/a draining, aws/b unconfirmed, edge/c | edge/c: edge=2 gcp=2
            gcp=2 -> aws edge | gcp lost | aws/a small, edge/c | edge/c: edge=2 gcp=2
            gcp=2 -> aws edge | gcp lost | aws/a silent unconfirmed, edge/c | aws/a: aws=2 gcp=2
            gcp=2 -> aws edge | gcp lost | aws/a draining, edge/c | aws/a: edge=2 gcp=2
            gcp=2 -> aws edge | gcp lost | aws/a failed, edge/c | edge/c: edge=2 gcp=2
            gcp=2 -> aws edge | gcp lost | aws/a failed, edge/c | aws/a: aws=2 gcp=2
            gcp=2 -> aws edge | gcp lost |  | : gcp=2
        "#]],
    );
}

#[test]
fn counts_add_up_each_home_once() {
    let all: &[&str] = &["gcp/g", "aws/a", "edge/c", "azure/z"];
    table(
        &[
            ("gcp=2 aws=1 -> aws", &["gcp"], all, "aws/a"),
            ("gcp=2 aws=0 -> aws", &["gcp"], all, "aws/a"),
            ("gcp=2 edge=3 -> aws", &["gcp", "edge"], all, "aws/a"),
            ("gcp=2 edge=3 aws=1 -> aws", &["gcp", "edge"], all, "aws/a"),
            // Of itself a site is no stand-in, and each of two may stand in for the other.
            ("gcp=2 -> gcp", &["gcp"], all, "gcp/g"),
            ("gcp=2 aws=1 -> gcp aws", &["gcp"], all, "aws/a"),
            ("gcp=2 aws=1 -> gcp aws", &["aws"], all, "gcp/g"),
            ("gcp=2 aws=1 -> gcp aws edge", &["gcp", "aws"], &["edge/c"], "edge/c"),
            // All of one site is all of another.
            ("gcp=all -> aws", &["gcp"], all, "aws/a"),
            ("gcp=all aws=1 -> aws", &["gcp"], all, "aws/a"),
            ("gcp=1 aws=all -> aws", &["gcp"], all, "aws/a"),
            ("gcp=0 aws=1 -> aws", &["gcp"], all, "aws/a"),
            // One that Git does not ask for it there.
            ("gcp=1 -> aws", &["azure"], all, "aws/a"),
        ],
        &expect![[r#"
            gcp=2 aws=1 -> aws | gcp lost | gcp/g, aws/a, edge/c, azure/z | aws/a: aws=3 gcp=2
            gcp=2 aws=0 -> aws | gcp lost | gcp/g, aws/a, edge/c, azure/z | aws/a: aws=2 gcp=2
            gcp=2 edge=3 -> aws | gcp edge lost | gcp/g, aws/a, edge/c, azure/z | aws/a: aws=5 edge=3 gcp=2
            gcp=2 edge=3 aws=1 -> aws | gcp edge lost | gcp/g, aws/a, edge/c, azure/z | aws/a: aws=6 edge=3 gcp=2
            gcp=2 -> gcp | gcp lost | gcp/g, aws/a, edge/c, azure/z | gcp/g: gcp=2
            gcp=2 aws=1 -> gcp aws | gcp lost | gcp/g, aws/a, edge/c, azure/z | aws/a: aws=3 gcp=2
            gcp=2 aws=1 -> gcp aws | aws lost | gcp/g, aws/a, edge/c, azure/z | gcp/g: aws=1 gcp=3
            gcp=2 aws=1 -> gcp aws edge | gcp aws lost | edge/c | edge/c: aws=1 edge=3 gcp=2
            gcp=all -> aws | gcp lost | gcp/g, aws/a, edge/c, azure/z | aws/a: aws=all gcp=all
            gcp=all aws=1 -> aws | gcp lost | gcp/g, aws/a, edge/c, azure/z | aws/a: aws=all gcp=all
            gcp=1 aws=all -> aws | gcp lost | gcp/g, aws/a, edge/c, azure/z | aws/a: aws=all gcp=1
            gcp=0 aws=1 -> aws | gcp lost | gcp/g, aws/a, edge/c, azure/z | aws/a: aws=1 gcp=0
            gcp=1 -> aws | azure lost | gcp/g, aws/a, edge/c, azure/z | aws/a: gcp=1
        "#]],
    );
}

#[test]
fn labels_are_those_of_the_site_or_else_of_the_home() {
    let both: &[&str] = &["aws/a", "aws/b ssd"];
    let ssd = ("disk", "ssd");
    let home = with_labels(demand("gcp=1 -> aws"), "gcp", ssd);
    expect!["aws=1 disk=ssd gcp=1 disk=ssd"].assert_eq(&sees(&home, &["gcp"], both, "aws/a"));
    assert_eq!(sees(&home, &["gcp"], &["aws/a"], "aws/a"), "gcp=1 disk=ssd", "none that can");
    let listed = with_labels(demand("gcp=1 aws=0 -> aws"), "gcp", ("zone", "gcp-a"));
    expect!["aws=1 gcp=1 zone=gcp-a"].assert_eq(&sees(&listed, &["gcp"], both, "aws/a"));
    let two = with_labels(with_labels(demand("gcp=1 edge=1 -> aws"), "gcp", ssd), "edge", ("gpu", "yes"));
    let able = HostView {
        labels: Arc::new(BTreeMap::from([("gpu".into(), "yes".into()), ("disk".into(), "ssd".into())])),
        ..host("aws/a")
    };
    let whole = with_stand_ins(&two, ["gcp", "edge"], &[able], Some(&id("aws/a"))).unwrap();
    expect!["aws=2 disk=ssd gpu=yes edge=1 gpu=yes gcp=1 disk=ssd"].assert_eq(&asked(&whole));
}

#[test]
fn stand_ins_are_wanted_like_any_slot_and_capped_by_hosts() {
    let three = demand("gcp=3 -> aws");
    let seen = hosts(&["gcp/g silent ready", "aws/a", "aws/b"]);
    let me = id("aws/a");
    let whole = with_stand_ins(&three, ["gcp"], &seen, Some(&me)).unwrap();
    let outcome = wanted(&whole, "aws", &seen, Some(&me));
    assert_eq!(outcome.hosts.len(), 2);
    expect!["2 of 3 in aws: two live hosts"].assert_eq(&outcome.shortage.unwrap().to_string());
    assert_eq!(total_asked(&three, &seen), 3, "a stand-in goes when all that Git asks for is there");
}

#[test]
fn a_site_is_lost_with_its_last_live_host() {
    let lost = |lines: &[&str]| lost_for("gcp", &hosts(lines)).map(|lost| lost.as_millis());
    assert_eq!(lost(&["gcp/a silent", "gcp/b"]), Some(500));
    assert_eq!(lost(&["gcp/a silent", "gcp/b draining"]), Some(10_000));
    assert_eq!(lost(&["gcp/a unconfirmed", "gcp/b gone"]), Some(500), "it lives");
    assert_eq!(lost(&["gcp/a gone", "gcp/b draining", "aws/c"]), None);
    assert_eq!(lost(&[]), None);

    let lost = |words: &str, lines: &[&str]| lost_homes(&demand(words), &hosts(lines)).count();
    assert_eq!(lost("gcp=1 edge=1 -> aws", &["gcp/a silent", "edge/b", "aws/c"]), 1);
    assert_eq!(lost("gcp=1 edge=1 -> aws", &["gcp/a draining", "aws/c"]), 2);
    assert_eq!(lost("gcp=1 edge=1", &["gcp/a silent"]), 0, "without failover nobody stands in");
}

#[test]
fn the_latch() {
    let failover = demand("gcp=1 -> aws").failover.unwrap();
    let over = |was, lost: f64, ready: Option<f64>| {
        is_over(&failover, was, Duration::from_secs_f64(lost), ready.map(Duration::from_secs_f64))
    };
    for (was, lost, ready, then) in [
        (false, 29.9, None, false),
        (false, 30.0, None, true),
        (true, 0.0, None, true),
        (true, 60.0, None, true),
        (true, 0.0, Some(0.0), true),
        (true, 0.0, Some(19.9), true),
        (true, 0.0, Some(20.0), false),
    ] {
        assert_eq!(over(was, lost, ready), then, "{was} {lost} {ready:?}");
    }
    let hasty = Failover { after: Duration::from_secs(1), back: Duration::ZERO, ..failover };
    assert!(!is_over(&hasty, false, Duration::from_secs(9), None), "a host is a candidate for so long");
    assert!(!is_over(&hasty, true, Duration::ZERO, Some(Duration::ZERO)));
}

#[test]
fn home_is_ready_with_all_that_is_asked_of_it() {
    let ready = |words: &str, lines: &[&str]| home_ready(&demand(words), "gcp", &hosts(lines));
    assert!(ready("gcp=2 -> aws", &["gcp/a ready", "gcp/b ready"]));
    assert!(!ready("gcp=2 -> aws", &["gcp/a ready", "gcp/b starting", "aws/c ready"]));
    assert!(!ready("gcp=2 -> aws", &["gcp/a ready", "gcp/b ready silent"]));
    assert!(!ready("gcp=2 -> aws", &["gcp/a ready", "gcp/b ready draining"]));
    assert!(ready("gcp=all -> aws", &["gcp/a ready", "gcp/b failed", "gcp/c silent", "gcp/d small"]));
    assert!(!ready("gcp=all -> aws", &["gcp/a ready", "gcp/b"]));
    assert!(!ready("gcp=all -> aws", &["gcp/a failed"]));
    assert!(!ready("edge=1 -> aws", &["gcp/a ready"]));
}

#[test]
fn whoever_hears_no_other_site_looks_at_its_own_link() {
    let alone = hosts(&["aws/a", "aws/b", "gcp/c silent"]);
    for (linked, cut) in [(Some(false), true), (Some(true), false), (None, false)] {
        assert_eq!(cut_off("aws", &alone, linked), cut, "{linked:?}");
    }
    assert!(!cut_off("aws", &hosts(&["aws/a", "edge/c"]), Some(false)), "it hears another site");
    assert!(cut_off("aws", &hosts(&["aws/a", "edge/c gone"]), Some(false)));
}

#[test]
fn a_fresh_host_takes_a_neighbours_word() {
    let over = Arc::new(BTreeSet::from([("todo".to_owned(), "gcp".to_owned())]));
    let told = |words: &str| {
        let other = HostView { over: Arc::clone(&over), ..host(words) };
        is_told("todo", "gcp", &[other], &id("aws/a"))
    };
    assert!(told("aws/b"));
    assert!(!told("aws/a"), "not its own");
    assert!(!told("edge/b"), "of its own site");
    assert!(!told("aws/b unconfirmed") && !told("aws/b silent") && !told("aws/b gone"));
    assert!(!is_told("todo", "gcp", &hosts(&["aws/b"]), &id("aws/a")));
}

#[test]
fn a_site_that_drains_waits_for_those_that_will_stand_in() {
    let two = demand("gcp=2 -> aws");
    let me = id("gcp/a");
    let needed = |demand: &Demand, lines: &[&str]| {
        promises_needed(demand, &BTreeSet::new(), &hosts(lines), &me, true, false)
    };
    let draining = ["gcp/a ready draining", "gcp/b ready draining", "aws/c", "aws/d"];
    assert_eq!(needed(&two, &draining), 2);
    assert_eq!(needed(&demand("gcp=2"), &draining), 0, "nobody could take over");
    assert_eq!(needed(&two, &draining[..3]), 1, "one could");
    assert_eq!(needed(&two, &["gcp/a ready draining", "gcp/b ready", "aws/c", "aws/d"]), 1, "home lives");
    // A stand-in that drains waits for its neighbour as long as the home is held for lost.
    let lines = ["gcp/g", "aws/a ready draining", "aws/b"];
    let needed = |over: &[&str]| {
        promises_needed(&two, &over.iter().copied().collect(), &hosts(&lines), &id("aws/a"), true, false)
    };
    assert_eq!((needed(&["gcp"]), needed(&[])), (2, 1));
}

#[test]
fn what_may_have_to_start_is_prepared_where_it_would() {
    let seen = hosts(&["gcp/g ready", "aws/a", "aws/b", "aws/c", "edge/e"]);
    let who = |words: &str| {
        let demand = demand(words);
        seen.iter().filter(|host| prepares(&demand, &seen, &host.id)).count()
    };
    assert_eq!(who("gcp=2 -> aws"), 2);
    assert_eq!(who("gcp=2 -> aws edge"), 3, "also in a later site: the first may be lost as well");
    assert_eq!(who("gcp=1 edge=1 aws=1 -> aws"), 3);
    assert_eq!(who("gcp=all -> aws"), 3);
    assert_eq!(who("aws=2 -> aws"), 2, "what is wanted there anyway");
    assert_eq!(who("gcp=2"), 0);
    let suspended = Demand { suspend: true, ..demand("gcp=2 -> aws") };
    assert!(!prepares(&suspended, &seen, &id("aws/a")));
}

fn any_host() -> impl Strategy<Value = HostView> {
    let sites = prop::sample::select(vec!["s0", "s1", "s2"]);
    let words = prop::sample::subsequence(
        vec!["silent", "gone", "draining", "unconfirmed", "small", "ready", "failed"],
        0..3,
    );
    (sites, 0_usize..5, words)
        .prop_map(|(site, index, words)| host(&format!("{site}/h{index} {}", words.join(" "))))
}

fn any_lattice() -> impl Strategy<Value = Vec<HostView>> {
    prop::collection::vec(any_host(), 0..12).prop_map(|hosts| {
        let unique: BTreeMap<HostId, HostView> =
            hosts.into_iter().map(|host| (host.id.clone(), host)).collect();
        unique.into_values().collect()
    })
}

fn any_demand() -> impl Strategy<Value = Demand> {
    let count = prop_oneof![5 => (0_u32..4).prop_map(|count| count.to_string()), 1 => Just("all".to_owned())];
    let to = prop::sample::subsequence(vec!["s0", "s1", "s2"], 0..4).prop_shuffle();
    (prop::collection::vec(count, 1..4), to).prop_map(|(counts, to)| {
        let sites: Vec<String> =
            counts.iter().enumerate().map(|(n, count)| format!("s{n}={count}")).collect();
        demand(&format!("{} -> {}", sites.join(" "), to.join(" ")))
    })
}

fn slots(replicas: Replicas) -> u64 {
    match replicas {
        Replicas::Count(count) => u64::from(count),
        Replicas::All => 1_000_000,
    }
}

proptest! {
    /// No site is ever asked for less because another is lost, so nothing becomes unwanted by it, and nothing is
    /// asked of sites that are not in `to`.
    #[test]
    fn failover_only_adds(hosts in any_lattice(), demand in any_demand(), over in prop::sample::subsequence(vec!["s0", "s1", "s2"], 0..4), me in 0_usize..12) {
        let me = (!hosts.is_empty()).then(|| hosts[me % hosts.len()].id.clone());
        let whole = with_stand_ins(&demand, over.iter().copied(), &hosts, me.as_ref()).unwrap_or_else(|| demand.clone());
        let to = demand.failover.as_ref().map(|failover| failover.to.clone()).unwrap_or_default();
        for (site, asked) in &whole.sites {
            let before = demand.sites.get(site).map_or(0, |asked| slots(asked.replicas));
            let now = slots(asked.replicas);
            prop_assert!(now >= before);
            prop_assert!(now == before || to.contains(site));
            if demand.sites.contains_key(site) {
                let without = wanted(&demand, site, &hosts, me.as_ref());
                let with = wanted(&whole, site, &hosts, me.as_ref());
                prop_assert!(without.hosts.iter().all(|host| with.wants(host)));
            }
        }
        prop_assert!(demand.sites.keys().all(|site| whole.sites.contains_key(site)));
        prop_assert_eq!(total_asked(&demand, &hosts), total_asked(&Demand { failover: None, ..demand.clone() }, &hosts));
    }

    /// All onlookers who see the same agree, whatever the order; and one site at most stands in for a home.
    #[test]
    fn the_order_of_hosts_does_not_matter(hosts in any_lattice(), demand in any_demand(), turn in 0_usize..12) {
        let mut turned = hosts.clone();
        turned.reverse();
        if !turned.is_empty() {
            let by = turn % turned.len();
            turned.rotate_left(by);
        }
        for home in demand.sites.keys() {
            let site = stand_in(&demand, home, &hosts, None);
            prop_assert_eq!(site, stand_in(&demand, home, &turned, None));
            prop_assert!(site.is_none_or(|site| site != home));
            prop_assert_eq!(home_ready(&demand, home, &hosts), home_ready(&demand, home, &turned));
        }
        for host in &hosts {
            prop_assert_eq!(prepares(&demand, &hosts, &host.id), prepares(&demand, &turned, &host.id));
        }
    }

    /// A drain waits for more where others will stand in, and never for more than Git asks.
    #[test]
    fn failover_makes_drains_wait_no_less(hosts in any_lattice(), demand in any_demand()) {
        let none = BTreeSet::new();
        let without = Demand { failover: None, ..demand.clone() };
        for host in &hosts {
            let needed = promises_needed(&demand, &none, &hosts, &host.id, true, false);
            prop_assert!(needed <= total_asked(&demand, &hosts));
            prop_assert!(needed >= promises_needed(&without, &none, &hosts, &host.id, true, false));
            prop_assert_eq!(promises_needed(&demand, &none, &hosts, &host.id, false, false), total_asked(&demand, &hosts));
            prop_assert!(others_possible(&demand, &hosts, &host.id) <= hosts.len());
        }
    }
}
