//! A repository with an origin, and somebody else who has a clone as well. Names and times are fixed, so that commits
//! have the same ids in every run.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub const LATTICE: &str = "apiVersion: dunlin.dev/v1alpha1\nkind: Lattice\nmetadata: { name: todo }\nspec: { sites: { gcp: {}, aws: {} } }\n";

pub const TODO: &str = "# The application.
apiVersion: dunlin.dev/v1alpha1
kind: WasmComponent
metadata:
  name: todo
spec:
  image: registry.example.com/todo:1
  # Where it runs.
  sites:
    gcp:
      replicas: 2 # home
    aws:
      replicas: 1
  links:
    store: { import: \"wasi:keyvalue\", provider: { name: redis } }
  readiness: { path: / }
---
# Beside it.
apiVersion: dunlin.dev/v1alpha1
kind: WasmComponent
metadata: { name: shop }
spec:
  image: registry.example.com/shop:1
  sites: { gcp: { replicas: 1 } }
";

pub const REDIS: &str = "apiVersion: dunlin.dev/v1alpha1\nkind: WasmProvider\nmetadata: { name: redis }\nspec:\n  keyvalue: { redis: {} }\n  sites: { gcp: { url: \"redis://redis:6379\" } }\n";

/// A clone with manifests in `app`, whose branch `main` follows a bare origin.
pub struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    pub fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(bench.path("runtime")).unwrap();
        bench.git_in(
            &bench.path(""),
            &["init", "--quiet", "--bare", "--initial-branch", "main", "origin.git"],
        );
        bench.git_in(&bench.path(""), &["clone", "--quiet", "origin.git", "mine"]);
        bench.git(&["switch", "--quiet", "-c", "main"]);
        for (name, text) in [("lattice.yaml", LATTICE), ("todo.yaml", TODO), ("redis.yaml", REDIS)] {
            bench.write(&format!("app/{name}"), text);
        }
        bench.write("README", "an application\n");
        bench.git(&["add", "."]);
        bench.git(&["commit", "--quiet", "-m", "Begin"]);
        bench.git(&["push", "--quiet", "--set-upstream", "origin", "main"]);
        bench.git_in(&bench.path(""), &["clone", "--quiet", "origin.git", "theirs"]);
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn mine(&self) -> PathBuf {
        self.path("mine")
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.mine().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.mine().join(name)).unwrap()
    }

    /// Runs `git` in the clone.
    pub fn git(&self, arguments: &[&str]) -> String {
        self.git_in(&self.mine(), arguments)
    }

    pub fn git_in(&self, directory: &Path, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        let output = self.around(command.args(arguments).current_dir(directory)).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
        let trouble = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "git {arguments:?}: {text}{trouble}");
        text
    }

    /// Nobody's settings, fixed names and times, and no `dunlin dev` of whoever runs the tests.
    fn around<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let who = |command: &'a mut Command, role: &str| {
            command
                .env(format!("GIT_{role}_NAME"), "Somebody")
                .env(format!("GIT_{role}_EMAIL"), "somebody@example.com")
                .env(format!("GIT_{role}_DATE"), "2026-01-02T03:04:05Z")
        };
        let command = who(who(command, "AUTHOR"), "COMMITTER");
        command
            .env("HOME", self.folder.path())
            .env("XDG_RUNTIME_DIR", self.path("runtime"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env_remove("GIT_CONFIG_GLOBAL")
    }

    /// Runs `dunlin` in the clone.
    pub fn dunlin(&self, arguments: &[&str]) -> Output {
        self.dunlin_with(arguments, |command| command)
    }

    pub fn dunlin_with(&self, arguments: &[&str], change: impl Fn(&mut Command) -> &mut Command) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dunlin"));
        change(self.around(command.args(arguments).current_dir(self.mine()))).output().unwrap()
    }

    /// Runs `dunlin`, which must succeed, and gives all that it printed.
    pub fn text(&self, arguments: &[&str]) -> String {
        let output = self.dunlin(arguments);
        let text = said(&output);
        assert!(output.status.success(), "{arguments:?}: {text}");
        text
    }

    /// Runs `dunlin`, which must fail with `code`, and gives what it said.
    pub fn fails(&self, arguments: &[&str], code: i32) -> String {
        let output = self.dunlin(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", said(&output));
        said(&output)
    }

    /// Somebody else changes a file and pushes.
    pub fn somebody_pushes(&self, name: &str, change: impl Fn(String) -> String) {
        let theirs = self.path("theirs");
        self.git_in(&theirs, &["pull", "--quiet"]);
        let path = theirs.join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, change(text)).unwrap();
        self.git_in(&theirs, &["commit", "--quiet", "--all", "-m", "Change something else"]);
        self.git_in(&theirs, &["push", "--quiet"]);
    }

    /// Puts a hook into a repository.
    pub fn hook(&self, repository: &str, name: &str, script: &str) {
        let path = self.path(repository).join("hooks").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        self.program(&path, script);
    }

    pub fn program(&self, path: &Path, script: &str) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Head, status, working trees and branches: what must be as it was when a command fails.
    pub fn state(&self) -> String {
        let all = [
            self.git(&["rev-parse", "HEAD"]),
            self.git(&["status", "--porcelain=v1", "--untracked-files=all"]),
            self.git(&["worktree", "list", "--porcelain"]),
            self.git(&["branch", "--list"]),
            self.git(&["diff"]),
            self.git(&["diff", "--cached"]),
        ];
        all.join("\n")
    }

    /// What `main` of the origin has of a file.
    pub fn origin(&self, name: &str) -> String {
        self.git_in(&self.path("origin.git"), &["show", &format!("main:{name}")])
    }
}

pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
