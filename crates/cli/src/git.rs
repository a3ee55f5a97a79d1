//! The user's own `git`: their hooks, signing and authentication, in their environment. What it says is kept, and
//! shown when it fails.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, anyhow};

use crate::printer::WrongInput;

/// A working tree and the program that knows it.
#[derive(Debug, Clone)]
pub(crate) struct Git {
    /// The top of the working tree; for a repository without one, the repository.
    pub(crate) root: PathBuf,
}

/// What `git` said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) well: bool,
    pub(crate) output: String,
    pub(crate) trouble: String,
}

impl Said {
    /// All of it, for people.
    pub(crate) fn words(&self) -> String {
        let parts = [self.output.trim(), self.trouble.trim()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
    }

    /// The same without git's hints: what they advise is for whoever ran that very command, where it ran. Not by a setting
    /// of git's, which hooks would inherit.
    pub(crate) fn without_hints(&self) -> String {
        let words = self.words();
        words.lines().filter(|line| !line.starts_with("hint:")).collect::<Vec<_>>().join("\n")
    }
}

impl Git {
    /// The working tree that `directory` is in; `None` if it is in none.
    ///
    /// # Errors
    /// There is no `git`.
    pub(crate) fn around(directory: &Path) -> Result<Option<Self>> {
        let found = Self::of(directory).attempt(["rev-parse", "--show-toplevel"])?;
        let root = PathBuf::from(found.output.trim_end_matches('\n'));
        Ok(found.well.then(|| Self { root: root.canonicalize().unwrap_or(root) }))
    }

    /// As [`Git::around`], where nothing can be done without one.
    ///
    /// # Errors
    /// Wrong input: the directory is in no repository.
    pub(crate) fn needed(directory: &Path) -> Result<Self> {
        let hint = "--write edits the files alone; `git init` makes a repository";
        let none = || WrongInput(format!("{} is in no Git repository; {hint}", directory.display()));
        Ok(Self::around(directory)?.ok_or_else(none)?)
    }

    /// The repository that `directory` is, its working tree or a bare one; it need not be the top.
    pub(crate) fn of(directory: &Path) -> Self {
        Self { root: directory.to_owned() }
    }

    /// Whether the directory is a repository, bare or not, or in one.
    ///
    /// # Errors
    /// There is no `git`.
    pub(crate) fn is_repository(&self) -> Result<bool> {
        Ok(self.attempt(["rev-parse", "--git-dir"])?.well)
    }

    /// Runs `git`, however it ends.
    ///
    /// # Errors
    /// It cannot be started. Wrong input: there is none.
    pub(crate) fn attempt<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Result<Said> {
        let done = self.output(arguments)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Said { well: done.status.success(), output: text(&done.stdout), trouble: text(&done.stderr) })
    }

    fn output<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Result<Output> {
        let mut command = Command::new("git");
        // Standard input stays the user's, for whatever asks for a passphrase.
        command.args(arguments).current_dir(&self.root).stdin(Stdio::inherit());
        command.output().map_err(|error| self.not_started(&error))
    }

    fn not_started(&self, error: &std::io::Error) -> anyhow::Error {
        // The same error tells of a directory that is gone.
        if error.kind() == ErrorKind::NotFound {
            return WrongInput(match self.root.is_dir() {
                true => "the program git is missing: install it, or put it on the path".to_owned(),
                false => {
                    format!("there is no directory {}; was it moved, or misspelt?", self.root.display())
                }
            })
            .into();
        }
        anyhow!("cannot run git in {}: {error}", self.root.display())
    }

    /// Runs `git`, which has to succeed, and gives what it printed, without the last line's end.
    ///
    /// # Errors
    /// What it said, if it does not.
    pub(crate) fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Result<String> {
        let arguments: Vec<A> = arguments.into_iter().collect();
        let words = arguments.iter().map(|argument| argument.as_ref().to_string_lossy().into_owned());
        // What stands before it are options: `-c`, and the setting that it makes.
        let verb =
            words.into_iter().find(|word| !word.starts_with('-') && !word.contains('=')).unwrap_or_default();
        let said = self.attempt(&arguments)?;
        if said.well {
            return Ok(said.output.trim_end_matches('\n').to_owned());
        }
        let way = "mend what it says, then run the command again";
        Err(anyhow!(said.words()).context(format!("git {verb} failed in {}; {way}", self.root.display())))
    }

    /// Every byte of a file that the repository has, by its id.
    ///
    /// # Errors
    /// What git said.
    pub(crate) fn blob(&self, id: &str) -> Result<Vec<u8>> {
        let way = "`git fsck` looks for damage";
        let what = || format!("cannot read {} in {}; {way}", short(id), self.root.display());
        self.bytes(["cat-file", "blob", id]).with_context(what)
    }

    /// Runs `git`, which has to succeed, and gives every byte that it printed.
    ///
    /// # Errors
    /// What it said, if it does not.
    pub(crate) fn bytes<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Result<Vec<u8>> {
        let done = self.output(arguments)?;
        if done.status.success() {
            return Ok(done.stdout);
        }
        Err(anyhow!(String::from_utf8_lossy(&done.stderr).trim().to_owned()))
    }

    /// The top of the working tree, and the branch that is checked out there (none by name while a rebase is under way, for
    /// instance); `None` for a bare repository.
    ///
    /// # Errors
    /// It is no repository.
    pub(crate) fn checked_out(&self) -> Result<Option<(PathBuf, Option<String>)>> {
        if self.run(["rev-parse", "--is-bare-repository"])? == "true" {
            return Ok(None);
        }
        let top = self.run(["rev-parse", "--show-toplevel"])?;
        let branch = self.attempt(["symbolic-ref", "--quiet", "--short", "HEAD"])?;
        Ok(Some((top.into(), branch.well.then(|| branch.output.trim().to_owned()))))
    }

    /// The name of a file within the repository.
    ///
    /// # Errors
    /// It is gone, or outside of the working tree.
    pub(crate) fn name_of(&self, file: &Path) -> Result<String> {
        let gone = || format!("{} is gone; `git status` shows what has become of it", file.display());
        let path = file.canonicalize().with_context(gone)?;
        let inside = path.strip_prefix(&self.root).map_err(|_| {
            let (path, root) = (path.display(), self.root.display());
            WrongInput(format!("{path} is outside of the repository {root}; name a directory in it"))
        })?;
        let parts: Vec<_> = inside.components().map(|part| part.as_os_str().to_string_lossy()).collect();
        Ok(parts.join("/"))
    }

    /// Whether a commit is or has `older` among its ancestors; not, if either is not here.
    ///
    /// # Errors
    /// There is no `git`.
    pub(crate) fn contains(&self, newer: &str, older: &str) -> Result<bool> {
        Ok(self.attempt(["merge-base", "--is-ancestor", older, newer])?.well)
    }

    /// The full id of a commit.
    ///
    /// # Errors
    /// There is no such revision.
    pub(crate) fn commit(&self, revision: &str) -> Result<String> {
        let said = self.attempt(["rev-parse", "--verify", "--quiet", &format!("{revision}^{{commit}}")])?;
        let way =
            "`git log --oneline --all` shows those that are here, `git fetch` brings those that are not";
        let unknown = || WrongInput(format!("no commit {revision:?} in {}; {way}", self.root.display()));
        if said.well { Ok(said.output.trim().to_owned()) } else { Err(unknown().into()) }
    }
}

/// A file's name where git takes patterns. Not by a setting of git's, which hooks would inherit.
pub(crate) fn literally(name: &str) -> String {
    format!(":(top,literal){name}")
}

/// What people are shown of a commit's id.
pub(crate) fn short(id: &str) -> &str {
    id.get(..7).unwrap_or(id)
}
