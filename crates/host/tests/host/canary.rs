//! A new identity on trial: some of the requests, and then all of them or none.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use dunlin_host::Host;
use dunlin_host::status::Status;
use tokio::time::Instant;

use crate::site::{World, get, ready, sees};

/// The component in site `a`: what it says, how it answers, and for how long a new identity is tried.
fn shop(say: &str, answer: &str, hold: &str) -> String {
    format!(
        "---\nkind: WasmComponent\nmetadata: {{ name: shop }}\nspec:\n  image: example.com/shop:1\n  sites: {{ a: {{}} }}\n  \
         http: {{}}\n  timeouts: {{ request: 400ms }}\n  update:\n    canary: {{ weight: 20, hold: {hold}, abort: {{ \
         errorRatio: \"0.02\", minRequests: 10 }} }}\n  config: {{ say: {{ value: {say} }}, answer: {{ value: \"{answer}\" }} }}\n"
    )
}

fn stalled(status: &Status) -> bool {
    status.conditions.iter().any(|condition| {
        condition.reason == "Stalled"
            && condition.object == "component/shop"
            && condition.message.contains("commit another identity, or revert")
    })
}

/// Whether a host has something on trial, as it says itself.
fn tries(host: &Host) -> bool {
    let status = host.status();
    let (_, me) = status.seen_by.split_once('/').unwrap();
    let slot = status.sites["a"].hosts.get(me).and_then(|host| host.slots.get("shop").cloned());
    slot.is_some_and(|slot| slot.canary.is_some_and(|canary| canary.weight == 20))
}

/// Asks a number of times; how often each answer came, with its status.
async fn ask(address: SocketAddr, times: usize) -> BTreeMap<String, usize> {
    let mut answers = BTreeMap::new();
    for _ in 0..times {
        let answer = get(address, "/answer").await.unwrap();
        let said = match answer.status().as_u16() {
            200 => String::from_utf8_lossy(answer.body()).into_owned(),
            other => other.to_string(),
        };
        *answers.entry(said).or_default() += 1;
    }
    answers
}

async fn only(address: SocketAddr, say: &str) {
    let answers = ask(address, 100).await;
    assert_eq!(answers, BTreeMap::from([(say.to_owned(), 100)]));
}

/// Asks until everybody says the same, at most half a minute; no answer may be anything else than `allowed`.
async fn until_all_say(hosts: &[Host], say: &str, allowed: &[&str]) {
    let begun = Instant::now();
    loop {
        let mut all = BTreeMap::new();
        for host in hosts {
            all.extend(ask(host.http(), 10).await);
        }
        assert!(all.keys().all(|said| allowed.contains(&said.as_str())), "{all:?}");
        if all.keys().all(|said| said == say) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "waited in vain for {say}: {all:?}");
    }
}

async fn two_hosts(world: &World) -> Vec<Host> {
    let hosts = vec![world.host("a", "h1").await, world.host("a", "h2").await];
    for host in &hosts {
        sees(host, "both run it", |status| ready(status, "shop", "a") == 2).await;
    }
    hosts
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_canary_gets_its_share_and_then_everything() {
    let world = World::new(&shop("one", "200", "3s"), &[("shop", "configured")]);
    let hosts = two_hosts(&world).await;
    only(hosts[0].http(), "one").await;
    world.write(&shop("two", "200", "3s"));
    sees(&hosts[0], "the trial", |_| tries(&hosts[0])).await;
    let answers = ask(hosts[0].http(), 100).await;
    assert_eq!(answers, BTreeMap::from([("one".to_owned(), 80), ("two".to_owned(), 20)]));
    assert_eq!(ready(&hosts[0].status(), "shop", "a"), 2, "the slot stays ready");
    let counted = get(hosts[0].admin(), "/metrics").await.unwrap();
    let counted = String::from_utf8_lossy(counted.body()).into_owned();
    assert!(
        counted.contains("dunlin_canary_calls_total{component=\"shop\",outcome=\"answered\"} 20"),
        "{counted}"
    );
    until_all_say(&hosts, "two", &["one", "two"]).await;
    assert!(!stalled(&hosts[0].status()) && !tries(&hosts[0]));
    // Back again is a change like any other.
    world.write(&shop("one", "200", "1s"));
    until_all_say(&hosts, "one", &["one", "two"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_limit_on_trial_is_that_of_the_trial_alone_wherever_requests_come_from() {
    let one = shop("one", "200", "1h");
    let world = World::new(&one, &[("shop", "configured")]);
    let (there, here) = (world.host("a", "h1").await, world.host("b", "h2").await);
    sees(&here, "it in the other site", |status| ready(status, "shop", "a") == 1).await;
    only(here.http(), "one").await;
    // It never answers, which is known after a millisecond.
    world.write(&shop("two", "late", "1h").replace("request: 400ms", "request: 1ms"));
    sees(&there, "the trial", |_| tries(&there)).await;
    // Until it is given up after ten calls, two in ten are not answered in time.
    let answers = ask(here.http(), 40).await;
    assert_eq!(answers, BTreeMap::from([("one".to_owned(), 32), ("504".to_owned(), 8)]));
    ask(here.http(), 20).await;
    sees(&there, "the abort", |status| stalled(status) && !tries(&there)).await;
    only(here.http(), "one").await;
    only(there.http(), "one").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_canary_is_given_up_everywhere_for_good() {
    let world = World::new(&shop("one", "200", "1h"), &[("shop", "configured")]);
    let mut hosts = two_hosts(&world).await;
    world.write(&shop("two", "500", "1h"));
    for host in &hosts {
        sees(host, "the trial", |_| tries(host)).await;
    }
    // Only one of them is asked: ten of its own, all of which fail.
    let answers = ask(hosts[0].http(), 50).await;
    assert_eq!(answers, BTreeMap::from([("one".to_owned(), 40), ("500".to_owned(), 10)]));
    for host in &hosts {
        sees(host, "the abort", |status| stalled(status) && !tries(host)).await;
        only(host.http(), "one").await;
    }
    // Both are killed. What they come back with is what ran, not what Git says.
    drop(hosts);
    hosts = two_hosts(&world).await;
    for host in &hosts {
        sees(host, "the abort, still", stalled).await;
        only(host.http(), "one").await;
    }
    // One that comes with an empty disk cannot know what ran before; it leaves the place to the others.
    let fresh = world.host("a", "h3").await;
    sees(&fresh, "the abort, heard of", |status| {
        let host = status.sites.get("a").and_then(|site| site.hosts.get("h3"));
        let slot = host.and_then(|host| host.slots.get("shop"));
        stalled(status) && slot.is_some_and(|slot| slot.reason.contains("was given up elsewhere"))
    })
    .await;
    only(fresh.http(), "one").await;
    // What else Git says holds all the same: the route goes.
    world.write(&shop("two", "500", "1h").replace("http: {}", "http: { path: /shop }"));
    sees(&hosts[0], "the route", |status| status.components["shop"].routes == ["/shop"]).await;
    assert!(stalled(&hosts[0].status()));
    // A new identity ends it.
    world.write(&shop("three", "200", "1s"));
    hosts.push(fresh);
    until_all_say(&hosts, "three", &["one", "three", "404"]).await;
    sees(&hosts[0], "no abort", |status| !stalled(status)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn traps_and_lateness_count_and_a_revert_ends_it() {
    let world = World::new(&shop("one", "200", "1h"), &[("shop", "configured")]);
    let host = world.host("a", "h1").await;
    sees(&host, "one", |status| ready(status, "shop", "a") == 1).await;
    for (answer, status) in [("trap", "500"), ("late", "504")] {
        world.write(&shop("two", answer, "1h"));
        sees(&host, "the trial", |_| tries(&host)).await;
        let answers = ask(host.http(), 50).await;
        assert_eq!(answers, BTreeMap::from([("one".to_owned(), 40), (status.to_owned(), 10)]));
        sees(&host, "the abort", |status| stalled(status) && !tries(&host)).await;
        only(host.http(), "one").await;
        world.write(&shop("one", "200", "1h"));
        sees(&host, "no abort", |status| !stalled(status)).await;
        only(host.http(), "one").await;
    }
}
