//! Failover on real parts: a site dies or is cut off, another takes over and gives back, and nothing flaps.

use std::time::{Duration, Instant};

use dunlin_manifest::Replicas;

use crate::http::get;
use crate::ledger::Ledger;
use crate::repository::Repository;
use crate::world::{World, ready_in, todo_manifests};

const AFTER: Duration = Duration::from_secs(10);
const BACK: Duration = Duration::from_secs(5);
/// What a take-over may take beyond `after`.
const PROMPT: Duration = Duration::from_secs(2);

/// The todo application in `gcp` alone, with a store that both sites reach, and what `failover` says.
fn files(failover: &str) -> Repository {
    let files: Vec<_> = todo_manifests()
        .into_iter()
        .map(|(name, text)| {
            let text = match name.as_str() {
                "redis.yaml" => text.replace(
                    "  sites:\n",
                    "  shared: true\n  sites:\n    aws:\n      url: redis://redis:6379\n",
                ),
                "todo.yaml" => {
                    let sites = [("gcp", 2), ("aws", 0)]
                        .map(|(site, count)| (site.to_owned(), Replicas::Count(count)));
                    dunlin_manifest::set_replicas(&text, "todo", &sites).unwrap() + failover
                }
                _ => text,
            };
            (name, text)
        })
        .collect();
    Repository::new(&files)
}

/// The same, followed from Git at a path.
fn world(failover: &str) -> (Repository, World) {
    let repository = files(failover);
    let world = follow(&repository.path());
    (repository, world)
}

fn follow(url: &str) -> World {
    let world = World::follow(url, &[("todo", "todo")], &["--real"]);
    world.wait_for("the hosts", || world.status());
    world.wait_for("the component at home", || is(&world, 2, 0));
    world
}

fn declared() -> String {
    format!("  failover: {{ after: {}s, to: [aws], back: {}s }}\n", AFTER.as_secs(), BACK.as_secs())
}

fn is(world: &World, gcp: u64, aws: u64) -> Option<()> {
    (counts(world)? == (gcp, aws)).then_some(())
}

/// Ready slots as a host in `aws` sees them.
fn counts(world: &World) -> Option<(u64, u64)> {
    let status = get(&format!("{}/v1/status", world.admin("aws-1"))).ok()?.json();
    Some((ready_in(&status, "todo", "gcp"), ready_in(&status, "todo", "aws")))
}

fn condition(world: &World) -> Option<String> {
    let conditions = world.status()?["conditions"].as_array()?.clone();
    let found = conditions.iter().find(|condition| condition["reason"] == "FailedOver")?;
    Some(found["message"].as_str()?.to_owned())
}

#[test]
fn another_site_takes_over_and_gives_back() {
    let repository = files(&declared());
    let (_server, url) = repository.serve();
    let world = follow(&url);
    let aws = [world.site("aws")];
    world.text(&["kill", "gcp"]);
    let killed = Instant::now();
    let served = world.wait_for("an answer in aws", || {
        get(&format!("{}/api", aws[0])).is_ok_and(|answer| answer.status == 200).then(|| killed.elapsed())
    });
    eprintln!("served in the other site {served:?} after the kill, with `after` of {AFTER:?}");
    assert!(served > AFTER - PROMPT && served < AFTER + PROMPT, "{served:?}");
    world.wait_for("all of it", || is(&world, 0, 2));
    let told = world.wait_for("the condition", || condition(&world));
    assert!(told.contains("gcp") && told.contains("aws"), "{told}");

    // From here on nothing may fail: not while home comes back, not while the stand-ins leave.
    let ledger = Ledger::start(&aws, 4);
    world.wait_for("some requests", || (ledger.count() > 100).then_some(()));
    world.text(&["revive", "gcp"]);
    world.wait_for("home to be ready", || (counts(&world)?.0 == 2).then_some(()));
    let home = Instant::now();
    assert_eq!(counts(&world), Some((2, 2)), "the stand-ins stay as long as `back` says");
    world.wait_for("the stand-ins to leave", || is(&world, 2, 0));
    let left = home.elapsed();
    eprintln!("the stand-ins left {left:?} after home was ready, with `back` of {BACK:?}");
    assert!(left > BACK - PROMPT, "{left:?}");
    let count = ledger.count();
    world.wait_for("requests that go home", || (ledger.count() > count + 100).then_some(()));
    let books = ledger.close(&aws[0]);
    assert!(books.failed.is_empty() && books.wrong.is_empty(), "{:#?} {:#?}", books.failed, books.wrong);
    world.wait_for("the condition to be over", || condition(&world).is_none().then_some(()));
}

#[test]
fn a_site_that_is_cut_off_goes_on_and_nothing_flaps() {
    let (_repository, world) = world(&declared());
    let (gcp, aws) = (world.site("gcp"), world.site("aws"));
    let home = Ledger::start(std::slice::from_ref(&gcp), 2);
    world.wait_for("some requests", || (home.count() > 50).then_some(()));
    world.text(&["kill", "link/gcp"]);
    let cut = Instant::now();
    let served = world.wait_for("an answer in aws", || {
        get(&format!("{aws}/api")).is_ok_and(|answer| answer.status == 200).then(|| cut.elapsed())
    });
    assert!(served > AFTER - PROMPT, "{served:?}");
    world.wait_for("both stand-ins", || (counts(&world)?.1 == 2).then_some(()));
    let count = home.count();
    world.wait_for("home to go on", || (home.count() > count + 100).then_some(()));
    world.text(&["revive", "link/gcp"]);
    // From there on the number of slots in aws may only fall, once, and only when `back` is over.
    let mended = Instant::now();
    let mut seen = vec![2];
    world.wait_for("the stand-ins to leave", || {
        let (_, aws) = counts(&world)?;
        if seen.last() != Some(&aws) {
            seen.push(aws);
        }
        is(&world, 2, 0)
    });
    assert!(mended.elapsed() > BACK, "{:?}", mended.elapsed());
    assert!(seen.is_sorted_by(|before, after| before >= after), "{seen:?}");
    let quiet = Instant::now();
    world.wait_for("quiet", || {
        assert_eq!(counts(&world).map(|counts| counts.1), Some(0), "it started again");
        (quiet.elapsed() > AFTER + PROMPT).then_some(())
    });
    let books = home.close(&gcp);
    assert!(books.failed.is_empty() && books.wrong.is_empty(), "{:#?} {:#?}", books.failed, books.wrong);
}

#[test]
fn a_site_that_is_cut_off_itself_takes_nothing_over() {
    let (_repository, world) = world(&declared());
    world.text(&["kill", "link/aws"]);
    let cut = Instant::now();
    world.wait_for("time for a mistake", || {
        assert_eq!(
            counts(&world).map_or(0, |counts| counts.1),
            0,
            "aws hears nobody since it is cut off itself"
        );
        (cut.elapsed() > AFTER + 2 * PROMPT).then_some(())
    });
    world.text(&["revive", "link/aws"]);
    world.wait_for("requests to go home", || {
        get(&format!("{}/api", world.site("aws"))).is_ok_and(|answer| answer.status == 200).then_some(())
    });
}

#[test]
fn without_failover_nothing_changes_at_all() {
    let (_repository, world) = world("");
    world.text(&["kill", "gcp"]);
    let killed = Instant::now();
    world.wait_for("time for a mistake", || {
        assert_eq!(counts(&world).map_or(0, |counts| counts.1), 0, "nobody asked for that");
        (killed.elapsed() > AFTER + 2 * PROMPT).then_some(())
    });
}
