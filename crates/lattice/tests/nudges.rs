//! Nudges on the in-process bus: everybody else hears of a commit, and bytes that nobody meant are passed over.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::time::Duration;

use bytes::Bytes;
use dunlin_lattice::memory::Network;
use dunlin_lattice::nudge::{Nudger, encode};
use dunlin_lattice::subjects::Subjects;
use dunlin_manifest::HostId;
use tokio::sync::watch;
use tokio::time::timeout;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

struct Host {
    seen: watch::Sender<Option<String>>,
    heard: watch::Receiver<Option<String>>,
    nudger: Nudger,
}

async fn host(network: &Network, site: &str, name: &str) -> Host {
    let me = HostId::new(site, name);
    let connection = network.bus(&me).connect("nudges").await.unwrap();
    let (seen, seen_receiver) = watch::channel(None);
    let (heard_sender, heard) = watch::channel(None);
    let subjects = Subjects::new("todo").unwrap();
    Host { seen, heard, nudger: Nudger::start(connection, subjects, me, seen_receiver, heard_sender) }
}

async fn hears(host: &mut Host) -> Option<String> {
    let heard = timeout(Duration::from_secs(5), host.heard.wait_for(Option::is_some));
    heard.await.expect("nothing was heard").unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn all_others_hear_of_a_commit() {
    let network = Network::new(1);
    let mut hosts = [
        host(&network, "gcp", "gcp-1").await,
        host(&network, "gcp", "gcp-2").await,
        host(&network, "aws", "aws-1").await,
    ];
    tokio::time::sleep(Duration::from_secs(1)).await;
    hosts[0].seen.send_replace(Some(COMMIT.into()));
    for host in &mut hosts[1..] {
        assert_eq!(hears(host).await.as_deref(), Some(COMMIT));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(*hosts[0].heard.borrow(), None, "nobody hears itself");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_nudge_is_passed_over() {
    let network = Network::new(1);
    let mut host = host(&network, "gcp", "gcp-1").await;
    let hostile = network.bus(&HostId::new("aws", "aws-9")).connect("nudges").await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    for payload in
        [Bytes::new(), Bytes::from_static(&[1, 0xff]), encode("main"), encode(&"0".repeat(1 << 16))]
    {
        hostile.publish("todo.nudge.aws.aws-9", None, payload).await.unwrap();
    }
    hostile.publish("todo.nudge.aws.AWS", None, encode(COMMIT)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!((host.nudger.refused(), host.heard.borrow().clone()), (5, None));
    hostile.publish("todo.nudge.aws.aws-9", None, encode(COMMIT)).await.unwrap();
    assert_eq!(hears(&mut host).await.as_deref(), Some(COMMIT));
}
