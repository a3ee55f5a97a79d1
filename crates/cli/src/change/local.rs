//! The branch here, and how it takes over a commit that was made aside: with its files and index, or not at all.

use anyhow::{Result, bail};

use super::turn;
use crate::git::{Git, literally};

/// A branch that is checked out.
#[derive(Debug)]
pub(crate) struct Local<'a> {
    pub(crate) git: &'a Git,
    pub(crate) branch: &'a str,
    /// Where it was when the command began.
    pub(crate) former: &'a str,
    /// The names of files that say already, and not in the index, what the commit says.
    pub(crate) written: Vec<String>,
}

impl Local<'_> {
    /// Makes `to` the head of the branch, and touches no more than what differs: what else is changed or staged stays so.
    ///
    /// # Errors
    /// The branch moved or is not checked out any more, or a file that differs has changes of its own; then nothing was
    /// touched.
    pub(crate) fn take(&self, to: &str) -> Result<()> {
        let Self { git, branch, .. } = self;
        let _turn = turn::take(git)?;
        let head = git.attempt(["symbolic-ref", "--quiet", "--short", "HEAD"])?;
        if !head.well || head.output.trim() != *branch {
            bail!("{branch} is not checked out any more");
        }
        // What was pulled meanwhile is in it.
        let from = git.commit("HEAD")?;
        if !git.attempt(["merge-base", "--is-ancestor", &from, to])?.well {
            bail!("{branch} moved on meanwhile");
        }
        self.staged(|| {
            git.run(["read-tree", "-m", "-u", &from, to])?;
            let reference = format!("refs/heads/{branch}");
            git.run(["update-ref", "-m", "dunlin", &reference, to, &from]).map(drop).or_else(|error| {
                git.run(["read-tree", "-m", "-u", to, &from])?;
                Err(error)
            })
        })
    }

    /// Whether [`Local::take`] would go well.
    ///
    /// # Errors
    /// A file that differs has changes of its own, in git's words.
    pub(crate) fn may_take(&self, to: &str) -> Result<()> {
        let _turn = turn::take(self.git)?;
        let well = self.staged(|| self.git.run(["read-tree", "-n", "-m", "-u", self.former, to]).map(drop));
        if well.is_ok() {
            self.unstage()?;
        }
        well
    }

    /// Git touches no file that differs from the index, not even one that says already what it shall say.
    fn staged(&self, work: impl FnOnce() -> Result<()>) -> Result<()> {
        // Times of files that were only looked at; it ends badly when others are changed, which is no matter.
        self.git.attempt(["update-index", "-q", "--refresh"])?;
        if !self.written.is_empty() {
            self.with_written(&["add", "--"])?;
        }
        work().or_else(|error| {
            self.unstage()?;
            Err(error)
        })
    }

    fn unstage(&self) -> Result<()> {
        if self.written.is_empty() { Ok(()) } else { self.with_written(&["reset", "--quiet", "--"]) }
    }

    fn with_written(&self, arguments: &[&str]) -> Result<()> {
        let names = self.written.iter().map(|name| literally(name));
        self.git.run(arguments.iter().map(|argument| (*argument).to_owned()).chain(names)).map(drop)
    }
}
