//! A host that ends: its requests finish, its slots leave, and nobody who asks in time is turned away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::site::{World, get, ready, sees};

const HELLO: &str = "---\nkind: WasmComponent\nmetadata: { name: hello }\n\
    spec: { image: \"example.com/hello:1\", sites: { a: { replicas: 1 } }, http: {} }\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_host_hands_over_and_tells_its_clients() {
    let world = World::new(HELLO, &[("hello", "hello")]);
    let (one, two) = (world.host("a", "h1").await, world.host("a", "h2").await);
    sees(&one, "one replica", |status| ready(status, "hello", "a") == 1).await;
    sees(&two, "the same", |status| ready(status, "hello", "a") == 1).await;
    let here = |host: &str| one.status().sites["a"].hosts[host].slots.contains_key("hello");
    let (runs, stays) = if here("h1") { (one, two) } else { (two, one) };
    let (address, admin, other) = (runs.http(), runs.admin(), stays.http());

    let stop = Arc::new(AtomicBool::new(false));
    let asking = {
        let stop = Arc::clone(&stop);
        tokio::spawn(async move {
            let mut asked = 0;
            while !stop.load(Ordering::Relaxed) {
                let answer = get(other, "/").await.unwrap();
                assert_eq!(answer.status(), 200, "{answer:?}");
                asked += 1;
            }
            asked
        })
    };
    let draining = tokio::spawn(runs.drain(Duration::from_secs(10)));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(get(admin, "/readyz").await.unwrap().status(), 503, "not ready any more");
    let answer = get(address, "/").await.unwrap();
    assert_eq!(answer.status(), 200, "it still accepts for a while");
    assert_eq!(answer.headers()["connection"], "close");
    draining.await.unwrap();
    assert!(get(address, "/").await.is_err(), "it has ended");
    sees(&stays, "the replica on the other host", |status| {
        status.sites["a"].hosts.values().filter(|host| host.slots.contains_key("hello")).count() == 1
            && ready(status, "hello", "a") == 1
    })
    .await;
    stop.store(true, Ordering::Relaxed);
    assert!(asking.await.unwrap() > 10, "requests went on all the time");
}
