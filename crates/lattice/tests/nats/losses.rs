//! Servers that are not there, die, freeze and come back.

use std::time::{Duration, Instant};

use bytes::Bytes;
use dunlin_lattice::{Bus, BusError};
use dunlin_testkit::{NatsServer, Proxy};
use tokio::time::timeout;

use super::servers::{PATIENCE, bus, bus_at, connected, next, no_trouble, trouble};

#[tokio::test]
async fn connects_once_there_is_a_server() {
    let mut server = NatsServer::open();
    server.process.kill();
    let bus = bus(server.address());
    let connection = bus.connect("early").await.unwrap();
    assert_eq!(connected(&connection, false).await, 0);
    assert_eq!(connection.max_payload(), 1 << 20);
    assert_eq!(connection.publish("a", None, Bytes::new()).await, Err(BusError::Disconnected));
    assert_eq!(connection.subscribe("a").await.err(), Some(BusError::Disconnected));
    assert!(trouble(&bus, "refused").await.contains(&server.address().to_string()));
    server.revive();
    assert_eq!(connected(&connection, true).await, 1);
    no_trouble(&bus).await;
    let mut heard = connection.subscribe("a").await.unwrap();
    connection.publish("a", None, "here".into()).await.unwrap();
    assert_eq!(next(&mut heard).await.payload, "here");
}

#[tokio::test]
async fn subscriptions_outlive_the_server() {
    let mut server = NatsServer::open();
    let bus = bus(server.address());
    let connection = bus.connect("loyal").await.unwrap();
    let mut early = connection.subscribe("early.*").await.unwrap();
    drop(connection.subscribe("dropped").await.unwrap());
    for generation in 1..=3 {
        assert_eq!(connected(&connection, true).await, generation);
        let mut late = connection.subscribe("late").await.unwrap();
        for (subject, subscription) in [("early.1", &mut early), ("late", &mut late)] {
            let payload = Bytes::from(generation.to_string());
            connection.publish(subject, None, payload.clone()).await.unwrap();
            assert_eq!(next(subscription).await.payload, payload);
        }
        server.process.kill();
        connected(&connection, false).await;
        assert_eq!(connection.publish("early.1", None, Bytes::new()).await, Err(BusError::Disconnected));
        server.revive();
    }
    connected(&connection, true).await;
    let reply = "early.dropped";
    connection.publish("dropped", Some(reply), Bytes::new()).await.unwrap();
    let answer = next(&mut early).await;
    assert!(answer.no_responders && &*answer.subject == reply, "nobody listens to it any more");
}

/// The figure that the module promises: 4.5 s after the last word.
#[tokio::test]
async fn a_frozen_server_is_noticed_and_nothing_stale_is_sent_later() {
    let mut server = NatsServer::open();
    let (sender, hearer) = (bus(server.address()), bus(server.address()));
    let (from, to) = (sender.connect("from").await.unwrap(), hearer.connect("to").await.unwrap());
    let mut heard = to.subscribe("word").await.unwrap();
    from.publish("word", None, "before".into()).await.unwrap();
    // The other connection's subscription may be later than that.
    let before = async {
        while timeout(Duration::from_millis(50), heard.next()).await.is_err() {
            from.publish("word", None, "before".into()).await.unwrap();
        }
    };
    timeout(PATIENCE, before).await.unwrap();
    server.process.freeze();
    let frozen = Instant::now();
    let mut state = from.state();
    let (mut taken, mut slowest) = (0u32, Duration::ZERO);
    // More than sockets hold, so that the client's own queue is full as well.
    while state.borrow_and_update().connected {
        let began = Instant::now();
        match from.publish("word", None, vec![b's'; 60_000].into()).await {
            Ok(()) => taken += 1,
            Err(error) => assert_eq!(error, BusError::Disconnected),
        }
        slowest = slowest.max(began.elapsed());
        assert!(frozen.elapsed() < PATIENCE, "the frozen server was never noticed");
    }
    let noticed = frozen.elapsed();
    assert!(noticed < Duration::from_millis(6500), "noticed after {noticed:?}");
    assert!(noticed > Duration::from_secs(2), "a short pause is no loss: {noticed:?}");
    assert!(slowest < Duration::from_millis(1900), "a publisher waited {slowest:?}");
    assert!(taken > 20, "{taken}");
    trouble(&sender, "lost").await;
    connected(&to, false).await;
    // What the frozen server had received dies with it; what had not left the client must be gone as well.
    server.process.kill();
    server.revive();
    assert_eq!((connected(&from, true).await, connected(&to, true).await), (2, 2));
    let after = async {
        loop {
            from.publish("word", None, "after".into()).await.unwrap();
            let Ok(Some(message)) = timeout(Duration::from_millis(50), heard.next()).await else { continue };
            assert_ne!(message.payload.first(), Some(&b's'), "a stale message was delivered");
            if message.payload == "after" {
                return;
            }
        }
    };
    timeout(PATIENCE, after).await.unwrap();
}

#[tokio::test]
async fn a_short_silence_is_no_loss() {
    let server = NatsServer::open();
    let bus = bus(server.address());
    let connection = bus.connect("patient").await.unwrap();
    assert_eq!(connected(&connection, true).await, 1);
    let mut heard = connection.subscribe("word").await.unwrap();
    server.process.freeze();
    tokio::time::sleep(Duration::from_secs(2)).await;
    connection.publish("word", None, "kept".into()).await.unwrap();
    server.process.thaw();
    assert_eq!(next(&mut heard).await.payload, "kept");
    assert_eq!(connection.state().borrow().generation, 1);
}

#[tokio::test]
async fn a_silent_network_is_noticed_and_left() {
    let server = NatsServer::open();
    let proxy = Proxy::start(server.address(), Duration::ZERO).await;
    let bus = bus(proxy.address());
    let connection = bus.connect("unlucky").await.unwrap();
    assert_eq!(connected(&connection, true).await, 1);
    proxy.silence();
    connected(&connection, false).await;
    trouble(&bus, "no answer within").await;
    proxy.restore();
    assert_eq!(connected(&connection, true).await, 2);
    no_trouble(&bus).await;
}

#[tokio::test]
async fn goes_to_another_server() {
    let (mut first, second) = (NatsServer::open(), NatsServer::open());
    let settings = dunlin_lattice::nats::NatsSettings {
        servers: [first.address(), second.address()].map(|server| format!("nats://{server}")).into(),
        ..Default::default()
    };
    let bus = super::servers::bus_with(settings);
    let mut connections = Vec::new();
    for number in 0..8 {
        let connection = bus.connect(&number.to_string()).await.unwrap();
        connected(&connection, true).await;
        connections.push(connection);
    }
    first.process.kill();
    // Those at the second server stay there, the others come: one can be heard by all.
    let mut heard = Vec::new();
    for connection in &connections {
        let listening = async {
            loop {
                if let Ok(subscription) = connection.subscribe("word").await {
                    return subscription;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        heard.push(timeout(PATIENCE, listening).await.unwrap());
    }
    let listener = super::servers::bus(second.address()).connect("second").await.unwrap();
    for subscription in &mut heard {
        let hearing = async {
            loop {
                listener.publish("word", None, "here".into()).await.unwrap();
                if timeout(Duration::from_millis(50), subscription.next()).await.is_ok() {
                    return;
                }
            }
        };
        timeout(PATIENCE, hearing).await.unwrap();
    }
}

#[tokio::test]
async fn a_connection_dropped_while_it_reconnects_ends_its_subscriptions() {
    let mut server = NatsServer::open();
    let bus = bus(server.address());
    let connection = bus.connect("dropped").await.unwrap();
    connected(&connection, true).await;
    let mut heard = connection.subscribe("word").await.unwrap();
    let mut state = connection.state();
    server.process.kill();
    connected(&connection, false).await;
    trouble(&bus, "refused").await;
    assert!(timeout(Duration::from_millis(100), heard.next()).await.is_err(), "it waits for the next server");
    drop(connection);
    assert!(timeout(PATIENCE, heard.next()).await.expect("it never ended").is_none());
    let closed = async { while state.changed().await.is_ok() {} };
    timeout(PATIENCE, closed).await.expect("the task goes on");
    assert!(!state.borrow().connected);
    no_trouble(&bus).await;
}

/// What was published is still sent when the connection is dropped right after.
#[tokio::test]
async fn the_last_words_are_heard() {
    let server = NatsServer::open();
    let bus = bus(server.address());
    let listener = bus.connect("listener").await.unwrap();
    let mut heard = listener.subscribe("word").await.unwrap();
    let speaker = bus.connect("speaker").await.unwrap();
    let speaking = async {
        loop {
            speaker.publish("word", None, "hello".into()).await.unwrap();
            if timeout(Duration::from_millis(20), heard.next()).await.is_ok() {
                return;
            }
        }
    };
    timeout(PATIENCE, speaking).await.unwrap();
    speaker.publish("word", None, "goodbye".into()).await.unwrap();
    drop(speaker);
    while next(&mut heard).await.payload != "goodbye" {}
}

#[tokio::test]
async fn a_server_that_does_not_greet_is_given_up() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let bus = bus_at(&format!("nats://{}", silent.local_addr().unwrap()));
    let began = Instant::now();
    let connection = bus.connect("early").await.unwrap();
    assert!(began.elapsed() < Duration::from_millis(1900), "{:?}", began.elapsed());
    trouble(&bus, "no answer within 2.5s").await;
    assert!(!connection.state().borrow().connected);
}

/// Attempts become rarer: a server that is away for long is not bothered in a busy loop.
#[tokio::test]
async fn does_not_try_in_a_busy_loop() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bus = bus_at(&format!("nats://{}", listener.local_addr().unwrap()));
    let counting = async {
        let mut attempts = 0u32;
        loop {
            drop(listener.accept().await.unwrap());
            attempts += 1;
            if attempts == 8 {
                return;
            }
        }
    };
    let began = Instant::now();
    let (connection, counted) = tokio::join!(bus.connect("early"), timeout(PATIENCE, counting));
    counted.unwrap();
    drop(connection);
    // 50 + 100 + 200 + 400 + 800 + 1600 + 2000 ms, and half of that at least.
    assert!(began.elapsed() > Duration::from_millis(2500), "{:?}", began.elapsed());
}
