//! What a branch has that its upstream does not: a change that is committed already may be one that was never pushed.

use anyhow::{Result, bail};

use super::arrival;
use super::publish::Extent;
use super::repository::{self, Upstream};
use crate::git::Git;

/// Where nothing is left to be changed, sees that what says so is at the upstream as well, if it was to be sent there.
///
/// # Errors
/// It is not, with what brings it there; or nobody can say. Wrong input: there is no upstream.
pub(super) fn refuse(git: &Git, extent: Extent) -> Result<()> {
    if !extent.sends() {
        return Ok(());
    }
    let branch = repository::branch(git)?;
    let upstream =
        if extent.pushes() { repository::upstream(git, &branch)? } else { repository::base(git, &branch)? };
    let (count, moved_on) = ahead(git, &upstream)?;
    let what = match count {
        0 => return Ok(()),
        1 => format!("one commit of {branch} is"),
        count => format!("{count} commits of {branch} are"),
    };
    let way = match (extent.pushes(), moved_on) {
        (true, false) => "`git push` brings them there".to_owned(),
        (true, true) => "`git pull`, then `git push` brings them there".to_owned(),
        (false, _) => format!(
            "`git push {} HEAD:refs/heads/BRANCH` brings them to a branch that can be asked for",
            upstream.shown()
        ),
    };
    let way = if count == 1 { way.replace("them", "it") } else { way };
    bail!("nothing to change here, but {what} not at {}/{} yet: {way}", upstream.shown(), upstream.branch)
}

/// How many commits the branch here has that the upstream does not, and whether the upstream has others.
fn ahead(git: &Git, upstream: &Upstream) -> Result<(usize, bool)> {
    let Upstream { remote, branch } = upstream;
    let known = git.commit(&format!("refs/remotes/{remote}/{branch}")).ok();
    let (there, moved_on) = match (arrival::head(git, upstream), known) {
        (Ok(Some(head)), _) if git.commit(&head).is_ok() => {
            let contained = git.contains("HEAD", &head)?;
            (Some(head), !contained)
        }
        (Ok(Some(_)), known) => (known, true),
        (Ok(None), _) => (None, false),
        // Without the remote's word there is what it said last.
        (Err(_), Some(known)) => (Some(known), false),
        (Err(error), None) => return Err(error),
    };
    let range = there.map_or_else(|| "HEAD".to_owned(), |there| format!("{there}..HEAD"));
    Ok((git.run(["rev-list", "--count", &range])?.trim().parse()?, moved_on))
}
