//! The commands that change Git: `move`, `rollback`, `pin` and `promote`; and `diff`, which tells what a commit changes.
//!
//! Each works out edits of files ([`edit`]), says what they mean ([`plan`], [`warnings`], both pure) and hands them to
//! [`publish`], which goes as far as it was told: to the file, to a commit ([`local`]), to a push ([`push`]), to a pull request
//! ([`review`]); what is pushed is made in a working tree aside ([`aside`]). What runs is asked of hosts ([`seen`]), and what
//! they would hold is judged as they do ([`held`]). Git is the user's own ([`crate::git`]).

mod arrival;
mod aside;
mod base;
pub(crate) mod diff;
mod edit;
mod follow;
mod gone;
mod held;
mod history;
mod image;
mod local;
mod meaning;
pub(crate) mod moving;
mod origins;
pub(crate) mod pin;
mod place;
mod plan;
pub(crate) mod promote;
mod publish;
mod push;
mod repository;
mod request;
mod review;
pub(crate) mod rollback;
mod seen;
mod show;
mod tree;
mod turn;
mod unsent;
mod values;
mod warnings;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use dunlin_manifest::{Kind, Reading, Snapshot};
use serde::Serialize;

use self::edit::Edit;
use self::place::Manifests;
use self::plan::Slots;
use self::publish::{Done, Extent, Message};
use self::seen::Seen;
use self::values::{Place, Value};
use self::warnings::Warning;
use crate::git::Git;
use crate::printer::{self, Output, WrongInput};

/// How far a change goes, and how it is told.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct How {
    #[command(flatten)]
    extent: Extent,
    /// The commit's message, in the place of the usual one.
    #[arg(long, short, value_name = "TEXT")]
    message: Option<String>,
    /// Text for people or JSON for scripts.
    #[arg(long, short, default_value = "text")]
    output: Output,
}

/// A change as it is shown before it is made.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Plan {
    /// The values that change, each with its source.
    values: Vec<Value>,
    /// What becomes of slots, by component whose sites change.
    slots: BTreeMap<String, Slots>,
    /// What to think about.
    warnings: Vec<Warning>,
    /// The lines that go and come, by file.
    files: Vec<Lines>,
}

/// What changes in one file.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Lines {
    file: String,
    /// Each with its sign: `-`, `+` or a blank.
    lines: Vec<String>,
}

/// A plan and what was done of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    plan: &'a Plan,
    #[serde(skip_serializing_if = "Option::is_none")]
    done: Option<&'a Done>,
}

/// Shows what `edits` of the manifests mean, and makes them as far as `how` says. Gives what was done; the new revision's
/// full id is in it.
///
/// # Errors
/// The edits make the manifests invalid, or something is in the way of making them; then nothing was.
fn carry_out(
    manifests: &Manifests,
    edits: &[Edit],
    how: &How,
    message: Message,
    seen: Option<&Seen>,
) -> Result<Option<Done>> {
    let after = reading_after(manifests, edits)?;
    // What is mistaken stays as it is where it runs.
    let (before, after) = match seen.and_then(|seen| seen.in_force.as_ref()) {
        Some(running) => (&manifests.reading.clone().hold_back(running), after.hold_back(running)),
        None => (&manifests.reading.snapshot, after.snapshot),
    };
    let git = Git::around(&manifests.directory)?;
    let revision = how.extent.starts_from_head().then_some("HEAD");
    let place = Place { files: &manifests.files, git: git.as_ref(), revision, links: None };
    let mut plan = Plan {
        values: values::values(before, &after, &place)?,
        files: edits.iter().map(lines).collect(),
        ..consequences(before, &after, seen)
    };
    if let Some(warning) = seen.and_then(|seen| held::warning(&seen.status)) {
        plan.warnings.insert(0, warning);
    }
    if how.output == Output::Text {
        show::plan(&plan, seen.is_some());
    }
    let message = match &how.message {
        Some(text) => Message { subject: text.clone(), body: String::new() },
        None => message,
    };
    let done = if how.extent.acts() && !edits.is_empty() {
        Some(publish::publish(edits, how.extent, &message)?)
    } else {
        if edits.is_empty() {
            git.iter().try_for_each(|git| unsent::refuse(git, how.extent))?;
        }
        None
    };
    match how.output {
        Output::Json => drop(printer::json(&Told { plan: &plan, done: done.as_ref() })?),
        Output::Text if edits.is_empty() => printer::note("nothing to change: the manifests say so already"),
        Output::Text => show::done(done.as_ref()),
    }
    Ok(done)
}

/// What becomes of the components whose sites change, and warnings about them.
fn consequences(before: &Snapshot, after: &Snapshot, seen: Option<&Seen>) -> Plan {
    let mut plan =
        Plan { values: Vec::new(), slots: BTreeMap::new(), warnings: Vec::new(), files: Vec::new() };
    for (name, object) in &after.components {
        plan.warnings.extend(warnings::failover(name, before, after));
        let former = before.components.get(name).map(|object| &object.spec);
        if former.is_some_and(|former| former.sites == object.spec.sites) {
            continue;
        }
        let slots = plan::slots(name, former, &object.spec, seen.map(|seen| &seen.status));
        plan.warnings.extend(warnings::warnings(name, before, after, &slots, seen));
        plan.slots.insert(name.clone(), slots);
    }
    plan
}

/// What the manifests say with the edits, which must bring no mistake that was not there.
fn reading_after(manifests: &Manifests, edits: &[Edit]) -> Result<Reading> {
    let mut files = manifests.files.clone();
    for edit in edits {
        files = place::with(&files, &edit.path.display().to_string(), &edit.after);
    }
    let after = dunlin_manifest::read(&files);
    let known = |message: &str| manifests.reading.mistakes.iter().any(|mistake| mistake.found == message);
    match after.mistakes.iter().find(|mistake| !known(&mistake.found)) {
        Some(mistake) => Err(WrongInput(format!("the change would be a mistake: {mistake}")).into()),
        None => Ok(after),
    }
}

fn lines(edit: &Edit) -> Lines {
    let mut lines: Vec<String> =
        edit.difference().into_iter().map(|(sign, line)| format!("{sign} {line}")).collect();
    // An empty line around a change helps nobody to find it.
    while lines.last().is_some_and(|line| line.trim().is_empty()) {
        lines.pop();
    }
    Lines { file: edit.path.display().to_string(), lines }
}

/// An edit of the file at `path`; nothing if it would not change.
fn edited(path: &str, before: &str, after: String) -> Option<Edit> {
    (before != after).then(|| Edit { path: Path::new(path).to_owned(), before: before.to_owned(), after })
}

fn component(name: &str) -> dunlin_manifest::ObjectReference {
    dunlin_manifest::ObjectReference { kind: Kind::WasmComponent, name: name.to_owned() }
}

/// The exit code of a change: it was shown or made.
fn well(_: Option<Done>) -> ExitCode {
    ExitCode::SUCCESS
}
