//! A Git repository of manifests with a working tree, as a developer has it, and a bare one that a server serves.

use std::path::{Path, PathBuf};
use std::process::Command;

use dunlin_manifest::Replicas;

/// A repository in a temporary folder, with one branch, `main`.
pub struct Repository {
    folder: tempfile::TempDir,
}

impl Repository {
    /// With these files as its first commit, pushed to the bare repository.
    pub fn new(files: &[(&str, String)]) -> Self {
        let repository = Self { folder: tempfile::tempdir().unwrap() };
        let bare = repository.bare();
        let bare = bare.to_str().unwrap();
        run(repository.folder.path(), &["init", "--quiet", "--bare", "--initial-branch=main", bare]);
        run(repository.folder.path(), &["clone", "--quiet", bare, "tree"]);
        run(&repository.tree(), &["checkout", "--quiet", "-B", "main"]);
        for (name, text) in files {
            std::fs::write(repository.tree().join(name), text).unwrap();
        }
        repository.commit("the first commit");
        repository
    }

    /// The working tree.
    pub fn tree(&self) -> PathBuf {
        self.folder.path().join("tree")
    }

    /// The folder that holds the bare repository, for a server of several.
    pub fn served(&self) -> &Path {
        self.folder.path()
    }

    /// The bare repository, which hosts follow.
    pub fn bare(&self) -> PathBuf {
        self.folder.path().join("app.git")
    }

    /// Commits everything as it is in the working tree and pushes it; gives the commit's id.
    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self.git(&["push", "--quiet", "--force", "origin", "main"]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Replaces a file, without a commit.
    pub fn edit(&self, name: &str, change: impl Fn(String) -> String) {
        let path = self.tree().join(name);
        std::fs::write(&path, change(std::fs::read_to_string(&path).unwrap_or_default())).unwrap();
    }

    /// Commits other numbers of replicas for a component that has one file to itself.
    pub fn moves(&self, file: &str, component: &str, sites: &[(&str, u32)]) -> String {
        let count = |(site, replicas): &(&str, u32)| ((*site).to_owned(), Replicas::Count(*replicas));
        let sites: Vec<_> = sites.iter().map(count).collect();
        self.edit(file, |text| dunlin_manifest::set_replicas(&text, component, &sites).unwrap());
        self.commit(&format!("{component}: {sites:?}"))
    }

    /// Runs `git` in the working tree, which must succeed; gives what it printed.
    pub fn git(&self, arguments: &[&str]) -> String {
        run(&self.tree(), arguments)
    }
}

fn run(folder: &Path, arguments: &[&str]) -> String {
    let mut git = Command::new("git");
    git.args(["-c", "user.name=Somebody", "-c", "user.email=somebody@example.com"]).args(arguments);
    git.current_dir(folder).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    let output = git.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    printed
}
