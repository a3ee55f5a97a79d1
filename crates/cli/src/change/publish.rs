//! How far a change goes: shown, written, committed, pushed, or asked for. Each step that fails leaves everything as it
//! was before the command; a push of which nobody can say whether it arrived leaves the commit.
//!
//! What is pushed is committed aside, and the branch here takes it over once the remote has it: hosts that follow this
//! repository shall not move because of a push that is refused.

use anyhow::{Error, Result};
use serde::Serialize;

use super::aside::Aside;
use super::edit::Edit;
use super::local::Local;
use super::push::{self, NotPushed, Pushed};
use super::repository::{self, Standing, Upstream};
use super::{arrival, review, turn};
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

    /// Whether it starts from what is committed, whatever else is in the files.
    pub(crate) fn starts_from_head(self) -> bool {
        self.commit || self.push || self.pr
    }

    /// Whether another repository gets it.
    pub(crate) fn pushes(self) -> bool {
        self.push
    }

    /// Whether another repository gets it, on the branch itself or on one that is asked for.
    pub(crate) fn sends(self) -> bool {
        self.push || self.pr
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
    let change = Change { git: &git, branch: &branch, edits, names: &names, message };
    if extent.commit {
        return change.commit();
    }
    let standing = change.standing()?;
    if extent.pr {
        return review::ask(&git, edits, &names, &repository::base(&git, &branch)?, message);
    }
    change.push(&repository::upstream(&git, &branch)?, &standing)
}

/// What is to be committed where.
struct Change<'a> {
    git: &'a Git,
    branch: &'a str,
    edits: &'a [Edit],
    /// The names of the files within the repository.
    names: &'a [String],
    message: &'a Message,
}

impl Change<'_> {
    fn standing(&self) -> Result<Vec<Standing>> {
        let files = self.names.iter().zip(self.edits);
        files.map(|(name, edit)| repository::standing(self.git, name, edit)).collect()
    }

    fn done(&self, revision: String, pushed: Option<Pushed>) -> Done {
        Done {
            wrote: self.names.to_vec(),
            subject: Some(self.message.subject.clone()),
            branch: Some(self.branch.to_owned()),
            revision: Some(revision),
            pushed,
            request: None,
        }
    }

    /// On the branch that is checked out, in the user's own working tree.
    fn commit(&self) -> Result<Done> {
        let _turn = turn::take(self.git)?;
        let standing = self.standing()?;
        let clean = standing.iter().map(|standing| *standing == Standing::Clean);
        let files = self.edits.iter().zip(self.names).zip(clean);
        let files: Vec<_> = files.filter_map(|(file, clean)| clean.then_some(file)).collect();
        write_all(files.iter().map(|(edit, _)| *edit))?;
        match commit(self.git, &[], self.names, self.message) {
            Ok(revision) => Ok(self.done(revision, None)),
            Err(error) => {
                // Not what they were when this began: somebody may have committed them since.
                let back = |(edit, name): &(&Edit, &String)| {
                    let put = repository::in_head(self.git, name).and_then(|text| edit.put(&text));
                    Some((edit.path.display().to_string(), put.err()?))
                };
                let left: Vec<_> = files.iter().filter_map(back).collect();
                Err(taken_back(&left, error, "nothing was committed, and the files are as they were"))
            }
        }
    }

    /// Aside, to the upstream, and then on the branch that is checked out.
    fn push(&self, upstream: &Upstream, standing: &[Standing]) -> Result<Done> {
        let former = self.git.commit("HEAD")?;
        let there = arrival::head(self.git, upstream)
            .map_err(|error| error.context("nothing was pushed, and everything is as it was"))?;
        let unstaged = |standing: &Standing| *standing == Standing::Written { staged: false };
        let written = self.names.iter().zip(standing).filter(|(_, standing)| unstaged(standing));
        let written = written.map(|(name, _)| name.clone()).collect();
        let local = Local { git: self.git, branch: self.branch, former: &former, written };
        let aside = Aside::check_out(self.git, &former, None)?;
        let pushed = aside
            .commit(self.edits, self.names, self.message)
            .map_err(NotPushed::from)
            .and_then(|revision| push::push(&aside, &local, upstream, there.as_deref(), &revision));
        let pushed = pushed.map_err(|not_pushed| match not_pushed {
            NotPushed::NotThere(error) => error.context("nothing was pushed, and everything is as it was"),
            NotPushed::Unknown { error, revision } => kept(&local, upstream, &revision, error),
        })?;
        let not_here = local.take(&pushed.revision).err().map(|error| format!("{error:#}"));
        Ok(self.done(pushed.revision.clone(), Some(Pushed { not_here, ..pushed })))
    }
}

/// What has become of a commit of which nobody can say whether it arrived: it is what a push would send again.
fn kept(local: &Local<'_>, upstream: &Upstream, revision: &str, error: Error) -> Error {
    let (branch, remote, there) = (local.branch, upstream.shown(), &upstream.branch);
    let unknown = format!("it is not known whether the commit arrived at {remote}/{there}");
    let here = local.take(revision);
    error.context(match here {
        Ok(()) => {
            let target = if branch == there { branch.to_owned() } else { format!("{branch}:{there}") };
            format!(
                "{unknown}, so {branch} keeps it: `git push {remote} {target}` sends it if it is not there yet \
                 (`git pull` before it, if somebody else has pushed meanwhile); to take it back, see that `git ls-remote {remote} {there}` does not show it, then `git reset --keep {}`",
                git::short(local.former)
            )
        }
        Err(here) => format!(
            "{unknown}, and {branch} does not have it ({here:#}): `git ls-remote {remote} {there}` shows whether it is \
             there, `git push {remote} {revision}:refs/heads/{there}` sends it if it is not"
        ),
    })
}

/// Commits these files as they are now, and gives the new commit's full id. `options` are git's own.
///
/// # Errors
/// What git said: a hook refused, nobody can sign, nobody is named.
pub(crate) fn commit(git: &Git, options: &[String], names: &[String], message: &Message) -> Result<String> {
    let text = message.text();
    let arguments = ["commit", "--quiet", "--only", "--message", &text, "--"].map(str::to_owned);
    let names = names.iter().map(|name| git::literally(name));
    git.run(options.iter().cloned().chain(arguments).chain(names))?;
    git.commit("HEAD")
}

/// Writes all files, or none.
///
/// # Errors
/// One cannot be written.
pub(crate) fn write(edits: &[Edit]) -> Result<()> {
    write_all(edits.iter())
}

fn write_all<'a>(edits: impl Iterator<Item = &'a Edit> + Clone) -> Result<()> {
    for (index, edit) in edits.clone().enumerate() {
        if let Err(error) = edit.write() {
            let back = |edit: &Edit| {
                let put = edit.put(edit.before.as_bytes());
                Some((edit.path.display().to_string(), put.err()?))
            };
            let left: Vec<_> = edits.take(index).filter_map(back).collect();
            return Err(taken_back(&left, error, "nothing was written, and the files are as they were"));
        }
    }
    Ok(())
}

/// Why something was not done, and what is left of it: files that could not be put back, with the reason.
fn taken_back(left: &[(String, Error)], error: Error, well: &'static str) -> Error {
    let Some((_, reason)) = left.first() else { return error.context(well) };
    let names: Vec<_> = left.iter().map(|(name, _)| name.as_str()).collect();
    error.context(format!(
        "the change is still in {}, which cannot be put back ({reason:#}); `git checkout HEAD -- {}` takes it back",
        names.join(", "),
        names.join(" ")
    ))
}
