//! How other commands find a running `dunlin dev`: a small file that it leaves
//! in the user's runtime directory while it runs.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use dunlin_manifest::HostId;
use serde::{Deserialize, Serialize};

use crate::dev::ForViewer;
use crate::printer::WrongInput;

/// What a running `dunlin dev` says of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Running {
    /// Its process.
    pub(crate) process: u32,
    /// The directory of manifests that it follows; with a repository, theirs in its working tree. Empty where there is
    /// no working tree on this machine.
    pub(crate) directory: PathBuf,
    /// The repository that it follows, if it follows one.
    #[serde(default)]
    pub(crate) git: Option<Git>,
    /// Where it takes the commands of its keys.
    pub(crate) control: SocketAddr,
    /// What a caller of `control` shows to prove that it could read this file.
    pub(crate) token: String,
    /// Each site with the address where it answers.
    pub(crate) sites: Vec<(String, SocketAddr)>,
    /// Each running host with the addresses of its admin port and of its ingress.
    pub(crate) hosts: Vec<(HostId, SocketAddr, SocketAddr)>,
    /// Each process that runs, by the name of the host or server; none where all is in one process.
    #[serde(default)]
    pub(crate) processes: Vec<(String, u32)>,
    /// What somebody who looks on needs to connect to NATS, by site; none where the bus is in one process.
    #[serde(default)]
    pub(crate) viewers: Vec<(String, ForViewer)>,
}

impl Running {
    /// What it follows, in words.
    pub(crate) fn follows(&self) -> String {
        let Some(git) = &self.git else { return format!("directory {}", self.directory.display()) };
        let branch = git.branch.as_ref().map(|branch| format!(", branch {branch}")).unwrap_or_default();
        let path = if git.path.is_empty() { String::new() } else { format!(", directory {}", git.path) };
        format!("git {}{branch}{path}", git.url)
    }
}

/// A repository that is followed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Git {
    /// Its URL or path, without secrets.
    pub(crate) url: String,
    /// The branch, if it is not the default branch.
    pub(crate) branch: Option<String>,
    /// The directory of the manifests in it; empty for all of it.
    pub(crate) path: String,
    /// The working tree on this machine where the branch is checked out, if there is one.
    pub(crate) tree: Option<PathBuf>,
}

/// The file of a running `dunlin dev`; removed when dropped.
#[derive(Debug)]
pub(crate) struct Announcement {
    path: PathBuf,
}

impl Announcement {
    /// Writes the file, readable by this user alone.
    ///
    /// # Errors
    /// The runtime directory cannot be written.
    pub(crate) fn write(running: &Running) -> Result<Self> {
        let folder = folder();
        create_private(&folder)?;
        remove_stale(&folder);
        let path = folder.join(format!("dev-{}.json", running.process));
        replace(&path, running)?;
        Ok(Self { path })
    }

    /// Replaces what the file says, for instance after a host came back at another port.
    ///
    /// # Errors
    /// The runtime directory cannot be written.
    pub(crate) fn update(&self, running: &Running) -> Result<()> {
        replace(&self.path, running)
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Removes what processes left that were killed; it is in nobody's way, so what cannot be removed may stay.
fn remove_stale(folder: &std::path::Path) {
    for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let process = name.strip_prefix("dev-").and_then(|rest| rest.split('.').next()?.parse().ok());
        let process = process.and_then(rustix::process::Pid::from_raw);
        let gone = |process| rustix::process::test_kill_process(process) == Err(rustix::io::Errno::SRCH);
        if process.is_some_and(gone) {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Writes the file so that a reader sees the old or the new.
fn replace(path: &std::path::Path, running: &Running) -> Result<()> {
    let unfinished = path.with_extension("unfinished");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let json = serde_json::to_vec(running)?;
    options
        .open(&unfinished)
        .and_then(|mut file| std::io::Write::write_all(&mut file, &json))
        .and_then(|()| std::fs::rename(&unfinished, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Finds the `dunlin dev` that runs: the one, or the one that `process` names.
///
/// # Errors
/// None runs. Wrong input: several do and none was named, or another was.
pub(crate) fn find(process: Option<u32>) -> Result<Running> {
    choose(all()?, process)
}

/// Every `dunlin dev` of this user that runs.
///
/// # Errors
/// The runtime directory cannot be made, or belongs to somebody else.
pub(crate) fn all() -> Result<Vec<Running>> {
    let folder = folder();
    // What another user put there is not believed.
    create_private(&folder)?;
    let found = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "json"))
        .filter_map(|entry| serde_json::from_slice(&std::fs::read(entry.path()).ok()?).ok())
        .filter(|running: &Running| {
            std::net::TcpStream::connect_timeout(&running.control, CONNECT_TIMEOUT).is_ok()
        });
    Ok(found.collect())
}

/// The one that is meant of those that run.
fn choose(mut found: Vec<Running>, process: Option<u32>) -> Result<Running> {
    const START: &str = "start one with `dunlin dev` in another terminal";
    found.sort_by_key(|running| running.process);
    let all = |found: &[Running], option: &str| {
        let words = found.iter().map(|it| format!("{option}{} ({})", it.process, it.follows()));
        words.collect::<Vec<_>>()
    };
    let text = match (process, found.len()) {
        (None, 0) => bail!("no `dunlin dev` runs for this user; {START}"),
        (None, 1) => return Ok(found.remove(0)),
        (None, _) => {
            let ways = all(&found, "--process ").join(" or ");
            format!("several `dunlin dev` run: choose one with {ways}")
        }
        (Some(process), count) => {
            if let Some(index) = found.iter().position(|running| running.process == process) {
                return Ok(found.remove(index));
            }
            let there = match count {
                0 => format!("none runs for this user; {START}"),
                _ => format!("there is {}", all(&found, "").join(" and ")),
            };
            format!("--process {process}: no `dunlin dev` of this user has this number; {there}")
        }
    };
    Err(WrongInput(text).into())
}

/// The number of a process, as `--process` gives it.
///
/// # Errors
/// It is none.
pub(crate) fn parse_process(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| "expected the number of the process of a `dunlin dev`, such as 3498".to_owned())
}

const CONNECT_TIMEOUT: std::time::Duration = std::time::Duration::from_millis(500);

/// `$XDG_RUNTIME_DIR/dunlin`, else a directory of this user's in the temporary directory.
fn folder() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(folder) if !folder.is_empty() => PathBuf::from(folder).join("dunlin"),
        _ => std::env::temp_dir().join(format!("dunlin-{}", user())),
    }
}

fn create_private(folder: &std::path::Path) -> Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        use std::os::unix::fs::PermissionsExt;
        let data = std::fs::symlink_metadata(folder)?;
        if data.uid() != user() || !data.is_dir() {
            bail!("{} belongs to another user; remove it or set XDG_RUNTIME_DIR", folder.display());
        }
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(unix)]
fn user() -> u32 {
    rustix::process::getuid().as_raw()
}

#[cfg(not(unix))]
fn user() -> u32 {
    0
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn running(process: u32, git: Option<&str>) -> Running {
        let git = git.map(|url| Git {
            url: url.to_owned(),
            branch: Some("live".to_owned()),
            path: "deploy".to_owned(),
            tree: None,
        });
        Running {
            process,
            directory: format!("/srv/{process}").into(),
            git,
            control: ([127, 0, 0, 1], 1).into(),
            token: String::new(),
            sites: Vec::new(),
            hosts: Vec::new(),
            processes: Vec::new(),
            viewers: Vec::new(),
        }
    }

    #[test]
    fn what_the_killed_left_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let names = [child.id(), std::process::id()].map(|process| format!("dev-{process}.json"));
        for name in names.iter().map(String::as_str).chain(["other.json", "dev-x.json"]) {
            std::fs::write(folder.path().join(name), "{}").unwrap();
        }
        remove_stale(folder.path());
        let mut left: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left.len(), 3, "{left:?}");
        assert!(!left.iter().any(|name| name.to_str() == Some(&names[0])));
    }

    #[test]
    fn the_one_that_is_meant_is_found_or_all_are_named() {
        let check = |processes: &[u32], named: Option<u32>, expected: Expect| {
            let git = |process: u32| (process > 100).then_some("https://host/app.git");
            let found = processes.iter().map(|process| running(*process, git(*process))).collect();
            let told = match choose(found, named) {
                Ok(running) => running.process.to_string(),
                Err(error) => {
                    let code = if error.is::<WrongInput>() { "wrong" } else { "failed" };
                    format!("{code}: {error}")
                }
            };
            expected.assert_eq(&told);
        };
        check(
            &[],
            None,
            expect![
                "failed: no `dunlin dev` runs for this user; start one with `dunlin dev` in another terminal"
            ],
        );
        check(&[7], None, expect!["7"]);
        check(&[107, 7], Some(107), expect!["107"]);
        check(
            &[107, 7],
            None,
            expect![
                "wrong: several `dunlin dev` run: choose one with --process 7 (directory /srv/7) or --process 107 (git https://host/app.git, branch live, directory deploy)"
            ],
        );
        check(
            &[7],
            Some(9),
            expect![
                "wrong: --process 9: no `dunlin dev` of this user has this number; there is 7 (directory /srv/7)"
            ],
        );
        check(
            &[],
            Some(9),
            expect![
                "wrong: --process 9: no `dunlin dev` of this user has this number; none runs for this user; start one with `dunlin dev` in another terminal"
            ],
        );
        assert_eq!(
            parse_process("foo"),
            Err("expected the number of the process of a `dunlin dev`, such as 3498".to_owned())
        );
    }
}
