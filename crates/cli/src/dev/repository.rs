//! `dunlin dev --git`: which repository is followed, and where it is on this machine, if it is.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use dunlin_manifest::Snapshot;
use dunlin_source::{GitSettings, GitUrl, check_branch, read_path, read_repository};

use crate::dev::{Options, built_in};
use crate::discovery;
use crate::git::Git;
use crate::printer::WrongInput;

/// How often hosts look at a repository on this machine (which they also watch), and at one elsewhere.
const NEAR: Duration = Duration::from_secs(1);
const FAR: Duration = Duration::from_secs(5);
/// What `--git new` makes where no other name is given.
const NEW: &str = "dunlin-todo";

/// The repository that all hosts follow.
#[derive(Debug, Clone)]
pub(crate) struct Repository {
    pub(crate) url: GitUrl,
    pub(crate) branch: Option<String>,
    pub(crate) path: String,
    /// Its working tree on this machine, if the branch that is followed is checked out there.
    pub(crate) tree: Option<PathBuf>,
    /// Whether it was made just now.
    new: bool,
}

impl Repository {
    /// What the options say; `new` is made here.
    ///
    /// # Errors
    /// Wrong input, each with the way out.
    pub(crate) fn of(options: &Options) -> Result<Option<Self>> {
        let Some(named) = options.git.as_deref() else { return Ok(None) };
        let path = read_path(options.path.as_deref().unwrap_or_default())
            .map_err(|error| wrong("--path", &error))?;
        if let Some(branch) = &options.branch {
            check_branch(branch).map_err(|error| wrong("--branch", &error))?;
        }
        let new = named == "new";
        let url = if new {
            let folder = options.directory.clone().unwrap_or_else(|| NEW.into());
            make(&folder, options.sites.as_deref(), options.gives("todo"))?;
            folder.to_string_lossy().into_owned()
        } else if let Some(directory) = &options.directory {
            let text = format!(
                "a directory ({}) and --git: follow one of them; to name a directory within the repository there is --path",
                directory.display()
            );
            return Err(WrongInput(text).into());
        } else {
            named.to_owned()
        };
        let url = GitUrl::parse(&url).map_err(|error| wrong("--git", &error.to_string()))?;
        let mut repository = Self { url, branch: options.branch.clone(), path, tree: None, new };
        if let Some(local) = repository.url.local() {
            if !local.is_dir() {
                let text = format!(
                    "--git {}: there is no such directory; `dunlin dev --git new` makes a repository to play with",
                    local.display()
                );
                return Err(WrongInput(text).into());
            }
            if !Git::of(&local).is_repository()? {
                let text = format!(
                    "--git {}: this is no Git repository; `git init` there and a commit of the manifests make one, and to follow \
                     the directory as it is leave --git out",
                    local.display()
                );
                return Err(WrongInput(text).into());
            }
            let tree =
                Git::of(&local).checked_out().map_err(|error| wrong("--git", &format!("{error:#}")))?;
            let followed = |checked_out: &Option<String>| {
                repository.branch.is_none() || repository.branch == *checked_out
            };
            repository.tree = tree.filter(|(_, branch)| followed(branch)).map(|(tree, _)| tree);
        }
        Ok(Some(repository))
    }

    /// What the head of the branch says now.
    ///
    /// # Errors
    /// It cannot be fetched or read.
    pub(crate) async fn read(&self, temporary: &Path) -> Result<Snapshot> {
        let settings = self.settings(&temporary.join("plan"));
        let (_, _, reading) =
            read_repository(&settings).await.map_err(|error| WrongInput(error.to_string()))?;
        Ok(reading.snapshot)
    }

    /// What a host that keeps its state in `state` follows.
    pub(crate) fn settings(&self, state: &Path) -> GitSettings {
        GitSettings {
            branch: self.branch.clone(),
            path: self.path.clone(),
            interval: self.interval(),
            ..GitSettings::new(self.url.clone(), state.join("git"))
        }
    }

    pub(crate) fn interval(&self) -> Duration {
        if self.url.local().is_some() { NEAR } else { FAR }
    }

    /// The manifests in the working tree, if there is one.
    pub(crate) fn manifests(&self) -> Option<PathBuf> {
        self.tree.as_ref().map(|tree| tree.join(&self.path))
    }

    /// For other commands that look for what runs.
    pub(crate) fn discovered(&self) -> discovery::Git {
        discovery::Git {
            url: self.url.to_string(),
            branch: self.branch.clone(),
            path: self.path.clone(),
            tree: self.tree.clone(),
        }
    }

    /// Where it is, in a few words.
    pub(crate) fn shown(&self) -> String {
        let branch = self.branch.as_ref().map(|branch| format!(", branch {branch}")).unwrap_or_default();
        let path = if self.path.is_empty() { String::new() } else { format!(", directory {}", self.path) };
        let new = if self.new { " (new: a commit there is all it takes to change what runs)" } else { "" };
        format!("git {}{branch}{path}{new}", self.url)
    }
}

/// Makes a repository of the todo application.
fn make(folder: &Path, sites: Option<&[String]>, given: bool) -> Result<()> {
    if folder.exists() {
        let shown = folder.display();
        let text = format!(
            "{shown} exists already: follow it with `dunlin dev --git ./{shown}`, or name another, as in \
             `dunlin dev --git new my-todo`"
        );
        return Err(WrongInput(text.replace(".//", "/")).into());
    }
    built_in::write(folder, sites, given)?;
    commit_first(folder).inspect_err(|_| {
        // Half a repository would be in the way of the next try.
        let _ = std::fs::remove_dir_all(folder);
    })
}

/// Makes a repository of `folder`, with all that is in it as its first commit.
fn commit_first(folder: &Path) -> Result<()> {
    let git = Git::of(folder);
    git.run(["init", "--quiet", "--initial-branch", "main"])?;
    git.run(["add", "--all"])?;
    let mut arguments = Vec::new();
    // For whoever has never told git a name; this commit only, and nothing is written into any configuration.
    if ["user.name", "user.email"].iter().any(|key| git.run(["config", "--get", key]).is_err()) {
        arguments.extend(["-c", "user.name=Dunlin", "-c", "user.email=dunlin@localhost"]);
    }
    arguments.extend(["commit", "--quiet", "--message", "Add the todo application"]);
    git.run(arguments).map(drop)
}

fn wrong(option: &str, text: &str) -> anyhow::Error {
    WrongInput(format!("{option}: {text}")).into()
}
