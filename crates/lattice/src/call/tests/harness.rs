//! Hosts that serve with a closure, and the clients that call them, on whichever bus.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dunlin_manifest::HostId;
use futures::future::BoxFuture;
use tokio::time::Instant;

use crate::call::{
    Answer, CallClient, CallServer, CallSettings, Candidate, Incoming, Refusal, Request, Serve,
};
use crate::memory::Network;
use crate::presence::{PeerClock, Presence, PresenceConfig};
use crate::subjects::Subjects;
use crate::{Body, Bus, Connection, Place, Safety};

pub(super) type Outcome = Result<Answer, Refusal>;
type Handler = Box<dyn Fn(Incoming) -> BoxFuture<'static, Outcome> + Send + Sync>;

pub(super) fn id(name: &str) -> HostId {
    HostId::new(name.split('-').next().unwrap(), name)
}

pub(super) fn subjects() -> Subjects {
    Subjects::new("todo").unwrap()
}

/// A network of any kind, and what joins hosts to it.
#[async_trait]
pub(super) trait Buses: Send + Sync {
    fn bus(&self, host: &HostId) -> Arc<dyn Bus>;

    /// Returns once everybody's messages reach what `connection` listens to so far.
    async fn settle(&self, connection: &Arc<dyn Connection>);
}

#[async_trait]
impl Buses for Network {
    fn bus(&self, host: &HostId) -> Arc<dyn Bus> {
        self.bus(host)
    }

    async fn settle(&self, _: &Arc<dyn Connection>) {}
}

/// A host that serves; it counts what it was given to execute.
pub(super) struct Host {
    pub(super) id: Arc<HostId>,
    pub(super) presence: Presence,
    pub(super) server: Option<CallServer>,
    pub(super) served: Arc<AtomicUsize>,
}

struct Stub {
    handler: Handler,
    served: Arc<AtomicUsize>,
}

#[async_trait]
impl Serve for Stub {
    async fn serve(&self, call: Incoming) -> Outcome {
        self.served.fetch_add(1, Ordering::Relaxed);
        (self.handler)(call).await
    }
}

pub(super) async fn presence(network: &dyn Buses, name: &str, incarnation: u64) -> Presence {
    let connection = network.bus(&id(name)).connect("presence").await.unwrap();
    let incarnation = Some(incarnation);
    let config =
        PresenceConfig { subjects: subjects(), me: id(name), incarnation, seed: incarnation, rank: 1 };
    Presence::start(connection, config)
}

impl Host {
    pub(super) async fn with<F>(network: &dyn Buses, name: &str, settings: CallSettings, handler: F) -> Self
    where
        F: Fn(Incoming) -> BoxFuture<'static, Outcome> + Send + Sync + 'static,
    {
        let served = Arc::new(AtomicUsize::new(0));
        let service = Arc::new(Stub { handler: Box::new(handler), served: Arc::clone(&served) });
        let presence = presence(network, name, 7).await;
        let connection = network.bus(&id(name)).connect("calls").await.unwrap();
        let (clock, me) = (presence.own_clock(), id(name));
        let server =
            CallServer::start(Arc::clone(&connection), subjects(), me, clock, service, settings).await;
        network.settle(&connection).await;
        Self { id: Arc::new(id(name)), presence, server: Some(server), served }
    }

    pub(super) async fn start<F>(network: &dyn Buses, name: &str, handler: F) -> Self
    where
        F: Fn(Incoming) -> BoxFuture<'static, Outcome> + Send + Sync + 'static,
    {
        Self::with(network, name, CallSettings::default(), handler).await
    }

    pub(super) fn candidate(&self, place: Place) -> Candidate {
        self.candidate_by(place, self.presence.own_clock())
    }

    pub(super) fn candidate_by(&self, place: Place, clock: PeerClock) -> Candidate {
        Candidate { host: Arc::clone(&self.id), place, ready: true, unseen_for: Duration::ZERO, clock }
    }

    pub(super) fn served(&self) -> usize {
        self.served.load(Ordering::Relaxed)
    }

    pub(super) fn server(&self) -> &CallServer {
        self.server.as_ref().unwrap()
    }
}

pub(super) async fn client(network: &dyn Buses, name: &str) -> CallClient {
    client_with(network, name, CallSettings::default()).await
}

pub(super) async fn client_with(network: &dyn Buses, name: &str, settings: CallSettings) -> CallClient {
    let mut connections = Vec::new();
    for _ in 0..2 {
        connections.push(network.bus(&id(name)).connect("calls").await.unwrap());
    }
    let client = CallClient::start(connections.clone(), subjects(), id(name), settings).await;
    for connection in &connections {
        network.settle(connection).await;
    }
    client
}

pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

pub(super) fn request(safety: Safety) -> Request {
    Request {
        target: "todo".into(),
        function: "wasi:http/handler.handle".into(),
        from_component: "web".into(),
        link: "backend".into(),
        values: Bytes::from_static(b"values"),
        body: Body::Empty,
        deadline: Instant::now() + TIMEOUT,
        safety,
        traceparent: None,
    }
}

pub(super) fn answer(values: &'static str) -> Answer {
    Answer { values: Bytes::from_static(values.as_bytes()), body: Body::Empty }
}

/// Waits for a condition that should come at once: sooner than any deadline or idle timeout.
pub(super) async fn until(what: impl Fn() -> bool) {
    within(Duration::from_secs(3), what).await;
}

/// Waits for a condition, at most so long by tokio's clock.
pub(super) async fn within(limit: Duration, what: impl Fn() -> bool) {
    let start = Instant::now();
    while !what() {
        assert!(start.elapsed() < limit, "it never came to be");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
