//! The in-process bus, with and without faults.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use tokio::time::{Instant, timeout};

use super::*;
use crate::bus::{BusError, Connection, Message, Subscription};

fn host(name: &str) -> HostId {
    HostId::new(name.split('-').next().unwrap(), name)
}

async fn connect(network: &Network, name: &str) -> Arc<dyn Connection> {
    network.bus(&host(name)).connect("test").await.unwrap()
}

async fn send(connection: &Arc<dyn Connection>, number: u32) {
    connection.publish("x", None, number.to_be_bytes().to_vec().into()).await.unwrap();
}

fn number(message: &Message) -> u32 {
    u32::from_be_bytes(message.payload[..].try_into().unwrap())
}

/// Everything that comes until nothing came for a minute, with the milliseconds after `start`.
async fn all(subscription: &mut Subscription, start: Instant) -> Vec<(u32, u128)> {
    let mut came = Vec::new();
    while let Ok(Some(message)) = timeout(Duration::from_secs(60), subscription.next()).await {
        came.push((number(&message), start.elapsed().as_millis()));
    }
    came
}

fn millis(delay: u64, jitter: u64) -> Link {
    Link { delay: Duration::from_millis(delay), jitter: Duration::from_millis(jitter), drop: 0.0 }
}

#[tokio::test(start_paused = true)]
async fn delay_and_jitter_keep_the_order_of_each_connection_only() {
    let network = Network::new(7);
    network.faults().link("gcp", "aws", millis(20, 100));
    let (one, two, to) =
        tokio::join!(connect(&network, "gcp-1"), connect(&network, "gcp-1"), connect(&network, "aws-1"));
    let mut heard = to.subscribe("x").await.unwrap();
    let start = Instant::now();
    for turn in 0..200 {
        send(&one, 2 * turn).await;
        send(&two, 2 * turn + 1).await;
    }
    let came = all(&mut heard, start).await;
    assert_eq!(came.len(), 400);
    let (even, odd): (Vec<u32>, Vec<u32>) =
        came.iter().map(|(number, _)| *number).partition(|number| number % 2 == 0);
    assert!(even.is_sorted() && odd.is_sorted());
    assert!(!came.iter().map(|(number, _)| *number).is_sorted(), "connections overtake each other");
    assert!(came.iter().all(|(_, at)| (20..=122).contains(at)));
}

#[tokio::test(start_paused = true)]
async fn the_most_exact_link_counts() {
    let network = Network::new(7);
    let faults = network.faults();
    faults.link(Place::Anywhere, Place::Anywhere, millis(500, 0));
    faults.link("gcp", "aws", millis(50, 0));
    faults.link(&host("gcp-2"), "aws", millis(5, 0));
    let to = connect(&network, "aws-1").await;
    let mut heard = to.subscribe("x").await.unwrap();
    for (name, delay) in [("gcp-1", 50), ("gcp-2", 5), ("aws-2", 500)] {
        let start = Instant::now();
        let from = connect(&network, name).await;
        send(&from, 1).await;
        assert_eq!(all(&mut heard, start).await, [(1, delay)], "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_seed_is_one_story() {
    let story = async |seed| {
        let network = Network::new(seed);
        network.faults().link("gcp", "aws", Link { drop: 0.3, ..millis(1, 50) });
        let (from, to) = tokio::join!(connect(&network, "gcp-1"), connect(&network, "aws-1"));
        let mut heard = to.subscribe("x").await.unwrap();
        let start = Instant::now();
        for count in 0..500 {
            send(&from, count).await;
        }
        all(&mut heard, start).await
    };
    let first = story(1).await;
    assert_eq!(first, story(1).await);
    assert_ne!(first, story(2).await);
    assert!((300..400).contains(&first.len()), "{} of 500 came", first.len());
}

#[tokio::test(start_paused = true)]
async fn partitions_have_a_direction() {
    let network = Network::new(1);
    let (gcp, aws) = tokio::join!(connect(&network, "gcp-1"), connect(&network, "aws-1"));
    let (mut at_gcp, mut at_aws) = (gcp.subscribe("x").await.unwrap(), aws.subscribe("x").await.unwrap());
    network.faults().partition("gcp", "aws");
    send(&gcp, 1).await;
    send(&aws, 2).await;
    network.faults().heal("gcp", "aws");
    send(&gcp, 3).await;
    let start = Instant::now();
    assert_eq!(
        all(&mut at_gcp, start).await.iter().map(|(number, _)| *number).collect::<Vec<_>>(),
        [1, 2, 3]
    );
    assert_eq!(all(&mut at_aws, start).await.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_host_knows_whether_its_site_is_linked() {
    let network = Network::new(1);
    let one = connect(&network, "gcp-1").await;
    assert_eq!(one.linked("reply").await, Some(true), "alone in the world");
    let _others = (connect(&network, "aws-1").await, connect(&network, "edge-1").await);
    network.faults().partition("gcp", "aws");
    network.faults().partition("aws", "gcp");
    assert_eq!(one.linked("reply").await, Some(true), "there is another site");
    network.faults().partition("gcp", "edge");
    assert_eq!(one.linked("reply").await, Some(true), "one way is left");
    network.faults().partition("edge", "gcp");
    assert_eq!(one.linked("reply").await, Some(false));
    network.faults().calm();
    network.faults().disconnect(&host("gcp-1"));
    assert_eq!(one.linked("reply").await, Some(false));
}

#[tokio::test(start_paused = true)]
async fn a_partition_is_silent() {
    let network = Network::new(1);
    let (gcp, aws) = tokio::join!(connect(&network, "gcp-1"), connect(&network, "aws-1"));
    let (mut replies, _heard) = (gcp.subscribe("reply").await.unwrap(), aws.subscribe("x").await.unwrap());
    network.faults().partition("gcp", "aws");
    gcp.publish("x", Some("reply"), Bytes::new()).await.unwrap();
    assert!(timeout(Duration::from_secs(60), replies.next()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_frozen_host_gets_everything_late() {
    let network = Network::new(1);
    network.faults().link("gcp", "aws", millis(10, 0));
    let (gcp, aws) = tokio::join!(connect(&network, "gcp-1"), connect(&network, "aws-1"));
    let (mut at_gcp, mut at_aws) = (gcp.subscribe("x").await.unwrap(), aws.subscribe("x").await.unwrap());
    let start = Instant::now();
    send(&gcp, 1).await;
    network.faults().freeze(&host("aws-1"));
    send(&gcp, 2).await;
    send(&aws, 3).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    send(&gcp, 4).await;
    for expected in [1, 2, 4] {
        assert_eq!(number(&at_gcp.next().await.unwrap()), expected, "nothing leaves a frozen host");
    }
    network.faults().thaw(&host("aws-1"));
    send(&gcp, 5).await;
    assert_eq!(all(&mut at_gcp, start).await.len(), 2);
    let came = all(&mut at_aws, start).await;
    let from_gcp: Vec<_> = came.iter().filter(|(number, _)| *number != 3).copied().collect();
    assert!(
        came.iter().any(|(number, at)| *number == 3 && *at >= 30_000),
        "its own message was held as well"
    );
    assert_eq!(from_gcp.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2, 4, 5]);
    assert!(from_gcp.iter().all(|(_, at)| *at >= 30_000));
}

#[tokio::test(start_paused = true)]
async fn disconnection_loses_what_is_under_way_and_raises_the_generation() {
    let network = Network::new(1);
    network.faults().link("gcp", "aws", millis(10, 0));
    let (gcp, aws) = tokio::join!(connect(&network, "gcp-1"), connect(&network, "aws-1"));
    let mut replies = gcp.subscribe("reply").await.unwrap();
    let mut heard = aws.subscribe("x").await.unwrap();
    let mut state = aws.state();
    send(&gcp, 1).await;
    network.faults().disconnect(&host("aws-1"));
    state.changed().await.unwrap();
    assert!(!state.borrow_and_update().connected);
    assert_eq!(aws.publish("x", None, Bytes::new()).await, Err(BusError::Disconnected));
    assert_eq!(aws.subscribe("y").await.err(), Some(BusError::Disconnected));
    assert!(network.bus(&host("aws-1")).connect("another").await.is_err());
    // The server knows that nobody is there.
    gcp.publish("x", Some("reply"), 2u32.to_be_bytes().to_vec().into()).await.unwrap();
    assert!(replies.next().await.unwrap().no_responders);
    network.faults().reconnect(&host("aws-1"));
    state.changed().await.unwrap();
    assert_eq!((state.borrow().connected, state.borrow().generation), (true, 2));
    send(&gcp, 3).await;
    assert_eq!(
        all(&mut heard, Instant::now()).await.iter().map(|(number, _)| *number).collect::<Vec<_>>(),
        [3]
    );
}

#[tokio::test(start_paused = true)]
async fn a_killed_host_comes_back_as_another() {
    let network = Network::new(1);
    let (gcp, old) = tokio::join!(connect(&network, "gcp-1"), connect(&network, "aws-1"));
    let mut heard = old.subscribe("x").await.unwrap();
    network.faults().kill(&host("aws-1"));
    assert!(heard.next().await.is_none());
    assert!(!old.state().borrow().connected);
    assert_eq!(old.subscribe("x").await.err(), Some(BusError::Disconnected));
    let new = connect(&network, "aws-1").await;
    let mut heard = new.subscribe("x").await.unwrap();
    send(&gcp, 1).await;
    assert_eq!(number(&heard.next().await.unwrap()), 1);
    network.faults().calm();
    assert_eq!(old.publish("x", None, Bytes::new()).await, Err(BusError::Disconnected));
}

#[tokio::test]
async fn subscriptions_leave_nothing_behind() {
    let network = Network::new(1);
    let (gcp, aws) = tokio::join!(connect(&network, "gcp-1"), connect(&network, "aws-1"));
    for count in 0..100 {
        drop(aws.subscribe(&format!("reply.{count}")).await.unwrap());
    }
    assert_eq!(network.subscriptions(), 1, "each clears away the former");
    gcp.publish("reply.99", None, Bytes::new()).await.unwrap();
    assert_eq!(network.subscriptions(), 0);
    let _kept = gcp.subscribe("x.*").await.unwrap();
    let lost = aws.subscribe("x.>").await.unwrap();
    drop(aws);
    assert_eq!(network.subscriptions(), 1);
    drop(lost);
}

#[tokio::test]
async fn slow_consumers_are_counted() {
    let network = Network::new(1);
    let (gcp, aws) = tokio::join!(connect(&network, "gcp-1"), connect(&network, "aws-1"));
    let _sleeper = aws.subscribe("x").await.unwrap();
    for count in 0..4096 + 10 {
        send(&gcp, count).await;
    }
    assert_eq!(network.dropped(), 10);
    assert_eq!((aws.dropped(), gcp.dropped()), (10, 0));
}

/// Whether a pattern matches, said as plainly as can be.
fn matches(pattern: &[&str], subject: &[&str]) -> bool {
    match (pattern, subject) {
        ([], []) => true,
        ([">"], [_, ..]) => true,
        (["*", pattern @ ..], [_, subject @ ..]) => matches(pattern, subject),
        ([name, pattern @ ..], [token, subject @ ..]) => name == token && matches(pattern, subject),
        _ => false,
    }
}

proptest! {
    #[test]
    fn messages_reach_whom_the_patterns_say(
        patterns in proptest::collection::vec("([ab*]\\.){0,3}[ab*>]", 1..20),
        dropped in proptest::collection::vec(any::<bool>(), 20),
        subjects in proptest::collection::vec("([ab]\\.){0,3}[ab]", 1..10),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let network = Network::new(1);
            let connection = connect(&network, "gcp-1").await;
            let mut listening = Vec::new();
            for pattern in &patterns {
                listening.push(Some((pattern, connection.subscribe(pattern).await.unwrap())));
            }
            for (slot, dropped) in listening.iter_mut().zip(&dropped) {
                if *dropped {
                    *slot = None;
                }
            }
            for subject in &subjects {
                connection.publish(subject, None, Bytes::new()).await.unwrap();
            }
            drop(connection);
            for (pattern, mut subscription) in listening.into_iter().flatten() {
                let pattern: Vec<_> = pattern.split('.').collect();
                for subject in subjects.iter().filter(|subject| matches(&pattern, &subject.split('.').collect::<Vec<_>>())) {
                    assert_eq!(&*subscription.next().await.unwrap().subject, subject.as_str());
                }
                assert!(subscription.next().await.is_none());
            }
            assert_eq!(network.subscriptions(), 0);
        });
    }
}
