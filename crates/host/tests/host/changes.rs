//! Whatever a commit changes of a component, the requests that run meanwhile do not notice.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use dunlin_host::Host;
use tokio::task::JoinHandle;

use crate::site::{World, get, ready, sees};

/// A component in `b` whose store is in `a`, so that every request crosses the lattice.
fn objects(name: &str, provider: &str, more: &str) -> String {
    format!(
        "---\nkind: WasmProvider\nmetadata: {{ name: {provider} }}\nspec: {{ keyvalue: {{ memory: {{}} }}, sites: {{ a: {{}} }} }}\n\
         ---\nkind: WasmComponent\nmetadata: {{ name: {name} }}\n\
         spec:\n  image: example.com/calls:1\n  sites: {{ b: {{ replicas: 1 }} }}\n  http: {{}}\n  \
         links: {{ store: {{ import: \"wasi:keyvalue\", provider: {{ name: {provider} }}, timeout: 2s{more} }} }}\n"
    )
}

/// Requests, one after the other, until they are stopped.
struct Requests {
    stop: Arc<AtomicBool>,
    count: Arc<AtomicUsize>,
    asking: Vec<JoinHandle<Vec<String>>>,
}

impl Requests {
    fn start(addresses: &[SocketAddr]) -> Self {
        let (stop, count): (Arc<AtomicBool>, Arc<AtomicUsize>) = Default::default();
        let ask = |address: &SocketAddr| {
            let (address, stop, count) = (*address, Arc::clone(&stop), Arc::clone(&count));
            tokio::spawn(async move {
                let mut failed = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    match get(address, "/set?key=k&bytes=16").await {
                        Ok(answer) if answer.status() == 200 => drop(count.fetch_add(1, Ordering::Relaxed)),
                        other => failed.push(format!("{other:?}")),
                    }
                }
                failed
            })
        };
        let asking = addresses.iter().map(ask).collect();
        Self { stop, count, asking }
    }

    /// Waits for more of them.
    async fn go_on(&self, host: &Host) {
        let from = self.count.load(Ordering::Relaxed);
        sees(host, "more requests", |_| self.count.load(Ordering::Relaxed) > from + 50).await;
    }

    async fn all_went_well(self) {
        self.stop.store(true, Ordering::Relaxed);
        for asking in self.asking {
            let failed = asking.await.unwrap();
            assert!(failed.is_empty(), "{} failed: {failed:#?}", failed.len());
        }
    }
}

/// What `host` runs of a component, by its identity.
fn identity(host: &Host, site: &str, name: &str, component: &str) -> Option<String> {
    let status = host.status();
    let slot = status.sites.get(site)?.hosts.get(name)?.slots.get(component)?;
    (slot.state == "ready").then(|| slot.identity.clone())
}

/// Two hosts that run `before`, which then becomes `after` while requests run.
async fn changes(before: &str, after: &str, component: &str, code: &[(&str, &str)]) {
    let world = World::new(before, code);
    let (near, far) = (world.host("b", "h1").await, world.host("a", "h1").await);
    for host in [&near, &far] {
        sees(host, "the component", |status| ready(status, "calls", "b") == 1).await;
    }
    let old = identity(&near, "b", "h1", "calls");
    let requests = Requests::start(&[near.http(), far.http()]);
    requests.go_on(&near).await;
    world.write(after);
    sees(&near, "the new identity", |_| {
        identity(&near, "b", "h1", component)
            .is_some_and(|new| component != "calls" || Some(&new) != old.as_ref())
    })
    .await;
    for host in [&near, &far] {
        sees(host, "the change", |status| ready(status, component, "b") == 1).await;
    }
    requests.go_on(&near).await;
    requests.all_went_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_link_is_a_new_identity_and_nobody_notices() {
    let after = objects("calls", "memory", ", bucket: other");
    changes(&objects("calls", "memory", ""), &after, "calls", &[("calls", "calls")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_may_be_renamed() {
    let after = objects("calls", "cache", "");
    changes(&objects("calls", "memory", ""), &after, "calls", &[("calls", "calls")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_may_be_renamed() {
    let code = [("calls", "calls"), ("asks", "calls")];
    changes(&objects("calls", "memory", ""), &objects("asks", "memory", ""), "asks", &code).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_may_be_renamed() {
    let before = objects("calls", "memory", "");
    changes(&before, &before.replace("store:", "kept:"), "calls", &[("calls", "calls")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_may_be_handed_to_another_component() {
    let code = [("calls", "calls"), ("asks", "calls")];
    let both = |first: &str, second: &str| {
        let other = objects("asks", "memory", "").split("---\n").nth(2).unwrap().to_owned();
        let first = objects("calls", "memory", "").replace("http: {}", first);
        format!("{first}---\n{}", other.replace("http: {}", second))
    };
    let before = both("http: {}", "http: { hostnames: [other.example] }");
    let after = both("http: { hostnames: [other.example] }", "http: {}");
    changes(&before, &after, "asks", &code).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_whose_new_name_never_becomes_ready_serves_on() {
    let (old, new) = (objects("calls", "memory", ""), objects("asks", "memory", ""));
    let world = World::new(&old, &[("calls", "calls"), ("asks", "calls")]);
    let (_store, host) = (world.host("a", "h1").await, world.host("b", "h2").await);
    sees(&host, "the component", |status| ready(status, "calls", "b") == 1).await;
    let unready = new.replace("http: {}", "http: {}\n  readiness: { path: /nowhere }");
    world.write(&unready);
    sees(&host, "what it waits for", |status| {
        status
            .conditions
            .iter()
            .any(|condition| condition.reason == "HoldsRoute" && condition.object == "component/calls")
    })
    .await;
    assert_eq!(get(host.http(), "/set?key=k&bytes=16").await.unwrap().status(), 200);
    world.write(&new);
    sees(&host, "the new name, and nothing held", |status| {
        ready(status, "asks", "b") == 1
            && !status.conditions.iter().any(|condition| condition.reason == "HoldsRoute")
    })
    .await;
}
