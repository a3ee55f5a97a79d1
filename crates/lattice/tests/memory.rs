//! The in-process bus does what every bus must, without faults and with the model of the network in between.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod conformance;
mod scenarios;

use std::time::Duration;

use dunlin_lattice::memory::{Link, Network, Place};
use dunlin_manifest::HostId;

fn hosts() -> (HostId, HostId) {
    (HostId::new("gcp", "gcp-1"), HostId::new("aws", "aws-1"))
}

#[tokio::test]
async fn conforms() {
    let network = Network::new(1);
    let (one, two) = hosts();
    conformance::suite(network.bus(&one), network.bus(&two)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conforms_on_several_threads() {
    let network = Network::new(1);
    let (one, two) = hosts();
    conformance::suite(network.bus(&one), network.bus(&two)).await;
}

#[tokio::test(start_paused = true)]
async fn conforms_on_a_slow_network() {
    let network = Network::new(1);
    let (one, two) = hosts();
    let link = Link { delay: Duration::from_millis(2), jitter: Duration::from_millis(5), drop: 0.0 };
    network.faults().link(Place::Anywhere, Place::Anywhere, link);
    conformance::suite(network.bus(&one), network.bus(&two)).await;
}

#[tokio::test(start_paused = true)]
async fn carries_presence_and_promises() {
    let network = Network::new(1);
    let (one, two) = hosts();
    scenarios::hosts_see_each_other(network.bus(&one), network.bus(&two)).await;
    scenarios::promises_are_given(network.bus(&one), network.bus(&two)).await;
}
