//! The directory source over real directories.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dunlin_source::{Condition, DirectorySource, LastGood, Source, SourceError, State, read_directory};
use tempfile::TempDir;
use tokio::sync::watch::Receiver;
use tokio::time::timeout;

/// Watching takes some 200 ms, reading again now and then 3 s: less than this shows that watching works, on a
/// machine that is busy as well.
const PROMPT: Duration = Duration::from_secs(2);

const LATTICE: &str = "apiVersion: dunlin.dev/v1alpha1\nkind: Lattice\nmetadata: { name: l }\nspec: { sites: { gcp: {}, aws: {} } }\n";

fn component(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: dunlin.dev/v1alpha1\nkind: WasmComponent\nmetadata: {{ name: {name} }}\nspec: {{ {spec} }}\n"
    )
}

/// A directory with a lattice and the component `todo`.
fn directory() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("lattice.yaml"), LATTICE).unwrap();
    fs::write(directory.path().join("todo.yaml"), component("todo", "image: one, sites: { gcp: {} }"))
        .unwrap();
    directory
}

async fn start(path: &Path) -> Receiver<State> {
    Box::new(DirectorySource::new(path)).start(None).await.unwrap()
}

/// Waits, within 10 s, for a state that `fits`, and says how long it took.
async fn wait(receiver: &mut Receiver<State>, fits: impl FnMut(&State) -> bool) -> (State, Duration) {
    let start = Instant::now();
    let state = timeout(Duration::from_secs(10), receiver.wait_for(fits))
        .await
        .expect("no such state")
        .unwrap()
        .clone();
    (state, start.elapsed())
}

fn image(state: &State) -> Option<&str> {
    state.snapshot.components.get("todo").map(|todo| todo.spec.image.as_str())
}

#[tokio::test]
async fn an_edit_takes_effect_at_once() {
    let directory = directory();
    let mut receiver = start(directory.path()).await;
    let first = receiver.borrow().clone();
    assert_eq!((image(&first), first.read, first.conditions.len()), (Some("one"), true, 0));
    assert!(first.revision.starts_with("dir-") && first.revision.len() == 16, "{}", first.revision);
    fs::write(directory.path().join("todo.yaml"), component("todo", "image: two, sites: {}")).unwrap();
    let (second, took) = wait(&mut receiver, |state| image(state) == Some("two")).await;
    assert!(took < PROMPT, "{took:?}");
    assert_ne!(second.revision, first.revision);
    // As editors do it: write beside, rename over.
    fs::write(directory.path().join(".todo.swp"), component("todo", "image: three, sites: {}")).unwrap();
    fs::rename(directory.path().join(".todo.swp"), directory.path().join("todo.yaml")).unwrap();
    let (_, took) = wait(&mut receiver, |state| image(state) == Some("three")).await;
    assert!(took < PROMPT, "{took:?}");
}

#[tokio::test]
async fn a_mistake_holds_back_its_object() {
    let directory = directory();
    let mut receiver = start(directory.path()).await;
    fs::write(directory.path().join("todo.yaml"), component("todo", "image: two, sites: { gpc: {} }"))
        .unwrap();
    let (state, _) = wait(&mut receiver, |state| !state.mistakes.is_empty()).await;
    assert_eq!(image(&state), Some("one"));
    let message = state.mistakes[0].to_string();
    let place = format!("{}:4:30: spec.sites.gpc: ", directory.path().join("todo.yaml").display());
    assert!(message.starts_with(&place) && message.contains("did you mean \"gcp\"?"), "{message}");
    fs::write(directory.path().join("todo.yaml"), component("todo", "image: three, sites: {}")).unwrap();
    let (state, _) = wait(&mut receiver, |state| image(state) == Some("three")).await;
    assert_eq!(*state.mistakes, vec![]);
}

#[tokio::test]
async fn directories_that_come_and_go_are_followed() {
    let directory = directory();
    let mut receiver = start(directory.path()).await;
    for round in 0..2 {
        fs::create_dir(directory.path().join("more")).unwrap();
        let (name, spec) = (format!("c{round}"), "image: a, sites: {}");
        fs::write(directory.path().join("more/c.yml"), component(&name, spec)).unwrap();
        wait(&mut receiver, |state| state.snapshot.components.contains_key(&name)).await;
        fs::write(directory.path().join("more/c.yml"), component(&name, "image: b, sites: {}")).unwrap();
        let (_, took) = wait(&mut receiver, |state| {
            state.snapshot.components.get(&name).is_some_and(|c| c.spec.image == "b")
        })
        .await;
        assert!(took < PROMPT, "{took:?}");
        fs::remove_dir_all(directory.path().join("more")).unwrap();
        wait(&mut receiver, |state| state.snapshot.components.len() == 1).await;
    }
}

#[tokio::test]
async fn a_directory_that_vanishes_stops_nothing() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("manifests");
    fs::rename(directory().keep(), &path).unwrap();
    let mut receiver = start(&path).await;
    let first = receiver.borrow().clone();
    fs::rename(&path, parent.path().join("away")).unwrap();
    let (state, _) = wait(&mut receiver, |state| !state.conditions.is_empty()).await;
    assert!(
        matches!(&state.conditions[..], [Condition::Unreadable(reason)] if reason.contains("does not exist"))
    );
    assert_eq!((&state.snapshot, &state.revision), (&first.snapshot, &first.revision));
    fs::rename(parent.path().join("away"), &path).unwrap();
    wait(&mut receiver, |state| state.conditions.is_empty()).await;
    fs::write(path.join("todo.yaml"), component("todo", "image: two, sites: {}")).unwrap();
    wait(&mut receiver, |state| image(state) == Some("two")).await;
}

#[tokio::test]
async fn no_component_at_all_is_held_unless_it_is_meant() {
    let directory = directory();
    let mut receiver = start(directory.path()).await;
    fs::remove_file(directory.path().join("todo.yaml")).unwrap();
    let (state, _) = wait(&mut receiver, |state| !state.conditions.is_empty()).await;
    assert_eq!((image(&state), &state.conditions[..]), (Some("one"), &[Condition::HeldEmpty][..]));
    fs::remove_file(directory.path().join("lattice.yaml")).unwrap();
    let (state, _) = wait(&mut receiver, |next| next.revision != state.revision).await;
    assert_eq!((image(&state), &state.conditions[..]), (Some("one"), &[Condition::HeldEmpty][..]));
    let meant = LATTICE.replace("aws: {} }", "aws: {} }, allowEmpty: true");
    fs::write(directory.path().join("lattice.yaml"), meant).unwrap();
    let (state, _) = wait(&mut receiver, |state| state.snapshot.components.is_empty()).await;
    assert_eq!(state.conditions, vec![]);
    // Where nothing ran, nothing is held.
    fs::write(directory.path().join("lattice.yaml"), LATTICE).unwrap();
    wait(&mut receiver, |state| {
        state.snapshot.lattice.as_ref().is_some_and(|lattice| !lattice.spec.allow_empty)
    })
    .await;
}

#[tokio::test]
async fn a_start_without_a_directory_needs_a_last_good_state() {
    let directory = directory();
    let good = start(directory.path()).await.borrow().clone();
    let nowhere = directory.path().join("nowhere");
    let error = Box::new(DirectorySource::new(&nowhere)).start(None).await.unwrap_err();
    assert!(matches!(error, SourceError::Unreadable { .. }));
    assert_eq!(
        error.to_string(),
        format!(
            "cannot read {}: it does not exist; create it, or give the directory that holds the manifests",
            nowhere.display()
        )
    );
    let error =
        Box::new(DirectorySource::new(directory.path().join("todo.yaml"))).start(None).await.unwrap_err();
    assert!(error.to_string().contains("it is a file, not a directory"), "{error}");
    let last_good = LastGood {
        revision: "dir-0".into(),
        commit: None,
        snapshot: Arc::clone(&good.snapshot),
        ran: BTreeSet::new(),
        identities: Default::default(),
    };
    let mut receiver = Box::new(DirectorySource::new(&nowhere)).start(Some(last_good)).await.unwrap();
    let state = receiver.borrow().clone();
    assert_eq!((state.read, state.revision.as_str(), &state.snapshot), (false, "dir-0", &good.snapshot));
    assert!(matches!(state.conditions[..], [Condition::Unreadable(_)]));
    fs::create_dir(&nowhere).unwrap();
    fs::write(
        nowhere.join("all.yaml"),
        format!("{LATTICE}---\n{}", component("todo", "image: two, sites: {}")),
    )
    .unwrap();
    let (state, _) = wait(&mut receiver, |state| state.read && image(state) == Some("two")).await;
    assert_eq!(state.conditions, vec![]);
}

#[test]
fn reading_once_says_what_the_source_would() {
    let directory = directory();
    fs::write(directory.path().join("more.yml"), component("more", "sites: {}")).unwrap();
    let (files, reading) = read_directory(directory.path()).unwrap();
    assert_eq!((files.len(), reading.mistakes.len(), reading.snapshot.components.len()), (3, 1, 1));
    assert!(read_directory(&directory.path().join("nowhere")).is_err());
}

#[tokio::test]
async fn a_start_with_a_mistake_falls_back_to_the_last_good_form() {
    let directory = directory();
    let good = start(directory.path()).await.borrow().clone();
    fs::write(directory.path().join("todo.yaml"), "a: [").unwrap();
    let last_good = LastGood {
        revision: good.revision,
        commit: None,
        snapshot: good.snapshot,
        ran: BTreeSet::new(),
        identities: Default::default(),
    };
    let receiver = Box::new(DirectorySource::new(directory.path())).start(Some(last_good)).await.unwrap();
    assert_eq!(image(&receiver.borrow()), Some("one"));
}

#[tokio::test]
async fn what_does_not_belong_is_passed_over_and_what_cannot_be_read_is_reported() {
    let directory = directory();
    let path = |name: &str| directory.path().join(name);
    for folder in [".git", "node_modules", "target", "deep"] {
        fs::create_dir(path(folder)).unwrap();
        fs::write(
            path(folder).join("x.yaml"),
            component(if folder == "deep" { "deep" } else { "x" }, "image: a, sites: {}"),
        )
        .unwrap();
    }
    fs::write(path("target/CACHEDIR.TAG"), "Signature").unwrap();
    fs::write(path(".hidden.yaml"), "a: [").unwrap();
    fs::write(path("package.json"), "[").unwrap();
    fs::write(path("note.yaml.txt"), "a: [").unwrap();
    fs::write(path("binary.yaml"), [0xff, 0xfe, 0x00]).unwrap();
    fs::write(path("large.yaml"), vec![b'#'; (1 << 20) + 1]).unwrap();
    #[cfg(unix)]
    {
        let outside = tempfile::NamedTempFile::new().unwrap();
        fs::write(outside.path(), component("outside", "image: a, sites: {}")).unwrap();
        std::os::unix::fs::symlink(outside.path(), path("escape.yaml")).unwrap();
        std::os::unix::fs::symlink(path("nowhere"), path("dangling.yaml")).unwrap();
        std::os::unix::fs::symlink("/", path("root")).unwrap();
        // As Kubernetes mounts a ConfigMap.
        fs::create_dir(path("..data")).unwrap();
        fs::write(path("..data/mounted.yaml"), component("mounted", "image: a, sites: {}")).unwrap();
        std::os::unix::fs::symlink("..data/mounted.yaml", path("mounted.yaml")).unwrap();
        let receiver = start(directory.path()).await;
        let state = receiver.borrow().clone();
        assert_eq!(state.snapshot.components.keys().collect::<Vec<_>>(), ["deep", "mounted", "todo"]);
        let prefix = format!("{}/", directory.path().display());
        let mistakes: Vec<String> =
            state.mistakes.iter().map(|mistake| mistake.to_string().replace(&prefix, "")).collect();
        assert_eq!(
            mistakes,
            [
                "binary.yaml:1:1: not UTF-8 at byte 0 (allowed: UTF-8)",
                "dangling.yaml:1:1: a link that leads nowhere: No such file or directory (os error 2)",
                "escape.yaml:1:1: a link that leads out of the directory: put the file itself there",
                "large.yaml:1:1: more than 1 MiB: spread the objects over several files (allowed: 1 MiB for one file)",
            ]
        );
    }
}

#[tokio::test]
async fn too_many_files_are_refused_as_a_whole() {
    let directory = directory();
    let mut receiver = start(directory.path()).await;
    fs::create_dir(directory.path().join("many")).unwrap();
    for number in 0..1000 {
        fs::write(directory.path().join(format!("many/{number}.yaml")), "").unwrap();
    }
    let (state, _) = wait(&mut receiver, |state| !state.conditions.is_empty()).await;
    assert!(
        matches!(&state.conditions[..], [Condition::Unreadable(reason)] if reason.contains("more than 1000 YAML files"))
    );
    assert_eq!(image(&state), Some("one"));
}

#[tokio::test]
async fn too_much_in_all_is_refused_as_a_whole() {
    let directory = directory();
    let mut receiver = start(directory.path()).await;
    for number in 0..17 {
        fs::write(directory.path().join(format!("much-{number}.yaml")), "#".repeat(1 << 20)).unwrap();
    }
    let (state, _) = wait(&mut receiver, |state| !state.conditions.is_empty()).await;
    assert!(
        matches!(&state.conditions[..], [Condition::Unreadable(reason)] if reason.contains("more than 16 MiB of YAML"))
    );
    assert_eq!(image(&state), Some("one"));
}

#[tokio::test]
async fn equal_content_has_an_equal_revision_and_digest_wherever_it_is() {
    let (one, other) = (directory(), directory());
    let (one, other) = (start(one.path()).await.borrow().clone(), start(other.path()).await.borrow().clone());
    assert_eq!(one.revision, other.revision);
    assert_eq!(one.snapshot.digest(), other.snapshot.digest());
}

#[tokio::test]
async fn what_is_not_watched_is_read_again() {
    let directory = directory();
    let source = DirectorySource::new(directory.path()).polled(Duration::from_millis(50));
    let mut receiver = Box::new(source).start(None).await.unwrap();
    fs::write(directory.path().join("todo.yaml"), component("todo", "image: two, sites: {}")).unwrap();
    wait(&mut receiver, |state| image(state) == Some("two")).await;
}

#[tokio::test]
async fn reading_is_quiet_when_nothing_changes() {
    let directory = directory();
    let mut receiver = start(directory.path()).await;
    receiver.mark_unchanged();
    fs::write(directory.path().join("todo.yaml"), component("todo", "image: one, sites: { gcp: {} }"))
        .unwrap();
    let change = timeout(Duration::from_millis(600), receiver.changed()).await;
    assert!(change.is_err(), "the same content is no new state");
}

#[tokio::test]
async fn the_source_stops_when_nobody_listens() {
    let directory = directory();
    let receiver = start(directory.path()).await;
    let metrics = tokio::runtime::Handle::current().metrics();
    assert_eq!(metrics.num_alive_tasks(), 1);
    drop(receiver);
    let gone = async {
        while metrics.num_alive_tasks() > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(5), gone).await.expect("the task goes on");
}
