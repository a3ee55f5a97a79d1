//! Commits come into force, with what people are told of them.

use std::time::{Duration, Instant};

use dunlin_source::Commit;

use crate::common::{Host, component, image, image_is, repository, wait};

#[tokio::test]
async fn a_commit_comes_into_force() {
    let repository = repository();
    let host = Host::of_path(&repository.path());
    let mut receiver = host.start().await;
    let first = receiver.borrow().clone();
    assert_eq!((image(&first), first.read, &first.conditions[..]), (Some("one"), true, &[][..]));
    assert_eq!(first.revision, repository.head());
    repository.write("todo.yaml", component("todo", "two"));
    let id = repository.commit("todo: run two\n\nBecause one is over.");
    let state = wait(&mut receiver, |state| image(state) == Some("two")).await;
    let Commit { id: told, author, time, subject } = state.commit.unwrap();
    assert_eq!((told.as_str(), state.revision.as_str()), (id.as_str(), id.as_str()));
    assert_eq!((author.as_str(), subject.as_str()), ("Ada", "todo: run two"));
    assert!(time > 1_600_000_000, "{time}");
}

#[tokio::test]
async fn a_repository_on_this_machine_is_followed_at_once() {
    let repository = repository();
    let mut host = Host::of(&format!("file://{}", repository.path().display()));
    host.settings.interval = Duration::from_secs(3600);
    let mut receiver = host.start().await;
    for round in 0..3 {
        let begun = Instant::now();
        let name = format!("i{round}");
        image_is(&repository, &name);
        wait(&mut receiver, |state| image(state) == Some(&name)).await;
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    }
    repository.git(&["pack-refs", "--all"]);
    image_is(&repository, "packed");
    wait(&mut receiver, |state| image(state) == Some("packed")).await;
}

#[tokio::test]
async fn what_is_not_committed_does_not_count() {
    let repository = repository();
    let host = Host::of_path(&repository.path());
    let mut receiver = host.start().await;
    repository.write("todo.yaml", component("todo", "two"));
    repository.git(&["add", "--all"]);
    repository.git(&["checkout", "--quiet", "-b", "elsewhere"]);
    repository.git(&["checkout", "--quiet", "main"]);
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(image(&receiver.borrow_and_update()), Some("one"));
}

#[tokio::test]
async fn a_branch_and_a_directory_can_be_named() {
    let repository = repository();
    repository.git(&["checkout", "--quiet", "-b", "team/live"]);
    repository.write(
        "deploy/live/all.yaml",
        format!("{}---\n{}", crate::common::LATTICE, component("todo", "live")),
    );
    let live = repository.commit("Go live");
    repository.git(&["checkout", "--quiet", "main"]);
    let mut host = Host::of_path(&repository.path());
    host.settings.branch = Some("team/live".into());
    host.settings.path = "deploy/live".into();
    let mut receiver = host.start().await;
    let state = receiver.borrow_and_update().clone();
    assert_eq!((image(&state), &state.revision), (Some("live"), &live));
    // The default branch is another.
    image_is(&repository, "two");
    assert!(tokio::time::timeout(Duration::from_millis(400), receiver.changed()).await.is_err());
    host.settings.branch = Some("refs/heads/main".into());
    host.settings.path = String::new();
    // `deploy` is not on main.
    assert_eq!(image(&host.start().await.borrow()), Some("two"));
}

#[tokio::test]
async fn an_annotated_tag_can_be_followed() {
    let repository = repository();
    repository.git(&["tag", "-a", "-m", "first", "v1"]);
    let mut host = Host::of_path(&repository.path());
    host.settings.branch = Some("refs/tags/v1".into());
    assert_eq!(host.start().await.borrow().revision, repository.head());
}

#[tokio::test]
async fn a_mistake_holds_back_its_object_and_has_a_place() {
    let repository = repository();
    repository.write("deploy/other.yaml", component("other", "one"));
    repository.commit("Add another");
    let host = Host::of_path(&repository.path());
    let mut receiver = host.start().await;
    repository.write("todo.yaml", component("todo", "two"));
    repository
        .write("deploy/other.yaml", component("other", "two").replace("sites: {}", "sites: { gpc: {} }"));
    let head = repository.commit("Half of it is wrong");
    let state = wait(&mut receiver, |state| state.revision == head).await;
    assert_eq!((image(&state), state.snapshot.components["other"].spec.image.as_str()), (Some("two"), "one"));
    let mistake = state.mistakes[0].to_string();
    assert!(mistake.starts_with("deploy/other.yaml:4:30: spec.sites.gpc: "), "{mistake}");
    repository.write("deploy/other.yaml", component("other", "three"));
    repository.commit("Mend it");
    let state = wait(&mut receiver, |state| state.mistakes.is_empty()).await;
    assert_eq!(state.snapshot.components["other"].spec.image, "three");
}

#[tokio::test]
async fn the_source_stops_when_nobody_listens() {
    let repository = repository();
    let receiver = Host::of_path(&repository.path()).start().await;
    let metrics = tokio::runtime::Handle::current().metrics();
    assert_eq!(metrics.num_alive_tasks(), 1);
    drop(receiver);
    let gone = async {
        while metrics.num_alive_tasks() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), gone).await.expect("the task goes on");
}
