//! Pushes a commit that was made aside, and rebases it there once where somebody else was faster. Nothing of the user's
//! is touched.

use anyhow::{Error, Result, anyhow, bail};
use serde::Serialize;

use super::arrival::{self, Arrival};
use super::aside::{Aside, Conflict};
use super::local::Local;
use super::repository::Upstream;
use crate::git::{Git, short};

/// A commit that arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pushed {
    /// Remote and branch, as `origin/main`.
    pub(crate) to: String,
    /// The commit's full id, which a rebase changes.
    #[serde(skip)]
    pub(crate) revision: String,
    /// The commit of somebody else on which it was put, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rebased_onto: Option<String>,
    /// Commits before it that were not pushed yet and went along.
    pub(crate) earlier: usize,
    /// Why the branch here does not have it, though it arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) not_here: Option<String>,
}

/// Why there is nothing to say of a commit that arrived.
#[derive(Debug)]
pub(crate) enum NotPushed {
    /// The remote does not have it.
    NotThere(Error),
    /// It broke off, and the remote does not say whether it has it.
    Unknown {
        error: Error,
        /// The full id of the commit that was sent.
        revision: String,
    },
}

impl From<Error> for NotPushed {
    fn from(error: Error) -> Self {
        Self::NotThere(error)
    }
}

/// How a push went.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Arrived,
    /// Somebody else pushed before.
    Behind(String),
    /// The other side does not want it: a protected branch, a hook.
    Refused(String),
    /// It broke off; whether it took effect is for the remote to say.
    Failed(String),
    /// It broke off, and the remote does not say.
    Unknown(String),
}

/// Pushes `revision`, which is one commit further than the branch here and was made aside. `there` is what the remote
/// said that its branch is at.
///
/// # Errors
/// It is refused, conflicts, does not arrive, or nobody can say whether it did; or the branch here could not take it.
pub(crate) fn push(
    aside: &Aside,
    local: &Local<'_>,
    upstream: &Upstream,
    there: Option<&str>,
    revision: &str,
) -> Result<Pushed, NotPushed> {
    let (git, Upstream { remote, branch }) = (local.git, upstream);
    let to = format!("{}/{branch}", upstream.shown());
    local.may_take(revision).map_err(|error| error.context("the branch here could not take the commit"))?;
    // As far as this repository knows: a remote that was never fetched counts as having everything.
    let known =
        git.attempt(["rev-list", "--count", &format!("refs/remotes/{remote}/{branch}..{}", local.former)])?;
    let mut pushed = Pushed {
        to: to.clone(),
        revision: revision.to_owned(),
        rebased_onto: None,
        earlier: known.output.trim().parse().unwrap_or(0),
        not_here: None,
    };
    // What would be rejected is not sent: were it to break off, nobody could say what a push after it does.
    let mut answer = match there {
        Some(there) if !git.contains(local.former, there)? => Answer::Behind(String::new()),
        _ => send(git, upstream, revision)?,
    };
    if let Answer::Behind(_) = answer {
        let onto = fetch(git, upstream)?;
        pushed.revision = rebase(aside, local, &onto, &to)?;
        local.may_take(&pushed.revision).map_err(|error| {
            error.context(format!(
                "{to} moved on, and so have files here that are not committed; commit or stash them"
            ))
        })?;
        pushed.rebased_onto = Some(onto);
        answer = send(git, upstream, &pushed.revision)?;
        if let Answer::Behind(words) = answer {
            let text = format!("{to} moved on again while this was rebased; run the command again");
            return Err(anyhow!(words).context(text).into());
        }
    }
    match answer {
        Answer::Arrived => Ok(pushed),
        other => Err(other.into_error(&to, &pushed.revision)),
    }
}

impl Answer {
    /// The same, once the remote was asked about a push that broke off.
    fn settled(self, look: impl FnOnce() -> Arrival) -> Self {
        let Self::Failed(words) = self else { return self };
        match look() {
            Arrival::There => Self::Arrived,
            Arrival::NotThere => Self::Failed(words),
            Arrival::Unknown(why) => Self::Unknown(format!("{words}\n{why}")),
        }
    }

    fn into_error(self, to: &str, revision: &str) -> NotPushed {
        NotPushed::NotThere(match self {
            Self::Refused(words) => anyhow!(words).context(format!(
                "{to} refused the push: the branch may be protected; ask for the change with --pr"
            )),
            Self::Unknown(words) => {
                let error = anyhow!(words)
                    .context(format!("the push to {to} broke off, and what is there cannot be asked"));
                return NotPushed::Unknown { error, revision: revision.to_owned() };
            }
            Self::Behind(words) | Self::Failed(words) => anyhow!(words).context(format!(
                "the push did not arrive: {to} does not have it; mend what git says, then run the command again"
            )),
            Self::Arrived => anyhow!("the push arrived"),
        })
    }
}

/// Pushes a commit to a branch, whatever it is called here.
fn send(git: &Git, upstream: &Upstream, revision: &str) -> Result<Answer> {
    let Upstream { remote, branch } = upstream;
    let target = format!("{revision}:refs/heads/{branch}");
    let said = git.attempt(["push", "--porcelain", remote, &target])?;
    Ok(read(said.well, &said.output, said.without_hints())
        .settled(|| arrival::look(git, remote, branch, revision)))
}

/// Pushes a branch that the remote does not have yet.
///
/// # Errors
/// What git said, or that nobody can say whether it arrived.
pub(crate) fn send_branch(git: &Git, to: &Upstream, revision: &str) -> Result<(), NotPushed> {
    let Upstream { remote, branch } = to;
    let target = format!("refs/heads/{branch}:refs/heads/{branch}");
    let said = git.attempt(["push", "--porcelain", "--set-upstream", remote, &target])?;
    let answer = read(said.well, &said.output, said.without_hints());
    let answer = answer.settled(|| arrival::look(git, remote, branch, revision));
    let remote = to.shown();
    match answer {
        Answer::Arrived => Ok(()),
        Answer::Behind(words) => {
            let way = format!(
                "the change was asked for before: look for its request, or take the branch away with `git push {remote} \
                 --delete {branch}` and run the command again"
            );
            Err(anyhow!(words).context(format!("{remote} has a branch {branch} already; {way}")).into())
        }
        Answer::Refused(words) => {
            let way = "ask whoever keeps it which branches you may push";
            Err(anyhow!(words).context(format!("{remote} refused the branch {branch}; {way}")).into())
        }
        other => Err(other.into_error(&format!("{remote}/{branch}"), revision)),
    }
}

/// What a push says: its lines for programs are the same in every language.
fn read(well: bool, output: &str, words: String) -> Answer {
    if well {
        return Answer::Arrived;
    }
    let refusals: Vec<&str> = output.lines().filter(|line| line.starts_with("!\t")).collect();
    if refusals.iter().any(|line| line.contains("[rejected]")) {
        Answer::Behind(words)
    } else if refusals.iter().any(|line| line.contains("[remote rejected]")) {
        Answer::Refused(words)
    } else {
        Answer::Failed(words)
    }
}

fn fetch(git: &Git, upstream: &Upstream) -> Result<String> {
    git.run(["fetch", "--quiet", &upstream.remote, &format!("refs/heads/{}", upstream.branch)])?;
    git.commit("FETCH_HEAD")
}

/// Puts the commit that was made aside on top of `onto`, and gives the new one. Commits of the user's own are not
/// rewritten: hosts that follow the branch would hold what comes of it.
fn rebase(aside: &Aside, local: &Local<'_>, onto: &str, to: &str) -> Result<String> {
    let Local { git, branch, former, .. } = local;
    let theirs =
        git.run(["log", "-1", "--format=%h by %an: %s", onto]).unwrap_or_else(|_| short(onto).to_owned());
    let way = "`git pull` brings their change here, then run the command again";
    if !git.contains(onto, former)? {
        bail!("{to} moved on ({theirs}), and {branch} has commits that are not there; {way}");
    }
    aside.rebase(onto)?.map_err(|Conflict { files, words }| {
        let what =
            if files.is_empty() { "it cannot be rebased".to_owned() } else { format!("both change {files}") };
        anyhow!(words).context(format!("{to} moved on ({theirs}) and {what}; {way}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_a_push() {
        let words = || "words".to_owned();
        for (output, expected) in [
            ("!\trefs/heads/main:refs/heads/main\t[rejected] (fetch first)\nDone", Answer::Behind(words())),
            ("!\tabc:refs/heads/main\t[rejected] (non-fast-forward)", Answer::Behind(words())),
            (
                "!\tabc:refs/heads/main\t[remote rejected] (pre-receive hook declined)",
                Answer::Refused(words()),
            ),
            ("", Answer::Failed(words())),
        ] {
            assert_eq!(read(false, output, words()), expected, "{output}");
        }
        assert_eq!(read(true, "", words()), Answer::Arrived);
    }

    #[test]
    fn a_push_that_broke_off_is_what_the_remote_says() {
        let failed = || Answer::Failed("broken".to_owned());
        assert_eq!(failed().settled(|| Arrival::There), Answer::Arrived);
        assert_eq!(failed().settled(|| Arrival::NotThere), failed());
        let silent = failed().settled(|| Arrival::Unknown("silent".to_owned()));
        assert_eq!(silent, Answer::Unknown("broken\nsilent".to_owned()));
        let refused = || Answer::Refused("no".to_owned());
        assert_eq!(refused().settled(|| Arrival::There), refused(), "who refused has answered");
    }
}
