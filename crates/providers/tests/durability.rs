//! What was acknowledged is kept: over `kill -9`, a second process, and files that are not sound.
//!
//! The second process is this test binary again, which then runs the one test `child` with a role.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use dunlin_providers::keyvalue::embedded::{OpenError, Options};
use dunlin_providers::keyvalue::{Context, EmbeddedStore, KeyValue};
use tokio::time::Instant;

const ROLE: &str = "DUNLIN_TEST_ROLE";
const FILE: &str = "DUNLIN_TEST_FILE";
const WRITERS: usize = 8;

fn context() -> Context {
    Context { deadline: Instant::now() + Duration::from_secs(30), traceparent: None }
}

async fn open(path: &Path) -> Result<EmbeddedStore, OpenError> {
    EmbeddedStore::open(path, Options { lock_wait: Duration::ZERO, ..Options::default() }).await
}

/// Starts this binary again in a role, and waits until it says that the store is open.
fn start(role: &str, path: &Path) -> (Child, impl Iterator<Item = String>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--ignored"])
        .env(ROLE, role)
        .env(FILE, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut lines = lines.skip_while(|line| !line.ends_with("open"));
    lines.next().unwrap();
    (child, lines)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the second process of other tests"]
async fn child() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let store = Arc::new(open(&PathBuf::from(std::env::var(FILE).unwrap())).await.unwrap());
    println!("open");
    if role == "hold" {
        std::future::pending::<()>().await;
    }
    let write = |writer: usize| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for number in 0_usize.. {
                let key = format!("{writer}-{number}");
                // Some of several pages, so that a torn one would show.
                let value = value_of(&key);
                store.set(&context(), "b", &key, value.into()).await.unwrap();
                store.increment(&context(), "b", "count", 1).await.unwrap();
                // One write, so that the line is whole or missing; the pipe is not buffered.
                std::io::stdout().lock().write_all(format!("{key}\n").as_bytes()).unwrap();
            }
        })
    };
    let writers: Vec<_> = (0..WRITERS).map(write).collect();
    for writer in writers {
        writer.await.unwrap();
    }
}

fn value_of(key: &str) -> Vec<u8> {
    let seed: usize = key.bytes().map(usize::from).sum();
    key.bytes().cycle().take(seed * 37 % 20_000).collect()
}

#[tokio::test]
async fn every_acknowledged_write_survives_kill_9() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    for round in 0..4 {
        let _ = fs::remove_file(&path);
        let (mut child, lines) = start("write", &path);
        // Until then, and what was in the pipe when it was killed.
        let mut lines = lines;
        let mut acknowledged: Vec<String> = lines.by_ref().take(50 + 150 * round).collect();
        child.kill().unwrap();
        child.wait().unwrap();
        acknowledged.extend(lines);

        let store = open(&path).await.unwrap();
        for key in &acknowledged {
            let found = store.get(&context(), "b", key).await.unwrap();
            assert!(found.as_deref() == Some(&value_of(key)), "round {round}: {key} is lost");
        }
        let count = store.increment(&context(), "b", "count", 0).await.unwrap();
        let (count, known) = (usize::try_from(count).unwrap(), acknowledged.len());
        // Each writer had at most one write whose answer it did not live to tell.
        assert!((known..=known + WRITERS).contains(&count), "round {round}: {count}, acknowledged {known}");
        store.close().await;
    }
}

#[tokio::test]
async fn a_file_open_in_another_process_is_locked_until_that_ends() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let (mut child, _lines) = start("hold", &path);
    let error = open(&path).await.unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }), "{error}");
    assert!(error.to_string().contains("in use by another process"), "{error}");

    let waiting = Options { lock_wait: Duration::from_secs(20), ..Options::default() };
    let path_waiting = path.clone();
    let opening = tokio::spawn(async move { EmbeddedStore::open(path_waiting, waiting).await });
    child.kill().unwrap();
    child.wait().unwrap();
    opening.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_file_open_in_this_process_is_locked_until_it_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let first = open(&path).await.unwrap();
    assert!(matches!(open(&path).await, Err(OpenError::Locked { .. })));
    first.set(&context(), "b", "k", "v".into()).await.unwrap();
    first.close().await;
    let second = open(&path).await.unwrap();
    assert!(second.exists(&context(), "b", "k").await.unwrap());
}

#[cfg(unix)]
#[tokio::test]
async fn makes_directory_and_file_for_the_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a/b/store");
    let _store = open(&path).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory.path().join("a")), 0o700);
    assert_eq!(mode(&directory.path().join("a/b")), 0o700);
    assert_eq!(mode(&path), 0o600);
    let names: Vec<_> =
        fs::read_dir(path.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["store"], "something was left behind");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_begin_at_once_never_replace_each_other() {
    for _ in 0..20 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        let options = Options { lock_wait: Duration::from_secs(10), ..Options::default() };
        let begin = |key: &'static str| {
            let (path, options) = (path.clone(), options.clone());
            tokio::spawn(async move {
                let store = EmbeddedStore::open(path, options).await.unwrap();
                store.set(&context(), "b", key, "v".into()).await.unwrap();
                store.close().await;
            })
        };
        for task in [begin("a"), begin("b")] {
            task.await.unwrap();
        }
        let store = open(&path).await.unwrap();
        assert_eq!(store.list_keys(&context(), "b", None).await.unwrap().keys, ["a", "b"]);
    }
}
