//! The servers that these tests run against, buses that connect to them, and what to wait for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dunlin_lattice::nats::{NatsBus, NatsSettings};
use dunlin_lattice::{Connection, Message, Subscription};
use dunlin_testkit::{NatsServer, free_port};
use tokio::time::timeout;

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A hub, and a leaf at each of two sites.
pub(crate) struct Sites {
    pub(crate) gcp: NatsServer,
    pub(crate) aws: NatsServer,
    _hub: NatsServer,
}

impl Sites {
    pub(crate) fn start() -> Self {
        let port = free_port();
        let hub = NatsServer::start(&format!("leafnodes {{ host: 127.0.0.1, port: {port} }}"));
        let remotes = format!("leafnodes {{ remotes: [{{ url: \"nats-leaf://127.0.0.1:{port}\" }}] }}");
        Self { gcp: NatsServer::start(&remotes), aws: NatsServer::start(&remotes), _hub: hub }
    }
}

pub(crate) fn bus(server: SocketAddr) -> Arc<NatsBus> {
    bus_at(&format!("nats://{server}"))
}

pub(crate) fn bus_at(url: &str) -> Arc<NatsBus> {
    bus_with(NatsSettings { servers: vec![url.to_owned()], ..NatsSettings::default() })
}

pub(crate) fn bus_with(settings: NatsSettings) -> Arc<NatsBus> {
    Arc::new(NatsBus::new(NatsSettings { name: "dunlin todo".into(), ..settings }).unwrap())
}

/// Waits until the connection stands, or does not.
pub(crate) async fn connected(connection: &Arc<dyn Connection>, connected: bool) -> u64 {
    let mut state = connection.state();
    let state = timeout(PATIENCE, state.wait_for(|state| state.connected == connected));
    state.await.expect("the state never came").unwrap().generation
}

/// Waits until the bus's trouble contains `words`.
pub(crate) async fn trouble(bus: &NatsBus, words: &str) -> String {
    let mut troubles = bus.troubles();
    let trouble =
        timeout(PATIENCE, troubles.wait_for(|now| now.as_deref().is_some_and(|now| now.contains(words))))
            .await;
    trouble
        .unwrap_or_else(|_| panic!("{words:?} not in {:?}", bus.troubles().borrow()))
        .unwrap()
        .clone()
        .unwrap()
}

/// Waits until the bus has no trouble.
pub(crate) async fn no_trouble(bus: &NatsBus) {
    let mut troubles = bus.troubles();
    let well = timeout(PATIENCE, troubles.wait_for(Option::is_none)).await;
    drop(well.unwrap_or_else(|_| panic!("{:?}", bus.troubles().borrow())).unwrap());
}

pub(crate) async fn next(subscription: &mut Subscription) -> Message {
    timeout(PATIENCE, subscription.next()).await.expect("no message came").expect("the connection closed")
}
