//! A server that is not there, goes, comes back, stalls or takes no writes; and what callers are told meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dunlin_providers::keyvalue::redis::{RedisSettings, RedisState};
use dunlin_providers::keyvalue::{Error, KeyValue, RedisStore};
use dunlin_testkit::{Proxy, RedisServer, eventually_async, free_port};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::common::{LONG, connect, context, say, settings, within};

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

/// What writers know of what they did.
#[derive(Default)]
struct Known {
    acknowledged: i64,
    unknown: i64,
    refused: i64,
    /// Sets by key: the value, and whether it was acknowledged.
    sets: BTreeMap<String, (String, bool)>,
}

/// Increments one counter and sets keys of its own until it is told to stop.
async fn write(store: Arc<RedisStore>, writer: usize, stop: watch::Receiver<bool>) -> Known {
    let mut known = Known::default();
    for round in 0.. {
        if *stop.borrow() {
            break;
        }
        match store.increment(&within(Duration::from_secs(2)), "b", "count", 1).await {
            Ok(_) => known.acknowledged += 1,
            Err(Error::Unknown(_)) => known.unknown += 1,
            Err(Error::NotExecuted(_)) => known.refused += 1,
            Err(error) => panic!("{error}"),
        }
        let (key, value) = (format!("{writer}-{}", round % 50), format!("{writer} {round}"));
        match store.set(&within(Duration::from_secs(2)), "b", &key, value.clone().into()).await {
            Ok(()) => drop(known.sets.insert(key, (value, true))),
            // It may be there or not, and so what was acknowledged before it says nothing any more.
            Err(Error::Unknown(_)) => drop(known.sets.insert(key, (value, false))),
            Err(Error::NotExecuted(_)) => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(error) => panic!("{error}"),
        }
    }
    known
}

/// Counts through trouble that `disturb` makes: the sum is what was acknowledged, and at most what is unknown more.
async fn counts_exactly<D>(settings: RedisSettings, mut disturb: D, rounds: i64) -> Known
where
    D: AsyncFnMut(&RedisStore),
{
    let store = connect(settings).await;
    let stop = watch::Sender::new(false);
    let mut writers = JoinSet::new();
    for writer in 0..16 {
        writers.spawn(write(Arc::clone(&store), writer, stop.subscribe()));
    }
    for _ in 0..rounds {
        let before = sum(&store).await;
        eventually_async("writes to go on", LONG, async || (sum(&store).await > before + 200).then_some(()))
            .await;
        disturb(&store).await;
        timeout(LONG, store.ready()).await.unwrap();
    }
    stop.send_replace(true);
    let mut all = Known::default();
    for known in writers.join_all().await {
        all.acknowledged += known.acknowledged;
        all.unknown += known.unknown;
        all.refused += known.refused;
        all.sets.extend(known.sets);
    }
    let counted = sum(&store).await;
    let (least, most) = (all.acknowledged, all.acknowledged + all.unknown);
    assert!((least..=most).contains(&counted), "{counted} is not within {least}..={most}");
    for (key, (value, acknowledged)) in &all.sets {
        let found = store.get(&context(), "b", key).await.unwrap();
        assert!(!acknowledged || found.as_deref() == Some(value.as_bytes()), "{key} is lost: {found:?}");
    }
    all
}

async fn sum(store: &RedisStore) -> i64 {
    loop {
        // Reading is not counting: it may be tried again.
        match store.get(&context(), "b", "count").await {
            Ok(value) => {
                return value.map_or(0, |value| std::str::from_utf8(&value).unwrap().parse().unwrap());
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kills_and_nothing_counts_twice() {
    let mut server = RedisServer::start(&[]);
    let settings = settings(server.address());
    let kill = async |store: &RedisStore| {
        server.process.kill();
        eventually_async("a trouble", LONG, async || store.trouble()).await;
        server.revive();
    };
    let known = counts_exactly(settings, kill, 5).await;
    assert!(known.acknowledged > 1000 && known.refused > 0, "{} {}", known.acknowledged, known.refused);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_counts_twice_when_the_network_is_cut_or_silent() {
    let server = RedisServer::start(&[]);
    let proxy = Proxy::start(server.address(), Duration::from_millis(5)).await;
    let settings = settings(proxy.address());
    let mut round = 0;
    let disturb = async |store: &RedisStore| {
        round += 1;
        if round % 2 == 0 {
            proxy.silence()
        } else {
            proxy.cut()
        }
        eventually_async("a trouble", LONG, async || store.trouble()).await;
        proxy.restore();
    };
    let known = counts_exactly(settings, disturb, 6).await;
    let sets = known.sets.values().filter(|(_, acknowledged)| !acknowledged).count();
    assert!(known.unknown > 0 || sets > 0, "nothing was under way when the network was cut");
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
