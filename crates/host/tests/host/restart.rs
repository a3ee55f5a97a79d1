//! A host that starts again with nothing to read runs what it ran.

use dunlin_source::LastGood;

use crate::site::{World, get, ready, sees};

const HELLO: &str = "---\nkind: WasmComponent\nmetadata: { name: hello }\n\
    spec: { image: \"example.com/hello:1\", sites: { a: {} }, http: {} }\n";

#[tokio::test(flavor = "multi_thread")]
async fn without_its_source_a_host_starts_from_its_last_good_state() {
    let world = World::new(HELLO, &[("hello", "hello")]);
    let host = world.host("a", "h1").await;
    sees(&host, "hello", |status| ready(status, "hello", "a") == 1).await;
    kept(&world, "h1", |past| past.ran.contains("hello")).await;
    drop(host);
    std::fs::rename(world.manifests(), world.folder.path().join("away")).unwrap();
    let again = world.host("a", "h1").await;
    sees(&again, "hello from the last good state", |status| ready(status, "hello", "a") == 1).await;
    assert_eq!(get(again.http(), "/").await.unwrap().body(), "hello\n");
    sees(&again, "the condition", |status| {
        status.conditions.iter().any(|condition| condition.reason == "SourceUnreadable")
    })
    .await;
}

const KEYVALUE: &str = "---\nkind: WasmProvider\nmetadata: { name: kv }\n\
    spec: { keyvalue: { memory: {} }, sites: { a: {} } }\n\
    ---\nkind: WasmComponent\nmetadata: { name: keyvalue }\nspec: { image: \"example.com/keyvalue:1\", sites: { b: {} }, http: {},\n  \
    links: { store: { import: \"wasi:keyvalue\", provider: { name: kv }, timeout: 1s } } }\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_answered_once_is_not_asked_again_after_a_restart() {
    let world = World::new(KEYVALUE, &[("keyvalue", "keyvalue")]);
    let store = world.host("a", "h1").await;
    let host = world.host("b", "h2").await;
    sees(&host, "keyvalue", |status| ready(status, "keyvalue", "b") == 1).await;
    assert_eq!(get(host.http(), "/get?key=a").await.unwrap().status(), 200);
    kept(&world, "h2", |past| past.identities.contains_key("keyvalue")).await;
    drop((host, store));

    // The store's site is cut off.
    let again = world.host("b", "h2").await;
    sees(&again, "keyvalue without its store", |status| ready(status, "keyvalue", "b") == 1).await;
    let answer = get(again.http(), "/get?key=a").await.unwrap();
    assert_eq!(answer.status(), 500, "the component itself says what is wrong: {answer:?}");

    // Another identity has to have an answer of its own.
    world.write(&KEYVALUE.replace("1s }", "2s }"));
    sees(&again, "the update wait for its link", |status| {
        status.components["keyvalue"].waits.iter().any(|wait| wait.what.contains("a link does not answer"))
    })
    .await;
    assert_eq!(ready(&again.status(), "keyvalue", "b"), 1, "and what ran runs on");
}

/// Waits until what a host keeps on disk is good: it is written when it changes.
async fn kept(world: &World, host: &str, good: impl Fn(&LastGood) -> bool) {
    let folder = world.folder.path().join(host);
    for _ in 0..500 {
        if LastGood::load(&folder).ok().flatten().is_some_and(|past| good(&past)) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("it was not kept in time");
}
