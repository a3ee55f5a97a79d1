//! Plans and what was done of them, for people.

use std::path::Path;

use super::plan::Slots;
use super::publish::Done;
use super::values::Value;
use super::{Lines, Plan};
use crate::git::short;
use crate::printer::{self, BAD, BOLD, DIM, GOOD, WARN, styled, table};

/// Shows what a change means.
pub(super) fn plan(plan: &Plan, running: bool) {
    rendered(plan, running).iter().for_each(printer::line);
}

/// A plan in lines.
pub(super) fn rendered(plan: &Plan, running: bool) -> Vec<String> {
    let mut lines = table(&plan.values.iter().map(row).collect::<Vec<_>>());
    for (component, slots) in &plan.slots {
        lines.extend(becomes(component, slots, running));
    }
    for warning in &plan.warnings {
        lines.push(format!("{} {}", styled(WARN, "warning"), warning.message));
    }
    for Lines { file, lines: changed } in &plan.files {
        lines.push(styled(DIM, from_here(Path::new(file)).display()));
        lines.extend(changed.iter().map(|line| match line.chars().next() {
            Some('-') => styled(BAD, line),
            Some('+') => styled(GOOD, line),
            _ => line.clone(),
        }));
    }
    lines
}

/// A path as one would type it here.
fn from_here(path: &Path) -> &Path {
    let here = std::env::current_dir().ok();
    here.and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path)
}

/// One value: the object, the field, what it was and will be, and where it comes from.
pub(super) fn row(value: &Value) -> Vec<String> {
    let source = value.source.as_ref().map(|source| format!("({})", source.words())).unwrap_or_default();
    vec![styled(BOLD, &value.object), value.field.clone(), value.change(), styled(DIM, source)]
}

fn becomes(component: &str, slots: &Slots, running: bool) -> Vec<String> {
    let mut rows = Vec::new();
    let mut tell = |word: &str, list: &[String], more: String| {
        if !list.is_empty() {
            rows.push(vec![format!("  {word}"), format!("{}{more}", list.join(", "))]);
        }
    };
    tell("starts", &slots.starts, String::new());
    tell("stays", &slots.stays, String::new());
    let promises = match slots.promises {
        0 => String::new(),
        1 => ", once another has promised to stay".to_owned(),
        count => format!(", each once {count} others have promised to stay"),
    };
    tell("may stop", &slots.may_stop, promises);
    let about = if running {
        "as the running lattice would decide now"
    } else {
        "by count: no lattice that runs here has it"
    };
    let mut lines =
        vec![format!("{} {}", styled(BOLD, format!("component/{component}")), styled(DIM, about))];
    lines.extend(table(&rows));
    lines
}

/// Shows what was done; without anything, how to do it.
pub(super) fn done(done: Option<&Done>) {
    let Some(done) = done else {
        printer::note(
            "nothing is written yet: --write edits the files, --commit commits them, --push pushes, --pr asks for it to be merged",
        );
        return;
    };
    for file in &done.wrote {
        if done.revision.is_none() {
            printer::note(format!("wrote {file}"));
        }
    }
    if let (Some(revision), Some(subject)) = (&done.revision, &done.subject) {
        printer::line(format!("{} {}  {subject}", styled(DIM, "revision"), styled(BOLD, short(revision))));
    }
    if let Some(pushed) = &done.pushed {
        if let Some(onto) = &pushed.rebased_onto {
            printer::note(format!("rebased once, onto {}: somebody else had pushed", short(onto)));
        }
        let earlier = match pushed.earlier {
            0 => String::new(),
            1 => ", with one commit before it that was not pushed yet".to_owned(),
            count => format!(", with {count} commits before it that were not pushed yet"),
        };
        printer::note(format!("pushed to {}{earlier}", pushed.to));
        if let Some(reason) = &pushed.not_here {
            let branch = done.branch.as_deref().unwrap_or("your branch");
            printer::note(format!(
                "{branch} here does not have it yet, `git pull --rebase` there brings it: {reason}"
            ));
        }
    }
    if let Some(request) = &done.request {
        printer::note(format!("pushed branch {} for {}", request.branch, request.base));
        request.hints.iter().for_each(printer::note);
        match (&request.url, request.opened) {
            (Some(url), true) => printer::line(format!("pull request {url}")),
            (Some(url), false) => printer::line(format!("ask for it to be merged at {url}")),
            (None, true) => printer::line("the pull request is open"),
            (None, false) => {}
        }
    }
}
