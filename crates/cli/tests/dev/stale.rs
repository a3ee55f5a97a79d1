//! What was sent to a part that is frozen, and given up, has no effect when the part goes on.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use dunlin_providers::keyvalue::Error;
use serde_json::Value;

use crate::across::{GROUND, context, guest};
use crate::guests::Guests;
use crate::http::{get, post};
use crate::world::{World, ready_in};

/// The todo application in `gcp` alone, so that requests at `aws` go on to it.
const TODO: &str = "---\napiVersion: dunlin.dev/v1alpha1\nkind: WasmComponent\nmetadata: { name: todo }\nspec:\n  \
    image: example.com/todo:1\n  sites: { gcp: { replicas: 1 }, aws: { replicas: 0 } }\n  http: { path: / }\n  \
    links:\n    store: { import: \"wasi:keyvalue\", provider: { name: redis }, bucket: todo, timeout: 2s }\n  \
    timeouts: { request: 4s }\n";

/// What may pass beyond a timeout.
pub const GRACE: Duration = Duration::from_millis(250);

/// One host in each site: the key-value guest is in `aws`, the todo application and Redis are in `gcp`.
struct Lattice {
    world: World,
    guests: Guests,
    runtime: tokio::runtime::Runtime,
    /// Titles of todos that must never be there.
    given_up: BTreeSet<String>,
}

impl Lattice {
    fn start() -> Self {
        let manifests = format!("{GROUND}{}{TODO}", guest(0, "b", "2s"));
        let code = [("kv-0", "keyvalue2"), ("todo", "todo")];
        let arguments = ["--real", "--distance", "10ms", "--hosts", "1"];
        let world = World::start(&[("all.yaml", manifests)], &code, &arguments);
        let guests = Guests::new(world.site("aws"));
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let lattice = Self { world, guests, runtime, given_up: BTreeSet::new() };
        lattice.world.wait_for("both to be ready", || {
            let status = lattice.world.status()?;
            (ready_in(&status, "kv-0", "aws") == 1 && ready_in(&status, "todo", "gcp") == 1).then_some(())
        });
        lattice
    }

    fn ask(&self, function: &str, key: &str, value: Option<&str>) -> Result<Value, Error> {
        let value = value.map(|value| value.to_owned().into());
        let arguments = [("key", key.as_bytes())];
        self.runtime.block_on(self.guests.ask(&context(), 0, function, &arguments, value))
    }

    fn add(&self, title: &str) -> Result<(), String> {
        match post(&format!("{}/api", self.world.site("aws")), &format!(r#"{{"title":"{title}"}}"#)) {
            Ok(answer) if answer.status == 201 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    }

    fn titles(&self) -> Option<BTreeSet<String>> {
        let list = get(&format!("{}/api", self.world.site("aws"))).ok().filter(|list| list.status == 200)?;
        let title = |todo: &Value| todo["title"].as_str().unwrap().to_owned();
        Some(list.json().as_array().unwrap().iter().map(title).collect())
    }

    /// Writes that were acknowledged, each of them visible; what the counter is now.
    fn works(&self, word: &str) -> i64 {
        self.world.wait_for("a set", || self.ask("set", "probe", Some(word)).ok());
        assert_eq!(self.world.wait_for("a get", || self.ask("get", "probe", None).ok())["value"], word);
        let title = self.world.wait_for("a todo", || {
            let title = format!("{word} {:?}", Instant::now());
            self.add(&title).is_ok().then_some(title)
        });
        assert!(self.world.wait_for("the list", || self.titles()).contains(&title));
        self.world.wait_for("the counter", || self.ask("increment", "counter", None).ok())["value"]
            .as_i64()
            .unwrap()
    }

    /// Freezes `part`, sends a set, an increment and a POST until all have been given up, thaws it, and looks.
    fn freeze(&mut self, part: &str) {
        self.world.wait_for("a set", || self.ask("set", "value", Some(part)).ok());
        let counter = self.works(&format!("before {part}"));
        let title = format!("stale {part}");
        self.world.text(&["freeze", part]);
        let timed = |limit: u64, work: &dyn Fn() -> Result<(), String>| {
            let begun = Instant::now();
            let outcome = work();
            assert!(begun.elapsed() < Duration::from_secs(limit) + GRACE, "{part}: {:?}", begun.elapsed());
            let reason = outcome.expect_err("nobody could answer");
            assert!(reason.contains("nknown") || reason.contains("not executed"), "{part}: {reason}");
        };
        let words = |answer: Result<Value, Error>| answer.map(drop).map_err(|error| format!("{error:?}"));
        std::thread::scope(|threads| {
            threads.spawn(|| timed(2, &|| words(self.ask("set", "value", Some("stale")))));
            threads.spawn(|| timed(2, &|| words(self.ask("increment", "counter", None))));
            threads.spawn(|| timed(4, &|| self.add(&title)));
        });
        self.given_up.insert(title);
        self.world.text(&["thaw", part]);
        assert_eq!(self.works(&format!("after {part}")), counter + 1, "{part}: a stale increment");
        assert_eq!(self.ask("get", "value", None).unwrap()["value"], part, "a stale set");
        let titles = self.world.wait_for("the list", || self.titles());
        assert!(titles.is_disjoint(&self.given_up), "{part}: a stale POST: {titles:?}");
    }
}

#[test]
fn nothing_stale_is_executed_when_a_part_goes_on() {
    let mut lattice = Lattice::start();
    for part in ["hub", "leaf/aws", "leaf/gcp", "link/gcp", "gcp/gcp-1", "provider/redis"] {
        lattice.freeze(part);
    }
}
