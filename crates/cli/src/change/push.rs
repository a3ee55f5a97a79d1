//! Pushes a commit, and rebases it once where somebody else was faster: in a working tree aside, so that nothing of the
//! user's is touched before it is known to go well.

use anyhow::{Error, Result, anyhow};
use serde::Serialize;

use super::arrival::{self, Arrival};
use super::repository::{self, Aside, Upstream};
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
    Unknown(Error),
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

/// Pushes `revision`, the head of `branch`.
///
/// # Errors
/// It is refused, conflicts, or does not arrive; the branch is then still at `revision`. Or nobody can say whether it
/// arrived; the branch is then at the commit that was sent.
pub(crate) fn push(
    git: &Git,
    branch: &str,
    upstream: &Upstream,
    revision: &str,
) -> Result<Pushed, NotPushed> {
    let Upstream { remote, branch: there } = upstream;
    let to = format!("{}/{there}", upstream.shown());
    // As far as this repository knows: a remote that was never fetched counts as having everything.
    let known =
        git.attempt(["rev-list", "--count", &format!("refs/remotes/{remote}/{there}..{revision}")])?;
    let earlier = known.output.trim().parse::<usize>().map_or(0, |count| count.saturating_sub(1));
    let pushed = |revision: String, rebased_onto, not_here| Pushed {
        to: to.clone(),
        revision,
        rebased_onto,
        earlier,
        not_here,
    };
    match send(git, upstream, revision)? {
        Answer::Arrived => Ok(pushed(revision.to_owned(), None, None)),
        Answer::Behind(_) => {
            let onto = fetch(git, upstream)?;
            let rebased = rebase(git, revision, &onto, &to)?;
            repository::may_go_to(git, revision, &rebased).map_err(|error| {
                error.context(format!(
                    "{to} moved on, and so have files here that are not committed; commit or stash them"
                ))
            })?;
            match send(git, upstream, &rebased)? {
                Answer::Arrived => {}
                Answer::Behind(words) => {
                    let text = format!("{to} moved on again while this was rebased; run the command again");
                    return Err(anyhow!(words).context(text).into());
                }
                Answer::Unknown(words) => {
                    let error = broken_off(words, &to);
                    // What may have arrived is what a push sends again.
                    return Err(NotPushed::Unknown(match repository::go_to(git, branch, revision, &rebased) {
                        Ok(()) => error,
                        Err(here) => error.context(format!(
                            "{branch} has it as it was before it was rebased ({here:#}); `git pull --rebase` brings \
                             the two together"
                        )),
                    }));
                }
                other => return Err(other.into_error(&to)),
            }
            // It arrived, so it stands, whatever came in the way here meanwhile.
            let here = repository::go_to(git, branch, revision, &rebased);
            Ok(pushed(rebased, Some(onto), here.err().map(|error| format!("{error:#}"))))
        }
        other => Err(other.into_error(&to)),
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

    fn into_error(self, to: &str) -> NotPushed {
        NotPushed::NotThere(match self {
            Self::Refused(words) => anyhow!(words).context(format!(
                "{to} refused the push: the branch may be protected; ask for the change with --pr"
            )),
            Self::Unknown(words) => return NotPushed::Unknown(broken_off(words, to)),
            Self::Behind(words) | Self::Failed(words) => anyhow!(words)
                .context(format!("the push did not arrive: {to} does not have it; `git push` shows why")),
            Self::Arrived => anyhow!("the push arrived"),
        })
    }
}

fn broken_off(words: String, to: &str) -> Error {
    anyhow!(words).context(format!("the push to {to} broke off, and what is there cannot be asked"))
}

/// Pushes a commit to a branch, whatever it is called here.
fn send(git: &Git, upstream: &Upstream, revision: &str) -> Result<Answer> {
    let Upstream { remote, branch } = upstream;
    let target = format!("{revision}:refs/heads/{branch}");
    let said = git.attempt(["push", "--porcelain", remote, &target])?;
    Ok(read(said.well, &said.output, said.words()).settled(|| arrival::look(git, remote, branch, revision)))
}

/// Pushes a branch that the remote does not have yet.
///
/// # Errors
/// What git said, or that nobody can say whether it arrived.
pub(crate) fn send_branch(git: &Git, to: &Upstream, revision: &str) -> Result<(), NotPushed> {
    let Upstream { remote, branch } = to;
    let target = format!("refs/heads/{branch}:refs/heads/{branch}");
    let said = git.attempt(["push", "--porcelain", "--set-upstream", remote, &target])?;
    let answer = read(said.well, &said.output, said.words());
    let answer = answer.settled(|| arrival::look(git, remote, branch, revision));
    let remote = to.shown();
    match answer {
        Answer::Arrived => Ok(()),
        Answer::Behind(words) => {
            let known = "the change may have been asked for before";
            let way = format!("`git ls-remote {remote} {branch}` shows it");
            Err(anyhow!(words)
                .context(format!("{remote} has a branch {branch} already; {known}: {way}"))
                .into())
        }
        Answer::Refused(words) => {
            let way = "ask whoever keeps it which branches you may push";
            Err(anyhow!(words).context(format!("{remote} refused the branch {branch}; {way}")).into())
        }
        other => Err(other.into_error(&format!("{remote}/{branch}"))),
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

/// Puts what is in `revision` and not in `onto` on top of that, and gives the new commit.
fn rebase(git: &Git, revision: &str, onto: &str, to: &str) -> Result<String> {
    let aside = Aside::check_out(git, revision, None)?;
    let said = aside.tree.attempt(["-c", "rebase.updateRefs=false", "rebase", "--quiet", onto])?;
    if !said.well {
        let conflict = conflicts(&aside.tree);
        aside.tree.attempt(["rebase", "--abort"])?;
        let theirs =
            git.run(["log", "-1", "--format=%h by %an: %s", onto]).unwrap_or_else(|_| short(onto).to_owned());
        let what = if conflict.is_empty() {
            "it cannot be rebased".to_owned()
        } else {
            format!("both change {conflict}")
        };
        return Err(anyhow!(said.words()).context(format!(
            "{to} moved on ({theirs}) and {what}; `git pull` brings their change here, then run the command again"
        )));
    }
    aside.tree.commit("HEAD")
}

fn conflicts(tree: &Git) -> String {
    let found = tree.run(["diff", "--name-only", "--diff-filter=U"]).unwrap_or_default();
    found.lines().collect::<Vec<_>>().join(", ")
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
