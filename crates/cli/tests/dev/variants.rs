//! Whatever a commit changes of a component, and while a host drains: real NATS, Redis and Git, and no request notices.

use std::net::SocketAddr;

use crate::ledger::Ledger;
use crate::repository::Repository;
use crate::world::{World, ready, ready_in, todo_manifests};

/// Waits until everything is as the commit says, and for requests after that.
fn settle(world: &World, ledger: &Ledger, component: &str, commit: &str) {
    let (count, text) =
        (ledger.count(), world.text(&["rollout", component, "--revision", commit, "--timeout", "30s"]));
    assert!(text.contains(&commit[..7]), "{text}");
    world.wait_for("more requests", || (ledger.count() > count + 100).then_some(()));
}

/// Where the Redis is that `dunlin dev` started.
fn redis(world: &World) -> SocketAddr {
    let printed = world.wait_for("the table", || {
        let printed = world.printed();
        printed.contains("by gcp-").then_some(printed)
    });
    let after = printed.split_once("Redis on ").unwrap().1;
    after.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn no_request_fails_whatever_a_commit_changes_and_while_a_host_drains() {
    let repository = Repository::new(&todo_manifests());
    let (_server, url) = repository.serve();
    let world = World::follow(&url, &[("todo", "todo"), ("todos", "todo")], &["--real"]);
    world.wait_for("todo to be ready", || (ready(&world.status()?, "todo") >= 3).then_some(()));
    let addresses = [world.site("gcp"), world.site("aws")];
    let ledger = Ledger::start(&addresses, 2);
    let change = |component: &str, what: &str, from: &str, to: &str| {
        repository.edit("todo.yaml", |text| {
            assert!(text.contains(from), "{from} is missing in:\n{text}");
            text.replace(from, to)
        });
        settle(&world, &ledger, component, &repository.commit(what));
    };
    change("todo", "another configuration", "  links:\n", "  config: { A: { value: b } }\n  links:\n");
    change("todo", "another link", "timeout: 2s", "timeout: 3s");
    change("todo", "other resources", "memory: 64Mi", "memory: 48Mi");
    let at = redis(&world);
    repository.edit("redis.yaml", |text| {
        text.replace("name: redis", "name: cache").replace("redis://redis:6379", &format!("redis://{at}"))
    });
    change("todo", "another provider", "name: redis", "name: cache");
    change("todos", "another name", "  name: todo\n", "  name: todos\n");
    world.wait_for("the old name to leave", || (ready(&world.status()?, "todo") == 0).then_some(()));

    // A host that drains in the middle of a move: it waits for those who take over.
    let processes = world.processes();
    let (host, process) = processes.iter().find(|(name, _)| name.ends_with("gcp-2")).unwrap();
    let moved = repository.moves("todo.yaml", "todos", &[("gcp", 1), ("aws", 2)]);
    let ended = std::process::Command::new("kill").args(["-TERM", &process.to_string()]).status().unwrap();
    assert!(ended.success());
    world.wait_for("its end", || world.printed().contains("ended by itself").then_some(()));
    world.text(&["revive", host]);
    settle(&world, &ledger, "todos", &moved);
    let status = world.status().unwrap();
    assert_eq!((ready_in(&status, "todos", "gcp"), ready_in(&status, "todos", "aws")), (1, 2), "{status:#}");

    let books = ledger.close(&addresses[1]);
    eprintln!("{} requests, the slowest {:?}", books.well, books.slowest);
    assert!(books.failed.is_empty() && books.wrong.is_empty(), "{:#?} {:#?}", books.failed, books.wrong);
}
