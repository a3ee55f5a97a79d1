//! The agent as its host uses it: slots, view, memory, drain, and starts that misbehave.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use dunlin_agent::{
    Agent, AgentConfig, AgentError, AgentHandle, HostFacts, Launcher, Slot, StartFailure, What,
};
use dunlin_lattice::memory::Network;
use dunlin_manifest::HostId;
use dunlin_placement::{Demand, Desired, SiteDemand, SlotState, order};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Starts,
    Fails,
    Panics,
    Hangs,
}

struct Starter {
    mood: Mood,
    starts: AtomicU32,
    ready: watch::Sender<bool>,
}

#[derive(Debug)]
struct Started {
    ready: watch::Receiver<bool>,
}

#[async_trait]
impl Launcher for Starter {
    type Slot = Started;

    async fn start(&self, _demand: &Demand) -> Result<Arc<Started>, StartFailure> {
        self.starts.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_millis(50)).await;
        match self.mood {
            Mood::Starts => Ok(Arc::new(Started { ready: self.ready.subscribe() })),
            Mood::Fails => Err(StartFailure::Here("the disk is full".into())),
            Mood::Panics => panic!("on purpose"),
            Mood::Hangs => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Slot for Started {
    fn ready(&self) -> watch::Receiver<bool> {
        self.ready.clone()
    }
    fn begin_drain(&self) {}
    async fn drained(&self, _limit: Duration) {}
    fn last_call(&self) -> Option<Instant> {
        None
    }
}

struct Host {
    handle: AgentHandle<Started>,
    starter: Arc<Starter>,
    desired: watch::Sender<Option<Desired>>,
    facts: watch::Sender<HostFacts>,
}

fn id(name: &str) -> HostId {
    let (site, host) = name.split_once('/').unwrap_or(("gcp", name));
    HostId { site: site.into(), host: host.into() }
}

fn demand(replicas: u32) -> Desired {
    demand_in("gcp", replicas)
}

fn demand_in(site: &str, replicas: u32) -> Desired {
    let demand = Demand {
        component: "todo".into(),
        identity: "i1".into(),
        sites: BTreeMap::from([(site.to_owned(), SiteDemand::count(replicas))]),
        memory: 1,
        suspend: false,
        request_timeout: Duration::from_secs(5),
        failover: None,
        update: None,
    };
    Desired {
        revision: "r1".into(),
        digest: format!("{site} {replicas}"),
        components: BTreeMap::from([("todo".into(), demand)]),
        before: BTreeMap::new(),
    }
}

async fn start(network: &Network, mood: Mood, config: AgentConfig, desired: Option<Desired>) -> Host {
    let starter = Arc::new(Starter { mood, starts: AtomicU32::new(0), ready: watch::Sender::new(true) });
    let connection = network.bus(&config.id).connect("presence").await.unwrap();
    let (desired, desired_receiver) = watch::channel(desired);
    let (facts, facts_receiver) = watch::channel(HostFacts::default());
    let handle =
        Agent::start(config, Arc::clone(&starter), connection, desired_receiver, facts_receiver).unwrap();
    Host { handle, starter, desired, facts }
}

fn config(name: &str) -> AgentConfig {
    AgentConfig::new(id(name), "test", 1 << 30)
}

/// Waits until something holds, at most so long.
async fn until(seconds: u64, what: &str, holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(seconds), wait)
        .await
        .unwrap_or_else(|_| panic!("not within {seconds} s: {what}"));
}

fn state_at(host: &Host, of: &HostId) -> Option<SlotState> {
    let view = host.handle.view().load_full();
    view.hosts.get(of)?.state.as_ref()?.slots.get("todo").map(|slot| slot.state)
}

#[tokio::test(start_paused = true)]
async fn one_of_two_runs_it_both_see_it_and_a_drain_hands_it_over() {
    let network = Network::new(1);
    let a = start(&network, Mood::Starts, config("a"), Some(demand(1))).await;
    let b = start(&network, Mood::Starts, config("b"), Some(demand(1))).await;
    let names = [id("a"), id("b")];
    let first = order("todo", names.iter().map(|name| (name, 100)))[0].clone();
    let (first, second) = if first == id("a") { (a, b) } else { (b, a) };
    let runner = first.handle.presence().me().clone();

    until(5, "the first in rank runs it", || first.handle.slots().load().get("todo").is_some()).await;
    until(2, "the other sees it", || state_at(&second, &runner) == Some(SlotState::Ready)).await;
    assert!(second.handle.slots().load().is_empty());
    assert_eq!(*first.handle.ran().borrow(), BTreeSet::from(["todo".to_owned()]));

    let facts = HostFacts {
        providers: BTreeSet::from(["redis".into()]),
        details: serde_json::json!({"n": 1}),
        linked: None,
        ..HostFacts::default()
    };
    first.facts.send_replace(facts.clone());
    until(2, "facts are published", || {
        let view = second.handle.view().load_full();
        let state = view.hosts[&runner].state.clone().unwrap();
        state.providers == facts.providers && state.details == facts.details
    })
    .await;

    timeout(Duration::from_secs(10), first.handle.drain(Duration::from_secs(30))).await.expect("hands over");
    assert!(first.handle.slots().load().is_empty());
    assert!(second.handle.slots().load().get("todo").is_some(), "there before the other left");
    until(2, "the goodbye is heard", || second.handle.view().load().hosts[&runner].goodbye).await;
    assert_eq!(*first.handle.ran().borrow(), BTreeSet::from(["todo".to_owned()]), "as when the drain began");
}

#[tokio::test(start_paused = true)]
async fn starts_that_fail_hang_or_panic_are_few_and_say_why() {
    for (mood, words) in [
        (Mood::Fails, "the disk is full"),
        (Mood::Panics, "the start broke off"),
        (Mood::Hangs, "did not start within 120 s"),
    ] {
        let network = Network::new(1);
        let host = start(&network, mood, config("a"), Some(demand(1))).await;
        sleep(Duration::from_secs(1800)).await;
        let starts = host.starter.starts.load(Ordering::Relaxed);
        assert!((5..13).contains(&starts), "{starts} starts in half an hour");
        let view = host.handle.view().load_full();
        let state = view.hosts[&id("a")].state.clone().unwrap();
        let reason = state.slots["todo"].reason.clone().unwrap();
        assert!(reason.starts_with(words), "{reason}");
        let shortage = &state.conditions[0];
        assert_eq!((shortage.kind.as_str(), shortage.component.as_deref()), ("Shortage", Some("todo")));
        assert_eq!(shortage.message, "0 of 1 in gcp: one live host, one where it failed to start");
    }
}

#[tokio::test(start_paused = true)]
async fn readiness_that_flaps_does_not_flood_the_lattice() {
    let network = Network::new(1);
    let host = start(&network, Mood::Starts, config("a"), Some(demand(1))).await;
    let onlooker = start(&network, Mood::Starts, config("z"), None).await;
    until(5, "it runs", || host.handle.slots().load().get("todo").is_some()).await;
    let number = || onlooker.handle.presence().table().get(&id("a")).unwrap().announced;
    let before = number();
    for flap in 0..1000 {
        host.starter.ready.send_replace(flap % 2 == 0);
        sleep(Duration::from_millis(30)).await;
    }
    assert!(number() - before < 10, "{} states in 30 s", number() - before);
    host.starter.ready.send_replace(true);
    until(2, "ready again", || host.handle.slots().load().get("todo").is_some_and(|slot| slot.ready)).await;
}

#[tokio::test(start_paused = true)]
async fn a_host_comes_back_with_neither_source_nor_bus() {
    let network = Network::new(1);
    let config =
        AgentConfig { ran: BTreeSet::from(["todo".to_owned()]), last_good: Some(demand(1)), ..config("a") };
    let starter =
        Arc::new(Starter { mood: Mood::Starts, starts: AtomicU32::new(0), ready: watch::Sender::new(true) });
    let connection = network.bus(&config.id).connect("presence").await.unwrap();
    network.faults().disconnect(&config.id);
    let (_desired, desired) = watch::channel(None);
    let (_facts, facts) = watch::channel(HostFacts::default());
    let handle = Agent::start(config, starter, connection, desired, facts).unwrap();
    let begun = Instant::now();
    let slots = handle.slots();
    until(5, "it runs what it ran", || slots.load().get("todo").is_some()).await;
    assert!(begun.elapsed() >= Duration::from_secs(3), "not before it waited for its source");
}

#[tokio::test(start_paused = true)]
async fn dropping_the_handle_is_a_crash() {
    let network = Network::new(1);
    let a = start(&network, Mood::Starts, config("a"), Some(demand(2))).await;
    let b = start(&network, Mood::Starts, config("b"), Some(demand(2))).await;
    until(5, "both run it", || {
        state_at(&b, &id("a")) == Some(SlotState::Ready) && state_at(&a, &id("b")) == Some(SlotState::Ready)
    })
    .await;
    drop(a);
    sleep(Duration::from_secs(11)).await;
    let view = b.handle.view().load_full();
    assert!(!view.hosts[&id("a")].goodbye);
    assert!(view.hosts[&id("a")].last_beat.elapsed() > Duration::from_secs(9));
    let state = view.hosts[&id("b")].state.clone().unwrap();
    assert_eq!(state.conditions[0].message, "1 of 2 in gcp: one live host");
    b.desired.send_replace(Some(demand(1)));
    until(2, "the shortage is over", || {
        b.handle.view().load().hosts[&id("b")].state.as_ref().unwrap().conditions.is_empty()
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_move_is_told_step_by_step() {
    let network = Network::new(1);
    let mut hosts = Vec::new();
    for name in ["gcp/a", "aws/b"] {
        hosts.push(start(&network, Mood::Starts, config(name), Some(demand_in("gcp", 1))).await);
    }
    until(5, "gcp runs it", || state_at(&hosts[1], &id("gcp/a")) == Some(SlotState::Ready)).await;
    hosts[1].starter.ready.send_replace(false);
    let moved = Desired { revision: "r2".into(), ..demand_in("aws", 1) };
    hosts.iter().for_each(|host| drop(host.desired.send_replace(Some(moved.clone()))));
    let waits = || {
        let view = hosts[0].handle.view().load_full();
        let state = view.hosts[&id("gcp/a")].state.clone().unwrap();
        let waits = state.conditions.iter().find(|condition| condition.kind == "WaitsForPromises");
        waits.map(|condition| (condition.message.clone(), condition.since_ms.unwrap()))
    };
    until(5, "the old waits", || waits().is_some()).await;
    let (message, since) = waits().unwrap();
    assert_eq!(message, "waits for 1 more promise of 1 (ready elsewhere: 0)");
    sleep(Duration::from_secs(20)).await;
    assert_eq!(waits().unwrap(), (message, since), "it goes on as the same, and is not published again");
    hosts[1].starter.ready.send_replace(true);
    until(10, "the old has left", || hosts[0].handle.slots().load().is_empty()).await;
    sleep(Duration::from_secs(1)).await;

    let told = |host: &Host| -> Vec<(String, What)> {
        let batch = host.handle.events().since(0);
        batch.events.into_iter().map(|event| (event.revision, event.what)).collect()
    };
    let promised = What::Leaving { promised: vec![id("aws/b")], draining: false, deleted: false };
    let old = told(&hosts[0]);
    let of_r2: Vec<_> = old.iter().filter(|(revision, _)| revision == "r2").map(|(_, what)| what).collect();
    assert!(matches!(of_r2[0], What::Condition { kind, .. } if kind == "WaitsForPromises"), "{old:#?}");
    assert!(of_r2.contains(&&promised), "{old:#?}");
    assert_eq!(**of_r2.last().unwrap(), What::Stopped { finished: 0, cut: 0 });
    let new = told(&hosts[1]);
    assert!(matches!(new[..], [(_, What::Starting), (_, What::Ready { .. })]), "{new:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_move_to_a_site_that_is_too_small_takes_nobody_down() {
    let network = Network::new(1);
    let mut hosts = Vec::new();
    for name in ["gcp/a", "gcp/b", "aws/c"] {
        hosts.push(start(&network, Mood::Starts, config(name), Some(demand(2))).await);
    }
    let running = || {
        let runs = |host: &&Host| !host.handle.slots().load().is_empty();
        hosts.iter().filter(runs).map(|host| host.handle.presence().me().to_string()).collect::<Vec<_>>()
    };
    until(5, "both of gcp run it", || running() == ["gcp/a", "gcp/b"]).await;
    hosts.iter().for_each(|host| drop(host.desired.send_replace(Some(demand_in("aws", 2)))));
    until(5, "the one of aws runs it", || running().contains(&"aws/c".to_owned())).await;
    let mut least = usize::MAX;
    for _ in 0..600 {
        sleep(Duration::from_millis(100)).await;
        least = least.min(running().len());
    }
    assert_eq!(least, 2, "two are asked, two are there");
    let first = order("todo", [id("gcp/a"), id("gcp/b")].iter().map(|name| (name, 100)))[0].to_string();
    assert_eq!(running(), [first, "aws/c".to_owned()]);
    let view = hosts[0].handle.view().load_full();
    let said: Vec<String> = view
        .hosts
        .values()
        .flat_map(|host| {
            host.state.as_ref().unwrap().conditions.iter().map(|condition| condition.kind.clone())
        })
        .collect();
    assert!(
        said.contains(&"Shortage".to_owned()) && said.contains(&"WaitsForPromises".to_owned()),
        "{said:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn after_a_power_cut_without_a_source_all_comes_back() {
    let network = Network::new(1);
    let names = ["a", "b", "c"];
    let mut hosts = Vec::new();
    for name in names {
        hosts.push(start(&network, Mood::Starts, config(name), Some(demand(2))).await);
    }
    let running = |hosts: &[Host]| hosts.iter().filter(|host| !host.handle.slots().load().is_empty()).count();
    until(5, "two run it", || running(&hosts) == 2).await;
    // In order (everybody drains at once, nobody could take over) or not: what is remembered is the same.
    let drains = hosts.iter().map(|host| host.handle.drain(Duration::from_secs(30)));
    timeout(Duration::from_secs(8), futures::future::join_all(drains)).await.expect("nobody waits in vain");
    let remembered: Vec<BTreeSet<String>> =
        hosts.iter().map(|host| host.handle.ran().borrow().clone()).collect();
    drop(hosts);
    let mut hosts = Vec::new();
    for (name, ran) in names.into_iter().zip(remembered) {
        network.faults().kill(&id(name));
        let config = AgentConfig { ran, last_good: Some(demand(2)), ..config(name) };
        hosts.push(start(&network, Mood::Starts, config, None).await);
    }
    until(6, "two run it again", || running(&hosts) == 2).await;
}

#[tokio::test]
async fn a_lattice_needs_a_name_that_fits_in_a_subject() {
    let network = Network::new(1);
    let starter =
        Arc::new(Starter { mood: Mood::Starts, starts: AtomicU32::new(0), ready: watch::Sender::new(true) });
    let connection = network.bus(&id("a")).connect("presence").await.unwrap();
    let (_desired, desired) = watch::channel(None);
    let (_facts, facts) = watch::channel(HostFacts::default());
    let config = AgentConfig { lattice: "a.b".into(), ..config("a") };
    let error = Agent::start(config, starter, connection, desired, facts).unwrap_err();
    assert_eq!(error, AgentError::LatticeName { found: "a.b".into() });
}
