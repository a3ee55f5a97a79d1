//! Requests survive moves: real NATS, Redis and Git, twenty moves there and back, and what is counted must come out.

use std::time::{Duration, Instant};

use dunlin_manifest::Replicas;

use crate::http::post;
use crate::ledger::{Failed, Ledger};
use crate::repository::Repository;
use crate::trickle::{self, Trickle};
use crate::world::{World, ready, ready_in, todo_manifests};

const MOVES: u64 = 20;
/// Requests that the whole of it comes to at least.
const REQUESTS: u64 = 20_000;
/// A request to a host that was killed may have been sent this long before anybody could know.
const UNNOTICED: Duration = Duration::from_millis(50);

/// The todo application and a component that takes long bodies.
fn repository() -> Repository {
    let mut files = todo_manifests();
    files.push(("bodies.yaml".to_owned(), trickle::MANIFEST.to_owned()));
    Repository::new(&files)
}

/// Both, followed from Git at `url`.
fn world(url: &str) -> World {
    let world = World::follow(url, &[("todo", "todo"), ("bodies", "hostile")], &["--real"]);
    world.wait_for("both components to be ready", || {
        let status = world.status()?;
        (ready(&status, "todo") >= 3 && ready(&status, "bodies") >= 1).then_some(())
    });
    world
}

/// Moves both components by one commit.
fn commit(repository: &Repository, gcp: u32, aws: u32) {
    let replicas =
        [("gcp", gcp), ("aws", aws)].map(|(site, count)| (site.to_owned(), Replicas::Count(count.min(1))));
    repository.edit("bodies.yaml", |text| dunlin_manifest::set_replicas(&text, "bodies", &replicas).unwrap());
    repository.moves("todo.yaml", "todo", &[("gcp", gcp), ("aws", aws)]);
}

fn is_there(world: &World, gcp: u64, aws: u64) -> Option<()> {
    let status = world.status()?;
    ((ready_in(&status, "todo", "gcp"), ready_in(&status, "todo", "aws")) == (gcp, aws)).then_some(())
}

/// There and back, as often as said; `each` is called while each of them goes on.
fn moves(
    world: &World,
    repository: &Repository,
    ledger: &Ledger,
    mut each: impl FnMut(u64),
) -> Vec<Duration> {
    let mut times = Vec::new();
    for number in 0..MOVES {
        let (gcp, aws) = if number % 2 == 0 { (0, 2) } else { (2, 0) };
        let committed = Instant::now();
        commit(repository, gcp, aws);
        each(number);
        world.wait_for(&format!("move {number}"), || is_there(world, gcp.into(), aws.into()));
        times.push(committed.elapsed());
        // Enough of them between moves as well as during them.
        world.wait_for("more requests", || (ledger.count() > REQUESTS * (number + 1) / MOVES).then_some(()));
    }
    times
}

#[test]
fn no_request_fails_while_components_move_back_and_forth() {
    let repository = repository();
    let world = world(&repository.path());
    let addresses = [world.site("gcp"), world.site("aws")];
    let (ledger, trickle) = (Ledger::start(&addresses, 4), Trickle::start(&addresses));
    let mut times = moves(&world, &repository, &ledger, |_| {});
    let (uploads, broken) = trickle.stop();
    let books = ledger.close(&addresses[1]);
    times.sort();
    eprintln!(
        "{} requests and {uploads} slow uploads over {} connections, the slowest request {:?}; a move took {:?} (median)",
        books.well,
        books.connections,
        books.slowest,
        times[times.len() / 2]
    );
    assert!(books.failed.is_empty(), "{} of {} failed: {:#?}", books.failed.len(), books.well, books.failed);
    assert!(books.wrong.is_empty(), "{:#?}", books.wrong);
    assert!(books.well >= REQUESTS && uploads > 20, "{} and {uploads}", books.well);
    assert!(broken.is_empty(), "{} of {uploads} uploads broke: {broken:#?}", broken.len());
    assert_eq!(books.connections, 8, "connections are kept");
}

#[test]
fn a_host_killed_in_a_move_costs_only_what_it_was_doing() {
    let repository = repository();
    let (_server, url) = repository.serve();
    let world = world(&url);
    let addresses = [world.site("gcp"), world.site("aws")];
    let ledger = Ledger::start(&addresses, 4);
    let mut kills = Vec::new();
    moves(&world, &repository, &ledger, |number| {
        if number % 4 != 3 {
            return;
        }
        // In turn one that is about to leave and one that is about to start.
        let host = ["aws/aws-1", "gcp/gcp-2", "aws/aws-2", "gcp/gcp-1", "gcp/gcp-2"][number as usize / 4];
        let began = Instant::now();
        world.text(&["kill", host]);
        kills.push((began, Instant::now()));
        world.text(&["revive", host]);
    });
    let made = post(&format!("{}/api", addresses[0]), r#"{"title":"after all"}"#).unwrap();
    assert_eq!(made.status, 201, "{made:?}");
    let books = ledger.close(&addresses[1]);
    eprintln!(
        "{} requests, {} in flight on killed hosts, the slowest {:?}",
        books.well,
        books.failed.len(),
        books.slowest
    );
    assert!(books.wrong.is_empty(), "{:#?}", books.wrong);
    assert!(books.well >= REQUESTS * 9 / 10, "{}", books.well);
    let in_flight = |failed: &&Failed| {
        kills.iter().any(|(began, ended)| failed.began <= *ended + UNNOTICED && failed.ended >= *began)
    };
    let (explained, others): (Vec<_>, Vec<_>) = books.failed.iter().partition(in_flight);
    let others: Vec<_> = others.iter().map(|failed| &failed.what).collect();
    assert!(others.is_empty(), "{} failed with no host killed meanwhile: {others:#?}", others.len());
    // What is lost with a host is a connection to it, or an answer of which nobody knows. Nothing is refused, since there
    // are others, and nobody is kept waiting.
    let inexplicable: Vec<_> =
        explained.iter().filter(|failed| failed.is_refused || failed.is_late).collect();
    assert!(inexplicable.is_empty(), "{inexplicable:#?}");
    assert!(
        explained.len() <= kills.len() * 8,
        "more than the clients can have had in flight: {explained:#?}"
    );
}
