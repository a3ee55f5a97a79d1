//! Witnesses and watchers on the in-process bus.

use std::time::SystemTime;

use bytes::Bytes;

use super::*;
use crate::BusError;
use crate::call::Ending;
use crate::memory::Network;
use crate::router::Place;

fn subjects() -> Subjects {
    Subjects::new("todo").unwrap()
}

fn host(name: &str) -> HostId {
    HostId::new(name.split('-').next().unwrap(), name)
}

fn record(from: &str, function: &str) -> Record {
    Record {
        at: SystemTime::UNIX_EPOCH,
        trace: Some("0af7651916cd43dd8448eb211c80319c".into()),
        from: host(from),
        component: "todo".into(),
        link: "store".into(),
        target: "redis".into(),
        function: function.into(),
        to: Some(host("gcp-1")),
        place: Some(Place::OtherSite),
        attempts: 2,
        took: Duration::from_micros(1500),
        ending: Ending::Answered,
        asked: 10,
        answered: 20,
    }
}

async fn connect(network: &Network, name: &str) -> Arc<dyn Connection> {
    network.bus(&host(name)).connect("witness").await.unwrap()
}

async fn witness(network: &Network, name: &str) -> Witness {
    Witness::start(connect(network, name).await, subjects(), host(name)).await
}

async fn watch(network: &Network) -> Watcher {
    Watcher::start(connect(network, "gcp-9").await, subjects(), "gcp-9").await.unwrap()
}

/// Waits until `witness` knows that it is watched, or no longer.
async fn until(witness: &Witness, watched: bool) {
    for _ in 0..1000 {
        if witness.watched() == watched {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("watched: {}", witness.watched());
}

#[tokio::test(start_paused = true)]
async fn all_hosts_tell_while_somebody_watches_and_nobody_else() {
    let network = Network::new(1);
    let listener = connect(&network, "gcp-8").await;
    let mut overheard = listener.subscribe("todo.trace.>").await.unwrap();
    let (one, two) = (witness(&network, "gcp-1").await, witness(&network, "aws-1").await);
    one.tell(record("gcp-1", "unheard"));
    assert!(!one.watched(), "nobody watches");

    let mut watcher = watch(&network).await;
    until(&one, true).await;
    until(&two, true).await;
    one.tell(record("gcp-1", "get"));
    two.tell(record("aws-1", "set"));
    let mut heard = Vec::new();
    for _ in 0..2 {
        let Told::Record(record) = watcher.next().await else { panic!("nothing was missed") };
        heard.push(*record);
    }
    heard.sort_by(|one, other| one.function.cmp(&other.function));
    assert_eq!(heard, [record("gcp-1", "get"), record("aws-1", "set")]);
    // Far longer than one word of the viewer counts.
    sleep(WATCHED * 3).await;
    assert!(one.watched());

    drop(watcher);
    until(&one, false).await;
    until(&two, false).await;
    one.tell(record("gcp-1", "unheard"));
    sleep(Duration::from_secs(1)).await;
    let mut subjects = Vec::new();
    while let Ok(Some(message)) = tokio::time::timeout(Duration::from_millis(10), overheard.next()).await {
        subjects.push(message.subject.to_string());
    }
    subjects.sort();
    assert_eq!(subjects, ["todo.trace.aws.aws-1.todo", "todo.trace.gcp.gcp-1.todo"]);
}

#[tokio::test(start_paused = true)]
async fn too_many_are_dropped_and_the_viewer_learns_how_many() {
    let network = Network::new(1);
    let one = witness(&network, "gcp-1").await;
    let mut watcher = watch(&network).await;
    until(&one, true).await;
    // Nothing runs meanwhile, so all of them have to wait.
    for _ in 0..QUEUE + 50 {
        one.tell(record("gcp-1", "get"));
    }
    assert_eq!(one.dropped(), 50);
    sleep(Duration::from_secs(2)).await;
    one.tell(record("gcp-1", "last"));
    let (mut heard, mut missed) = (0, 0);
    loop {
        match watcher.next().await {
            Told::Missed(count) => missed += count,
            Told::Record(record) if record.function == "last" => break,
            Told::Record(_) => heard += 1,
        }
    }
    assert_eq!((heard, missed), (QUEUE, 0), "numbers begin where the watcher begins to hear");
    for _ in 0..QUEUE + 50 {
        one.tell(record("gcp-1", "get"));
    }
    sleep(Duration::from_secs(2)).await;
    one.tell(record("gcp-1", "last"));
    loop {
        match watcher.next().await {
            Told::Missed(count) => missed += count,
            Told::Record(record) if record.function == "last" => break,
            Told::Record(_) => {}
        }
    }
    assert_eq!(missed, 50);
}

#[tokio::test(start_paused = true)]
async fn one_host_publishes_so_many_a_second_and_no_more() {
    let network = Network::new(1);
    let one = witness(&network, "gcp-1").await;
    let _watcher = watch(&network).await;
    until(&one, true).await;
    for _ in 0..MOST + 100 {
        one.tell(record("gcp-1", "get"));
        tokio::task::yield_now().await;
    }
    sleep(Duration::from_millis(1)).await;
    assert_eq!(one.dropped(), 100);
}

#[tokio::test(start_paused = true)]
async fn what_is_malformed_is_refused() {
    let network = Network::new(1);
    let hostile = connect(&network, "aws-9").await;
    let one = witness(&network, "gcp-1").await;
    for payload in [&b""[..], &[9], &[1, 0xff, 0xff]] {
        hostile.publish("todo.watch.me", None, Bytes::copy_from_slice(payload)).await.unwrap();
    }
    hostile.publish("todo.watch.NOBODY", None, Bytes::from_static(&[1])).await.unwrap();
    for _ in 0..100 {
        if one.refused() == 4 {
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!((one.refused(), one.watched()), (4, false));

    let mut watcher = watch(&network).await;
    until(&one, true).await;
    for payload in [&b""[..], &[9], &[1], &[1, 0xff, 0xff]] {
        hostile.publish("todo.trace.aws.aws-9.todo", None, Bytes::copy_from_slice(payload)).await.unwrap();
    }
    one.tell(record("gcp-1", "get"));
    assert!(matches!(watcher.next().await, Told::Record(record) if record.function == "get"));
    assert_eq!(watcher.refused(), 4);
    let refused = Watcher::start(hostile, subjects(), "*").await;
    assert!(matches!(refused, Err(BusError::Refused { .. })), "{refused:?}");
}
