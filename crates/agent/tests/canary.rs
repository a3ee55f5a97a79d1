//! Canaries of several agents on one bus: an abort spreads, outlives all of them, and ends with a new identity.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use dunlin_agent::{Agent, AgentConfig, AgentHandle, HostFacts, Launcher, Slot, StartFailure};
use dunlin_lattice::memory::Network;
use dunlin_manifest::{Abort, Canary, HostId, Ratio, Update};
use dunlin_placement::canary::{Aborted, Calls};
use dunlin_placement::{Before, Demand, Desired, SiteDemand};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

/// Starts whatever it is told to, at once.
struct Starter;

#[derive(Debug)]
struct Started {
    ready: watch::Sender<bool>,
    counted: AtomicU64,
    failed: AtomicU64,
}

#[async_trait]
impl Launcher for Starter {
    type Slot = Started;

    async fn start(&self, _demand: &Demand) -> Result<Arc<Started>, StartFailure> {
        let ready = watch::Sender::new(true);
        Ok(Arc::new(Started { ready, counted: AtomicU64::new(0), failed: AtomicU64::new(0) }))
    }
}

#[async_trait]
impl Slot for Started {
    fn ready(&self) -> watch::Receiver<bool> {
        self.ready.subscribe()
    }
    fn begin_drain(&self) {}
    async fn drained(&self, _limit: Duration) {}
    fn last_call(&self) -> Option<Instant> {
        None
    }
    fn calls(&self) -> Calls {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Calls { counted: read(&self.counted), failed: read(&self.failed) }
    }
}

struct Host {
    handle: AgentHandle<Started>,
    desired: watch::Sender<Option<Desired>>,
    _facts: watch::Sender<HostFacts>,
}

/// What Git says: two replicas of this identity, tried for ten seconds; and what this host knows was before.
fn desired(identity: &str, before: Option<&str>) -> Desired {
    let abort = Abort { error_ratio: Ratio::parse("0.02").unwrap(), min_requests: 100 };
    let canary = Canary { weight: 10, hold: Duration::from_secs(10), abort: Some(abort) };
    let demand = Demand {
        component: "todo".into(),
        identity: identity.into(),
        sites: BTreeMap::from([("gcp".to_owned(), SiteDemand::count(2))]),
        memory: 1,
        suspend: false,
        request_timeout: Duration::from_secs(5),
        failover: None,
        update: Some(Update { canary }),
    };
    let before = before.map(|identity| Before { identity: identity.into(), replaced: false });
    Desired {
        revision: identity.into(),
        digest: identity.into(),
        components: BTreeMap::from([("todo".into(), demand)]),
        before: before.map(|before| ("todo".to_owned(), before)).into_iter().collect(),
    }
}

async fn start(network: &Network, name: &str, wanted: Desired, aborted: BTreeMap<String, Aborted>) -> Host {
    let id = HostId { site: "gcp".into(), host: name.into() };
    let connection = network.bus(&id).connect("presence").await.unwrap();
    let (desired, desired_receiver) = watch::channel(Some(wanted));
    let (facts, facts_receiver) = watch::channel(HostFacts::default());
    let config = AgentConfig { aborted, ..AgentConfig::new(id, "test", 1 << 30) };
    let handle =
        Agent::start(config, Arc::new(Starter), connection, desired_receiver, facts_receiver).unwrap();
    Host { handle, desired, _facts: facts }
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(30), wait).await.unwrap_or_else(|_| panic!("waited in vain: {what}"));
}

impl Host {
    /// What serves, and what is on trial.
    fn runs(&self) -> (Option<String>, Option<String>) {
        let slots = self.handle.slots().load_full();
        let slot = slots.get("todo");
        let canary = slot.and_then(|slot| slot.canary.as_ref());
        (slot.map(|slot| slot.demand.identity.clone()), canary.map(|canary| canary.demand.identity.clone()))
    }

    fn runs_only(&self, identity: &str) -> bool {
        self.runs() == (Some(identity.to_owned()), None)
    }

    fn tries(&self, identity: &str) -> bool {
        self.runs().1.as_deref() == Some(identity)
    }

    /// What it says of itself.
    fn state(&self) -> Arc<dunlin_agent::HostState> {
        let view = self.handle.view().load_full();
        view.hosts.get(&view.me).and_then(|entry| entry.state.clone()).unwrap_or_default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_good_canary_takes_over_everywhere() {
    let network = Network::new(1);
    let hosts = [
        start(&network, "a", desired("i1", None), BTreeMap::new()).await,
        start(&network, "b", desired("i1", None), BTreeMap::new()).await,
    ];
    until("both run it, the first of its kind without a trial", || {
        hosts.iter().all(|host| host.runs_only("i1"))
    })
    .await;
    for host in &hosts {
        host.desired.send_replace(Some(desired("i2", Some("i1"))));
    }
    until("both try", || hosts.iter().all(|host| host.tries("i2"))).await;
    let begun = Instant::now();
    until("the other sees the trial", || {
        let view = hosts[1].handle.view().load_full();
        let state = view.hosts.iter().find(|(id, _)| id.host == "a").unwrap().1.state.clone();
        let update = state.unwrap().slots["todo"].update.clone();
        update
            .is_some_and(|update| update.identity == "i2" && update.canary.is_some_and(|it| it.weight == 10))
    })
    .await;
    until("it takes over", || hosts.iter().all(|host| host.runs_only("i2"))).await;
    assert!(begun.elapsed() >= Duration::from_millis(9500), "{:?}", begun.elapsed());
    assert!(hosts.iter().all(|host| host.state().aborted.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn an_abort_spreads_outlives_everybody_and_ends_with_a_new_identity() {
    let network = Network::new(1);
    let mut hosts = Vec::new();
    for name in ["a", "b"] {
        hosts.push(start(&network, name, desired("i1", None), BTreeMap::new()).await);
    }
    until("both run it", || hosts.iter().all(|host| host.runs_only("i1"))).await;
    for host in &hosts {
        host.desired.send_replace(Some(desired("i2", Some("i1"))));
    }
    until("both try", || hosts.iter().all(|host| host.tries("i2"))).await;
    let canary = hosts[0].handle.slots().load().get("todo").unwrap().canary.clone().unwrap();
    canary.slot.counted.store(100, Ordering::Relaxed);
    canary.slot.failed.store(3, Ordering::Relaxed);
    until("both gave it up", || hosts.iter().all(|host| host.runs_only("i1"))).await;
    for host in &hosts {
        let state = host.state();
        assert_eq!(
            (state.aborted["todo"].identity.as_str(), state.aborted["todo"].by.as_str()),
            ("i2", "gcp/a")
        );
        assert!(state.conditions.iter().any(|condition| condition.kind == "Stalled"));
    }

    // Everybody dies. What each keeps on disk is what it said.
    let kept: Vec<_> = hosts.iter().map(|host| host.state().aborted.clone()).collect();
    drop(hosts);
    sleep(Duration::from_secs(60)).await;
    let mut hosts = Vec::new();
    for (name, aborted) in ["a", "b"].into_iter().zip(kept) {
        network.faults().kill(&HostId { site: "gcp".into(), host: name.into() });
        hosts.push(start(&network, name, desired("i2", Some("i1")), aborted).await);
    }
    until("both run what ran before", || hosts.iter().all(|host| host.runs_only("i1"))).await;
    // One comes without a memory of the abort, but not of what was before: it hears of it.
    let forgetful = start(&network, "c", desired("i2", Some("i1")), BTreeMap::new()).await;
    until("it hears", || forgetful.state().aborted.contains_key("todo")).await;
    for _ in 0..300 {
        sleep(Duration::from_millis(100)).await;
        assert!(hosts.iter().all(|host| host.runs_only("i1")));
        assert_ne!(forgetful.runs().0.as_deref(), Some("i2"));
    }

    hosts.push(forgetful);
    for host in &hosts {
        host.desired.send_replace(Some(desired("i3", Some("i1"))));
    }
    until("the next is tried", || hosts.iter().filter(|host| host.tries("i3")).count() == 2).await;
    until("and takes over", || hosts.iter().filter(|host| host.runs_only("i3")).count() == 2).await;
    assert!(hosts.iter().all(|host| host.state().aborted.is_empty() && host.state().conditions.is_empty()));
}
