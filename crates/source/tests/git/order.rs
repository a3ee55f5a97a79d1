//! Which heads come into force: descendants, and those that say what they replace.

use dunlin_source::Condition;

use crate::common::{
    Host, LATTICE, component, image, image_is, last_good, lattice, repository, unreadable, wait,
};

fn held(state: &dunlin_source::State) -> Option<(&str, &str)> {
    state.conditions.iter().find_map(|condition| match condition {
        Condition::HeldOrder { head, in_force, .. } => Some((head.as_str(), in_force.as_str())),
        _ => None,
    })
}

#[tokio::test]
async fn a_rewritten_branch_is_held_until_it_says_what_it_replaces() {
    let repository = repository();
    let host = Host::of_path(&repository.path());
    let mut receiver = host.start().await;
    let second = image_is(&repository, "two");
    wait(&mut receiver, |state| image(state) == Some("two")).await;
    repository.git(&["reset", "--quiet", "--hard", "HEAD^"]);
    let rewritten = image_is(&repository, "three");
    let state = wait(&mut receiver, |state| held(state).is_some()).await;
    assert_eq!((image(&state), state.revision.as_str()), (Some("two"), second.as_str()));
    assert_eq!(held(&state), Some((rewritten.as_str(), second.as_str())));
    let said = state.conditions[0].to_string();
    assert_eq!(
        said,
        format!(
            "commit {} is held: {}, which is in force, is none of its ancestors; to follow it, commit `replaces: {second}` to spec of the Lattice",
            &rewritten[..7],
            &second[..7]
        )
    );
    // Another commit on top changes nothing but the head that is held.
    let on_top = image_is(&repository, "four");
    let state = wait(&mut receiver, |state| held(state).is_some_and(|(head, _)| head == on_top)).await;
    assert_eq!((image(&state), state.conditions.len()), (Some("two"), 1));
    // What it says it replaces has to be what is in force.
    repository.write("lattice.yaml", lattice(&format!("replaces: {rewritten}")));
    let wrong = repository.commit("Replace the wrong one");
    wait(&mut receiver, |state| held(state).is_some_and(|(head, _)| head == wrong)).await;
    repository.write("lattice.yaml", lattice(&format!("replaces: \"{}\"", &second[..7])));
    repository.commit("Replace the right one");
    let state = wait(&mut receiver, |state| image(state) == Some("four")).await;
    assert_eq!(state.conditions, []);
    // From now on everything is as before; `replaces` may stay.
    image_is(&repository, "five");
    wait(&mut receiver, |state| image(state) == Some("five")).await;
}

#[tokio::test]
async fn a_step_back_is_held_and_the_way_forward_is_free() {
    let repository = repository();
    let host = Host::of_path(&repository.path());
    let mut receiver = host.start().await;
    let second = image_is(&repository, "two");
    wait(&mut receiver, |state| image(state) == Some("two")).await;
    repository.git(&["reset", "--quiet", "--hard", "HEAD^"]);
    let state = wait(&mut receiver, |state| held(state).is_some()).await;
    assert_eq!(image(&state), Some("two"));
    repository.git(&["reset", "--quiet", "--hard", &second]);
    let state = wait(&mut receiver, |state| state.conditions.is_empty()).await;
    assert_eq!((image(&state), &state.revision), (Some("two"), &second));
    // A revert is a commit like any other.
    repository.git(&["revert", "--no-edit", "HEAD"]);
    wait(&mut receiver, |state| image(state) == Some("one")).await;
}

#[tokio::test]
async fn a_merge_that_has_it_among_its_ancestors_comes_into_force() {
    let repository = repository();
    let host = Host::of_path(&repository.path());
    let mut receiver = host.start().await;
    repository.git(&["checkout", "--quiet", "-b", "side"]);
    repository.write("other.yaml", component("other", "one"));
    repository.commit("Add another");
    repository.git(&["checkout", "--quiet", "main"]);
    image_is(&repository, "two");
    wait(&mut receiver, |state| image(state) == Some("two")).await;
    repository.git(&["checkout", "--quiet", "side"]);
    repository.git(&["merge", "--quiet", "--no-edit", "main"]);
    repository.git(&["branch", "--force", "main"]);
    repository.git(&["checkout", "--quiet", "main"]);
    let state = wait(&mut receiver, |state| state.snapshot.components.contains_key("other")).await;
    assert_eq!((image(&state), &state.conditions[..]), (Some("two"), &[][..]));
}

#[tokio::test]
async fn what_is_no_longer_in_the_repository_is_nobodys_ancestor() {
    let (old, new) = (repository(), repository());
    // In the same second, equal content makes equal commits.
    image_is(&old, "one, suspend: false");
    let state = Host::of_path(&old.path()).start().await.borrow().clone();
    image_is(&new, "new");
    let host = Host::of_path(&new.path());
    let mut receiver = host.try_start(Some(last_good(&state))).await.unwrap();
    let now = wait(&mut receiver, |state| state.read).await;
    assert_eq!((image(&now), &now.revision), (Some("one"), &state.revision));
    assert_eq!(held(&now), Some((new.head().as_str(), state.revision.as_str())));
    new.write("lattice.yaml", lattice(&format!("replaces: {}", state.revision)));
    new.commit("Say so");
    wait(&mut receiver, |state| image(state) == Some("new")).await;
}

#[tokio::test]
async fn the_past_of_a_directory_stands_in_nobodys_way() {
    let repository = repository();
    let host = Host::of_path(&repository.path());
    let mut past = last_good(&host.start().await.borrow());
    (past.revision, past.commit) = ("dir-0123456789ab".into(), None);
    image_is(&repository, "two");
    let mut receiver = host.try_start(Some(past)).await.unwrap();
    let state = wait(&mut receiver, |state| state.read).await;
    assert_eq!((image(&state), &state.conditions[..]), (Some("two"), &[][..]));
}

#[tokio::test]
async fn mistakes_in_a_held_head_are_told() {
    let repository = repository();
    let host = Host::of_path(&repository.path());
    let mut receiver = host.start().await;
    repository.git(&["commit", "--quiet", "--amend", "--message", "Another"]);
    repository.write("lattice.yaml", lattice("replace: abcdefabcdef"));
    repository.commit("Mistype it");
    let state = wait(&mut receiver, |state| {
        state.conditions.iter().any(|condition| condition.to_string().contains("did you mean \"replaces\"?"))
    })
    .await;
    assert_eq!((image(&state), state.mistakes.len(), unreadable(&state).as_str()), (Some("one"), 0, ""));
}

#[tokio::test]
async fn no_component_at_all_is_held_unless_it_is_meant() {
    let repository = repository();
    let host = Host::of_path(&repository.path());
    let mut receiver = host.start().await;
    let full = repository.head();
    repository.git(&["rm", "--quiet", "todo.yaml"]);
    repository.commit("Remove everything");
    let state = wait(&mut receiver, |state| !state.conditions.is_empty()).await;
    assert_eq!((image(&state), &state.conditions[..]), (Some("one"), &[Condition::HeldEmpty][..]));
    assert_eq!(state.revision, full, "the commit before is in force");
    // Whoever takes it back and goes on from the commit before is followed without a word.
    repository.git(&["reset", "--quiet", "--hard", "HEAD^"]);
    let state = wait(&mut receiver, |state| state.conditions.is_empty()).await;
    assert_eq!((image(&state), &state.revision), (Some("one"), &full));
    repository.git(&["rm", "--quiet", "todo.yaml"]);
    repository.commit("Remove everything again");
    wait(&mut receiver, |state| state.conditions == [Condition::HeldEmpty]).await;
    repository.write("lattice.yaml", lattice("allowEmpty: true"));
    repository.commit("Mean it");
    let state = wait(&mut receiver, |state| state.snapshot.components.is_empty()).await;
    assert_eq!(state.conditions, []);
    repository.write("lattice.yaml", LATTICE);
    image_is(&repository, "again");
    wait(&mut receiver, |state| image(state) == Some("again")).await;
}
