//! Presence between hosts of one process, on a paused clock, with the network's faults.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::time::Duration;

use bytes::Bytes;
use dunlin_lattice::memory::{Link, Network, Place};
use dunlin_lattice::presence::{MAX_STATE, Presence, PresenceConfig, StateError};
use dunlin_lattice::subjects::{Announcement, Subjects};
use dunlin_lattice::{BusError, Subscription};
use dunlin_manifest::HostId;
use tokio::time::{Instant, sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);

fn host(name: &str) -> HostId {
    HostId::new(name.split('-').next().unwrap(), name)
}

fn subjects() -> Subjects {
    Subjects::new("todo").unwrap()
}

async fn start(network: &Network, name: &str, seed: u64) -> Presence {
    let connection = network.bus(&host(name)).connect("presence").await.unwrap();
    let config =
        PresenceConfig { subjects: subjects(), me: host(name), incarnation: None, seed: Some(seed), rank: 1 };
    Presence::start(connection, config)
}

/// Waits until `presence` shows what is asked for, at most a minute of the paused clock; says how long it took.
async fn until(presence: &Presence, what: impl Fn(&Presence) -> bool) -> Duration {
    let start = Instant::now();
    while !what(presence) {
        assert!(start.elapsed() < SECOND * 60, "it never came to be");
        sleep(Duration::from_millis(10)).await;
    }
    start.elapsed()
}

fn state_of(presence: &Presence, name: &str) -> Option<Bytes> {
    presence.table().get(&host(name))?.state.as_ref().map(|state| state.body.clone())
}

fn sees(name: &'static str) -> impl Fn(&Presence) -> bool {
    move |presence| presence.table().get(&host(name)).is_some()
}

#[tokio::test(start_paused = true)]
async fn hosts_see_each_other_and_their_states() {
    let network = Network::new(1);
    let gcp = start(&network, "gcp-1", 1).await;
    gcp.set_state("first".into()).unwrap();
    sleep(SECOND * 5).await;
    // Late, so that it has to ask.
    let aws = start(&network, "aws-1", 2).await;
    let took = until(&aws, |aws| state_of(aws, "gcp-1").is_some()).await;
    assert!(took <= SECOND / 3, "those who are there greet it: {took:?}");
    until(&gcp, sees("aws-1")).await;
    assert_eq!(state_of(&gcp, "aws-1"), None);
    assert!(gcp.table().get(&host("gcp-1")).is_none(), "the table is of others");

    let mut changes = aws.changes();
    changes.mark_unchanged();
    assert_eq!(gcp.set_state("first".into()), Ok(1), "the same again is nothing");
    assert_eq!(gcp.set_state("second".into()), Ok(2));
    timeout(Duration::from_millis(60), changes.changed()).await.unwrap().unwrap();
    assert_eq!(state_of(&aws, "gcp-1").unwrap(), "second");
    let seen = aws.table().get(&host("gcp-1")).cloned().unwrap();
    assert_eq!((seen.incarnation, seen.rank, seen.protocol), (gcp.incarnation(), 1, 1));

    // A mere beat moves the age and is no change.
    sleep(SECOND * 3).await;
    changes.mark_unchanged();
    sleep(SECOND * 10).await;
    assert!(!changes.has_changed().unwrap());
    assert!(aws.table().get(&host("gcp-1")).unwrap().age(Instant::now()) <= SECOND + SECOND / 2);
}

#[tokio::test(start_paused = true)]
async fn states_are_bounded_and_gathered() {
    let network = Network::new(1);
    let (gcp, aws) = (start(&network, "gcp-1", 1).await, start(&network, "aws-1", 2).await);
    assert_eq!(
        gcp.set_state(vec![0; MAX_STATE + 1].into()),
        Err(StateError::TooLarge { size: MAX_STATE + 1 })
    );
    let watcher = network.bus(&host("gcp-9")).connect("test").await.unwrap();
    let mut states = watcher.subscribe("todo.presence.state.gcp.gcp-1").await.unwrap();
    for number in 0..1000u32 {
        gcp.set_state(number.to_string().into()).unwrap();
        sleep(Duration::from_millis(1)).await;
    }
    until(&aws, |aws| state_of(aws, "gcp-1").is_some_and(|body| body == "999")).await;
    let mut count = 0;
    while timeout(SECOND, states.next()).await.is_ok() {
        count += 1;
    }
    assert!(count <= 22, "{count} states within a second");
    // Nobody asks, nothing changes: once in 25 to 35 s all the same.
    let began = Instant::now();
    timeout(SECOND * 36, states.next()).await.unwrap().unwrap();
    assert!(began.elapsed() > SECOND * 20);
    gcp.set_state(vec![7; MAX_STATE].into()).unwrap();
    until(&aws, |aws| state_of(aws, "gcp-1").is_some_and(|body| body.len() == MAX_STATE)).await;
}

#[tokio::test(start_paused = true)]
async fn goodbye_is_heard_at_once() {
    let network = Network::new(1);
    network.faults().link(Place::Anywhere, Place::Anywhere, Link { delay: SECOND / 50, ..Link::default() });
    let (gcp, aws) = (start(&network, "gcp-1", 1).await, start(&network, "aws-1", 2).await);
    until(&aws, sees("gcp-1")).await;
    until(&gcp, sees("aws-1")).await;
    let start = Instant::now();
    gcp.goodbye().await;
    assert!(start.elapsed() < SECOND / 10, "{:?}", start.elapsed());
    until(&aws, |aws| aws.table().get(&host("gcp-1")).unwrap().goodbye).await;
    assert!(start.elapsed() < SECOND / 10);
}

#[tokio::test(start_paused = true)]
async fn goodbye_is_bounded_without_a_bus() {
    let network = Network::new(1);
    let gcp = start(&network, "gcp-1", 1).await;
    sleep(SECOND).await;
    network.faults().disconnect(&host("gcp-1"));
    let start = Instant::now();
    gcp.goodbye().await;
    assert!(start.elapsed() <= SECOND * 2);
}

#[tokio::test(start_paused = true)]
async fn a_restarted_host_is_another() {
    let network = Network::new(1);
    let aws = start(&network, "aws-1", 2).await;
    let old = start(&network, "gcp-1", 1).await;
    old.set_state("old".into()).unwrap();
    until(&aws, |aws| state_of(aws, "gcp-1").is_some()).await;
    network.faults().kill(&host("gcp-1"));
    drop(old);
    let new = start(&network, "gcp-1", 3).await;
    until(&aws, |aws| aws.table().get(&host("gcp-1")).unwrap().incarnation == new.incarnation()).await;
    assert_eq!(state_of(&aws, "gcp-1"), None, "what the former one showed is forgotten");
    assert_eq!(aws.clock_of(&host("gcp-1")).unwrap().incarnation, new.incarnation());
}

#[tokio::test(start_paused = true)]
async fn a_disconnected_host_is_deaf_and_loses_its_beats() {
    let network = Network::new(1);
    let (gcp, aws) = (start(&network, "gcp-1", 1).await, start(&network, "aws-1", 2).await);
    assert!(!gcp.deaf() && !gcp.ever_heard(), "not deaf before it could hear");
    until(&gcp, sees("aws-1")).await;
    sleep(SECOND * 5).await;
    network.faults().disconnect(&host("gcp-1"));
    let took = until(&gcp, Presence::deaf).await;
    assert!((SECOND * 2..=SECOND * 3).contains(&took), "{took:?}");
    sleep(SECOND * 30).await;
    let sequence = aws.table().get(&host("gcp-1")).unwrap().sequence;
    network.faults().reconnect(&host("gcp-1"));
    let took = until(&gcp, |gcp| !gcp.deaf()).await;
    assert!((SECOND * 5..=SECOND * 7).contains(&took), "{took:?}");
    // Dropped, not queued: the next one heard skips all that were lost.
    let seen = aws.table().get(&host("gcp-1")).cloned().unwrap();
    assert!(seen.sequence > sequence + 30);
    assert!(gcp.table().get(&host("aws-1")).is_some(), "unknown is not dead");
}

#[tokio::test(start_paused = true)]
async fn a_host_started_without_a_bus_joins_later() {
    let network = Network::new(1);
    let aws = start(&network, "aws-1", 2).await;
    let connection = network.bus(&host("gcp-1")).connect("presence").await.unwrap();
    network.faults().disconnect(&host("gcp-1"));
    let config =
        PresenceConfig { subjects: subjects(), me: host("gcp-1"), incarnation: Some(7), seed: None, rank: 2 };
    let gcp = Presence::start(connection, config);
    gcp.set_state("state".into()).unwrap();
    assert_eq!(until(&gcp, Presence::deaf).await, SECOND * 3);
    assert!(!gcp.ever_heard());
    network.faults().reconnect(&host("gcp-1"));
    let took = until(&aws, |aws| state_of(aws, "gcp-1").is_some()).await;
    assert!(took <= SECOND, "{took:?}");
    assert_eq!((gcp.incarnation(), aws.table().get(&host("gcp-1")).unwrap().rank), (7, 2));
    until(&gcp, |gcp| gcp.ever_heard() && !gcp.deaf()).await;
}

#[tokio::test(start_paused = true)]
async fn stale_beats_after_a_freeze_are_no_hearing() {
    let network = Network::new(1);
    let (gcp, aws) = (start(&network, "gcp-1", 1).await, start(&network, "aws-1", 2).await);
    until(&aws, sees("gcp-1")).await;
    sleep(SECOND * 5).await;
    network.faults().freeze(&host("gcp-1"));
    sleep(SECOND * 20).await;
    assert!(gcp.deaf() && !aws.deaf());
    network.faults().thaw(&host("gcp-1"));
    sleep(SECOND / 10).await;
    assert!(gcp.deaf(), "twenty beats at once are not five seconds of hearing");
    let took = until(&gcp, |gcp| !gcp.deaf()).await;
    assert!(took >= SECOND * 4, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_partition_makes_nobody_deaf_and_nobody_dead() {
    let network = Network::new(1);
    let (gcp, aws) = (start(&network, "gcp-1", 1).await, start(&network, "aws-1", 2).await);
    aws.set_state("1".into()).unwrap();
    until(&gcp, |gcp| state_of(gcp, "aws-1").is_some()).await;
    until(&aws, sees("gcp-1")).await;
    network.faults().partition("aws", "gcp");
    aws.set_state("2".into()).unwrap();
    sleep(SECOND * 120).await;
    assert!(!gcp.deaf() && !aws.deaf());
    let seen = gcp.table().get(&host("aws-1")).cloned().unwrap();
    assert!(seen.age(Instant::now()) >= SECOND * 119 && !seen.goodbye);
    assert!(aws.table().get(&host("gcp-1")).unwrap().age(Instant::now()) < SECOND * 2);
    network.faults().heal("aws", "gcp");
    let mut changes = gcp.changes();
    timeout(SECOND * 2, changes.changed()).await.expect("being heard again is a change").unwrap();
    until(&gcp, |gcp| state_of(gcp, "aws-1").unwrap() == "2").await;
}

#[tokio::test(start_paused = true)]
async fn lost_states_are_asked_for_again() {
    let network = Network::new(3);
    let (gcp, aws) = (start(&network, "gcp-1", 1).await, start(&network, "aws-1", 2).await);
    network.faults().link("gcp", "aws", Link { drop: 0.7, jitter: SECOND, ..Link::default() });
    for number in 0..20u32 {
        gcp.set_state(number.to_string().into()).unwrap();
        let took =
            until(&aws, |aws| state_of(aws, "gcp-1").is_some_and(|body| body == number.to_string())).await;
        assert!(took < SECOND * 30, "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn clocks_convert_both_ways_and_are_never_ahead() {
    let network = Network::new(5);
    let aws = start(&network, "aws-1", 2).await;
    sleep(SECOND * 100).await;
    let gcp = start(&network, "gcp-1", 1).await;
    let link = Link { delay: SECOND / 20, jitter: SECOND / 2, drop: 0.1 };
    network.faults().link("aws", "gcp", link);
    sleep(SECOND * 60).await;
    let clock = gcp.clock_of(&host("aws-1")).unwrap();
    assert_eq!(clock.incarnation, aws.incarnation());
    let (there, by_clock) = (aws.uptime(), clock.to_peer(Instant::now()));
    assert!(by_clock <= there && there - by_clock < SECOND / 10, "{there:?} {by_clock:?}");
    let deadline = Instant::now() + SECOND * 5;
    let read = aws.own_clock().to_local(clock.to_peer(deadline));
    assert!(read <= deadline && deadline - read < SECOND / 10);
    let back = clock.to_local(clock.to_peer(deadline));
    assert!(back.max(deadline) - back.min(deadline) < SECOND / 1000);
}

#[tokio::test(start_paused = true)]
async fn forgets_after_ten_minutes_but_not_while_deaf() {
    let network = Network::new(1);
    let gcp = start(&network, "gcp-1", 1).await;
    let aws = start(&network, "aws-1", 2).await;
    until(&gcp, sees("aws-1")).await;
    network.faults().disconnect(&host("gcp-1"));
    sleep(SECOND * 1200).await;
    assert!(gcp.deaf() && sees("aws-1")(&gcp));
    network.faults().reconnect(&host("gcp-1"));
    sleep(SECOND * 60).await;
    assert!(sees("aws-1")(&gcp));
    drop(aws);
    sleep(SECOND * 590).await;
    assert!(sees("aws-1")(&gcp));
    sleep(SECOND * 15).await;
    assert!(!sees("aws-1")(&gcp));
}

#[tokio::test(start_paused = true)]
async fn names_must_fit_the_subject() {
    let network = Network::new(1);
    let (gcp, aws) = (start(&network, "gcp-1", 1).await, start(&network, "aws-1", 2).await);
    until(&gcp, sees("aws-1")).await;
    // A true beat of aws-1, sent again under another name.
    let hostile = network.bus(&host("aws-9")).connect("test").await.unwrap();
    let mut beats: Subscription = hostile.subscribe("todo.presence.beat.aws.aws-1").await.unwrap();
    let beat = beats.next().await.unwrap();
    let subject = subjects().announcement(Announcement::Beat, &host("aws-9"));
    hostile.publish(&subject, None, beat.payload).await.unwrap();
    sleep(SECOND).await;
    assert_eq!(gcp.table().len(), 1);
    assert_eq!((gcp.refused(), aws.refused()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_host_notices_another_of_its_name() {
    let network = Network::new(1);
    let one = start(&network, "gcp-1", 1).await;
    let aws = start(&network, "aws-1", 2).await;
    sleep(SECOND * 2).await;
    let two = start(&network, "gcp-1", 3).await;
    sleep(SECOND * 3).await;
    assert!(one.contested() && two.contested() && !aws.contested());
    // The later one holds; they do not take turns.
    assert_eq!(aws.table().get(&host("gcp-1")).unwrap().incarnation, two.incarnation());
    sleep(SECOND * 3).await;
    assert_eq!(aws.table().get(&host("gcp-1")).unwrap().incarnation, two.incarnation());
}

#[tokio::test(start_paused = true)]
async fn dropping_it_silences_the_host() -> Result<(), BusError> {
    let network = Network::new(1);
    let gcp = start(&network, "gcp-1", 1).await;
    let watcher = network.bus(&host("aws-1")).connect("test").await?;
    let mut heard = watcher.subscribe("todo.presence.>").await?;
    heard.next().await.unwrap();
    drop(gcp);
    assert!(timeout(SECOND * 60, heard.next()).await.is_err());
    assert_eq!(network.subscriptions(), 1, "its connection is closed with it");
    Ok(())
}

/// The connection is gone for good and a state waits to be sent: the task idles, it does not spin.
#[tokio::test(start_paused = true)]
async fn a_closed_connection_costs_nothing() {
    let network = Network::new(1);
    let gcp = start(&network, "gcp-1", 1).await;
    gcp.set_state("1".into()).unwrap();
    sleep(SECOND * 2).await;
    network.faults().kill(&host("gcp-1"));
    gcp.set_state("2".into()).unwrap();
    sleep(SECOND * 3600).await;
    assert!(gcp.deaf());
    gcp.goodbye().await;
}

/// A hundred hosts that all start at once: everybody holds everybody's state within seconds, with few messages.
#[tokio::test(start_paused = true)]
async fn a_hundred_hosts_converge() {
    let network = Network::new(1);
    let link = Link { delay: SECOND / 100, jitter: SECOND / 20, drop: 0.01 };
    network.faults().link(Place::Anywhere, Place::Anywhere, link);
    let mut hosts = Vec::new();
    for number in 0..100u64 {
        let presence = start(&network, &format!("gcp-{number}"), number).await;
        presence.set_state(number.to_string().into()).unwrap();
        hosts.push(presence);
    }
    let everybody = |presence: &Presence| {
        let table = presence.table();
        table.len() == 99 && table.iter().all(|(_, seen)| seen.state.is_some() && seen.current())
    };
    let mut took = Duration::ZERO;
    for presence in &hosts {
        took += until(presence, everybody).await;
    }
    assert!(took < SECOND * 10, "{took:?}");
    assert_eq!(network.dropped(), 0);
}
