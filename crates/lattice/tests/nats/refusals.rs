//! What a server denies is said in words: credentials, subjects, certificates.

use std::time::Duration;

use dunlin_lattice::Bus;
use dunlin_lattice::nats::{Deed, NatsError};
use dunlin_lattice::permissions::Permissions;
use dunlin_lattice::subjects::Subjects;
use dunlin_manifest::HostId;
use dunlin_testkit::NatsServer;
use tokio::time::timeout;

use super::servers::{PATIENCE, bus, bus_at, connected, no_trouble, trouble};

fn list(patterns: &[String]) -> String {
    let quoted: Vec<String> = patterns.iter().map(|pattern| format!("\"{pattern}\"")).collect();
    quoted.join(", ")
}

/// A server with one user of these permissions.
fn server_for(permissions: &Permissions) -> NatsServer {
    let (publish, subscribe) = (list(&permissions.publish), list(&permissions.subscribe));
    NatsServer::start(&format!(
        "authorization {{ users: [{{ user: host, password: \"p@ss\", \
         permissions: {{ publish: [{publish}], subscribe: [{subscribe}] }} }}] }}"
    ))
}

fn url(server: &NatsServer) -> String {
    format!("nats://host:p%40ss@{}", server.address())
}

fn permissions() -> Permissions {
    Permissions::host(&Subjects::new("todo").unwrap(), &HostId::new("aws", "aws-1"))
}

#[tokio::test]
async fn wrong_credentials_are_said_once_and_right_ones_help() {
    let server = server_for(&permissions());
    for wrong in ["", "host:wrong@", "nobody:p%40ss@", "token@"] {
        let bus = bus_at(&format!("nats://{wrong}{}", server.address()));
        let mut troubles = bus.troubles();
        let (one, _two) = (bus.connect("one").await.unwrap(), bus.connect("two").await.unwrap());
        let words = trouble(&bus, "authorization violation").await;
        assert!(words.contains(&server.address().to_string()) && !words.contains("wrong"), "{words}");
        assert_eq!(bus.trouble(), Some(words));
        assert!(!one.state().borrow().connected);
        // However many attempts and connections, the words are the same and change once.
        troubles.mark_unchanged();
        assert!(timeout(Duration::from_millis(500), troubles.changed()).await.is_err());
        drop((one, _two));
        no_trouble(&bus).await;
    }
    let bus = bus_at(&url(&server));
    let connection = bus.connect("right").await.unwrap();
    connected(&connection, true).await;
    assert_eq!(bus.trouble(), None);
}

#[tokio::test]
async fn a_host_with_all_it_needs_is_denied_nothing() {
    let server = server_for(&permissions());
    let bus = bus_at(&url(&server));
    assert_eq!(bus.probe(&permissions()).await, Ok(vec![]));
    let open = NatsServer::open();
    assert_eq!(super::servers::bus(open.address()).probe(&permissions()).await, Ok(vec![]));
}

/// Whichever of its permissions a host lacks, the probe names it.
#[tokio::test]
async fn each_missing_permission_is_named() {
    let all = permissions();
    for lacking in 0..all.publish.len() {
        let mut some = all.clone();
        let missing = some.publish.remove(lacking);
        let server = server_for(&some);
        let bus = bus_at(&url(&server));
        let denied = bus.probe(&all).await.unwrap();
        let [denied] = &denied[..] else { panic!("{missing}: {denied:?}") };
        assert_eq!((denied.what, &denied.subject), (Deed::Publish, &missing));
        assert!(bus.trouble().unwrap().contains(&missing), "{:?}", bus.trouble());
        bus.probe(&some).await.unwrap();
        assert_eq!(bus.trouble(), None, "what is not asked for any more is no trouble");
        assert!(denied.to_string().contains(&format!("may not publish to {missing}: ")), "{denied}");
    }
    for lacking in 0..all.subscribe.len() {
        let mut some = all.clone();
        let missing = some.subscribe.remove(lacking);
        let server = server_for(&some);
        let denied = bus_at(&url(&server)).probe(&all).await.unwrap();
        let [denied] = &denied[..] else { panic!("{missing}: {denied:?}") };
        assert_eq!((denied.what, &denied.subject), (Deed::Subscribe, &missing));
    }
}

#[tokio::test]
async fn a_probe_disturbs_nobody() {
    let server = NatsServer::open();
    let bus = bus(server.address());
    let connection = bus.connect("everything").await.unwrap();
    connected(&connection, true).await;
    let mut heard = connection.subscribe("todo.>").await.unwrap();
    connection.publish("todo.first", None, "".into()).await.unwrap();
    assert_eq!(&*super::servers::next(&mut heard).await.subject, "todo.first");
    assert_eq!(bus.probe(&permissions()).await, Ok(vec![]));
    connection.publish("todo.last", None, "".into()).await.unwrap();
    assert_eq!(&*super::servers::next(&mut heard).await.subject, "todo.last", "nothing came in between");
}

#[tokio::test]
async fn a_probe_without_a_server_says_so() {
    let mut server = NatsServer::open();
    server.process.kill();
    let error = bus(server.address()).probe(&permissions()).await.unwrap_err();
    assert!(matches!(error, NatsError::Unreachable(_)) && error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_subscription_that_is_refused_is_a_trouble_until_it_is_not() {
    let server = server_for(&permissions());
    let bus = bus_at(&url(&server));
    let connection = bus.connect("curious").await.unwrap();
    connected(&connection, true).await;
    let _never = connection.subscribe("todo.call.gcp.gcp-1.*.*.*.*").await.unwrap();
    let words = trouble(&bus, "todo.call.gcp.gcp-1.*.*.*.*").await;
    assert!(words.contains("Permissions Violation"), "{words}");
    assert!(connection.state().borrow().connected, "the rest works on");
    // A denied publication is logged, and no lasting trouble.
    connection.publish("todo.call.gcp.gcp-1.gcp.gcp-2.todo.f", None, "".into()).await.unwrap();
    let heard = connection.subscribe("todo.watch.*").await.unwrap();
    drop((heard, connection));
    no_trouble(&bus).await;
}

#[tokio::test]
async fn the_last_words_of_a_server_are_kept() {
    let server = NatsServer::start("max_connections: 1");
    let first = bus(server.address());
    let _holder = first.connect("first").await.unwrap();
    connected(&_holder, true).await;
    let second = bus(server.address());
    let _refused = second.connect("second").await.unwrap();
    let words = trouble(&second, "maximum connections exceeded").await;
    assert!(!words.contains("nats: "), "{words}");
    assert!(timeout(PATIENCE, async { first.trouble() }).await.unwrap().is_none());
}
