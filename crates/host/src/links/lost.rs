//! What a link does when an answer is lost: it asks another host again for what only reads, and for nothing else.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::Bytes;
use dunlin_lattice::memory::Network;
use dunlin_lattice::presence::PeerClock;
use dunlin_lattice::{Answer, Incoming, Refusal, Serve};
use dunlin_manifest::HostId;
use dunlin_providers::keyvalue::{Context, Error, KeyValue, MemoryStore};
use tokio::time::Instant;

use super::store::LinkedStore;
use crate::Metrics;
use crate::calls::Calls;
use crate::directory::{Directory, Replica};
use crate::serve::perform;
use crate::stores::Stores;

/// How often each function was executed, over all hosts.
type Executed = Arc<Mutex<BTreeMap<String, usize>>>;

/// A host with the store; it counts what it executes.
struct Counting {
    store: Arc<MemoryStore>,
    executed: Executed,
}

#[async_trait]
impl Serve for Counting {
    async fn serve(&self, call: Incoming) -> Result<Answer, Refusal> {
        *self.executed.lock().unwrap().entry(call.function.clone()).or_default() += 1;
        perform(self.store.as_ref(), call, |_| Ok(())).await
    }
}

async fn calls(network: &Network, id: &HostId) -> Arc<Calls> {
    let metrics = Metrics::new().unwrap();
    Arc::new(Calls::connect(id, "test", network.bus(id).as_ref(), metrics, 1).await.unwrap())
}

/// Does `operation` through a link to two hosts, the nearer of which executes and is never heard.
async fn with_a_lost_answer(
    executed: &Executed,
    operation: impl AsyncFnOnce(&dyn KeyValue, &Context) -> Result<(), Error>,
) -> Result<(), Error> {
    let network = Network::new(1);
    let [here, near, far] =
        [("gcp", "gcp-1"), ("gcp", "gcp-2"), ("aws", "aws-1")].map(|(site, name)| HostId::new(site, name));
    let clock = PeerClock::own(7, Instant::now());
    let store = Arc::new(MemoryStore::default());
    let (mut serving, mut replicas) = (Vec::new(), Vec::new());
    for id in [&near, &far] {
        let service = Counting { store: Arc::clone(&store), executed: Arc::clone(executed) };
        let there = calls(&network, id).await;
        serving.push((there.serve(clock, Arc::new(service)).await, there));
        let host = Arc::new(id.clone());
        replicas.push(Replica { host, ready: true, last_beat: Instant::now(), clock });
    }
    let calling = calls(&network, &here).await;
    let link = LinkedStore {
        meter: calling.meter("redis"),
        calls: calling,
        stores: Arc::new(Stores::new(here.clone(), PathBuf::new(), false, None)),
        directory: Arc::new(ArcSwap::from_pointee(Directory::with_provider("redis", replicas))),
        component: "todo".to_owned(),
        link: "store".to_owned(),
        provider: "redis".to_owned(),
    };
    network.faults().partition(&near, &here);
    let context = Context { deadline: Instant::now() + Duration::from_secs(2), traceparent: None };
    operation(&link, &context).await
}

#[tokio::test(start_paused = true)]
async fn exactly_what_only_reads_is_asked_for_again() {
    let executed = Executed::default();
    let (one, key) = (Bytes::from_static(b"1"), ["k".to_owned()]);
    let pair = [("k".to_owned(), one.clone())];
    let reads = [
        with_a_lost_answer(&executed, async |store, context| store.get(context, "b", "k").await.map(drop))
            .await,
        with_a_lost_answer(&executed, async |store, context| store.exists(context, "b", "k").await.map(drop))
            .await,
        with_a_lost_answer(&executed, async |store, context| {
            store.list_keys(context, "b", None).await.map(drop)
        })
        .await,
        with_a_lost_answer(&executed, async |store, context| {
            store.get_many(context, "b", &key).await.map(drop)
        })
        .await,
    ];
    assert_eq!(reads, [Ok(()), Ok(()), Ok(()), Ok(())]);
    let writes = [
        with_a_lost_answer(&executed, async |store, context| store.set(context, "b", "k", one.clone()).await)
            .await,
        with_a_lost_answer(&executed, async |store, context| store.delete(context, "b", "k").await).await,
        with_a_lost_answer(&executed, async |store, context| {
            store.increment(context, "b", "k", 1).await.map(drop)
        })
        .await,
        with_a_lost_answer(&executed, async |store, context| {
            store.compare_and_swap(context, "b", "k", None, one.clone()).await.map(drop)
        })
        .await,
        with_a_lost_answer(&executed, async |store, context| store.set_many(context, "b", &pair).await).await,
        with_a_lost_answer(&executed, async |store, context| store.delete_many(context, "b", &key).await)
            .await,
    ];
    assert!(writes.iter().all(|outcome| matches!(outcome, Err(Error::Unknown(_)))), "{writes:?}");
    let executed = executed.lock().unwrap();
    let times = |times| {
        let found = executed.iter().filter(move |(_, executed)| **executed == times);
        found.map(|(function, _)| function.trim_start_matches("keyvalue-")).collect::<Vec<_>>()
    };
    assert_eq!(times(2), ["exists", "get", "get-many", "list-keys"]);
    assert_eq!(
        times(1),
        ["compare-and-swap", "delete", "delete-many", "increment", "set", "set-many"],
        "{executed:?}"
    );
}
