//! What stores do, with the component in one site and Redis in the other, 20 ms each way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dunlin_providers::keyvalue::{Context, Error, KeyValue, conformance};
use tokio_util::sync::CancellationToken;

use crate::guests::Guests;
use crate::stale::GRACE;
use crate::store::{BUCKETS, HttpStore};
use crate::world::{World, ready_in};

/// A lattice whose Redis is in `gcp`.
pub const GROUND: &str = "apiVersion: dunlin.dev/v1alpha1\nkind: Lattice\nmetadata: { name: across }\nspec: { sites: { gcp: {}, aws: {} } }\n---\n\
    apiVersion: dunlin.dev/v1alpha1\nkind: WasmProvider\nmetadata: { name: redis }\nspec:\n  keyvalue: { redis: {} }\n  \
    sites: { gcp: { url: \"redis://redis:6379\" } }\n";

/// The key-value guest in `aws` as component `kv-NUMBER`, with a bucket of its own.
pub fn guest(number: usize, bucket: &str, timeout: &str) -> String {
    format!(
        "---\napiVersion: dunlin.dev/v1alpha1\nkind: WasmComponent\nmetadata: {{ name: kv-{number} }}\nspec:\n  \
         image: example.com/keyvalue:1\n  sites: {{ aws: {{ replicas: 1 }} }}\n  http: {{ hostnames: [kv-{number}.example] }}\n  \
         links:\n    store: {{ import: \"wasi:keyvalue\", provider: {{ name: redis }}, bucket: {bucket}, timeout: {timeout} }}\n  \
         resources: {{ limits: {{ memory: 256Mi }} }}\n  timeouts: {{ request: 60s }}\n"
    )
}

#[test]
fn every_case_of_the_suite_for_stores_passes_from_the_other_site() {
    let manifests: String =
        BUCKETS.iter().enumerate().map(|(number, bucket)| guest(number, bucket, "30s")).collect();
    let names: Vec<_> = (0..BUCKETS.len()).map(|number| format!("kv-{number}")).collect();
    let code: Vec<_> = names.iter().map(|name| (name.as_str(), "keyvalue2")).collect();
    // Between a site and the hub, so 20 ms from one site to the other.
    let arguments = ["--real", "--distance", "10ms", "--hosts", "1"];
    let world = World::start(&[("all.yaml", format!("{GROUND}{manifests}"))], &code, &arguments);
    world.wait_for("every component to be ready", || {
        let status = world.status()?;
        names.iter().all(|name| ready_in(&status, name, "aws") == 1).then_some(())
    });
    let store = Arc::new(HttpStore::new(world.site("aws")));
    let begun = Instant::now();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let suite = conformance::run(async || {
        store.renew().await;
        Arc::clone(&store) as Arc<dyn KeyValue>
    });
    runtime.block_on(suite).unwrap();
    eprintln!("the suite took {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(90), "it took {:?}", begun.elapsed());
}

/// Time enough for any call: what is tried are the timeouts of links.
pub fn context() -> Context {
    Context { deadline: tokio::time::Instant::now() + Duration::from_secs(30), traceparent: None }
}

/// The timeout of the link in [`a_killed_hub_holds_no_call_longer_than_its_timeout`].
const TIMEOUT: Duration = Duration::from_secs(2);

/// What became of the calls of one caller.
#[derive(Default)]
struct Outcomes {
    well: i64,
    not_executed: i64,
    unknown: i64,
    slowest: Duration,
}

#[test]
fn a_killed_hub_holds_no_call_longer_than_its_timeout() {
    const FUNCTIONS: [&str; 5] = ["increment", "set", "get", "exists", "list"];
    let manifests = format!("{GROUND}{}", guest(0, "b", "2s"));
    let arguments = ["--real", "--distance", "10ms", "--hosts", "1"];
    let world = World::start(&[("all.yaml", manifests)], &[("kv-0", "keyvalue2")], &arguments);
    world.wait_for("the guest", || (ready_in(&world.status()?, "kv-0", "aws") == 1).then_some(()));
    let guests = Arc::new(Guests::new(world.site("aws")));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let succeeded = Arc::new(AtomicU64::new(0));
    let stop = CancellationToken::new();
    let callers: Vec<_> = FUNCTIONS
        .iter()
        .flat_map(|function| [function, function])
        .map(|function| {
            let (guests, succeeded, stop) = (Arc::clone(&guests), Arc::clone(&succeeded), stop.clone());
            runtime
                .spawn(async move { (*function, keep_calling(&guests, function, &succeeded, &stop).await) })
        })
        .collect();
    let more = |count: u64| {
        let from = succeeded.load(Ordering::Relaxed);
        world.wait_for("calls", || (succeeded.load(Ordering::Relaxed) >= from + count).then_some(()));
    };
    more(50);
    world.text(&["kill", "hub"]);
    let killed = Instant::now();
    world.wait_for("calls without a hub", || (killed.elapsed() > TIMEOUT + GRACE).then_some(()));
    world.text(&["revive", "hub"]);
    more(200);
    stop.cancel();
    let ended: Vec<_> = callers.into_iter().map(|caller| runtime.block_on(caller).unwrap()).collect();
    let (mut well, mut unknown, mut failed) = (0, 0, 0);
    for (function, outcomes) in ended {
        let Outcomes { slowest, .. } = outcomes;
        eprintln!(
            "{function}: {} well, {} not executed, {} unknown, the slowest {slowest:?}",
            outcomes.well, outcomes.not_executed, outcomes.unknown
        );
        assert!(slowest < TIMEOUT + GRACE, "{function}: {slowest:?}");
        failed += outcomes.unknown + outcomes.not_executed;
        if function == "increment" {
            (well, unknown) = (well + outcomes.well, unknown + outcomes.unknown);
        }
    }
    assert!(failed > 0, "the hub was killed and nobody noticed");
    let counter = runtime.block_on(guests.ask(&context(), 0, "get", &[("key", b"increment")], None));
    let counter: i64 = counter.unwrap()["value"].as_str().unwrap().parse().unwrap();
    assert!((well..=well + unknown).contains(&counter), "{well} to {} were made, {counter}", well + unknown);
}

/// Calls `function` of a key of its name until it is told to stop.
async fn keep_calling(
    guests: &Guests,
    function: &str,
    succeeded: &AtomicU64,
    stop: &CancellationToken,
) -> Outcomes {
    let mut outcomes = Outcomes::default();
    while !stop.is_cancelled() {
        let begun = Instant::now();
        let value = (function == "set").then(|| "v".into());
        let arguments: &[_] = if function == "list" { &[] } else { &[("key", function.as_bytes())] };
        match guests.ask(&context(), 0, function, arguments, value).await {
            Ok(_) => {
                outcomes.well += 1;
                succeeded.fetch_add(1, Ordering::Relaxed);
            }
            Err(Error::NotExecuted(_)) => outcomes.not_executed += 1,
            Err(Error::Unknown(_)) => outcomes.unknown += 1,
            Err(other) => panic!("{function}: {other}"),
        }
        outcomes.slowest = outcomes.slowest.max(begun.elapsed());
    }
    outcomes
}
