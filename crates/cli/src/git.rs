//! The user's own `git`, for making a repository and finding its working tree. Commits are [`crate::change`]'s.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, anyhow, bail};

use crate::printer::WrongInput;

/// Runs `git` in `directory` and says what it printed.
///
/// # Errors
/// There is no `git`, or it says no, in its own words.
pub(crate) fn run(directory: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new("git").current_dir(directory).args(arguments).output();
    let output = output.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound if directory.is_dir() => WrongInput(
            "the program git is not installed: install it, or use a directory instead of a repository".into(),
        )
        .into(),
        _ => anyhow!("cannot run git in {}: {error}", directory.display()),
    });
    let output: std::process::Output = output.map_err(|error: anyhow::Error| error)?;
    if !output.status.success() {
        let word = arguments.iter().find(|argument| !argument.starts_with('-') && !argument.contains('='));
        let said =
            [&output.stderr, &output.stdout].map(|text| String::from_utf8_lossy(text).trim().to_owned());
        let said =
            said.into_iter().find(|said| !said.is_empty()).unwrap_or_else(|| output.status.to_string());
        bail!("git {} in {}: {said}", word.unwrap_or(&""), directory.display());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Makes a repository of `directory` with all that is in it as its first commit.
///
/// # Errors
/// As [`run`].
pub(crate) fn make(directory: &Path, message: &str) -> Result<()> {
    run(directory, &["init", "--quiet", "--initial-branch", "main"])?;
    run(directory, &["add", "--all"])?;
    let mut arguments = Vec::new();
    // For whoever has never told git a name; this commit only, and nothing is written into any configuration.
    if ["user.name", "user.email"].iter().any(|key| run(directory, &["config", "--get", key]).is_err()) {
        arguments.extend(["-c", "user.name=Dunlin", "-c", "user.email=dunlin@localhost"]);
    }
    arguments.extend(["commit", "--quiet", "--message", message]);
    run(directory, &arguments).map(drop)
}

/// The working tree that `path` is, and the branch that is checked out there; `None` for a bare repository.
///
/// # Errors
/// As [`run`]: it is no repository.
pub(crate) fn working_tree(path: &Path) -> Result<Option<(std::path::PathBuf, String)>> {
    if run(path, &["rev-parse", "--is-bare-repository"])? == "true" {
        return Ok(None);
    }
    let top = run(path, &["rev-parse", "--show-toplevel"])?;
    // Nothing is checked out by name while a rebase is under way, for instance.
    let branch = run(path, &["symbolic-ref", "--quiet", "--short", "HEAD"]).unwrap_or_default();
    Ok(Some((top.into(), branch)))
}
