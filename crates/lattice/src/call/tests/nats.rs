//! The same calls over NATS, between two sites, and what only a real network can do to them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dunlin_manifest::HostId;
use dunlin_testkit::{NatsServer, Proxy, free_port};
use futures::FutureExt;
use tokio::time::{Instant, timeout};

use super::harness::{Buses, Host, answer, client, client_with, id, request, within};
use super::streams::{self, CHUNK, counted, drain, echo, freed, stream};
use super::{once, routing};
use crate::nats::{NatsBus, NatsSettings};
use crate::presence::Presence;
use crate::stream::StreamLimits;
use crate::{Body, Bus, CallClient, CallError, CallSettings, Connection, Executed, Place, Request, Safety};

const PATIENCE: Duration = Duration::from_secs(20);

/// A server for each of two sites, which may be the same one; hosts find theirs by their site.
struct Servers {
    gcp: SocketAddr,
    aws: SocketAddr,
}

#[async_trait]
impl Buses for Servers {
    fn bus(&self, host: &HostId) -> Arc<dyn Bus> {
        bus(if host.site == "gcp" { self.gcp } else { self.aws })
    }

    async fn settle(&self, connection: &Arc<dyn Connection>) {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let word = format!("settle-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let mut heard = connection.subscribe(&word).await.unwrap();
        for address in [self.gcp, self.aws] {
            let other = bus(address).connect("settle").await.unwrap();
            let hearing = async {
                loop {
                    other.publish(&word, None, address.to_string().into()).await.unwrap();
                    let next = timeout(Duration::from_millis(20), heard.next()).await;
                    if next.is_ok_and(|message| message.unwrap().payload == address.to_string()) {
                        return;
                    }
                }
            };
            timeout(PATIENCE, hearing).await.expect("a subscription never came into force");
        }
    }
}

fn bus(address: SocketAddr) -> Arc<dyn Bus> {
    let servers = vec![format!("nats://{address}")];
    Arc::new(NatsBus::new(NatsSettings { servers, ..NatsSettings::default() }).unwrap())
}

/// Two leaves of a hub.
fn sites() -> (Servers, [NatsServer; 3]) {
    let port = free_port();
    let hub = NatsServer::start(&format!("leafnodes {{ host: 127.0.0.1, port: {port} }}"));
    let remotes = format!("leafnodes {{ remotes: [{{ url: \"nats-leaf://127.0.0.1:{port}\" }}] }}");
    let (gcp, aws) = (NatsServer::start(&remotes), NatsServer::start(&remotes));
    (Servers { gcp: gcp.address(), aws: aws.address() }, [hub, gcp, aws])
}

fn one() -> (Servers, NatsServer) {
    let server = NatsServer::open();
    (Servers { gcp: server.address(), aws: server.address() }, server)
}

#[tokio::test]
async fn calls_between_sites() {
    let (servers, _running) = sites();
    routing::not_executed(&servers).await;
    routing::reported(&servers).await;
    routing::panic(&servers).await;
    once::executed_once(&servers).await;
}

#[tokio::test]
async fn bodies_between_sites() {
    let (servers, _running) = sites();
    streams::there_and_back(&servers, 200).await;
    streams::whole_with_trailers(&servers).await;
    streams::moves_when_wanted(&servers).await;
    streams::early_answer(&servers).await;
    streams::given_up(&servers).await;
}

#[tokio::test]
async fn no_responders_goes_to_the_next_replica_at_once() {
    let (servers, _running) = sites();
    let mut first = Host::start(&servers, "gcp-2", |_| async { Ok(answer("first")) }.boxed()).await;
    let second = Host::start(&servers, "aws-1", |_| async { Ok(answer("second")) }.boxed()).await;
    let client = client(&servers, "gcp-1").await;
    let candidates = [first.candidate(Place::OwnSite), second.candidate(Place::OtherSite)];
    first.server = None;
    gone(&client, &candidates[..1]).await;
    for safety in [Safety::Read, Safety::Write] {
        let start = Instant::now();
        let reply = client.call(&candidates, request(safety)).await.unwrap();
        assert_eq!(&reply.values[..], b"second");
        assert!(start.elapsed() < Duration::from_millis(400), "{:?}", start.elapsed());
        let error = client.call(&candidates[..1], request(safety)).await.unwrap_err();
        assert!(matches!(error, CallError::Unavailable { tried: 1, .. }), "{error}");
        assert_eq!(error.executed(), Executed::No);
    }
}

/// Waits until the servers know that nobody serves there any more.
async fn gone(client: &CallClient, candidates: &[crate::Candidate]) {
    let asking = async {
        loop {
            let deadline = Instant::now() + Duration::from_millis(50);
            let result = client.call(candidates, Request { deadline, ..request(Safety::Read) }).await;
            if result.is_err_and(|error| error.executed() == Executed::No) {
                return;
            }
        }
    };
    timeout(PATIENCE, asking).await.expect("the subscription stays");
}

#[tokio::test]
async fn a_connection_cut_in_the_middle_of_a_body_frees_both_ends() {
    for cut in ["gcp", "aws"] {
        let server = NatsServer::open();
        let gcp = Proxy::start(server.address(), Duration::ZERO).await;
        let aws = Proxy::start(server.address(), Duration::ZERO).await;
        let servers = Servers { gcp: gcp.address(), aws: aws.address() };
        // The end that is still connected learns of it by the silence.
        let limits = StreamLimits { idle: Duration::from_secs(2), ..StreamLimits::default() };
        let settings = CallSettings { streams: limits, ..CallSettings::default() };
        let host = Host::with(&servers, "aws-1", settings.clone(), |call| echo(call).boxed()).await;
        let client = client_with(&servers, "gcp-1", settings).await;
        let candidates = [host.candidate(Place::OtherSite)];
        let taken = Arc::new(AtomicUsize::new(0));
        let long = Request { body: counted(1000, &taken), ..request(Safety::Write) };
        let mut body = stream(client.call(&candidates, long).await.unwrap().body);
        body.next().await.unwrap().unwrap();
        let proxy = if cut == "gcp" { &gcp } else { &aws };
        proxy.cut();
        let (length, broken) = timeout(PATIENCE, drain(&mut body)).await.unwrap();
        assert!(broken.is_some() && length < 1000 * CHUNK, "{cut}: {length} {broken:?}");
        within(PATIENCE, || client.streams() == 0 && host.server().streams() == 0).await;
        freed(&client, &host).await;
        // And everything goes on when the network is back.
        proxy.restore();
        answers(&client, &candidates).await;
    }
}

/// Waits until calls are answered.
async fn answers(client: &CallClient, candidates: &[crate::Candidate]) {
    let asking = async {
        loop {
            let deadline = Instant::now() + Duration::from_millis(500);
            let again = Request { deadline, ..request(Safety::Read) };
            if client.call(candidates, again).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, asking).await.expect("no call is answered");
}

fn hears(presence: &Presence, name: &str) -> bool {
    let age = presence.table().get(&id(name)).map(|seen| seen.age(Instant::now()));
    age.is_some_and(|age| age < Duration::from_millis(1500)) && !presence.deaf()
}

#[tokio::test]
async fn calls_and_presence_work_again_after_the_server_was_killed() {
    let (servers, mut server) = one();
    let host = Host::start(&servers, "aws-1", |call| echo(call).boxed()).await;
    let client = client(&servers, "gcp-1").await;
    let seer = super::harness::presence(&servers, "gcp-1", 3).await;
    let candidates = [host.candidate(Place::OtherSite)];
    for _ in 0..2 {
        answers(&client, &candidates).await;
        within(PATIENCE, || hears(&seer, "aws-1") && hears(&host.presence, "gcp-1")).await;
        let waiting = tokio::spawn({
            let call = client.call(&candidates, request(Safety::Write)).await;
            async move { call.unwrap().values }
        });
        assert_eq!(waiting.await.unwrap(), Bytes::from_static(b"values"));
        server.process.kill();
        let error = client.call(&candidates, request(Safety::Write)).await.unwrap_err();
        assert!(matches!(error.executed(), Executed::No | Executed::Unknown), "{error}");
        within(PATIENCE, || seer.deaf()).await;
        server.revive();
    }
    answers(&client, &candidates).await;
    within(PATIENCE, || hears(&seer, "aws-1") && hears(&host.presence, "gcp-1")).await;
    let large = Request { body: Body::Whole(vec![7; 3_000_000].into()), ..request(Safety::Write) };
    let mut body = stream(client.call(&candidates, large).await.unwrap().body);
    assert_eq!(drain(&mut body).await, (3_000_000, None));
}

#[tokio::test]
async fn everything_may_start_before_the_server() {
    let (servers, mut server) = one();
    server.process.kill();
    let settled = Unsettled(&servers);
    let host = Host::start(&settled, "aws-1", |call| echo(call).boxed()).await;
    let client = client(&settled, "gcp-1").await;
    let seer = super::harness::presence(&servers, "gcp-1", 3).await;
    let candidates = [host.candidate(Place::OtherSite)];
    let error = client.call(&candidates, request(Safety::Write)).await.unwrap_err();
    assert_eq!(error.executed(), Executed::No);
    server.revive();
    answers(&client, &candidates).await;
    within(PATIENCE, || hears(&seer, "aws-1") && hears(&host.presence, "gcp-1")).await;
}

/// Waits for nothing, because nothing is there yet.
struct Unsettled<'a>(&'a Servers);

#[async_trait]
impl Buses for Unsettled<'_> {
    fn bus(&self, host: &HostId) -> Arc<dyn Bus> {
        self.0.bus(host)
    }

    async fn settle(&self, _: &Arc<dyn Connection>) {}
}
