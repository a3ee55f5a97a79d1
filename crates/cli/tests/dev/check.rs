//! `dunlin check`: all well, and then each kind of wrong, one at a time.

use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::world::World;

/// Nothing may make it hang: the limits of all steps together.
const LONGEST: Duration = Duration::from_secs(20);

/// What it found, as values.
pub struct Checked {
    pub code: Option<i32>,
    findings: Vec<Value>,
    text: String,
}

impl Checked {
    pub fn of(output: &Output) -> Self {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let read: Value = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr)));
        let findings = read["findings"].as_array().cloned().unwrap_or_default();
        Self { code: output.status.code(), findings, text }
    }

    /// Whether it says of `what`, with this verdict, all of these words; in what was found or in what to do.
    fn says(&self, verdict: &str, what: &str, words: &[&str]) -> bool {
        self.findings.iter().any(|finding| {
            let said = format!("{} → {}", finding["found"], finding["mend"]);
            finding["what"] == what
                && finding["verdict"] == verdict
                && words.iter().all(|word| said.contains(word))
        })
    }

    #[track_caller]
    pub fn must_say(&self, verdict: &str, what: &str, words: &[&str]) {
        assert!(self.says(verdict, what, words), "{verdict} {what} {words:?} is missing in {}", self.text);
    }
}

fn check(world: &World) -> Checked {
    let begun = Instant::now();
    let checked = Checked::of(&world.dunlin(&["check", "--output", "json"]));
    assert!(begun.elapsed() < LONGEST, "it took {:?}: {}", begun.elapsed(), checked.text);
    checked
}

/// Until everything is mended, which takes as long as the timers of all parts.
fn until_well(world: &World) {
    world.wait_for("all to be well", || (check(world).code == Some(0)).then_some(()));
}

/// Until it says so: some things show only after a timer.
fn until(world: &World, verdict: &str, what: &str, words: &[&str]) -> Checked {
    world.wait_for(&format!("{verdict} {what} {words:?}"), || {
        let checked = check(world);
        (checked.code == Some(1) && checked.says(verdict, what, words)).then_some(checked)
    })
}

#[test]
fn a_real_world_and_what_goes_wrong_with_its_servers() {
    let world = World::todo(&["--real"]);
    until_well(&world);
    let all = check(&world);
    for what in [
        "hub",
        "leaf aws",
        "leaf gcp",
        "certificate hub",
        "certificate aws",
        "authority",
        "credentials",
        "link aws",
        "link gcp",
        "permissions hub",
        "permissions gcp",
        "clocks",
        "host aws/aws-1",
        "host gcp/gcp-2",
        "provider redis",
        "component todo",
        "ingress aws /",
        "ingress gcp /",
    ] {
        all.must_say("good", what, &[]);
    }
    all.must_say("good", "link aws", &["aws (2 hosts)", "gcp (2 hosts)"]);
    let text = world.text(&["check"]);
    assert!(text.contains("all well") && !text.contains('\u{1b}'), "{text}");

    named(&world);

    world.text(&["kill", "hub"]);
    let killed = until(&world, "bad", "link aws", &["does not hear gcp", "mend the hub"]);
    killed.must_say("bad", "hub", &["refuses connections", "dunlin revive hub"]);
    killed.must_say("good", "leaf aws", &[]);
    killed.must_say("good", "ingress aws /", &[]);
    world.text(&["revive", "hub"]);
    until_well(&world);

    world.text(&["freeze", "hub"]);
    let frozen = until(&world, "bad", "hub", &["says nothing", "frozen or overloaded", "dunlin thaw hub"]);
    frozen.must_say("bad", "link gcp", &["does not hear aws"]);
    world.text(&["thaw", "hub"]);
    until_well(&world);

    world.text(&["kill", "leaf/aws"]);
    let killed = until(&world, "bad", "leaf aws", &["refuses connections", "dunlin revive leaf/aws"]);
    killed.must_say("note", "link aws", &["the hub hears none of its hosts"]);
    killed.must_say("good", "hub", &[]);
    world.text(&["revive", "leaf/aws"]);
    until_well(&world);

    world.text(&["kill", "link/gcp"]);
    let cut =
        until(&world, "bad", "link gcp", &["the hub does not hear its hosts", "dunlin revive link/gcp"]);
    cut.must_say("good", "link aws", &[]);
    cut.must_say("good", "leaf gcp", &[]);
    world.text(&["revive", "link/gcp"]);
    until_well(&world);
}

/// The same, with everything named as on a real deployment.
fn named(world: &World) {
    let environment = |site: &str| -> Value {
        serde_json::from_str(&world.text(&["nats", "env", site, "--output", "json"])).unwrap()
    };
    let hub = environment("hub");
    let mut arguments = vec!["check".to_owned(), "--output=json".to_owned()];
    for place in ["hub", "gcp", "aws"] {
        arguments.push(format!("--nats={place}={}", environment(place)["server"].as_str().unwrap()));
    }
    arguments.push(format!("--credentials={}", hub["credentials"].as_str().unwrap()));
    arguments.push(format!("--authority={}", hub["authority"].as_str().unwrap()));
    arguments.extend(["aws-1", "gcp-1"].map(|host| format!("--admin={}", world.admin(host))));
    arguments.push(format!("--ingress=gcp={}", world.site("gcp")));
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let checked = Checked::of(&world.dunlin(&arguments));
    for what in ["hub", "leaf gcp", "link aws", "permissions aws", "host aws/aws-1", "ingress gcp /"] {
        checked.must_say("good", what, &[]);
    }
    assert_eq!(checked.code, Some(0), "{}", checked.text);
}

#[test]
fn what_goes_wrong_with_hosts_and_providers() {
    let world = World::todo(&["--real"]);
    until_well(&world);
    world.text(&["kill", "provider/redis"]);
    until(&world, "bad", "provider redis", &["gcp/gcp-1", "dunlin revive provider/redis"]);
    world.text(&["revive", "provider/redis"]);
    until_well(&world);

    world.text(&["kill", "gcp/gcp-2"]);
    let killed = until(&world, "bad", "host gcp/gcp-2", &["not heard for", "dunlin revive gcp/gcp-2"]);
    killed.must_say("good", "host gcp/gcp-1", &[]);
    world.text(&["revive", "gcp/gcp-2"]);
    until_well(&world);

    world.text(&["freeze", "aws/aws-1"]);
    until(&world, "bad", "host aws/aws-1", &["says nothing", "dunlin thaw aws/aws-1"]);
    world.text(&["thaw", "aws/aws-1"]);
    until_well(&world);

    world.text(&[
        "move",
        "todo",
        "gcp=0",
        "aws=0",
        "--write",
        "--directory",
        world.manifests.to_str().unwrap(),
    ]);
    let nothing = until(&world, "bad", "ingress gcp /", &["503", "dunlin status"]);
    nothing.must_say("good", "host gcp/gcp-1", &[]);
    until(&world, "warning", "component todo", &["dunlin move todo"]);
}

#[test]
fn in_one_process_what_applies_is_checked() {
    let world = World::todo(&["--sites", "gcp"]);
    until_well(&world);
    let checked = check(&world);
    checked.must_say("note", "bus", &["in this process", "dunlin dev --real"]);
    checked.must_say("note", "provider redis", &["embedded store in place of Redis"]);
    checked.must_say("good", "ingress gcp /", &[]);
    world.text(&["kill", "gcp"]);
    until(&world, "bad", "hosts", &["dunlin revive"]);
    // A connection that was made while the hosts ended may be silent for a moment.
    until(&world, "bad", "ingress gcp /", &["closes the connection", "dunlin revive gcp"]);
}
