//! Commands that ask hosts named by their admin ports, as where no `dunlin dev` runs.

use std::process::{Command, Output};

use crate::world::World;

/// Runs a command that finds no `dunlin dev`.
fn dunlin(arguments: &[&str]) -> Output {
    let nowhere = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_dunlin"));
    command.args(arguments).env("XDG_RUNTIME_DIR", nowhere.path()).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn named_hosts_are_asked() {
    let world = World::todo(&[]);
    let hosts = ["gcp-1", "gcp-2", "aws-1", "aws-2"].map(|host| world.admin(host));
    let all = hosts.join(",");
    for (arguments, words) in [
        // First, so that the others find what is settled.
        (&["rollout", "todo", "--timeout", "20s"][..], &["started in", "0 failed"][..]),
        (&["status"], &["lattice todo", "gcp-1", "aws-2"]),
        (&["history", "todo"], &["todo: new (aws 1, gcp 2)"]),
        (&["trace", "todo"], &["component/todo  as asked", "gcp/gcp-1", "aws/aws-1"]),
        (&["calls", "--for", "100ms"], &[]),
        (&["logs"], &[]),
    ] {
        assert!(!dunlin(arguments).status.success(), "{arguments:?}: nothing is named, and nothing runs");
        let output = dunlin(&[arguments, &["--admin", &all]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        for word in words {
            assert!(
                said(&output).contains(word),
                "{arguments:?}: {word:?} is missing in:\n{}",
                said(&output)
            );
        }
    }
    // One that does not answer is passed over; if none does, all are named.
    let output = dunlin(&["history", "--admin", "127.0.0.1:1", "--admin", &hosts[0]]);
    assert!(output.status.success(), "{}", said(&output));
    for command in [&["status"][..], &["history"], &["trace", "todo"], &["calls"]] {
        let output = dunlin(&[command, &["--admin", "127.0.0.1:1"]].concat());
        let text = said(&output);
        assert!(output.status.code() == Some(1) && text.contains("127.0.0.1:1"), "{command:?}: {text}");
    }
    let output = dunlin(&["status", "--admin", "https://127.0.0.1:1"]);
    assert!(output.status.code() == Some(2) && said(&output).contains("without TLS"), "{}", said(&output));
}
