//! The bus over NATS, on real servers: what every bus must do, and what only a real one can go through.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod bounds;
#[path = "../conformance/mod.rs"]
mod conformance;
mod identity;
mod losses;
mod refusals;
#[path = "../scenarios/mod.rs"]
mod scenarios;
mod servers;

use dunlin_testkit::NatsServer;
use servers::{Sites, bus};

#[tokio::test]
async fn conforms() {
    let server = NatsServer::open();
    conformance::suite(bus(server.address()), bus(server.address())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conforms_on_several_threads() {
    let server = NatsServer::open();
    conformance::suite(bus(server.address()), bus(server.address())).await;
}

#[tokio::test]
async fn conforms_between_leaves_of_a_hub() {
    let sites = Sites::start();
    conformance::suite(bus(sites.gcp.address()), bus(sites.aws.address())).await;
}

#[tokio::test]
async fn carries_presence_and_promises_between_sites() {
    let sites = Sites::start();
    let (gcp, aws) = (bus(sites.gcp.address()), bus(sites.aws.address()));
    scenarios::hosts_see_each_other(gcp.clone(), aws.clone()).await;
    scenarios::promises_are_given(gcp, aws).await;
}
