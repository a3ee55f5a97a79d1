//! A real Git repository with a working tree, made with the `git` program and independent of the user's configuration.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A repository whose default branch is `main`; removed with the test.
#[derive(Debug)]
pub struct GitRepository {
    folder: tempfile::TempDir,
}

impl Default for GitRepository {
    fn default() -> Self {
        Self::new()
    }
}

impl GitRepository {
    /// An empty one, without a commit.
    ///
    /// # Panics
    /// There is no `git`.
    #[must_use]
    pub fn new() -> Self {
        let repository = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(repository.path()).unwrap();
        repository.git(&["init", "--quiet", "--initial-branch", "main"]);
        // Served as it is, and pushed to by tests that have a second working tree.
        repository.git(&["config", "receive.denyCurrentBranch", "updateInstead"]);
        repository
    }

    /// Its working tree.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("app")
    }

    /// The directory that holds it as `app`, for a server to serve.
    #[must_use]
    pub fn parent(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file of the working tree, with the directories above it.
    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Commits all of the working tree and says the commit's id.
    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self.head()
    }

    /// The commit that is checked out.
    #[must_use]
    pub fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }

    /// Runs `git` in it and says what it printed.
    ///
    /// # Panics
    /// It failed.
    pub fn git(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.current_dir(self.path()).args(arguments);
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        for role in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{role}_NAME"), "Ada")
                .env(format!("GIT_{role}_EMAIL"), "ada@example.com");
        }
        let output = command.output().unwrap_or_else(|error| panic!("cannot run git: {error}"));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {errors}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}
