//! `dunlin promote`: the image and nothing else.

use crate::workbench::{Bench, LATTICE, REDIS, TODO};

#[test]
fn an_image_goes_from_one_directory_to_the_other_and_sites_never() {
    let bench = Bench::new();
    let digest = format!("sha256:{}", "ab".repeat(32));
    let staging = TODO.replace("todo:1\n", "todo:2\n").replace("replicas: 2", "replicas: 9");
    for (name, text) in [("lattice.yaml", LATTICE), ("todo.yaml", &staging), ("redis.yaml", REDIS)] {
        bench.write(&format!("staging/{name}"), text);
    }
    bench.git(&["add", "."]);
    bench.git(&["commit", "--quiet", "-m", "Stage"]);
    let promote = ["promote", "todo", "--from", "staging", "--to", "app"];
    let text = bench.fails(&promote, 2);
    assert!(text.contains("has no digest") && text.contains("dunlin pin todo --directory staging"), "{text}");

    let image = format!("registry.example.com/todo:2@{digest}");
    bench.write("staging/todo.yaml", &staging.replace("registry.example.com/todo:2", &image));
    let text = bench.text(&promote);
    assert!(text.contains("spec.image") && text.contains(&digest), "{text}");
    bench.text(&[&promote[..], &["--commit"]].concat());
    assert_eq!(bench.read("app/todo.yaml"), TODO.replace("registry.example.com/todo:1", &image));
    assert_eq!(bench.git(&["log", "-1", "--format=%s"]), "todo: promote 2 (abababa)");
    assert_eq!(bench.git(&["status", "--porcelain"]), " M staging/todo.yaml");
    let text = bench.text(&promote);
    assert!(text.contains("nothing to change"), "{text}");
    let text = bench.fails(&["promote", "todo", "--from", "nowhere", "--to", "app"], 2);
    assert!(text.contains("nowhere"), "{text}");
}
