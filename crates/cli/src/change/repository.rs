//! How a repository stands before something is committed: each thing that is in the way, with the way out.

use anyhow::Result;

use super::edit::Edit;
use crate::git::{Git, literally};
use crate::printer::{WrongInput, without_credentials};

/// Where commits of a branch are pushed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Upstream {
    /// The remote's name, or its URL where it has none.
    pub(crate) remote: String,
    /// The branch there.
    pub(crate) branch: String,
}

impl Upstream {
    /// The remote as it may be shown: there may be a token in a URL.
    pub(crate) fn shown(&self) -> String {
        without_credentials(&self.remote)
    }
}

/// What a commit would have to end first, and the file that shows it.
const UNDER_WAY: [(&str, &str, &str); 6] = [
    ("rebase-merge", "a rebase is", "git rebase --continue` or `git rebase --abort"),
    ("rebase-apply", "a rebase is", "git rebase --continue` or `git rebase --abort"),
    ("MERGE_HEAD", "a merge is", "git merge --continue` or `git merge --abort"),
    ("CHERRY_PICK_HEAD", "a cherry-pick is", "git cherry-pick --continue` or `git cherry-pick --abort"),
    ("REVERT_HEAD", "a revert is", "git revert --continue` or `git revert --abort"),
    ("BISECT_LOG", "a bisection is", "git bisect reset"),
];

/// What is under way in a repository, if anything is, with what ends it.
///
/// # Errors
/// What git said.
pub(crate) fn under_way(git: &Git) -> Result<Option<String>> {
    for (file, what, way_out) in UNDER_WAY {
        let path = git.run(["rev-parse", "--git-path", file])?;
        if git.root.join(path).exists() {
            let place = git.root.display();
            return Ok(Some(format!("{what} under way in {place}; end it with `{way_out}`")));
        }
    }
    Ok(None)
}

/// The branch that a commit would go to, if nothing is in its way.
///
/// # Errors
/// Wrong input: something is under way, no branch is checked out, or there is no commit yet.
pub(crate) fn branch(git: &Git) -> Result<String> {
    if let Some(text) = under_way(git)? {
        return wrong(text);
    }
    let found = git.attempt(["symbolic-ref", "--quiet", "--short", "HEAD"])?;
    if !found.well {
        return wrong("no branch is checked out (a detached HEAD), and a commit would be lost; `git switch BRANCH`, or `git switch -c NEW`".into());
    }
    if !git.attempt(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])?.well {
        return wrong(
            "the repository has no commit yet; make the first one with `git add` and `git commit`".into(),
        );
    }
    Ok(found.output.trim().to_owned())
}

/// How a file stands that a commit shall change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is exactly what the head has.
    Clean,
    /// It says already what the commit shall say, and nothing else is changed in it.
    Written {
        /// Whether that is in the index as well.
        staged: bool,
    },
}

/// How the file of this name stands; the commit would take along whatever else is changed in it.
///
/// # Errors
/// Wrong input: it has other changes, or is not in Git.
pub(crate) fn standing(git: &Git, name: &str, edit: &Edit) -> Result<Standing> {
    let said = status(git, &["--untracked-files=all", "--ignored", "--", &literally(name)])?;
    let says = |text: &str| std::fs::read(&edit.path).is_ok_and(|bytes| bytes == text.as_bytes());
    match said.get(..2) {
        None if says(&edit.before) => Ok(Standing::Clean),
        None => wrong(format!("{name} changed while this was worked out; run the command again")),
        Some("??") => wrong(format!("{name} is not in Git yet; `git add {name}` and commit it first")),
        Some("!!") => wrong(format!("{name} is ignored by Git (.gitignore), so no commit can change it")),
        Some(state @ (" M" | "M "))
            if says(&edit.after) && in_head(git, name).is_ok_and(|text| text == edit.before.as_bytes()) =>
        {
            Ok(Standing::Written { staged: state == "M " })
        }
        Some(_) => dirty(name),
    }
}

/// The names of the files whose text is another one than in the head, staged or not.
///
/// # Errors
/// What git said.
pub(crate) fn changed(git: &Git) -> Result<Vec<String>> {
    let said = status(git, &["--untracked-files=no", "--no-renames"])?;
    Ok(said.split('\0').filter_map(|entry| entry.get(3..)).map(str::to_owned).collect())
}

fn status(git: &Git, more: &[&str]) -> Result<String> {
    git.run([&["status", "--porcelain=v1", "-z"], more].concat())
}

/// What the head has of a file, as it would be checked out.
///
/// # Errors
/// It has none.
pub(crate) fn in_head(git: &Git, name: &str) -> Result<Vec<u8>> {
    git.bytes(["cat-file", "--filters", &format!("HEAD:{name}")])
}

/// # Errors
/// Always: a file has changes that a commit would take along.
pub(crate) fn dirty<T>(name: &str) -> Result<T> {
    wrong(format!(
        "{name} has changes that are not committed; commit or stash it first (`git diff HEAD -- {name}`)"
    ))
}

/// Where the branch is pushed to.
///
/// # Errors
/// Wrong input: nowhere.
pub(crate) fn upstream(git: &Git, branch: &str) -> Result<Upstream> {
    let remote = git.attempt(["config", "--get", &format!("branch.{branch}.remote")])?;
    let merge = git.attempt(["config", "--get", &format!("branch.{branch}.merge")])?;
    let (remote, merge) = (remote.output.trim().to_owned(), merge.output.trim().to_owned());
    let Some(there) = merge.strip_prefix("refs/heads/").filter(|_| !remote.is_empty() && remote != ".")
    else {
        let remotes = git.run(["remote"])?;
        let remote = remotes.lines().next().unwrap_or("REMOTE");
        return wrong(format!(
            "branch {branch} has no upstream to push to; `git push --set-upstream {remote} {branch}` gives it one"
        ));
    };
    Ok(Upstream { remote, branch: there.to_owned() })
}

/// Where a branch for a pull request goes: beside the upstream, else to the one remote there is.
///
/// # Errors
/// Wrong input: there is no remote, or several and none is `origin`.
pub(crate) fn base(git: &Git, branch: &str) -> Result<Upstream> {
    if let Ok(upstream) = upstream(git, branch) {
        return Ok(upstream);
    }
    let remotes = git.run(["remote"])?;
    let remotes: Vec<&str> = remotes.lines().collect();
    let remote = match remotes.as_slice() {
        [one] => *one,
        several if several.contains(&"origin") => "origin",
        [] => return wrong("there is no remote to push to; add one with `git remote add origin URL`".into()),
        _ => {
            return wrong(format!(
                "branch {branch} has no upstream and there are several remotes; `git branch --set-upstream-to REMOTE/{branch}`"
            ));
        }
    };
    Ok(Upstream { remote: remote.to_owned(), branch: branch.to_owned() })
}

fn wrong<T>(text: String) -> Result<T> {
    Err(WrongInput(text).into())
}
