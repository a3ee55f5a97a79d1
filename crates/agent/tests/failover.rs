//! Failover by whole agents on the in-process bus; hosts of newer releases among them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dunlin_agent::{
    Agent, AgentConfig, AgentHandle, HostFacts, HostState, Launcher, STATE_VERSION, Slot, StartFailure,
};
use dunlin_lattice::memory::Network;
use dunlin_lattice::presence::{Presence, PresenceConfig};
use dunlin_lattice::subjects::Subjects;
use dunlin_manifest::HostId;
use dunlin_placement::{Demand, Desired, Failover, SiteDemand};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

const AFTER: Duration = Duration::from_secs(12);
const BACK: Duration = Duration::from_secs(5);

/// Starts things at once, and prepares them slowly; says what it did.
#[derive(Default)]
struct Starter {
    did: Mutex<Vec<String>>,
}

struct Started {
    ready: watch::Sender<bool>,
}

#[async_trait]
impl Launcher for Starter {
    type Slot = Started;

    async fn start(&self, demand: &Demand) -> Result<Arc<Started>, StartFailure> {
        self.did.lock().unwrap().push(format!("start {}", demand.component));
        Ok(Arc::new(Started { ready: watch::Sender::new(true) }))
    }

    async fn prepare(&self, demand: &Demand) -> Result<(), StartFailure> {
        self.did.lock().unwrap().push(format!("prepare {}", demand.component));
        sleep(Duration::from_secs(1)).await;
        if demand.component == "broken" {
            panic!("on purpose");
        }
        self.did.lock().unwrap().push(format!("prepared {}", demand.component));
        Ok(())
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
}

struct Host {
    handle: AgentHandle<Started>,
    starter: Arc<Starter>,
    facts: watch::Sender<HostFacts>,
    _desired: watch::Sender<Option<Desired>>,
}

fn id(name: &str) -> HostId {
    let (site, host) = name.split_once('/').unwrap();
    HostId::new(site, host)
}

/// Some components with one slot in `gcp` each.
fn desired(names: &[&str], to: &[&str]) -> Desired {
    let demand = |name: &&str| {
        let demand = Demand {
            component: (*name).to_owned(),
            identity: "i1".into(),
            sites: BTreeMap::from([("gcp".to_owned(), SiteDemand::count(1))]),
            memory: 1,
            suspend: false,
            request_timeout: Duration::from_secs(5),
            failover: Some(Failover {
                after: AFTER,
                to: to.iter().map(|site| (*site).to_owned()).collect(),
                back: BACK,
            }),
            update: None,
        };
        ((*name).to_owned(), demand)
    };
    let components = names.iter().map(demand).collect();
    Desired { revision: "r1".into(), digest: "d1".into(), components, before: BTreeMap::new() }
}

async fn start(network: &Network, name: &str, desired: Desired) -> Host {
    let starter = Arc::new(Starter::default());
    let connection = network.bus(&id(name)).connect("presence").await.unwrap();
    let (sender, receiver) = watch::channel(Some(desired));
    let (facts, facts_receiver) = watch::channel(HostFacts::default());
    let config = AgentConfig::new(id(name), "test", 1 << 30);
    let handle = Agent::start(config, Arc::clone(&starter), connection, receiver, facts_receiver).unwrap();
    Host { handle, starter, facts, _desired: sender }
}

impl Host {
    fn runs(&self, component: &str) -> bool {
        self.handle.slots().load().get(component).is_some()
    }

    fn did(&self) -> Vec<String> {
        self.starter.did.lock().unwrap().clone()
    }

    fn state(&self) -> Arc<HostState> {
        let view = self.handle.view().load_full();
        view.hosts[self.handle.presence().me()].state.clone().unwrap()
    }
}

/// Waits until something holds, at most so long; says after how long it did.
async fn until(seconds: u64, what: &str, holds: impl Fn() -> bool) -> Duration {
    let begun = Instant::now();
    let wait = async {
        while !holds() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    let limit = Duration::from_secs(seconds);
    timeout(limit, wait).await.unwrap_or_else(|_| panic!("not within {seconds} s: {what}"));
    begun.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_site_dies_and_comes_back() {
    let network = Network::new(1);
    let gcp = start(&network, "gcp/gcp-1", desired(&["todo"], &["aws"])).await;
    let aws = start(&network, "aws/aws-1", desired(&["todo"], &["aws"])).await;
    until(5, "home runs it", || gcp.runs("todo")).await;
    until(5, "the target has it ready to start", || aws.did() == ["prepare todo", "prepared todo"]).await;
    sleep(Duration::from_secs(60)).await;
    assert!(!aws.runs("todo"));

    gcp.handle.kill();
    network.faults().kill(&id("gcp/gcp-1"));
    let took = until(20, "aws stands in", || aws.runs("todo")).await;
    assert!(took <= AFTER + Duration::from_secs(2), "{took:?}");
    let state = aws.state();
    assert_eq!((state.failovers[0].component.as_str(), state.failovers[0].from.as_str()), ("todo", "gcp"));
    let told = state.conditions.iter().find(|condition| condition.kind == "FailedOver").unwrap();
    assert!(told.message.starts_with("aws stands in for gcp"), "{}", told.message);

    let gcp = start(&network, "gcp/gcp-1", desired(&["todo"], &["aws"])).await;
    until(5, "home runs it again", || gcp.runs("todo")).await;
    let took = until(20, "the stand-in goes", || !aws.runs("todo")).await;
    assert!(took >= BACK && took <= BACK + Duration::from_secs(2), "{took:?}");
    sleep(Duration::from_secs(60)).await;
    assert!(gcp.runs("todo") && !aws.runs("todo"), "and nothing flaps");
    assert!(aws.state().failovers.is_empty() && aws.state().conditions.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_lost_hub_is_not_taken_for_lost_sites() {
    for linked in [Some(false), Some(true), None] {
        let network = Network::new(1);
        let gcp = start(&network, "gcp/gcp-1", desired(&["todo"], &["aws"])).await;
        let aws = start(&network, "aws/aws-1", desired(&["todo"], &["aws"])).await;
        until(5, "home runs it", || gcp.runs("todo")).await;
        network.faults().partition("gcp", "aws");
        network.faults().partition("aws", "gcp");
        aws.facts.send_replace(HostFacts { linked, ..HostFacts::default() });
        sleep(Duration::from_secs(60)).await;
        assert!(gcp.runs("todo"));
        assert_eq!(aws.runs("todo"), linked != Some(false), "{linked:?}");
        network.faults().calm();
        aws.facts.send_replace(HostFacts { linked: Some(true), ..HostFacts::default() });
        until(20, "one of them serves", || gcp.runs("todo") && !aws.runs("todo")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_prepared_stops_nothing() {
    let network = Network::new(1);
    let _gcp = start(&network, "gcp/gcp-1", desired(&["broken", "todo"], &["aws"])).await;
    let aws = start(&network, "aws/aws-1", desired(&["broken", "todo"], &["aws"])).await;
    let all = ["prepare broken", "prepare todo", "prepared todo"];
    until(10, "one after the other", || aws.did() == all).await;
    sleep(Duration::from_secs(60)).await;
    let again = ["prepare broken"; 2];
    assert_eq!(aws.did(), [&all[..], &again].concat(), "what worked once, what did not ever more rarely");
}

/// A host of a newer release: it beats, can work out a newer rank, and shows what nobody here can read.
async fn newer(network: &Network, name: &str) -> Presence {
    let connection = network.bus(&id(name)).connect("presence").await.unwrap();
    let subjects = Subjects::new("test").unwrap();
    let config = PresenceConfig { subjects, me: id(name), incarnation: None, seed: Some(1), rank: 7 };
    let presence = Presence::start(connection, config);
    let state = HostState { version: STATE_VERSION + 1, confirmed: true, ..HostState::default() };
    presence.set_state(Bytes::from(state.to_bytes())).unwrap();
    presence
}

#[tokio::test(start_paused = true)]
async fn a_newer_host_lives_though_it_cannot_be_read() {
    // At home it is no reason to stand in: it beats.
    let network = Network::new(1);
    let home = newer(&network, "gcp/gcp-1").await;
    let aws = start(&network, "aws/aws-1", desired(&["todo"], &["edge", "aws"])).await;
    // In a site that comes first nobody knows whether it could stand in.
    let _first = newer(&network, "edge/edge-1").await;
    sleep(Duration::from_secs(60)).await;
    assert!(!aws.runs("todo"));
    drop(home);
    network.faults().kill(&id("gcp/gcp-1"));
    until(20, "aws stands in", || aws.runs("todo")).await;
}
