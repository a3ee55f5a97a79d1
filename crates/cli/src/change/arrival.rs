//! What a branch of a remote is at, asked of the remote itself: before a push, so that one that cannot be asked gets none,
//! and after one that broke off, which may have taken effect.

use anyhow::{Result, anyhow};

use super::repository::Upstream;
use crate::git::Git;

/// What the remote says of a commit that was pushed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// The branch is at the commit, or further on.
    There,
    /// The branch is elsewhere, or there is none.
    NotThere,
    /// The remote does not say, and why.
    Unknown(String),
}

/// The full id of the commit that a branch is at; `None` if the remote has no such branch.
///
/// # Errors
/// The remote does not say, and the way out.
pub(super) fn head(git: &Git, upstream: &Upstream) -> Result<Option<String>> {
    let Upstream { remote, branch } = upstream;
    let listed = pushed_to(git, remote).and_then(|place| listed(git, &place, &reference(branch)));
    let way = "mend what git says (`git remote -v` shows where it is), then run the command again";
    listed.map_err(|words| anyhow!(words).context(format!("{} cannot be asked; {way}", upstream.shown())))
}

fn reference(branch: &str) -> String {
    format!("refs/heads/{branch}")
}

fn listed(git: &Git, place: &str, reference: &str) -> Result<Option<String>, String> {
    let listing = run(git, &["ls-remote", "--", place, reference])?;
    // What is asked for is a pattern, which other names may end with.
    let mut named = listing.lines().filter_map(|line| line.split_once('\t'));
    Ok(named.find(|(_, name)| *name == reference).map(|(head, _)| head.to_owned()))
}

/// Looks whether `branch` of `remote` has `revision`.
pub(super) fn look(git: &Git, remote: &str, branch: &str, revision: &str) -> Arrival {
    asked(git, remote, branch, revision).unwrap_or_else(Arrival::Unknown)
}

fn asked(git: &Git, remote: &str, branch: &str, revision: &str) -> Result<Arrival, String> {
    let (place, reference) = (pushed_to(git, remote)?, reference(branch));
    let Some(mut head) = listed(git, &place, &reference)? else { return Ok(Arrival::NotThere) };
    if head == revision {
        return Ok(Arrival::There);
    }
    // Somebody else may have pushed on top of it meanwhile.
    if run(git, &["cat-file", "-e", &format!("{head}^{{commit}}")]).is_err() {
        run(git, &["fetch", "--quiet", "--", &place, &reference])?;
        head = run(git, &["rev-parse", "--verify", "FETCH_HEAD^{commit}"])?.trim().to_owned();
    }
    let contains = run(git, &["merge-base", "--is-ancestor", revision, &head]).is_ok();
    Ok(if contains { Arrival::There } else { Arrival::NotThere })
}

/// Where pushes to `remote` go, which may be elsewhere than where it is fetched from. By its name where the two are one:
/// a URL may hold a token, and arguments are seen by everybody on the machine.
fn pushed_to(git: &Git, remote: &str) -> Result<String, String> {
    let url = |more: &[&str]| {
        let arguments = [&["remote", "get-url"], more, &["--", remote]].concat();
        git.attempt(arguments).map(|said| said.well.then(|| said.output.trim().to_owned()))
    };
    let from = url(&[]).map_err(|error| format!("{error:#}"))?;
    let to = url(&["--push"]).map_err(|error| format!("{error:#}"))?;
    // What has no URL is one itself.
    Ok(if from == to { remote.to_owned() } else { to.unwrap_or_else(|| remote.to_owned()) })
}

/// What git printed; what it said, if it did not succeed.
fn run(git: &Git, arguments: &[&str]) -> Result<String, String> {
    match git.attempt(arguments) {
        Ok(said) if said.well => Ok(said.output),
        Ok(said) => Err(said.words()),
        Err(error) => Err(format!("{error:#}")),
    }
}
