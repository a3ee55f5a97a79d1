//! Order and safety with real parts: what may come into force, what is held, and what goes on when Git is gone.

use dunlin_testkit::Mood;

use crate::http::get;
use crate::ledger::Ledger;
use crate::repository::Repository;
use crate::world::{World, ready, ready_in, todo_manifests};

fn world(url: &str) -> World {
    let world = World::follow(url, &[("todo", "todo")], &["--real"]);
    world.wait_for("todo to be ready", || (ready(&world.status()?, "todo") >= 3).then_some(()));
    world
}

/// What the first host that answers says with this reason.
fn condition(world: &World, reason: &str) -> Option<String> {
    let conditions = world.status()?["conditions"].as_array()?.clone();
    let found = conditions.iter().find(|condition| condition["reason"] == reason)?;
    Some(found["message"].as_str()?.to_owned())
}

/// Whether every host follows this commit.
fn all_follow(world: &World, commit: &str) -> Option<()> {
    let sites = world.status()?["sites"].as_object()?.clone();
    let hosts = sites.values().flat_map(|site| site["hosts"].as_object().cloned().unwrap_or_default());
    hosts.map(|(_, host)| host).all(|host| host["revision"] == commit).then_some(())
}

fn is(world: &World, gcp: u64, aws: u64) -> Option<()> {
    let status = world.status()?;
    ((ready_in(&status, "todo", "gcp"), ready_in(&status, "todo", "aws")) == (gcp, aws)).then_some(())
}

#[test]
fn what_does_not_follow_is_held_and_nothing_stops() {
    let repository = Repository::new(&todo_manifests());
    let (_server, url) = repository.serve();
    let world = world(&url);
    let addresses = [world.site("gcp"), world.site("aws")];
    let ledger = Ledger::start(&addresses, 1);
    let first = repository.git(&["rev-parse", "HEAD"]);

    // A branch that was made anew does not descend from what is in force.
    let second = repository.moves("todo.yaml", "todo", &[("gcp", 1), ("aws", 2)]);
    world.wait_for("the second commit", || all_follow(&world, &second).and_then(|()| is(&world, 1, 2)));
    repository.git(&["reset", "--quiet", "--hard", &first]);
    let other = repository.moves("todo.yaml", "todo", &[("gcp", 2), ("aws", 0)]);
    let held = world.wait_for("the condition", || condition(&world, "HeldOrder"));
    assert!(held.contains(&other[..7]) && held.contains("replaces"), "{held}");
    assert_eq!(is(&world, 1, 2), Some(()), "what is in force stays so: {held}");
    repository
        .edit("lattice.yaml", |text| format!("{}  replaces: {second}\n", text.trim_end().to_owned() + "\n"));
    let replacing = repository.commit("the branch was made anew");
    world.wait_for("the new branch", || all_follow(&world, &replacing).and_then(|()| is(&world, 2, 0)));

    // No component at all is more often a mistake than a wish.
    repository.git(&["rm", "--quiet", "todo.yaml"]);
    repository.commit("oh no");
    let held = world.wait_for("the condition", || condition(&world, "HeldEmpty"));
    assert!(held.contains("allowEmpty"), "{held}");
    repository.git(&["revert", "--no-edit", "HEAD"]);
    let reverted = repository.git(&["rev-parse", "HEAD"]);
    world.wait_for("the revert", || all_follow(&world, &reverted));

    // A mistake holds back its own object.
    repository.edit("todo.yaml", |text| text.replace("    gcp:\n", "    gpc:\n"));
    let mistaken = repository.commit("a mistake");
    let said = world.wait_for("the mistake", || condition(&world, "Invalid"));
    assert!(said.contains("todo.yaml:") && said.contains("did you mean \"gcp\"?"), "{said}");
    world.wait_for("the rest of it", || all_follow(&world, &mistaken));
    assert_eq!(is(&world, 2, 0), Some(()));

    // One that cannot be read at all holds back all that was in it.
    repository.edit("todo.yaml", |text| text.replace("  sites:\n", "  sites: [\n"));
    let broken = repository.commit("a file that is no YAML");
    world.wait_for("the broken file", || all_follow(&world, &broken));
    let output = world.dunlin(&["rollout", "todo", "--revision", &broken, "--timeout", "20s"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        !output.status.success() && text.contains("stalled: todo: ") && text.contains("todo.yaml:"),
        "{text}"
    );
    assert_eq!(is(&world, 2, 0), Some(()));
    repository.git(&["revert", "--no-edit", &broken, &mistaken]);

    // What is suspended starts nothing and stops nothing, whatever else its manifest says.
    repository.edit("todo.yaml", |text| text.replace("spec:\n", "spec:\n  suspend: true\n"));
    let suspended = repository.moves("todo.yaml", "todo", &[("gcp", 0), ("aws", 2)]);
    world.wait_for("the suspension", || all_follow(&world, &suspended));
    let output = world.dunlin(&["rollout", "todo", "--revision", &suspended, "--timeout", "20s"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success() && text.contains("todo is suspended"), "{text}");
    let count = ledger.count();
    world.wait_for("requests meanwhile", || (ledger.count() > count + 100).then_some(()));
    assert_eq!(is(&world, 2, 0), Some(()), "nothing started and nothing stopped");
    repository.edit("todo.yaml", |text| text.replace("  suspend: true\n", ""));
    let resumed = repository.commit("go on");
    world.wait_for("the move that was held up", || {
        all_follow(&world, &resumed).and_then(|()| is(&world, 0, 2))
    });
    let back = repository.moves("todo.yaml", "todo", &[("gcp", 2), ("aws", 0)]);
    world.wait_for("home", || all_follow(&world, &back).and_then(|()| is(&world, 2, 0)));

    // Three commits at once, and a revert while hosts are at any of them.
    repository.moves("todo.yaml", "todo", &[("gcp", 0), ("aws", 2)]);
    repository.moves("todo.yaml", "todo", &[("gcp", 1), ("aws", 1)]);
    repository.git(&["revert", "--no-edit", "HEAD"]);
    let last = repository.git(&["rev-parse", "HEAD"]);
    world.wait_for("the last of them", || all_follow(&world, &last).and_then(|()| is(&world, 0, 2)));
    let count = ledger.count();
    world.wait_for("more requests", || (ledger.count() > count + 50).then_some(()));
    let books = ledger.close(&addresses[1]);
    assert!(books.failed.is_empty() && books.wrong.is_empty(), "{:#?} {:#?}", books.failed, books.wrong);
}

#[test]
fn a_host_starts_again_with_git_and_nats_both_gone() {
    let repository = Repository::new(&todo_manifests());
    let (server, url) = repository.serve();
    let world = world(&url);
    let status = world.status().unwrap();
    let running = |site: &'static str| {
        let hosts = status["sites"][site]["hosts"].as_object().unwrap().clone();
        let runs = |(_, host): &(&String, &serde_json::Value)| host["slots"]["todo"]["state"] == "ready";
        (site, hosts.iter().find(runs).unwrap().0.clone())
    };
    let (home, away) = (running("gcp"), running("aws"));
    server.be(Mood::Away);
    world.wait_for("the condition", || condition(&world, "SourceUnreadable"));
    for part in ["hub", "leaf/gcp", "leaf/aws"] {
        world.text(&["kill", part]);
    }
    // Redis is beside gcp: what runs there needs nobody else. In aws all is there but the store, which is asked no more
    // than before the restart.
    for ((site, host), path) in [(home, "/api"), (away, "/")] {
        let target = format!("{site}/{host}");
        world.text(&["kill", &target]);
        world.text(&["revive", &target]);
        world.wait_for("the host to serve again", || {
            let answer = get(&format!("{}{path}", world.http(&host))).ok()?;
            (answer.status == 200 && answer.header("dunlin-served-by") == Some(&target)).then_some(())
        });
        world.wait_for("its readiness", || {
            (get(&format!("{}/readyz", world.admin(&host))).ok()?.status == 200).then_some(())
        });
    }
    // And all of it comes back.
    server.be(Mood::Well);
    for part in ["hub", "leaf/gcp", "leaf/aws"] {
        world.text(&["revive", part]);
    }
    let moved = repository.moves("todo.yaml", "todo", &[("gcp", 0), ("aws", 2)]);
    world.wait_for("a move", || all_follow(&world, &moved).and_then(|()| is(&world, 0, 2)));
}
