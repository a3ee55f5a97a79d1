//! `dunlin host` as an operator starts it, and as it comes back when everything around it is gone.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::http::get;
use crate::world::World;

fn host(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dunlin"));
    command.arg("host").args(arguments).env("DUNLIN_WEIGHT", "7").output().unwrap()
}

#[test]
fn every_setting_says_where_it_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("host.toml");
    std::fs::write(&file, "lattice = \"todo\"\nmanifests = \"m\"\nnats = [\"tls://a:4222\"]\n").unwrap();
    let output = host(&["--config", file.to_str().unwrap(), "--site", "gcp", "--host", "one", "--explain"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    for (setting, value, origin) in [
        ("site", "gcp", "flag"),
        ("weight", "7", "environment DUNLIN_WEIGHT"),
        ("nats", "tls://a:4222", "host.toml:3"),
        ("memory", "4Gi", "default"),
    ] {
        let line = text.lines().find(|line| line.starts_with(&format!("{setting} "))).unwrap();
        assert!(line.contains(value) && line.contains(origin), "{line}");
    }
}

#[test]
fn a_password_in_a_repositorys_url_is_shown_nowhere() {
    let url = "https://me:hunter2@host/app.git";
    let needed =
        ["--lattice", "todo", "--site", "gcp", "--host", "one", "--nats", "tls://a:4222", "--git", url];
    for more in [&["--explain"][..], &["--explain", "--manifests", "m"], &["--branch", "a b"]] {
        let output = host(&[&needed[..], more].concat());
        let said =
            [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        assert!(!said.contains("hunter2"), "{said}");
        assert!(said.contains("https://host/app.git") || said.contains("cannot be a branch"), "{said}");
    }
}

#[test]
fn wrong_settings_end_with_two_and_say_all_at_once() {
    let output = host(&["--site", "G C P", "--nats", "http://a"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("lattice is needed") && text.contains("found \"G C P\" (flag)"), "{text}");
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    let all =
        ["--site", "gcp", "--host", "one", "--lattice", "todo", "--manifests", folder, "--state", folder];
    let output = host(&[&all[..], &["--nats", "http://a"]].concat());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("only nats:// and tls://"), "{text}");
}

#[test]
fn a_host_starts_again_with_the_bus_gone() {
    let world = World::todo(&["--real"]);
    for part in ["hub", "leaf/gcp", "gcp/gcp-2"] {
        world.text(&["kill", part]);
    }
    let killed = Instant::now();
    world.text(&["revive", "gcp/gcp-2"]);
    let admin = world.admin("gcp-2");
    let state = || get(&format!("{admin}/v1/status")).ok().map(|answer| answer.json());
    world.wait_for("the component to run again", || {
        let status = state()?;
        (status["sites"]["gcp"]["hosts"]["gcp-2"]["slots"]["todo"]["state"] == "ready").then_some(())
    });
    assert!(killed.elapsed() < Duration::from_secs(15), "{:?}", killed.elapsed());
    let status = state().unwrap();
    let said = status["conditions"].as_array().unwrap().iter().any(|found| found["reason"] == "Bus");
    assert!(said, "it does not say that its bus is gone: {status:#}");
    // Its Redis is beside it, so it serves.
    let addresses = world.http("gcp-2");
    world.wait_for("an answer", || get(&format!("{addresses}/api")).ok().filter(|list| list.status == 200));
}

#[test]
fn the_nats_command_is_told_what_it_needs() {
    let world = World::todo(&["--real"]);
    for place in ["gcp", "aws", "hub"] {
        let text = world.text(&["nats", "env", place]);
        assert!(text.contains("export NATS_URL='tls://localhost:"), "{text}");
        for variable in ["NATS_CA", "NATS_CREDS"] {
            let line = text.lines().find(|line| line.contains(variable)).unwrap();
            let file = line.split('\'').nth(1).unwrap();
            assert!(std::path::Path::new(file).is_file(), "{line}");
        }
    }
    let output = world.dunlin(&["nats", "env", "eu"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("there are gcp, aws, hub"));
}
