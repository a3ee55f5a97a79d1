//! Bounds: the largest payload as the server has it, and queues that nobody reads.

use dunlin_lattice::{Bus, BusError, Subscription};
use dunlin_testkit::{NatsServer, eventually_async};

use super::servers::{PATIENCE, bus, connected, next};

#[tokio::test]
async fn the_server_says_how_large_a_message_may_be() {
    let mut server = NatsServer::start("max_payload: 64KB");
    let bus = bus(server.address());
    let connection = bus.connect("small").await.unwrap();
    let limit = 64 << 10;
    connected(&connection, true).await;
    assert_eq!(connection.max_payload(), limit);
    let mut heard = connection.subscribe("word").await.unwrap();
    let over = connection.publish("word", None, vec![7; limit + 1].into()).await;
    assert_eq!(over, Err(BusError::TooLarge { size: limit + 1, limit }));
    connection.publish("word", None, vec![7; limit].into()).await.unwrap();
    assert_eq!(next(&mut heard).await.payload.len(), limit);
    assert_eq!(connection.state().borrow().generation, 1, "the server was never told too much");
    // Another server at the same address, with other bounds.
    server.process.kill();
    connected(&connection, false).await;
    let port = server.address().port();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server.conf");
    std::fs::write(&file, format!("host: 127.0.0.1\nport: {port}\nmax_payload: 8KB\n")).unwrap();
    drop(server);
    let _server = NatsServer::with_file(&file, port);
    connected(&connection, true).await;
    assert_eq!(connection.max_payload(), 8 << 10);
}

#[tokio::test]
async fn a_slow_consumer_loses_messages_and_it_shows() {
    let server = NatsServer::open();
    let bus = bus(server.address());
    let connection = bus.connect("calls").await.unwrap();
    connected(&connection, true).await;
    let (mut slow, mut reader) =
        (connection.subscribe("word.>").await.unwrap(), connection.subscribe("word.read").await.unwrap());
    assert_eq!(bus.dropped(), 0);
    let over = 50;
    for _ in 0..Subscription::QUEUE + over {
        connection.publish("word.read", None, "x".into()).await.unwrap();
        next(&mut reader).await;
    }
    let counted = async || (bus.dropped() >= 1).then(|| bus.dropped());
    let counted = eventually_async("drops to be counted", PATIENCE, counted).await;
    assert!(counted <= over as u64, "{counted}");
    for _ in 0..Subscription::QUEUE {
        next(&mut slow).await;
    }
    // There is room again, and the order was kept.
    connection.publish("word.read", None, "last".into()).await.unwrap();
    assert_eq!(next(&mut slow).await.payload, "last");
}
