//! Why an object is not in the manifests, and what brings it back: the commit that took it out, or made the file that has it
//! unreadable.

use anyhow::Result;
use dunlin_manifest::{ObjectReference, objects_in};

use super::history::{MOST_COMMITS, find, nearest, parent};
use super::place::in_words;
use super::tree::{self, Listing};
use crate::git::{Git, literally, short};

/// The most names that are listed.
const SHOWN: usize = 10;

/// A commit after which an object was not there any more.
#[derive(Debug)]
pub(super) struct Gone {
    pub(super) commit: String,
    /// The commit before it, which has the object.
    pub(super) before: String,
}

/// What brings back an object that `head`, the manifests of the repository's head, does not have.
///
/// # Errors
/// What git said.
pub(super) fn way(git: &Git, directory: &str, head: &Listing, object: &ObjectReference) -> Result<String> {
    let reading = head.reading();
    if let Some(mistake) = reading.unread() {
        let commits = commits(git, "HEAD", &["--", &literally(&mistake.file)])?;
        let way = match last(git, directory, object, commits)? {
            Some(Gone { commit, .. }) => {
                let commit = short(&commit);
                format!("mend it, or take back the commit that wrote it: `git revert {commit}`")
            }
            None => "mend it first".to_owned(),
        };
        return Ok(format!("not read: {mistake}; {way}"));
    }
    if let Some(Gone { commit, .. }) = removed(git, directory, object, "HEAD")? {
        let commit = short(&commit);
        return Ok(format!("{commit} removed it: `git revert {commit}` brings it back"));
    }
    if let Some(hint) = nearest(&head.files, object) {
        return Ok(hint);
    }
    let all: Vec<_> = head.files.iter().flat_map(|file| objects_in(&file.text)).collect();
    let mut named: Vec<_> = all.iter().take(SHOWN).map(in_words).collect();
    if let Some(more) = all.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        named.push(format!("{more} more"));
    }
    let there = if named.is_empty() { "nothing".to_owned() } else { named.join(", ") };
    Ok(format!("none of the last {MOST_COMMITS} commits had it; there is {there}"))
}

/// The last commit up to `from` that removed an object.
///
/// # Errors
/// What git said.
pub(super) fn removed(
    git: &Git,
    directory: &str,
    object: &ObjectReference,
    from: &str,
) -> Result<Option<Gone>> {
    // Letters of a pattern that mean themselves; no object has others in its name.
    if !object.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Ok(None);
    }
    // Of the commits that touch lines with its name, so that not every one has to be read.
    let commits = commits(git, from, &["-m", &format!("-G{}", object.name), "--", &literally(directory)])?;
    last(git, directory, object, commits)
}

/// The first of `commits` that does not have the object, while the one before it does.
fn last(git: &Git, directory: &str, object: &ObjectReference, commits: Vec<String>) -> Result<Option<Gone>> {
    for commit in commits {
        let Some(before) = parent(git, &commit)? else { continue };
        let has = |revision: &str| -> Result<bool> {
            Ok(find(&tree::read(git, revision, directory)?.files, object).is_some())
        };
        if has(&before)? && !has(&commit)? {
            return Ok(Some(Gone { commit, before }));
        }
    }
    Ok(None)
}

fn commits(git: &Git, from: &str, which: &[&str]) -> Result<Vec<String>> {
    let arguments = ["log", "--first-parent", "--format=%H", "-n", MOST_COMMITS, from];
    Ok(git.run([&arguments[..], which].concat())?.lines().map(str::to_owned).collect())
}
