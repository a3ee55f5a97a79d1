//! What one sees of a change: its steps, what it waits for, and what is remembered of it.

use serde_json::Value;

use crate::http::get;
use crate::world::World;

const SITES: &str = "    gcp:\n      replicas: 2\n    aws:\n      replicas: 1\n";

fn moved(gcp: u32, aws: u32) -> String {
    format!("    gcp:\n      replicas: {gcp}\n    aws:\n      replicas: {aws}\n")
}

/// What a command prints, and whether it succeeded.
fn run(world: &World, arguments: &[&str]) -> (bool, String) {
    let output = world.dunlin(arguments);
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

fn revisions(world: &World, host: &str) -> Vec<Value> {
    let answer = get(&format!("{}/v1/history", world.admin(host))).unwrap().json();
    answer["revisions"].as_array().unwrap().clone()
}

#[test]
fn a_move_shows_its_steps_is_remembered_and_can_be_traced() {
    let world = World::todo(&[]);
    let (settled, text) = run(&world, &["rollout", "todo", "--timeout", "30s"]);
    assert!(settled && text.contains("todo: new (aws 1, gcp 2)") && text.contains("started in"), "{text}");

    world.edit("todo.yaml", |text| text.replace(SITES, &moved(0, 2)));
    let (settled, text) = run(&world, &["rollout", "todo", "--timeout", "30s"]);
    let expected = [
        "revision dir-",
        "todo: move from gcp to aws (aws 1 → 2, gcp 2 → 0)",
        "compiled",
        ", ready",
        "✓ gcp-1 asked to leave: aws-",
        "✓ gcp-2 asked to leave: aws-",
        " stay; stopped",
        "moved in ",
        ", 0 failed of ",
    ];
    for words in expected {
        assert!(settled && text.contains(words), "{words} is missing in:\n{text}");
    }
    let (settled, again) = run(&world, &["rollout", "todo", "--output", "json"]);
    let last: Value = serde_json::from_str(again.lines().last().unwrap()).unwrap();
    assert!(settled && last["outcome"] == "settled" && last["took"].as_u64().unwrap() > 0, "{again}");
    let is_leaving =
        |line: &str| serde_json::from_str::<Value>(line).is_ok_and(|event| event["event"] == "leaving");
    assert_eq!(again.lines().filter(|line| is_leaving(line)).count(), 2, "{again}");

    let text = world.text(&["history", "todo"]);
    assert!(text.contains("todo: move from gcp to aws") && text.contains("settled"), "{text}");
    let history: Value = serde_json::from_str(&world.text(&["history", "--output", "json"])).unwrap();
    assert_eq!(history.as_array().unwrap().len(), 2, "{history:#}");
    assert_eq!(history[0]["hosts"].as_array().unwrap().len(), 4, "{history:#}");
    assert_eq!(
        (&history[0]["outcome"], &history[0]["changes"][0]["kind"]),
        (&"settled".into(), &"moved".into())
    );

    let text = world.text(&["trace", "component/todo"]);
    for words in [
        "as asked",
        "todo.yaml:5",
        "store → provider/redis",
        "at gcp/gcp-1",
        "aws asks for 2",
        "wanted: number 1 in rank",
    ] {
        assert!(text.contains(words), "{words} is missing in:\n{text}");
    }
    assert!(text.contains("ready since") && text.contains("asked to leave: aws-"), "{text}");
    let status = world.status().unwrap();
    assert_eq!(status["components"]["todo"]["result"], "Current", "{status:#}");

    // What a host remembers is on disk.
    let before = revisions(&world, "gcp-2");
    world.text(&["kill", "gcp/gcp-2"]);
    world.text(&["revive", "gcp/gcp-2"]);
    let after = revisions(&world, "gcp-2");
    assert_eq!(after, before, "a restart keeps the history");
    let events = get(&format!("{}/v1/events?component=todo", world.admin("gcp-2"))).unwrap().body;
    assert!(events.contains("\"event\":\"leaving\""), "{events}");
}

#[test]
fn wrong_input_is_said_with_the_way_out() {
    let world = World::todo(&["--sites", "gcp"]);
    for (arguments, code, words) in [
        (vec!["trace", "provider/redis"], 2, "component/todo"),
        (vec!["trace", "tood"], 2, "no component \"tood\" in `dunlin dev` (process "),
        (vec!["trace", "tood"], 2, "did you mean \"todo\"?"),
        (vec!["rollout", "tood", "--timeout", "30s"], 2, "did you mean \"todo\"?"),
        (vec!["history", "tood"], 2, "did you mean \"todo\"?"),
        (vec!["history", "-n", "0"], 2, "at least 1"),
        (vec!["logs", "tood"], 2, "did you mean \"todo\"?"),
        (vec!["kill", "gpc"], 2, "did you mean \"gcp\"?"),
        (vec!["freeze", "gcp"], 2, "dunlin dev --real"),
        (vec!["status", "--process", "foo"], 2, "expected the number of the process"),
        (vec!["status", "--process", "1"], 2, "(directory /"),
        (vec!["rollout", "To do"], 2, "names no component"),
        (
            vec!["rollout", "todo", "--revision", "dir-000000000000", "--timeout", "1s"],
            1,
            "still follows dir-",
        ),
    ] {
        let output = world.dunlin(&arguments);
        let text =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.contains(words), "{arguments:?}: {words} is missing in:\n{text}");
    }
}
