//! Whether hosts hold what a repository says, or would: then a change of it changes nothing that runs.

use std::sync::Arc;

use dunlin_host::status::{Manifests, Status};
use dunlin_manifest::{Reading, is_commit};
use dunlin_source::{Condition, InForce, would_hold};
use serde::Serialize;

use super::warnings::Warning;
use crate::git::{Git, short};

/// Why something is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Held {
    /// One word in CamelCase, as in the status.
    pub(super) reason: &'static str,
    /// In words, with the way out.
    pub(super) message: String,
}

/// Why hosts that run `running` would hold the commit `head` of a repository, which says `reading`; or a commit of that
/// on top of it.
pub(super) fn would_be(running: &Manifests, git: Option<&Git>, head: &str, reading: Reading) -> Option<Held> {
    let of = |older: &str, newer: &str| {
        let said = git?.attempt(["merge-base", "--is-ancestor", older, newer]).ok()?;
        Some(said.well)
    };
    let revision = running.revision.as_str();
    // Files that are in no repository are no commit that could follow one.
    if git.is_none() && is_commit(revision) {
        return None;
    }
    let descends = is_commit(revision) && of(revision, head).unwrap_or(false);
    let in_force = InForce { revision, snapshot: &Arc::new(running.snapshot.clone()) };
    Some(match would_hold(in_force, head, descends, reading)? {
        Condition::HeldOrder { .. } if of(head, revision).unwrap_or(false) => Held {
            reason: "HeldOrder",
            message: format!(
                "commit {} is older than {}, which is in force, and would be held; `git pull` brings what is newer",
                short(head),
                short(revision)
            ),
        },
        held @ Condition::HeldOrder { .. } => Held { reason: "HeldOrder", message: held.to_string() },
        held => Held { reason: "HeldEmpty", message: held.to_string() },
    })
}

/// What hosts say of a head that they hold: what is committed on top of it is held as well.
pub(super) fn warning(status: &Status) -> Option<Warning> {
    ["HeldOrder", "HeldEmpty"].into_iter().find_map(|reason| {
        let condition = status.conditions.iter().find(|condition| condition.reason == reason)?;
        let message =
            format!("until hosts follow the repository again, this changes nothing: {}", condition.message);
        Some(Warning { reason, message })
    })
}

#[cfg(test)]
mod tests {
    use dunlin_manifest::{File, read};
    use dunlin_testkit::GitRepository;
    use expect_test::expect;

    use super::*;

    const LATTICE: &str =
        "apiVersion: dunlin.dev/v1alpha1\nkind: Lattice\nmetadata: { name: l }\nspec: { sites: { a: {} } }\n";
    const TODO: &str = "apiVersion: dunlin.dev/v1alpha1\nkind: WasmComponent\nmetadata: { name: todo }\n\
        spec: { image: \"example.com/todo:1\", sites: {} }\n";

    fn says(text: &str) -> Reading {
        read(&[File { path: "all.yaml".into(), text: text.into() }])
    }

    #[test]
    fn heads_that_may_not_follow() {
        let repository = GitRepository::new();
        let commits: Vec<_> = ["one", "two", "three"].map(|message| repository.commit(message)).into();
        repository.git(&["switch", "--quiet", "-c", "side", "HEAD~1"]);
        let side = repository.commit("side");
        let both = format!("{LATTICE}---\n{TODO}");
        let git = Git::of(&repository.path());
        let told = |revision: &str, head: &str, text: &str, git: Option<&Git>| {
            let running = Manifests { revision: revision.into(), snapshot: says(&both).snapshot };
            let held = would_be(&running, git, head, says(text));
            let mut words =
                held.map_or("follows".to_owned(), |held| format!("{}: {}", held.reason, held.message));
            for (name, id) in ["ONE", "TWO", "THREE", "SIDE"].iter().zip(commits.iter().chain([&side])) {
                words = words.replace(id.as_str(), name).replace(short(id), name);
            }
            words
        };
        let replacing = both.replace("sites: { a: {} }", &format!("replaces: {side}, sites: {{ a: {{}} }}"));
        let all = [
            told(&commits[1], &commits[2], &both, Some(&git)),
            told(&commits[1], &commits[1], &both, Some(&git)),
            told(&commits[1], &commits[0], &both, Some(&git)),
            told(&side, &commits[2], &both, Some(&git)),
            told(&side, &commits[2], &replacing, Some(&git)),
            told(&commits[1], &commits[2], LATTICE, Some(&git)),
            told("dir-0123456789ab", &commits[2], &both, Some(&git)),
            told("dir-0123456789ab", "", LATTICE, None),
            told(&side, "", &both, None),
        ];
        expect![[r#"
            follows
            follows
            HeldOrder: commit ONE is older than TWO, which is in force, and would be held; `git pull` brings what is newer
            HeldOrder: commit THREE is held: SIDE, which is in force, is none of its ancestors; to follow it, commit `replaces: SIDE` to spec of the Lattice
            follows
            HeldEmpty: no component is left; the state before stays in force (set allowEmpty: true in the Lattice if this is meant)
            follows
            HeldEmpty: no component is left; the state before stays in force (set allowEmpty: true in the Lattice if this is meant)
            follows"#]].assert_eq(&all.join("\n"));
    }
}
