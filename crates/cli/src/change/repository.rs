//! How a repository stands before something is committed: each thing that is in the way, with the way out.

use std::path::Path;

use anyhow::Result;

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

/// The branch that a commit would go to, if nothing is in its way.
///
/// # Errors
/// Wrong input: something is under way, no branch is checked out, or there is no commit yet.
pub(crate) fn branch(git: &Git) -> Result<String> {
    for (file, what, way_out) in UNDER_WAY {
        let path = git.run(["rev-parse", "--git-path", file])?;
        if git.root.join(path).exists() {
            return wrong(format!("{what} under way in {}; end it with `{way_out}`", git.root.display()));
        }
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

/// Whether a file is exactly what the head has; the commit would take along what is not.
///
/// # Errors
/// Wrong input: it is not.
pub(crate) fn clean(git: &Git, name: &str) -> Result<()> {
    let arguments =
        ["status", "--porcelain=v1", "-z", "--untracked-files=all", "--ignored", "--", &literally(name)];
    let said = git.run(arguments)?;
    match said.get(..2) {
        None => Ok(()),
        Some("??") => wrong(format!("{name} is not in Git yet; `git add {name}` and commit it first")),
        Some("!!") => wrong(format!("{name} is ignored by Git (.gitignore), so no commit can change it")),
        Some(_) => wrong(format!(
            "{name} has changes that are not committed; commit or stash it first (`git diff HEAD -- {name}`)"
        )),
    }
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

/// Makes another commit the head of the branch, and touches no more than what differs between the two: what else is
/// changed or staged stays so.
///
/// # Errors
/// A file that differs has changes of its own; then nothing was touched.
pub(crate) fn go_to(git: &Git, branch: &str, from: &str, to: &str) -> Result<()> {
    // Times of files that were only looked at; it ends badly when others are changed, which is no matter.
    git.attempt(["update-index", "-q", "--refresh"])?;
    git.run(["read-tree", "-m", "-u", from, to])?;
    git.run(["update-ref", "-m", "dunlin", &format!("refs/heads/{branch}"), to, from])?;
    Ok(())
}

/// Whether [`go_to`] would go well.
///
/// # Errors
/// A file that differs has changes of its own, in git's words.
pub(crate) fn may_go_to(git: &Git, from: &str, to: &str) -> Result<()> {
    git.attempt(["update-index", "-q", "--refresh"])?;
    git.run(["read-tree", "-n", "-m", "-u", from, to]).map(drop)
}

/// A second working tree, away from the user's; gone when dropped.
#[derive(Debug)]
pub(crate) struct Aside {
    git: Git,
    pub(crate) tree: Git,
    _folder: tempfile::TempDir,
}

impl Aside {
    /// Checks out a commit, on a new branch if one is named.
    ///
    /// # Errors
    /// There is no room, or the branch is there already.
    pub(crate) fn check_out(git: &Git, commit: &str, branch: Option<&str>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("dunlin-").tempdir()?;
        let path = folder.path().join("tree");
        let place: &Path = &path;
        let mut arguments = vec!["worktree".as_ref(), "add".as_ref(), "--quiet".as_ref()];
        match branch {
            Some(branch) => arguments.extend(["-b".as_ref(), std::ffi::OsStr::new(branch)]),
            None => arguments.push("--detach".as_ref()),
        }
        arguments.extend([place.as_os_str(), commit.as_ref()]);
        git.run(arguments)?;
        Ok(Self { git: git.clone(), tree: Git::of(&path), _folder: folder })
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        let arguments =
            ["worktree".as_ref(), "remove".as_ref(), "--force".as_ref(), self.tree.root.as_os_str()];
        // What is left of it is forgotten by `git worktree prune`, which git does by itself.
        let _ = self.git.attempt(arguments);
    }
}

fn wrong<T>(text: String) -> Result<T> {
    Err(WrongInput(text).into())
}
