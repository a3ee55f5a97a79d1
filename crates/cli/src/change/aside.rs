//! A second working tree, away from the user's: what is committed there is seen by nobody who follows the branch before
//! it is known to stand.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::edit::Edit;
use super::publish::{Message, commit, write};
use crate::git::Git;

/// A working tree of its own; gone when dropped.
#[derive(Debug)]
pub(crate) struct Aside {
    git: Git,
    pub(crate) tree: Git,
    /// Options that let the user's hooks be found from there.
    hooks: Vec<String>,
    _folder: tempfile::TempDir,
}

impl Aside {
    /// Checks out a commit, on a new branch if one is named.
    ///
    /// # Errors
    /// There is no room, or the branch is there already.
    pub(crate) fn check_out(git: &Git, commit: &str, branch: Option<&str>) -> Result<Self> {
        let hooks = hooks(git)?;
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
        Ok(Self { git: git.clone(), tree: Git::of(&path), hooks, _folder: folder })
    }

    /// Makes the edits of the files of these names, commits them, and gives the new commit's full id.
    ///
    /// # Errors
    /// What git said: a hook refused, nobody can sign, nobody is named.
    pub(crate) fn commit(&self, edits: &[Edit], names: &[String], message: &Message) -> Result<String> {
        let here: Vec<_> =
            edits.iter().zip(names).map(|(edit, name)| edit.of(self.tree.root.join(name))).collect();
        write(&here)?;
        let way = "hooks saw what is in Git and nothing else, in a working tree aside; one that needs more is served by \
                   --commit, and `git push` after it";
        commit(&self.tree, &self.hooks, names, message).map_err(|error| error.context(way))
    }

    /// Puts what is committed here and not in `onto` on top of that, and gives the new commit; what both change, if that
    /// is in the way.
    ///
    /// # Errors
    /// What git said, and the files that conflict.
    pub(crate) fn rebase(&self, onto: &str) -> Result<Result<String, Conflict>> {
        let options = self.hooks.iter().map(String::as_str);
        let arguments = ["-c", "rebase.updateRefs=false", "rebase", "--quiet", onto];
        let said = self.tree.attempt(options.chain(arguments))?;
        if said.well {
            return Ok(Ok(self.tree.commit("HEAD")?));
        }
        let found = self.tree.run(["diff", "--name-only", "--diff-filter=U"]).unwrap_or_default();
        self.tree.attempt(["rebase", "--abort"])?;
        let files = found.lines().collect::<Vec<_>>().join(", ");
        Ok(Err(Conflict { files, words: said.without_hints() }))
    }
}

/// Why something cannot be rebased.
#[derive(Debug)]
pub(crate) struct Conflict {
    /// The files that both change; may be empty.
    pub(crate) files: String,
    /// What git said.
    pub(crate) words: String,
}

impl Drop for Aside {
    fn drop(&mut self) {
        let arguments =
            ["worktree".as_ref(), "remove".as_ref(), "--force".as_ref(), self.tree.root.as_os_str()];
        // What is left of it is forgotten by `git worktree prune`, which git does by itself.
        let _ = self.git.attempt(arguments);
    }
}

/// A path to hooks that goes out from the working tree leads nowhere from another one, where what it leads to is not in
/// Git; and a hook that is not found is passed over without a word.
fn hooks(git: &Git) -> Result<Vec<String>> {
    let said = git.attempt(["config", "--type=path", "--get", "core.hooksPath"])?;
    let path = PathBuf::from(said.output.trim_end_matches('\n'));
    if !said.well || path.as_os_str().is_empty() || path.is_absolute() {
        return Ok(Vec::new());
    }
    Ok(vec!["-c".into(), format!("core.hooksPath={}", git.root.join(path).display())])
}
