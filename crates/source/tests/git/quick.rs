//! Commits in quick succession: what is in force is always one of them, whole.

use std::sync::Arc;
use std::time::Duration;

use dunlin_source::State;

use crate::common::{Host, component, image_is, repository, wait};

/// The images of all components: one image, if the state is of one commit.
fn images(state: &State) -> Vec<&str> {
    let mut images: Vec<_> =
        state.snapshot.components.values().map(|component| component.spec.image.as_str()).collect();
    images.dedup();
    images
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_is_never_half_a_commit() {
    const FILES: usize = 20;
    let repository = Arc::new(repository());
    let write = |repository: &dunlin_testkit::GitRepository, round: usize| {
        for file in 0..FILES {
            repository.write(&format!("c/{file}.yaml"), component(&format!("c{file}"), &format!("r{round}")));
        }
        image_is(repository, &format!("r{round}"))
    };
    write(&repository, 0);
    let mut host = Host::of_path(&repository.path());
    host.settings.interval = Duration::from_millis(10);
    let mut receiver = host.start().await;
    let committing = Arc::clone(&repository);
    let commits = tokio::task::spawn_blocking(move || {
        (1..=25).map(|round| write(&committing, round)).collect::<Vec<_>>()
    });
    let mut seen = Vec::new();
    let last = loop {
        let state = receiver.borrow_and_update().clone();
        assert_eq!(state.snapshot.components.len(), FILES + 1);
        assert_eq!(images(&state).len(), 1, "{:?} of {:?}", images(&state), state.commit);
        assert_eq!(state.commit.as_ref().unwrap().subject, format!("Run {}", images(&state)[0]));
        assert_eq!(state.conditions, [], "a commit after a commit is no rewritten branch");
        seen.push(state.revision);
        if commits.is_finished() {
            break repository.head();
        }
        let _ = tokio::time::timeout(Duration::from_secs(1), receiver.changed()).await;
    };
    wait(&mut receiver, |state| state.revision == last).await;
    let commits = commits.await.unwrap();
    seen.dedup();
    assert!(seen.iter().skip(1).all(|revision| commits.contains(revision)));
    assert!(seen.len() > 3, "only {} states", seen.len());
}
