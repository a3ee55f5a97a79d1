//! How far a change goes: shown, written, committed, pushed, or asked for. Each step that fails leaves everything as it
//! was before the command; a push of which nobody can say whether it arrived leaves the commit.

use anyhow::{Error, Result};
use serde::Serialize;

use super::edit::Edit;
use super::push::{self, NotPushed, Pushed};
use super::repository::{self, Upstream};
use super::review;
use crate::git::{self, Git};

/// How far to go. Each step takes in those before it.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
#[group(multiple = false)]
pub(crate) struct Extent {
    /// Writes the files, and nothing else.
    #[arg(long)]
    write: bool,
    /// Commits the files, and nothing else that is changed or staged.
    #[arg(long)]
    commit: bool,
    /// Commits and pushes; rebases once if somebody else pushed first.
    #[arg(long)]
    push: bool,
    /// Pushes a branch of its own and asks for it to be merged, with `gh` or `glab` where they are there.
    #[arg(long)]
    pr: bool,
}

impl Extent {
    /// As far as a commit.
    pub(crate) const COMMIT: Self = Self { write: false, commit: true, push: false, pr: false };
    /// As far as the files.
    #[cfg(test)]
    pub(crate) const WRITE: Self = Self { write: true, commit: false, push: false, pr: false };
    /// As far as another repository.
    #[cfg(test)]
    pub(crate) const PUSH: Self = Self { write: false, commit: false, push: true, pr: false };

    /// Whether anything is done at all.
    pub(crate) fn acts(self) -> bool {
        self.write || self.commit || self.push || self.pr
    }

    /// Whether a commit is made on the branch that is checked out.
    pub(crate) fn commits(self) -> bool {
        self.commit || self.push
    }

    /// Whether another repository gets it.
    pub(crate) fn pushes(self) -> bool {
        self.push
    }

    /// Whether it is more than a wish: a pull request may be merged one day.
    pub(crate) fn reaches_hosts(self) -> bool {
        self.write || self.commit || self.push
    }
}

/// What a commit is called.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// Its first line.
    pub(crate) subject: String,
    /// What else is to be said; may be empty.
    pub(crate) body: String,
}

impl Message {
    /// As git takes it.
    pub(crate) fn text(&self) -> String {
        if self.body.is_empty() { self.subject.clone() } else { format!("{}\n\n{}", self.subject, self.body) }
    }
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Done {
    /// The files that were written.
    pub(crate) wrote: Vec<String>,
    /// The full id of the new commit, as it is in the branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) revision: Option<String>,
    /// The first line of its message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<String>,
    /// The branch that has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) branch: Option<String>,
    /// Where it was pushed to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pushed: Option<Pushed>,
    /// The pull request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request: Option<review::Request>,
}

/// Goes as far as `extent` says.
///
/// # Errors
/// What is in the way, and the way out; then files, index and branch are as they were. If it is not known whether a push
/// arrived, the error says so, and the commit is kept.
pub(crate) fn publish(edits: &[Edit], extent: Extent, message: &Message) -> Result<Done> {
    let Some(first) = edits.first() else { return Ok(Done::default()) };
    if extent.write {
        write(edits)?;
        let wrote = edits.iter().map(|edit| edit.path.display().to_string()).collect();
        return Ok(Done { wrote, ..Done::default() });
    }
    let git = Git::needed(first.path.parent().unwrap_or(&first.path))?;
    let branch = repository::branch(&git)?;
    let names = edits.iter().map(|edit| git.name_of(&edit.path)).collect::<Result<Vec<_>>>()?;
    names.iter().try_for_each(|name| repository::clean(&git, name))?;
    if extent.pr {
        return review::ask(&git, edits, &names, &repository::base(&git, &branch)?, message);
    }
    let upstream = if extent.push { Some(repository::upstream(&git, &branch)?) } else { None };
    let former = git.commit("HEAD")?;
    write(edits)?;
    let revision = match commit(&git, &names, message) {
        Ok(revision) => revision,
        Err(error) => {
            return Err(taken_back(edits, error, "nothing was committed, and the files are as they were"));
        }
    };
    let pushed = match &upstream {
        Some(upstream) => Some(push_or_take_back(&git, &branch, upstream, &former, &revision)?),
        None => None,
    };
    let revision = pushed.as_ref().map_or(revision, |pushed| pushed.revision.clone());
    Ok(Done {
        wrote: names,
        subject: Some(message.subject.clone()),
        branch: Some(branch),
        revision: Some(revision),
        pushed,
        request: None,
    })
}

fn push_or_take_back(
    git: &Git,
    branch: &str,
    upstream: &Upstream,
    former: &str,
    revision: &str,
) -> Result<Pushed> {
    push::push(git, branch, upstream, revision).map_err(|not_pushed| match not_pushed {
        NotPushed::NotThere(error) => {
            error.context(match repository::go_to(git, branch, revision, former) {
                Ok(()) => "nothing was pushed; the commit was taken back, and everything is as it was",
                Err(_) => "nothing was pushed; the commit is still in your branch: `git reset --keep HEAD~1` takes it back",
            })
        }
        NotPushed::Unknown(error) => {
            let (remote, there) = (upstream.shown(), &upstream.branch);
            let target = if branch == there { branch.to_owned() } else { format!("{branch}:{there}") };
            error.context(format!(
                "it is not known whether the commit arrived at {remote}/{there}, so {branch} keeps it: `git push {remote} \
                 {target}` sends it if it is not there yet; to take it back, see that `git ls-remote {remote} {there}` \
                 does not show it, then `git reset --keep {}`",
                git::short(former)
            ))
        }
    })
}

/// Commits these files as they are now, and gives the new commit's full id.
///
/// # Errors
/// What git said: a hook refused, nobody can sign, nobody is named.
pub(crate) fn commit(git: &Git, names: &[String], message: &Message) -> Result<String> {
    let text = message.text();
    let arguments = ["commit", "--quiet", "--only", "--message", &text, "--"].map(str::to_owned);
    git.run(arguments.into_iter().chain(names.iter().map(|name| git::literally(name))))?;
    git.commit("HEAD")
}

/// Writes all files, or none.
///
/// # Errors
/// One cannot be written.
pub(crate) fn write(edits: &[Edit]) -> Result<()> {
    for (index, edit) in edits.iter().enumerate() {
        if let Err(error) = edit.write() {
            let before = edits.get(..index).unwrap_or_default();
            return Err(taken_back(before, error, "nothing was written, and the files are as they were"));
        }
    }
    Ok(())
}

/// Why something was not done, and what has become of the files that were written for it.
fn taken_back(edits: &[Edit], error: Error, well: &'static str) -> Error {
    let left: Vec<_> = edits.iter().filter_map(|edit| Some((edit, edit.take_back().err()?))).collect();
    let Some((_, reason)) = left.first() else { return error.context(well) };
    let names: Vec<_> = left.iter().map(|(edit, _)| edit.path.display().to_string()).collect();
    error.context(format!(
        "the change is still in {}, which cannot be put back ({reason:#}); `git checkout HEAD -- {}` takes it back",
        names.join(", "),
        names.join(" ")
    ))
}
