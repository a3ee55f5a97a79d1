//! A move that gets no further, on real NATS, Redis and Git: the old serves, and what is waited for is told.

use dunlin_manifest::Replicas;

use crate::http::get;
use crate::repository::Repository;
use crate::world::{World, ready, ready_in, todo_manifests};

/// What is wrong with a move, the edit that makes it so, how `dunlin rollout` ends, and what else is told of it.
type Case<'a> = (&'a str, &'a dyn Fn(String) -> String, &'a str, &'a [&'a str]);

/// What waits for a commit prints, and whether it succeeded.
fn rollout(world: &World, commit: &str, limit: &str) -> (bool, String) {
    let output = world.dunlin(&["rollout", "todo", "--revision", commit, "--timeout", limit]);
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

/// The same without its links.
fn unlinked(text: String) -> String {
    let (before, links) = text.split_once("  # What it may use.").unwrap();
    format!("{before}  # A new replica{}", links.split_once("  # A new replica").unwrap().1)
}

#[test]
fn a_move_that_gets_no_further_says_what_it_waits_for_while_the_old_serves() {
    let repository = Repository::new(&todo_manifests());
    let (_server, url) = repository.serve();
    let world = World::follow(&url, &[("todo", "todo")], &["--real"]);
    world.wait_for("todo to be ready", || (ready(&world.status()?, "todo") >= 3).then_some(()));
    let site = world.site("gcp");
    let late = "timed out: not within 6s";
    let cases: [Case; 4] = [
        (
            "failing readiness",
            &|text| text.replace("path: /\n\n  # The most", "path: /api/99\n\n  # The most"),
            late,
            // A reason is told once, of whichever host comes first.
            &["aws-2 starts: ", ": readiness path /api/99 answers 404 Not Found, not 2xx since"],
        ),
        (
            "missing secret",
            &|text| {
                format!(
                    "{text}\n  config:\n    KEY: {{ valueFrom: {{ secretKeyRef: {{ name: api, key: key }} }} }}\n"
                )
            },
            late,
            &["✗ aws-2 failed: ", "update failed: ", "failed: config KEY needs a secret", ": as on aws-"],
        ),
        (
            "no capacity",
            &|text| text.replace("replicas: 2\n", "replicas: 2\n      hostLabels: { disk: ssd }\n"),
            late,
            &["aws has too few hosts: 0 of 2 in aws: two live hosts, two without disk=ssd since"],
        ),
        ("code that cannot run as declared", &unlinked, "stalled: todo: ", &["wasi:keyvalue"]),
    ];
    for (name, change, end, expected) in cases {
        let sites = [("gcp", 0), ("aws", 2)].map(|(site, count)| (site.to_owned(), Replicas::Count(count)));
        let moved = |text: String| dunlin_manifest::set_replicas(&text, "todo", &sites).unwrap();
        repository.edit("todo.yaml", |text| change(moved(text)));
        let commit = repository.commit(name);
        let (settled, text) = rollout(&world, &commit, "6s");
        assert!(!settled, "{name}: {text}");
        for words in [end].iter().chain(expected) {
            assert!(text.contains(words), "{name}: {words} is missing in:\n{text}");
        }
        assert_eq!(get(&format!("{site}/api")).unwrap().status, 200, "{name}: the old serves");
        let status = world.status().unwrap();
        let todo = &status["components"]["todo"];
        assert!(ready(&status, "todo") >= 2 && ready_in(&status, "todo", "gcp") >= 1, "{name}: {todo:#}");
        // What stalls at once is told before the others have seen the commit.
        world.wait_for("who waits for promises", || {
            let text = world.text(&["status"]);
            (text.contains("WAITING") && text.contains("waits for")).then_some(())
        });
        repository.git(&["revert", "--no-edit", "HEAD"]);
        let (settled, text) = rollout(&world, &repository.git(&["rev-parse", "HEAD"]), "30s");
        assert!(settled, "{name}, taken back: {text}");
    }
    repository.edit("todo.yaml", |text| text.replace("    aws:\n", "    awz:\n"));
    let (settled, text) = rollout(&world, &repository.commit("a mistake"), "20s");
    assert!(!settled && text.contains("stalled: todo: ") && text.contains("did you mean \"aws\""), "{text}");
    let text = world.text(&["history"]);
    assert!(text.contains("held") && text.contains("superseded"), "{text}");
}
