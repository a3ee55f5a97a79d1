//! Counting through kills, cuts and silence: what was acknowledged is there, and nothing counts twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use dunlin_providers::keyvalue::redis::RedisSettings;
use dunlin_providers::keyvalue::{Error, KeyValue, RedisStore};
use dunlin_testkit::{Proxy, RedisServer, eventually_async};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::common::{LONG, connect, context, settings, within};

/// What writers know of what they did.
#[derive(Default)]
struct Known {
    acknowledged: i64,
    unknown: i64,
    /// Sets by key: the value, and whether it was acknowledged.
    sets: BTreeMap<String, (String, bool)>,
}

/// Increments one counter and sets keys of its own until it is told to stop; counts what was `refused`.
async fn write(
    store: Arc<RedisStore>,
    writer: usize,
    refused: Arc<AtomicI64>,
    stop: watch::Receiver<bool>,
) -> Known {
    let mut known = Known::default();
    for round in 0.. {
        if *stop.borrow() {
            break;
        }
        match store.increment(&within(Duration::from_secs(2)), "b", "count", 1).await {
            Ok(_) => known.acknowledged += 1,
            Err(Error::Unknown(_)) => known.unknown += 1,
            Err(Error::NotExecuted(_)) => {
                refused.fetch_add(1, Ordering::Relaxed);
            }
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
/// `disturb` sees how many increments were refused so far.
async fn counts_exactly<D>(settings: RedisSettings, mut disturb: D, rounds: i64) -> Known
where
    D: AsyncFnMut(&RedisStore, &AtomicI64),
{
    let store = connect(settings).await;
    let refused = Arc::new(AtomicI64::new(0));
    let stop = watch::Sender::new(false);
    let mut writers = JoinSet::new();
    for writer in 0..16 {
        writers.spawn(write(Arc::clone(&store), writer, Arc::clone(&refused), stop.subscribe()));
    }
    for _ in 0..rounds {
        let before = sum(&store).await;
        eventually_async("writes to go on", LONG, async || (sum(&store).await > before + 200).then_some(()))
            .await;
        disturb(&store, &refused).await;
        timeout(LONG, store.ready()).await.unwrap();
    }
    stop.send_replace(true);
    let mut all = Known::default();
    for known in writers.join_all().await {
        all.acknowledged += known.acknowledged;
        all.unknown += known.unknown;
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
    let kill = async |store: &RedisStore, refused: &AtomicI64| {
        let before = refused.load(Ordering::Relaxed);
        server.process.kill();
        eventually_async("a trouble", LONG, async || store.trouble()).await;
        let more = async || (refused.load(Ordering::Relaxed) > before).then_some(());
        eventually_async("a writer to be refused", LONG, more).await;
        server.revive();
    };
    let known = counts_exactly(settings, kill, 5).await;
    assert!(known.acknowledged > 1000, "{}", known.acknowledged);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_counts_twice_when_the_network_is_cut_or_silent() {
    let server = RedisServer::start(&[]);
    let proxy = Proxy::start(server.address(), Duration::from_millis(5)).await;
    let settings = settings(proxy.address());
    let mut round = 0;
    let disturb = async |store: &RedisStore, _: &AtomicI64| {
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
