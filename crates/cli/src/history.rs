//! `dunlin history`: the last revisions, as all hosts saw them.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use dunlin_host::events::in_words;
use dunlin_host::history::{Outcome, Revision, Revisions};
use dunlin_manifest::short_revision;
use dunlin_providers::logging::escape;
use serde::Serialize;

use crate::ask;
use crate::printer::{self, BAD, BOLD, DIM, GOOD, Output, WARN, styled, table};
use crate::whom::Whom;
use crate::words::thousands;

/// Which revisions to show.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  dunlin history\n  dunlin history todo -n 3\n  \
    dunlin history --output json | jq '.[0].took'\n  \
    dunlin history --admin 10.0.0.7:8081,10.1.0.7:8081\n\n\
    Each host remembers its last twenty revisions; how long one took is what the slowest host saw.")]
pub(crate) struct Options {
    /// Only revisions that change this component.
    component: Option<String>,
    /// At most so many.
    #[arg(short = 'n', long = "limit", default_value = "20", value_name = "COUNT", value_parser = parse_limit)]
    limit: usize,
    /// Text for people or JSON for scripts.
    #[arg(long, short, default_value = "text")]
    output: Output,
    #[command(flatten)]
    whom: Whom,
}

fn parse_limit(text: &str) -> Result<usize, String> {
    let limit = text.parse().ok().filter(|limit| *limit > 0);
    limit.ok_or_else(|| "expected how many revisions to show, at least 1".to_owned())
}

/// One revision, as all hosts that were asked saw it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Merged {
    /// The longest, the worst, and the sum of what hosts saw.
    #[serde(flatten)]
    pub(crate) revision: Revision,
    /// The hosts that followed it.
    pub(crate) hosts: Vec<String>,
}

/// Prints the last revisions, the newest first.
///
/// # Errors
/// No host is found, or none answers. Wrong input: no host knows the component.
pub(crate) async fn run(options: Options) -> Result<ExitCode> {
    let hosts = options.whom.find().await?;
    let mut merged = merge(&ask::some(&hosts, "/v1/history").await?);
    if let Some(component) = &options.component {
        let name = component.strip_prefix("component/").unwrap_or(component);
        let object = format!("component/{name}");
        merged.retain(|merged| merged.revision.changes.iter().any(|change| change.object == object));
        // It may have been removed since.
        if merged.is_empty() {
            ask::known(&hosts, name).await?;
        }
    }
    merged.truncate(options.limit);
    if options.output == Output::Json {
        return printer::json(&merged);
    }
    if merged.is_empty() {
        let which = if options.component.is_some() { " that changes this" } else { "" };
        printer::note(format!("no revision is remembered{which}"));
        return Ok(ExitCode::SUCCESS);
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    render(&merged, now).iter().for_each(printer::line);
    Ok(ExitCode::SUCCESS)
}

/// Brings together what hosts say of the same revision, the newest first. A revision that came twice is two.
pub(crate) fn merge(answers: &[Revisions]) -> Vec<Merged> {
    let mut all: Vec<Merged> = Vec::new();
    for Revisions { host, revisions } in answers {
        for revision in revisions.iter().rev() {
            let same =
                |merged: &&mut Merged| merged.revision.id == revision.id && !merged.hosts.contains(host);
            let known = all.iter_mut().filter(same);
            match known.min_by_key(|merged| merged.revision.applied.abs_diff(revision.applied)) {
                Some(merged) => merged.add(host, revision),
                None => all.push(Merged { revision: revision.clone(), hosts: vec![host.clone()] }),
            }
        }
    }
    all.sort_by_key(|merged| std::cmp::Reverse(merged.revision.applied));
    all
}

impl Merged {
    fn add(&mut self, host: &str, other: &Revision) {
        let revision = &mut self.revision;
        self.hosts.push(host.to_owned());
        revision.applied = revision.applied.min(other.applied);
        revision.took = revision.took.max(other.took);
        revision.requests += other.requests;
        revision.failures += other.failures;
        if other.changes.len() > revision.changes.len() {
            revision.changes.clone_from(&other.changes);
        }
        if badness(&other.outcome) > badness(&revision.outcome) {
            revision.outcome = other.outcome.clone();
        }
        revision.commit = revision.commit.take().or_else(|| other.commit.clone());
        revision.held = revision.held.take().or_else(|| other.held.clone());
    }
}

/// Of what hosts say, the worst is shown.
fn badness(outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::Settled => 0,
        Outcome::Superseded => 1,
        Outcome::Held { .. } => 2,
        Outcome::InProgress { .. } => 3,
        Outcome::Stalled { .. } => 4,
    }
}

/// What stands before a line below a row.
const BELOW: &str = "       ";

fn render(merged: &[Merged], now: u64) -> Vec<String> {
    // What may be long comes last in a row or on lines of its own below, where it makes no other row wider.
    let head = ["AGE", "REVISION", "WHO", "OUTCOME", "TOOK", "FAILED", "CHANGE"];
    let mut rows = vec![head.iter().map(|cell| styled(BOLD, cell)).collect::<Vec<_>>()];
    let mut below = vec![Vec::new()];
    for Merged { revision, .. } in merged {
        let (outcome, why) = outcome(revision);
        let mut changes = revision.changes.iter().map(|change| escape(&change.to_string()).into_owned());
        let took = match revision.outcome {
            Outcome::Held { .. } => String::new(),
            _ => in_words(revision.took),
        };
        let failed = format!("{} of {}", thousands(revision.failures), thousands(revision.requests));
        let failed = if revision.failures > 0 { styled(BAD, failed) } else { failed };
        let who = revision.commit.as_ref().map(|commit| escape(&commit.author).into_owned());
        rows.push(vec![
            in_words(now.saturating_sub(revision.applied)),
            short_revision(&revision.id).to_owned(),
            who.unwrap_or_default(),
            outcome,
            took,
            failed,
            changes.next().unwrap_or_else(|| styled(DIM, "nothing")),
        ]);
        let subject = revision.commit.as_ref().map(|commit| styled(DIM, escape(&commit.subject)));
        let more = changes.chain(subject).chain(why.map(|why| styled(WARN, escape(&why))));
        below.push(more.map(|line| format!("{BELOW}{line}")).collect());
    }
    table(&rows).into_iter().zip(below).flat_map(|(row, below)| std::iter::once(row).chain(below)).collect()
}

/// How it went in a word, and why where that is not all there is to say.
fn outcome(revision: &Revision) -> (String, Option<String>) {
    let held = revision.held.as_ref().map(|why| format!("held back: {why}"));
    match &revision.outcome {
        Outcome::Settled => (styled(GOOD, "settled"), held),
        Outcome::Superseded => ("superseded".to_owned(), held),
        Outcome::InProgress { waits } => {
            let waits = (!waits.is_empty()).then(|| format!("waits: {}", waits.join("; ")));
            (styled(WARN, "in progress"), waits.or(held))
        }
        Outcome::Stalled { why } => (styled(BAD, "stalled"), Some(why.clone())),
        Outcome::Held { why } => (styled(WARN, "held"), Some(why.clone())),
    }
}

#[cfg(test)]
mod tests {
    use dunlin_host::history::{Change, ChangeKind};
    use expect_test::expect;

    use super::*;

    fn revision(id: &str, applied: u64, outcome: Outcome, took: u64) -> Revision {
        Revision {
            id: id.into(),
            commit: None,
            applied,
            changes: vec![Change {
                object: "component/todo".into(),
                kind: ChangeKind::Removed,
                fields: vec![],
            }],
            held: None,
            outcome,
            took,
            requests: 1000,
            failures: 0,
        }
    }

    fn host(name: &str, revisions: Vec<Revision>) -> Revisions {
        Revisions { host: format!("gcp/{name}"), revisions }
    }

    #[test]
    fn hosts_are_merged_and_the_slowest_counts() {
        let waits = || Outcome::InProgress { waits: vec!["todo: aws/aws-1 starts".into()] };
        let held = Revision {
            changes: vec![],
            outcome: Outcome::Held { why: "todo.yaml:7:11: unknown site \"gpc\"".into() },
            ..revision("dir-c", 95_000, Outcome::Settled, 0)
        };
        let commit = dunlin_source::Commit {
            id: "3f2a91c0000000000000000000000000000000ab".into(),
            author: "Ada".into(),
            time: 0,
            subject: "Move todo to aws".into(),
        };
        let first = vec![
            Revision { commit: Some(commit.clone()), ..revision(&commit.id, 99_000, waits(), 700) },
            held,
            revision("dir-a", 60_000, Outcome::Settled, 900),
            revision("dir-b", 40_000, Outcome::Superseded, 200),
            revision("dir-a", 20_000, Outcome::Settled, 300),
        ];
        let second = vec![
            revision(&commit.id, 99_100, Outcome::Settled, 650),
            revision("dir-a", 60_100, Outcome::Settled, 1340),
            revision("dir-b", 40_000, Outcome::Superseded, 250),
            Revision { failures: 2, ..revision("dir-a", 20_000, Outcome::Settled, 300) },
        ];
        let merged = merge(&[host("gcp-1", first), host("gcp-2", second)]);
        let text = render(&merged, 100_000).join("\n");
        expect![[r#"
            AGE    REVISION  WHO  OUTCOME      TOOK    FAILED      CHANGE
            1.0 s  3f2a91c   Ada  in progress  700 ms  0 of 2 000  todo: removed
                   Move todo to aws
                   waits: todo: aws/aws-1 starts
            5.0 s  dir-c          held                 0 of 1 000  nothing
                   todo.yaml:7:11: unknown site "gpc"
            40 s   dir-a          settled      1.3 s   0 of 2 000  todo: removed
            60 s   dir-b          superseded   250 ms  0 of 2 000  todo: removed
            80 s   dir-a          settled      300 ms  2 of 2 000  todo: removed"#]]
        .assert_eq(&anstream::adapter::strip_str(&text).to_string());
    }
}
