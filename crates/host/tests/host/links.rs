//! Components linked to components: in process where both are, over the lattice where not.

use std::time::Duration;

use crate::site::{World, get, ready, sees};

fn objects(greeter: &str) -> String {
    format!(
        "---\nkind: WasmComponent\nmetadata: {{ name: importer }}\n\
         spec:\n  image: example.com/importer:1\n  sites: {{ b: {{}} }}\n  http: {{}}\n  \
         links: {{ greeter: {{ import: \"example:greeter/greet\", component: {{ name: greeter }} }} }}\n\
         ---\nkind: WasmComponent\nmetadata: {{ name: greeter }}\n\
         spec: {{ image: \"example.com/greeter:1\", sites: {{ {greeter}: {{}} }} }}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_to_a_component_works_wherever_it_runs() {
    let world = World::new(&objects("a"), &[("importer", "importer"), ("greeter", "greeter")]);
    let (near, _far) = (world.host("b", "h1").await, world.host("a", "h2").await);
    let greet = async |site: &str| {
        sees(&near, "both", |status| {
            ready(status, "importer", "b") == 1 && ready(status, "greeter", site) == 1
        })
        .await;
        // Status may know of the greeter some milliseconds before the importer's host has it in its directory.
        let mut answer = get(near.http(), "/greet?name=dunlin").await.unwrap();
        for _ in 0..100 {
            if answer.status() == 200 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
            answer = get(near.http(), "/greet?name=dunlin").await.unwrap();
        }
        assert_eq!(answer.status(), 200, "{answer:?}");
        assert!(String::from_utf8_lossy(answer.body()).contains("dunlin"), "{answer:?}");
    };
    greet("a").await;
    world.write(&objects("b"));
    greet("b").await;
}
