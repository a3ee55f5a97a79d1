//! Large bodies through another site, both ways, and bodies that break.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use dunlin_lattice::memory::Link;
use dunlin_manifest::HostId;
use http::Request;
use http_body_util::Full;

use crate::site::{World, get, ready, sees, send};

const HOSTILE: &str = "---\nkind: WasmComponent\nmetadata: { name: hostile }\n\
    spec: { image: \"example.com/hostile:1\", sites: { a: { replicas: 1 } }, http: {}, timeouts: { request: 20s } }\n";

#[tokio::test(flavor = "multi_thread")]
async fn bodies_cross_sites_whole_or_broken_but_never_short() {
    let world = World::new(HOSTILE, &[("hostile", "hostile")]);
    let (here, there) = (world.host("b", "h1").await, world.host("a", "h2").await);
    sees(&here, "the component in the other site", |status| ready(status, "hostile", "a") == 1).await;

    let size = 10 << 20;
    let upload = Bytes::from(vec![b'x'; size]);
    let request = Request::post("/sink").header("host", "x").body(Full::new(upload)).unwrap();
    let answer = send(here.http(), request).await.unwrap();
    assert_eq!(answer.status(), 200, "{answer:?}");
    assert!(String::from_utf8_lossy(answer.body()).contains(&size.to_string()), "{answer:?}");
    assert_eq!(answer.headers()["dunlin-served-by"], "a/h2");

    let answer = get(here.http(), &format!("/big?bytes={size}")).await.unwrap();
    assert_eq!(answer.body().len(), size);

    let broken = get(here.http(), "/half").await;
    assert!(broken.is_err(), "a body that broke off must not look whole: {broken:?}");

    let request =
        Request::post("/sink").header("host", "x").body(Full::new(Bytes::from(vec![0; 20 << 20]))).unwrap();
    let refused = send(here.http(), request).await;
    assert!(
        refused.is_err() || refused.as_ref().is_ok_and(|answer| answer.status() == 413),
        "over the limit: {refused:?}"
    );
    assert_eq!(get(here.http(), "/ok").await.unwrap().status(), 200, "and nothing is the worse for it");
    drop(there);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_waits_for_news_in_a_move_as_a_small_one_does() {
    let away = HOSTILE.replace("{ a: {", "{ b: {");
    let world = World::new(&away, &[("hostile", "hostile")]);
    let (to, one, two) =
        (world.host("a", "h1").await, world.host("b", "h2").await, world.host("b", "h3").await);
    for host in [&to, &one, &two] {
        sees(host, "one replica", |status| ready(status, "hostile", "b") == 1).await;
    }
    let runs = |host: &str| to.status().sites["b"].hosts[host].slots.contains_key("hostile");
    let (from, front, front_id) = if runs("h2") { ("h2", &two, "h3") } else { ("h3", &one, "h2") };
    // Who forwards hears of the new replica when the old one has left already.
    let (front_id, delay) = (HostId::new("b", front_id), Duration::from_millis(150));
    world.network.faults().link(&HostId::new("a", "h1"), &front_id, Link { delay, ..Link::default() });
    let (address, stop) = (front.http(), Arc::new(AtomicBool::new(false)));
    let posters: Vec<_> = (0..8)
        .map(|_| {
            let stop = Arc::clone(&stop);
            tokio::spawn(async move {
                let mut hosts = BTreeSet::new();
                while !stop.load(Ordering::Relaxed) {
                    let body = Full::new(Bytes::from(vec![b'x'; 100 << 10]));
                    let request = Request::post("/sink").header("host", "x").body(body).unwrap();
                    let answer = send(address, request).await.unwrap();
                    assert_eq!(answer.status(), 200, "{answer:?}");
                    hosts.insert(answer.headers()["dunlin-served-by"].to_str().unwrap().to_owned());
                }
                hosts
            })
        })
        .collect();
    world.write(HOSTILE);
    sees(front, "the move", |status| {
        ready(status, "hostile", "a") == 1 && !status.sites["b"].hosts[from].slots.contains_key("hostile")
    })
    .await;
    stop.store(true, Ordering::Relaxed);
    let mut hosts = BTreeSet::new();
    for poster in posters {
        hosts.extend(poster.await.unwrap());
    }
    assert_eq!(hosts, [format!("b/{from}"), "a/h1".to_owned()].into(), "before, and after");
}
