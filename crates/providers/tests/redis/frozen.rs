//! A server that is frozen and wakes: nothing that its callers gave up is executed then.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dunlin_providers::keyvalue::limits::VALUE_BYTES;
use dunlin_providers::keyvalue::{Error, KeyValue, RedisStore, Swap};
use dunlin_testkit::{RedisServer, eventually};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::common::{LONG, connect, context, say, settings, within};

/// How many commands the server refused as late.
fn refused_as_late(server: &RedisServer) -> usize {
    let errors = say(server, &["INFO", "errorstats"]);
    let count = errors.lines().find_map(|line| line.strip_prefix("errorstat_LATE:count="));
    count.map_or(0, |count| count.trim().parse().unwrap())
}

fn is_unknown<T>(result: Result<T, Error>) -> bool {
    matches!(result, Err(Error::Unknown(_)))
}

/// Every kind of write at once, to keys of its own; all must end as unknown.
async fn write_everything(store: &RedisStore, time: Duration) {
    let (context, pairs, keys) = (within(time), [("many".to_owned(), "new".into())], ["gone too".to_owned()]);
    let old = Bytes::from_static(b"old");
    let results = tokio::join!(
        store.set(&context, "b", "set", "new".into()),
        store.increment(&context, "b", "count", 1),
        store.delete(&context, "b", "gone"),
        store.compare_and_swap(&context, "b", "swap", Some(&old), "new".into()),
        store.set_many(&context, "b", &pairs),
        store.delete_many(&context, "b", &keys),
    );
    let (set, increment, delete, swap, set_many, delete_many) = results;
    assert!(is_unknown(set) && is_unknown(increment) && is_unknown(delete));
    assert!(is_unknown(swap) && is_unknown(set_many) && is_unknown(delete_many));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_callers_gave_up_is_not_executed_on_waking() {
    let server = RedisServer::start(&[]);
    let store = connect(settings(server.address())).await;
    for key in ["set", "gone", "gone too", "swap", "many"] {
        store.set(&context(), "b", key, "old".into()).await.unwrap();
    }
    store.increment(&context(), "b", "count", 41).await.unwrap();

    server.process.freeze();
    write_everything(&store, Duration::from_millis(300)).await;
    // To show that it would be: a plain command, sent at the same time, is executed on waking.
    let mut plain = TcpStream::connect(server.address()).unwrap();
    plain.write_all(b"SET plain executed\r\n").unwrap();
    server.process.thaw();

    eventually("the plain command", LONG, || (say(&server, &["GET", "plain"]) == "executed").then_some(()));
    // They did arrive, and were refused.
    eventually("six refusals", LONG, || (refused_as_late(&server) == 6).then_some(()));
    for key in ["set", "gone", "gone too", "swap", "many"] {
        assert_eq!(say(&server, &["GET", &format!("b:{key}")]), "old", "{key}");
    }
    assert_eq!(say(&server, &["GET", "b:count"]), "41");

    timeout(LONG, store.ready()).await.unwrap();
    assert_eq!(store.increment(&context(), "b", "count", 1).await, Ok(42));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_freeze_is_only_a_delay() {
    let server = RedisServer::start(&[]);
    let store = connect(settings(server.address())).await;
    server.process.freeze();
    let writing = Arc::clone(&store);
    let writer = tokio::spawn(async move { writing.increment(&context(), "b", "n", 1).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!writer.is_finished());
    server.process.thaw();
    assert_eq!(writer.await.unwrap(), Ok(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_queues_up_behind_a_server_that_does_not_answer() {
    let server = RedisServer::start(&[]);
    let store = connect(settings(server.address())).await;
    let warm = Bytes::from_static(b"1");
    assert_eq!(store.compare_and_swap(&context(), "b", "k", None, warm).await, Ok(Swap::Swapped));
    server.process.freeze();
    let (began, mut written) = (Instant::now(), 0);
    while began.elapsed() < Duration::from_secs(4) {
        let asked = Instant::now();
        match store.increment(&within(Duration::from_millis(400)), "b", "n", 1).await {
            Err(Error::Unknown(_)) => written += 1,
            Err(Error::NotExecuted(_)) => tokio::time::sleep(Duration::from_millis(5)).await,
            other => panic!("{other:?}"),
        }
        assert!(asked.elapsed() < Duration::from_millis(800), "{:?}", asked.elapsed());
    }
    let trouble = store.trouble().unwrap();
    assert!(trouble.contains("no") && trouble.contains("answer"), "{trouble}");
    // Each connection may take a command until it is known to be silent.
    assert!((1..=4).contains(&written), "{written}");
    server.process.thaw();
    timeout(LONG, store.ready()).await.unwrap();
    assert_eq!(store.get(&context(), "b", "n").await, Ok(None));
    assert_eq!(refused_as_late(&server), written);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_socket_did_not_take_is_known_not_to_be_executed() {
    let server = RedisServer::start(&[]);
    let store = connect(settings(server.address())).await;
    server.process.freeze();
    let mut writers = JoinSet::new();
    for number in 0..7 {
        let (store, value) = (Arc::clone(&store), Bytes::from(vec![7; VALUE_BYTES]));
        writers.spawn(async move {
            store.set(&within(Duration::from_millis(700)), "b", &number.to_string(), value).await
        });
    }
    let results = writers.join_all().await;
    let unknown = results.iter().filter(|result| matches!(result, Err(Error::Unknown(_)))).count();
    let not = results.iter().filter(|result| matches!(result, Err(Error::NotExecuted(_)))).count();
    assert!(unknown >= 1 && not >= 5 && unknown + not == 7, "{unknown} unknown, {not} not executed");
    server.process.thaw();
    timeout(LONG, store.ready()).await.unwrap();
    store.set(&context(), "b", "after", "v".into()).await.unwrap();
    assert_eq!(store.list_keys(&context(), "b", None).await.unwrap().keys, ["after"]);
}
