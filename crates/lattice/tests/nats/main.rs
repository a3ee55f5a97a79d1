//! The bus over NATS, on real servers: what every bus must do, and what only a real one can go through.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "../conformance/mod.rs"]
mod conformance;
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
