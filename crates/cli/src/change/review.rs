//! A pull request: a branch of its own, made and pushed without touching what is checked out, and the page or the
//! forge's own command that asks for it.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use anyhow::{Error, Result};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::arrival;
use super::aside::Aside;
use super::edit::Edit;
use super::publish::{Done, Message};
use super::push::{NotPushed, send_branch};
use super::repository::Upstream;
use super::request::{Forge, Web};
use crate::git::Git;
use crate::printer::WrongInput;

/// What is said where nothing was done.
const AS_IT_WAS: &str = "nothing was asked for, and everything is as it was";

/// A pull request, or where to ask for one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Request {
    /// The branch that was pushed.
    pub(crate) branch: String,
    /// The branch that shall take it.
    pub(crate) base: String,
    /// Whether it was asked for; else the user has to.
    pub(crate) opened: bool,
    /// The pull request's page, or the page that asks for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    /// The commands that ask for it, where there is no such page, and why it was not asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) hints: Vec<String>,
}

/// Commits the edits on a branch of its own, pushes it and asks for it.
///
/// # Errors
/// What is in the way; then there is no branch, here or there. If it is not known whether the branch arrived, the error
/// says so, and it stays here.
pub(crate) fn ask(
    git: &Git,
    edits: &[Edit],
    names: &[String],
    base: &Upstream,
    message: &Message,
) -> Result<Done> {
    let branch = branch_name(&message.subject, edits);
    if git.commit(&format!("refs/heads/{branch}")).is_ok() {
        let hint = format!("`git branch -D {branch}` forgets it");
        return Err(
            WrongInput(format!("branch {branch} is there already: it was asked for before; {hint}")).into()
        );
    }
    // Before anything is there that could not be told of. What has no URL is one itself.
    let url = git.run(["remote", "get-url", "--", &base.remote]).unwrap_or_else(|_| base.remote.clone());
    let there = Upstream { remote: base.remote.clone(), branch: branch.clone() };
    arrival::head(git, &there).map_err(|error| error.context(AS_IT_WAS))?;
    let aside = Aside::check_out(git, "HEAD", Some(&branch))?;
    // From the user's own working tree, where a remote that is a path goes out from.
    let sent = aside
        .commit(edits, names, message)
        .map_err(NotPushed::from)
        .and_then(|revision| send_branch(git, &there, &revision).map(|()| revision));
    drop(aside);
    let revision = sent.map_err(|not_pushed| not_asked(git, &there, not_pushed))?;
    let request = open(git, Web::parse(&url).as_ref(), &branch, base, message);
    Ok(Done {
        wrote: Vec::new(),
        revision: Some(revision),
        subject: Some(message.subject.clone()),
        branch: Some(branch),
        pushed: None,
        request: Some(request),
    })
}

/// What is left of a branch that did not arrive, or of which nobody can say whether it did.
fn not_asked(git: &Git, there: &Upstream, not_pushed: NotPushed) -> Error {
    let (remote, branch) = (there.shown(), &there.branch);
    match not_pushed {
        NotPushed::NotThere(error) => match git.run(["branch", "--quiet", "-D", branch]) {
            Ok(_) => error.context(AS_IT_WAS),
            Err(also) => error.context(format!(
                "nothing was asked for, but branch {branch} is still here ({also:#}); `git branch -D {branch}` forgets it"
            )),
        },
        NotPushed::Unknown { error, .. } => error.context(format!(
            "it is not known whether branch {branch} arrived at {remote}, so it stays here: `git push --set-upstream \
             {remote} {branch}` sends it if it is not there yet, and then you can ask for it to be merged; `git branch -D \
             {branch}` forgets it here"
        )),
    }
}

/// `dunlin/todo-move-from-gcp-to-aws-1f0c2a`: the same change has the same name, so that it is not asked for twice.
fn branch_name(subject: &str, edits: &[Edit]) -> String {
    let mut words = String::new();
    for letter in subject.to_lowercase().chars() {
        if letter.is_ascii_alphanumeric() {
            words.push(letter);
        } else if !words.ends_with('-') && !words.is_empty() {
            words.push('-');
        }
    }
    let words: String = words.chars().take(50).collect();
    let mut hash = Sha256::new();
    for edit in edits {
        hash.update(edit.before.as_bytes());
        hash.update(edit.after.as_bytes());
    }
    let digits: String = hash.finalize().iter().take(3).map(|byte| format!("{byte:02x}")).collect();
    format!("dunlin/{}-{digits}", words.trim_matches('-'))
}

fn open(git: &Git, web: Option<&Web>, branch: &str, base: &Upstream, message: &Message) -> Request {
    let page = web.and_then(|web| web.compare(&base.branch, branch));
    let mut request = Request {
        branch: branch.to_owned(),
        base: base.branch.clone(),
        opened: false,
        url: page,
        hints: Vec::new(),
    };
    let Message { subject, body } = message;
    let command: Option<(&str, Vec<&str>)> = match web.and_then(Web::forge) {
        Some(Forge::GitHub) => Some((
            "gh",
            vec![
                "pr",
                "create",
                "--base",
                &base.branch,
                "--head",
                branch,
                "--title",
                subject,
                "--body",
                body,
            ],
        )),
        Some(Forge::GitLab) => Some((
            "glab",
            vec![
                "mr",
                "create",
                "--yes",
                "--target-branch",
                &base.branch,
                "--source-branch",
                branch,
                "--title",
                subject,
                "--description",
                body,
            ],
        )),
        _ => None,
    };
    if let Some((program, arguments)) = command {
        match run(git, program, &arguments) {
            Some(Ok(url)) => {
                request.opened = true;
                request.url = url.or(request.url);
                return request;
            }
            Some(Err(words)) => request.hints.push(format!("{program} did not open it: {words}")),
            None => {}
        }
    }
    if request.url.is_none() {
        let remote = base.shown();
        let home = web.map_or_else(|| format!("{remote}/{}", base.branch), Web::home);
        request.hints.push(format!("ask whoever keeps {home} to merge {branch}:"));
        request.hints.push(format!("git request-pull {remote}/{} {remote} {branch}", base.branch));
    }
    request
}

/// Runs the forge's own command: the page that it names, or what it said. `None` if it is not there.
fn run(git: &Git, program: &str, arguments: &[&str]) -> Option<Result<Option<String>, String>> {
    let mut command = Command::new(program);
    command.args(arguments.iter().map(OsStr::new)).current_dir(&git.root).stdin(Stdio::null());
    let done = command.output().ok()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (output, trouble) = (text(&done.stdout), text(&done.stderr));
    if !done.status.success() {
        return Some(Err(format!("{output}{trouble}").trim().to_owned()));
    }
    let page = output
        .split_whitespace()
        .rev()
        .find(|word| word.starts_with("https://") || word.starts_with("http://"));
    Some(Ok(page.map(str::to_owned)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_are_named_after_the_change() {
        let edit = |after: &str| Edit { path: "a".into(), before: "a".into(), after: after.into() };
        let name = branch_name("todo: move from gcp to aws", &[edit("b")]);
        assert!(name.starts_with("dunlin/todo-move-from-gcp-to-aws-"), "{name}");
        assert_eq!(name, branch_name("todo: move from gcp to aws", &[edit("b")]));
        assert_ne!(name, branch_name("todo: move from gcp to aws", &[edit("c")]));
        assert!(branch_name(&"x".repeat(300), &[]).len() < 70);
    }
}
