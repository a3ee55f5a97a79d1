//! `dunlin dev --git`: a commit changes what runs, and nothing else does.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use dunlin_testkit::{GitRepository, GitServer};
use serde_json::Value;

use crate::http::get;
use crate::traffic::Traffic;
use crate::world::{World, ready_in, todo_manifests};

/// A repository with the todo application in the directory `deploy`.
fn repository() -> GitRepository {
    let repository = GitRepository::new();
    for (name, text) in todo_manifests() {
        repository.write(&format!("deploy/{name}"), text);
    }
    repository.commit("Add the todo application");
    repository
}

/// Commits other numbers of replicas.
fn place(repository: &GitRepository, gcp: u64, aws: u64) -> String {
    let path = repository.path().join("deploy/todo.yaml");
    let mut site = String::new();
    let place = |line: &str| {
        site = match line.trim() {
            name @ ("gcp:" | "aws:") => name.to_owned(),
            _ => site.clone(),
        };
        let replicas = if site == "gcp:" { gcp } else { aws };
        match line.split_once("replicas:") {
            Some((before, _)) => format!("{before}replicas: {replicas}\n"),
            None => format!("{line}\n"),
        }
    };
    let text: String = std::fs::read_to_string(&path).unwrap().lines().map(place).collect();
    repository.write("deploy/todo.yaml", text);
    repository.commit(&format!("Place it in gcp {gcp} times, in aws {aws} times"))
}

fn there(world: &World, gcp: u64, aws: u64) -> Value {
    world.wait_for(&format!("gcp={gcp} aws={aws}"), || {
        let status = world.status()?;
        ((ready_in(&status, "todo", "gcp"), ready_in(&status, "todo", "aws")) == (gcp, aws)).then_some(status)
    })
}

/// The revision that each host follows, by host.
fn revisions(world: &World) -> Vec<String> {
    let hosts = world.announced().unwrap()["hosts"].as_array().unwrap().clone();
    let revision = |host: &Value| {
        let answer = get(&format!("http://{}/v1/status", host[1].as_str()?)).ok()?;
        Some(answer.json()["revision"].as_str()?.to_owned())
    };
    hosts.iter().filter_map(revision).collect()
}

#[test]
fn a_commit_in_a_repository_on_this_machine_moves_a_component() {
    let repository = repository();
    let path = repository.path().display().to_string();
    let world = World::with(&[("todo", "todo")], &["--git", &path, "--path", "deploy"]);
    assert_eq!(there(&world, 2, 1)["revision"], repository.head().as_str());
    let announced = world.announced().unwrap();
    assert_eq!(announced["git"]["tree"], path.as_str());
    assert_eq!(announced["directory"], format!("{path}/deploy").as_str());
    let addresses = [world.site("gcp"), world.site("aws")];
    let traffic = Traffic::start(&addresses);
    // An edit is no commit.
    world.text(&["move", "todo", "gcp=0", "aws=2", "--write"]);
    assert!(repository.git(&["status", "--short"]).contains("deploy/todo.yaml"));
    std::thread::sleep(Duration::from_secs(1));
    there(&world, 2, 1);
    let head = repository.commit("Move it to aws");
    assert_eq!(there(&world, 0, 2)["revision"], head.as_str());
    place(&repository, 2, 0);
    there(&world, 2, 0);
    // A rewritten branch is held.
    repository.git(&["reset", "--quiet", "--hard", "HEAD^"]);
    let rewritten = place(&repository, 1, 1);
    world.wait_for("the head to be held", || {
        let status = world.status()?;
        let conditions = status["conditions"].as_array()?.clone();
        let held = |condition: &Value| {
            let message = condition["message"].as_str().unwrap_or_default();
            condition["reason"] == "HeldOrder"
                && message.contains(&rewritten[..7])
                && message.contains("replaces:")
        };
        conditions.iter().any(held).then_some(())
    });
    there(&world, 2, 0);
    for arguments in [["diff"].as_slice(), &["diff", "--worktree"]] {
        let output = world.dunlin(arguments);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.code() == Some(2) && text.contains("held") && text.contains("replaces:"),
            "{text}"
        );
    }
    let text = world.text(&["move", "todo", "gcp=0", "aws=2"]);
    assert!(text.contains("this changes nothing: ") && text.contains(&rewritten[..7]), "{text}");
    let tally = traffic.stop();
    assert!(tally.failures.is_empty(), "{:#?} of {}", tally.failures, tally.well);
    tally.check_list(&addresses[0]);
    let text = world.text(&["status"]);
    assert!(text.contains("HeldOrder"), "{text}");
}

#[test]
fn over_http_all_processes_follow_within_a_second_of_the_first() {
    let repository = repository();
    let server = GitServer::http(repository.parent());
    let url = server.url("app");
    let world = World::with(&[("todo", "todo")], &["--real", "--git", &url, "--path", "deploy"]);
    there(&world, 2, 1);
    assert_eq!(world.announced().unwrap()["directory"], "");
    let output = world.dunlin(&["diff"]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains(&format!("{} is what runs", &repository.head()[..7])),
        "{text}"
    );
    let processes = std::fs::read_to_string("/proc/self/mounts").map(|_| ps()).unwrap_or_default();
    assert!(!processes.contains(&format!("--git={url}")), "it is for the file, not for a list of processes");
    let mut times = Vec::new();
    for (gcp, aws) in [(0, 2), (2, 0), (1, 1), (0, 2), (2, 1)] {
        let head = place(&repository, gcp, aws);
        let follow = |revisions: &[String]| revisions.iter().filter(|revision| **revision == head).count();
        world.wait_for("the first host", || (follow(&revisions(&world)) > 0).then_some(()));
        let first = Instant::now();
        world.wait_for("all hosts", || (follow(&revisions(&world)) == 4).then_some(()));
        times.push(first.elapsed());
        there(&world, gcp, aws);
    }
    // By themselves they look every five seconds. One round in five may meet a machine that is busy with something else.
    times.sort();
    eprintln!("all followed the first within {times:?}");
    assert!(times[2] < Duration::from_secs(1) && times[4] < Duration::from_secs(4), "{times:?}");
}

fn ps() -> String {
    let output = Command::new("ps").args(["-e", "-o", "args"]).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

#[test]
fn new_makes_a_repository_to_play_with() {
    let world = World::with(&[("todo", "todo")], &["--git", "new", "play"]);
    there(&world, 2, 1);
    let announced = world.announced().unwrap();
    let tree = Path::new(announced["git"]["tree"].as_str().unwrap()).to_owned();
    assert!(tree.ends_with("play"));
    let git = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(&tree).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    assert_eq!(git(&["log", "--format=%s"]), "Add the todo application");
    assert_eq!(git(&["status", "--short"]), "");
    git(&["config", "user.name", "Ada"]);
    git(&["config", "user.email", "ada@example.com"]);
    let shown = world.text(&["move", "todo", "gcp=0", "aws=2", "--commit", "--watch"]);
    there(&world, 0, 2);
    let head = git(&["rev-parse", "HEAD"]);
    assert!(shown.contains(&format!("revision {}  todo: move from gcp to aws", &head[..7])), "{shown}");
    for words in ["gcp-1 asked to leave: ", "moved in ", "0 failed"] {
        assert!(shown.contains(words), "{words:?} is missing in:\n{shown}");
    }
    let history = world.text(&["history"]);
    assert!(history.contains(&head[..7]) && history.contains("Ada"), "{history}");
}

#[test]
fn what_cannot_be_followed_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("dunlin-todo")).unwrap();
    let fails = |arguments: &[&str], words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dunlin"));
        command.arg("dev").args(arguments).current_dir(folder.path()).env("XDG_RUNTIME_DIR", folder.path());
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        for word in words {
            assert!(text.contains(word), "{arguments:?}: {word:?} is missing in:\n{text}");
        }
    };
    fails(&["--git", "new"], &["dunlin-todo exists already", "--git ./dunlin-todo", "--git new my-todo"]);
    fails(&["--git", "nowhere"], &["no such directory", "--git new"]);
    fails(&["--git", "."], &["this is no Git repository", "git init"]);
    fails(&["--git", "ftp://me:hunter2@host/app"], &["https, http, ssh and file"]);
    fails(&["manifests", "--git", "https://host/app"], &["follow one of them", "--path"]);
    fails(&["--branch", "main"], &["--git"]);
    fails(&["--git", "https://host/app", "--path", "../x"], &["leads out of the repository"]);
    let repository = repository();
    let path = repository.path().display().to_string();
    fails(&["--git", &path, "--branch", "live"], &["there is no branch live; push it"]);
    fails(&["--git", &path, "--path", "nothing"], &["it has no directory nothing"]);
}
