//! A server that is not there, goes, comes back, stalls or takes no writes; and what callers are told meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dunlin_providers::keyvalue::redis::{RedisSettings, RedisState};
use dunlin_providers::keyvalue::{Error, KeyValue, RedisStore};
use dunlin_testkit::{Proxy, RedisServer, eventually_async, free_port};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::common::{LONG, connect, context, say, settings};

#[tokio::test]
async fn opening_waits_for_nobody_and_a_server_that_is_not_there_is_a_trouble() {
    let address = ([127, 0, 0, 1], free_port()).into();
    let store = RedisStore::new(settings(address)).unwrap();
    assert_eq!((store.state(), store.trouble()), (RedisState::Connecting, None));
    let trouble = eventually_async("a trouble", LONG, async || store.trouble()).await;
    assert!(trouble.contains(&address.to_string()) && trouble.contains("refused"), "{trouble}");
    let began = Instant::now();
    let error = store.set(&context(), "b", "k", "v".into()).await.unwrap_err();
    assert_eq!(error, Error::NotExecuted(trouble));
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    store.close().await;
    assert_eq!(store.state(), RedisState::Closed);
    let closed = store.get(&context(), "b", "k").await;
    assert_eq!(closed, Err(Error::NotExecuted("the store is closed".into())));
}

#[tokio::test]
async fn a_short_loss_is_not_noticed_by_who_comes_after_it() {
    let server = RedisServer::start(&[]);
    for round in 0..5 {
        let store = connect(settings(server.address())).await;
        say(&server, &["CLIENT", "KILL", "TYPE", "normal"]);
        let result = store.set(&context(), "b", "k", round.to_string().into()).await;
        // The loss may not have been noticed when it was written.
        assert!(matches!(result, Ok(()) | Err(Error::Unknown(_))), "{result:?}");
        store.set(&context(), "b", "k", "v".into()).await.unwrap();
    }
}

#[tokio::test]
async fn a_replica_is_refused_in_words_until_it_is_a_master_again() {
    let (server, other) = (RedisServer::start(&[]), RedisServer::start(&[]));
    let store = connect(settings(server.address())).await;
    store.set(&context(), "b", "k", "v".into()).await.unwrap();
    say(&server, &["REPLICAOF", "127.0.0.1", &other.address().port().to_string()]);
    let error = store.increment(&context(), "b", "n", 1).await.unwrap_err();
    assert!(matches!(&error, Error::NotExecuted(reason) if reason.contains("replica")), "{error}");
    let trouble = eventually_async("a trouble", LONG, async || store.trouble()).await;
    assert!(trouble.contains("read-only replica"), "{trouble}");
    assert_eq!(store.state(), RedisState::Connecting);
    say(&server, &["REPLICAOF", "NO", "ONE"]);
    timeout(LONG, store.ready()).await.unwrap();
    assert_eq!(store.increment(&context(), "b", "n", 1).await, Ok(1));
}

#[tokio::test]
async fn a_demoted_server_is_noticed_without_any_write() {
    let (server, other) = (RedisServer::start(&[]), RedisServer::start(&[]));
    let store = connect(settings(server.address())).await;
    say(&server, &["REPLICAOF", "127.0.0.1", &other.address().port().to_string()]);
    let trouble = eventually_async("a trouble", LONG, async || store.trouble()).await;
    assert!(trouble.contains("replica"), "{trouble}");
}

#[tokio::test]
async fn servers_that_cannot_serve_say_why() {
    let full = RedisServer::start(&["--maxmemory", "1"]);
    let store = connect(settings(full.address())).await;
    let error = store.set(&context(), "b", "k", "v".into()).await.unwrap_err();
    assert!(matches!(&error, Error::NotExecuted(reason) if reason.contains("out of memory")), "{error}");
    assert_eq!(store.get(&context(), "b", "k").await, Ok(None));

    let cluster = RedisServer::start(&["--cluster-enabled", "yes"]);
    let store = RedisStore::new(settings(cluster.address())).unwrap();
    let trouble = eventually_async("a trouble", LONG, async || store.trouble()).await;
    assert!(trouble.contains("cluster"), "{trouble}");

    let url = format!("redis://{}/99", full.address());
    let store = RedisStore::new(RedisSettings { url, ..RedisSettings::default() }).unwrap();
    let trouble = eventually_async("a trouble", LONG, async || store.trouble()).await;
    assert!(trouble.contains("no database 99"), "{trouble}");
}

#[tokio::test]
async fn scripts_that_were_forgotten_are_told_again() {
    let server = RedisServer::start(&[]);
    let store = connect(settings(server.address())).await;
    for round in 1..=3 {
        say(&server, &["SCRIPT", "FLUSH"]);
        assert_eq!(store.increment(&context(), "b", "n", 1).await, Ok(round));
    }
    assert_eq!(say(&server, &["GET", "b:n"]), "3");
}

#[tokio::test]
async fn a_server_that_may_lose_what_it_acknowledged_is_told_of() {
    let lax = RedisServer::start(&["--appendfsync", "everysec"]);
    let store = connect(settings(lax.address())).await;
    let notice = store.notice().unwrap();
    assert!(notice.contains("appendfsync everysec") && notice.contains("appendfsync always"), "{notice}");
    assert_eq!(store.trouble(), None);
    let laxer = RedisServer::start(&["--appendonly", "no"]);
    let notice = connect(settings(laxer.address())).await.notice().unwrap();
    assert!(notice.contains("appendonly no"), "{notice}");
}

#[tokio::test]
async fn closing_waits_for_what_is_under_way() {
    let server = RedisServer::start(&[]);
    let proxy = Proxy::start(server.address(), Duration::from_millis(50)).await;
    let store = connect(settings(proxy.address())).await;
    let mut writers = JoinSet::new();
    let begun = Arc::new(AtomicUsize::new(0));
    for number in 0..50 {
        let (store, begun) = (Arc::clone(&store), Arc::clone(&begun));
        writers.spawn(async move {
            // With one thread nobody else runs before the operation is under way.
            begun.fetch_add(1, Ordering::Relaxed);
            store.set(&context(), "b", &number.to_string(), "v".into()).await
        });
    }
    let all = async || (begun.load(Ordering::Relaxed) == 50).then_some(());
    eventually_async("all to begin", LONG, all).await;
    store.close().await;
    assert!(writers.join_all().await.into_iter().all(|result| result == Ok(())));
    assert_eq!(say(&server, &["DBSIZE"]), "50");
}
