//! A repository with manifests, a source that follows it, and waiting for what it says.

use std::path::{Path, PathBuf};
use std::time::Duration;

use dunlin_source::{Condition, GitSettings, GitSource, GitUrl, LastGood, Source, SourceError, State};
use dunlin_testkit::GitRepository;
use tempfile::TempDir;
use tokio::sync::watch::Receiver;
use tokio::time::timeout;

pub(crate) const LATTICE: &str = "apiVersion: dunlin.dev/v1alpha1\nkind: Lattice\nmetadata: { name: l }\nspec: { sites: { gcp: {}, aws: {} } }\n";

pub(crate) fn lattice(more: &str) -> String {
    LATTICE.replace("aws: {} }", &format!("aws: {{}} }}, {more}"))
}

pub(crate) fn component(name: &str, image: &str) -> String {
    format!(
        "apiVersion: dunlin.dev/v1alpha1\nkind: WasmComponent\nmetadata: {{ name: {name} }}\nspec: {{ image: {image}, sites: {{}} }}\n"
    )
}

/// A repository with a lattice and the component `todo`, whose image is `one`.
pub(crate) fn repository() -> GitRepository {
    let repository = GitRepository::new();
    repository.write("lattice.yaml", LATTICE);
    image_is(&repository, "one");
    repository
}

/// Commits another image of `todo`.
pub(crate) fn image_is(repository: &GitRepository, image: &str) -> String {
    repository.write("todo.yaml", component("todo", image));
    repository.commit(&format!("Run {image}"))
}

/// Where a host keeps its clone, and settings that look often.
pub(crate) struct Host {
    folder: TempDir,
    pub(crate) settings: GitSettings,
}

impl Host {
    pub(crate) fn of(url: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = GitSettings {
            interval: Duration::from_millis(100),
            ..GitSettings::new(GitUrl::parse(url).unwrap(), folder.path().join("git"))
        };
        Self { folder, settings }
    }

    pub(crate) fn of_path(path: &Path) -> Self {
        Self::of(path.to_str().unwrap())
    }

    pub(crate) fn clone(&self) -> PathBuf {
        self.folder.path().join("git")
    }

    pub(crate) async fn try_start(
        &self,
        last_good: Option<LastGood>,
    ) -> Result<Receiver<State>, SourceError> {
        Box::new(GitSource::new(self.settings.clone())).start(last_good).await
    }

    pub(crate) async fn start(&self) -> Receiver<State> {
        self.try_start(None).await.unwrap()
    }
}

/// Waits, within 20 s, for a state that `fits`.
pub(crate) async fn wait(receiver: &mut Receiver<State>, fits: impl FnMut(&State) -> bool) -> State {
    let other = receiver.clone();
    match timeout(Duration::from_secs(20), receiver.wait_for(fits)).await {
        Ok(state) => state.unwrap().clone(),
        Err(_) => panic!("no such state: {:?}", other.borrow().clone()),
    }
}

pub(crate) fn image(state: &State) -> Option<&str> {
    state.snapshot.components.get("todo").map(|todo| todo.spec.image.as_str())
}

/// What stands in the way of the repository, in words; empty if nothing does.
pub(crate) fn unreadable(state: &State) -> String {
    let unreadable = state.conditions.iter().find_map(|condition| match condition {
        Condition::Unreadable(reason) => Some(reason.clone()),
        _ => None,
    });
    unreadable.unwrap_or_default()
}

pub(crate) fn last_good(state: &State) -> LastGood {
    let State { revision, commit, snapshot, .. } = state.clone();
    LastGood { revision, commit, snapshot, ran: ["todo".to_owned()].into(), identities: Default::default() }
}
