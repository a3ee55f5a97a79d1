//! A move while requests run: none fails, nothing is lost. What a plan says of the running lattice.

use crate::traffic::Traffic;
use crate::world::{World, ready_in};

#[test]
fn a_move_under_requests_fails_none() {
    let world = World::todo(&[]);
    let addresses = [world.site("gcp"), world.site("aws")];
    let traffic = Traffic::start(&addresses);
    let there = |gcp: u64, aws: u64| {
        world.wait_for(&format!("gcp={gcp} aws={aws}"), || {
            let status = world.status()?;
            ((ready_in(&status, "todo", "gcp"), ready_in(&status, "todo", "aws")) == (gcp, aws)).then_some(())
        });
    };
    for (gcp, aws) in [(0, 2), (2, 0), (1, 1), (0, 2)] {
        world.text(&["move", "todo", &format!("gcp={gcp}"), &format!("aws={aws}"), "--write"]);
        there(gcp, aws);
        let count = traffic.count();
        world.wait_for("more requests", || (traffic.count() > count + 50).then_some(()));
    }
    let tally = traffic.stop();
    assert!(
        tally.failures.is_empty(),
        "{} of {} failed: {:#?}",
        tally.failures.len(),
        tally.well,
        tally.failures
    );
    tally.check_list(&addresses[0]);
    let text = std::fs::read_to_string(world.manifests.join("todo.yaml")).unwrap();
    assert!(text.contains('#'), "comments stay:\n{text}");
}

#[test]
fn a_plan_names_hosts_and_what_was_measured() {
    let world = World::todo(&[]);
    let before = std::fs::read_to_string(world.manifests.join("todo.yaml")).unwrap();
    // Calls from aws to the store in gcp, so that there is something measured.
    for _ in 0..5 {
        crate::http::get(&format!("{}/api", world.http("aws-1"))).unwrap();
        crate::http::get(&format!("{}/api", world.http("aws-2"))).unwrap();
    }
    let text = world.text(&["move", "todo", "gcp=0", "aws=2"]);
    for words in [
        "spec.sites.gcp.replicas",
        "2 -> 0",
        "may stop",
        "gcp/gcp-1, gcp/gcp-2, each once 2 others have promised to stay",
        "redis stays in gcp: +",
        "ms a call, measured",
        "nothing is written yet",
    ] {
        assert!(
            text.contains(words) || printed(&world, &["move", "todo", "gcp=0", "aws=2"]).contains(words),
            "{words:?} is missing in:\n{text}"
        );
    }
    assert_eq!(std::fs::read_to_string(world.manifests.join("todo.yaml")).unwrap(), before);
    // The same by name, and nothing that runs here.
    let other = tempfile::tempdir().unwrap();
    for (name, text) in crate::world::todo_manifests() {
        std::fs::write(other.path().join(name), text).unwrap();
    }
    let text = world.text(&["move", "todo", "gcp=0", "--directory", other.path().to_str().unwrap()]);
    assert!(text.contains("by count: no lattice that runs here has it"), "{text}");
    let text = printed(&world, &["move", "todo", "gcp=0"]);
    assert!(
        text.contains(&format!("in {}, which the running `dunlin dev` follows", world.manifests.display())),
        "{text}"
    );
    let text = world.text(&["move", "todo", "aws=5"]);
    assert!(text.contains("2 of 5 in aws: two live hosts"), "{text}");
}

/// All that a command printed.
fn printed(world: &World, arguments: &[&str]) -> String {
    let output = world.dunlin(arguments);
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn diff_tells_what_a_commit_would_change_in_what_runs() {
    let world = World::todo(&["--sites", "gcp"]);
    let git = |arguments: &[&str]| {
        let who = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.com"];
        let mut command = std::process::Command::new("git");
        let output = command.args(who).args(arguments).current_dir(&world.manifests).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    };
    let directory = world.manifests.to_str().unwrap().to_owned();
    let diff = |more: &[&str]| {
        let arguments = [&["diff", &directory], more].concat();
        (world.dunlin(&arguments).status.code(), printed(&world, &arguments))
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "-m", "Begin"]);
    assert_eq!(diff(&[]).0, Some(0), "{}", diff(&[]).1);
    let (code, text) = diff(&["--worktree"]);
    assert!(code == Some(0) && text.contains("the files say nothing that dir-"), "{text}");

    // A commit that is not followed: the files go back to what they were.
    let path = world.manifests.join("todo.yaml");
    let before = std::fs::read_to_string(&path).unwrap();
    let changed =
        before.replace("replicas: 2", "replicas: 1").replace("maxConcurrency: 200", "maxConcurrency: 100");
    git(&["switch", "--quiet", "-c", "next"]);
    let elsewhere = tempfile::tempdir().unwrap();
    let clone = elsewhere.path().join("clone");
    git(&["clone", "--quiet", ".", clone.to_str().unwrap()]);
    std::fs::write(clone.join("todo.yaml"), &changed).unwrap();
    let there = |arguments: &[&str]| git(&[&["-C", clone.to_str().unwrap()], arguments].concat());
    there(&["commit", "--quiet", "--all", "-m", "Change"]);
    let url = clone.to_str().unwrap();
    let by_url = ["diff", "--git", url];
    let (code, text) = (world.dunlin(&by_url).status.code(), printed(&world, &by_url));
    assert_eq!(code, Some(1), "{text}");
    for words in [
        "component/todo",
        "spec.sites.gcp.replicas",
        "2 -> 1",
        "(todo.yaml:",
        "new identity",
        "fewer replicas: ",
    ] {
        assert!(text.contains(words), "{words:?} is missing in:\n{text}");
    }
    let json = world.dunlin(&["diff", url, "--worktree", "--output", "json"]);
    let value: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(value["changes"].as_array().unwrap().len(), 2, "{value:#}");

    std::fs::write(clone.join("todo.yaml"), changed.replace("spec:", "sepc:")).unwrap();
    let invalid = ["diff", url, "--worktree"];
    let (code, text) = (world.dunlin(&invalid).status.code(), printed(&world, &invalid));
    assert!(code == Some(2) && text.contains("mistake"), "{code:?} {text}");
}
