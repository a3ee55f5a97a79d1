//! A host that starts again with nothing to read runs what it ran.

use crate::site::{World, get, ready, sees};

const HELLO: &str = "---\nkind: WasmComponent\nmetadata: { name: hello }\n\
    spec: { image: \"example.com/hello:1\", sites: { a: {} }, http: {} }\n";

#[tokio::test(flavor = "multi_thread")]
async fn without_its_source_a_host_starts_from_its_last_good_state() {
    let world = World::new(HELLO, &[("hello", "hello")]);
    let host = world.host("a", "h1").await;
    sees(&host, "hello", |status| ready(status, "hello", "a") == 1).await;
    let kept = world.folder.path().join("h1");
    // What ran is written when it changes; wait until it is on disk.
    for _ in 0..500 {
        if dunlin_source::LastGood::load(&kept).ok().flatten().is_some_and(|past| past.ran.contains("hello"))
        {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
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
