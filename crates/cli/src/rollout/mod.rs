//! `dunlin rollout`, and the live steps of `dunlin move --watch`: what happens on all hosts, until everything is as Git
//! says.

mod look;
mod show;
mod steps;
mod verdict;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use dunlin_manifest::{format_duration, is_dns_label};
use tokio::time::Instant;

use self::look::Hosts;
use self::show::Show;
use self::verdict::{Summary, Verdict, judge};
use crate::git::Git;
use crate::printer::{Output, WrongInput};
use crate::waiting;
use crate::whom::{self, Whom};

/// What to wait for.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  dunlin rollout todo\n  dunlin rollout todo --timeout 30s && ./check.sh\n  \
    dunlin rollout --revision 3f2a91c\n  \
    dunlin rollout todo --admin 10.0.0.7:8081,10.1.0.7:8081\n\n\
    Hosts that are not named by --admin are not waited for. \
    Exit codes: 0 everything is as Git says, 1 it does not get further or the time is over, 2 wrong input"
)]
pub(crate) struct Options {
    /// The components; without any, those that the revision changes.
    components: Vec<String>,
    /// The revision; the first digits of a commit are enough. Without it what the directory, or the head of the followed
    /// working tree, is now; else the one that hosts follow.
    #[arg(long)]
    revision: Option<String>,
    /// How long to wait.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = parse_duration)]
    timeout: Duration,
    /// Text for people, or one JSON object a line: each event, what is waited for, and the outcome at the end.
    #[arg(long, short, default_value = "text")]
    output: Output,
    #[command(flatten)]
    whom: Whom,
}

/// A duration, as arguments give it.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    dunlin_manifest::parse_duration(text).ok_or_else(|| "expected a duration, such as 30s or 5m".to_owned())
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everything is as the revision says, on every host that can be asked.
    Settled,
    /// It does not get further without a person, and why.
    Stalled(String),
    /// The time was over; this was waited for.
    TimedOut(Vec<String>),
}

impl Outcome {
    /// 0 if everything is as it should be.
    pub(crate) fn code(&self) -> ExitCode {
        if *self == Self::Settled { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// How often hosts are asked.
const LOOK: Duration = Duration::from_millis(150);

/// Shows the steps until everything is as Git says.
///
/// # Errors
/// Wrong input, a component that nobody knows among it, or no host is found.
pub(crate) async fn run(options: Options) -> Result<ExitCode> {
    let name = |name: &String| {
        let name = name.strip_prefix("component/").unwrap_or(name).to_owned();
        let wrong = || WrongInput(format!("{name:?} names no component: use a-z, 0-9 and - (a DNS label)"));
        if is_dns_label(&name) { Ok(name) } else { Err(wrong()) }
    };
    let components = options.components.iter().map(name).collect::<Result<Vec<_>, _>>()?;
    let hosts = options.whom.find().await?;
    let revision = match &options.revision {
        Some(revision) => named(hosts.tree.as_deref(), revision)?,
        None => current(&hosts).await?,
    };
    let (limit, output) = (options.timeout, options.output);
    let outcome = follow(&options.whom, &revision, &components, limit, Show::new(output)).await?;
    Ok(outcome.code())
}

/// A change that was just made.
#[derive(Debug)]
pub(crate) struct Change<'a> {
    /// The `dunlin dev` to ask, where several run.
    pub(crate) process: Option<u32>,
    /// The commit that it is, if it was committed.
    pub(crate) commit: Option<String>,
    /// The components that it is about.
    pub(crate) components: &'a [String],
}

/// Shows the steps of a change until its components are as it says on every host that can be asked, at most for `limit`.
///
/// # Errors
/// No `dunlin dev` runs, it ended meanwhile, or it follows commits and there is none.
pub(crate) async fn watch(change: Change<'_>, limit: Duration, output: Output) -> Result<Outcome> {
    let whom = Whom::dev(change.process);
    let followed = current(&whom.find().await?).await?;
    let show = Show::new(output);
    let (revision, show) = match change.commit {
        // Hosts that follow a directory take no notice of commits.
        _ if followed.starts_with("dir-") => (followed, show),
        // Whoever committed said so.
        Some(commit) => (commit, show.headed()),
        None => {
            let text = "the lattice follows commits, and nothing was committed: use --commit or --push";
            return Err(WrongInput(text.to_owned()).into());
        }
    };
    follow(&whom, &revision, change.components, limit, show).await
}

/// The revision that somebody names: digits of a commit or a directory's revision, else a name that the followed
/// repository knows, such as `HEAD`.
fn named(tree: Option<&Path>, revision: &str) -> Result<String> {
    let digits = revision.len() >= 7 && revision.bytes().all(|byte| byte.is_ascii_hexdigit());
    if digits || revision.starts_with("dir-") {
        return Ok(revision.to_ascii_lowercase());
    }
    let here = |tree| Git::of(tree).commit(revision);
    tree.map(here).unwrap_or_else(|| {
        let text = format!("--revision {revision}: name a commit by seven of its digits or more (`dunlin history` lists them)");
        Err(WrongInput(text).into())
    })
}

/// The revision that is to be waited for when none is named: what the directory says now, which hosts may not have seen
/// yet; of another source, what they follow.
async fn current(hosts: &whom::Hosts) -> Result<String> {
    let looks = Hosts::default().look(hosts).await;
    let followed = looks.iter().find(|look| !look.status.revision.is_empty());
    let followed = followed.map(|look| look.status.revision.clone());
    match followed {
        Some(revision) if revision.starts_with("dir-") && !hosts.directory.as_os_str().is_empty() => {
            let directory = hosts.directory.clone();
            let reading = tokio::task::spawn_blocking(move || dunlin_source::directory_revision(&directory));
            // A directory that cannot be read is what the hosts say of it.
            Ok(reading.await?.unwrap_or(revision))
        }
        // As of a directory, what stands there now: hosts may not have seen it yet.
        Some(revision) if !revision.starts_with("dir-") => {
            let head = hosts
                .tree
                .as_deref()
                .map(|tree| Git::of(tree).commit(hosts.branch.as_deref().unwrap_or("HEAD")));
            head.unwrap_or(Ok(revision))
        }
        Some(revision) => Ok(revision),
        None => {
            anyhow::bail!("no host of {} follows a revision; see `dunlin status`", hosts.words)
        }
    }
}

async fn follow(
    whom: &Whom,
    revision: &str,
    components: &[String],
    limit: Duration,
    mut show: Show,
) -> Result<Outcome> {
    let begun = Instant::now();
    let mut hosts = Hosts::default();
    loop {
        // Hosts may come back at another port.
        let found = whom.find().await.context("the hosts went away while they were waited for")?;
        let looks = hosts.look(&found).await;
        show.steps(&looks, revision, components);
        let verdict = judge(&looks, revision, components, begun.elapsed());
        match verdict {
            Verdict::Settled => {
                let mut looks = looks;
                // Hosts note that a revision is settled, and the last events of it, a moment after it is.
                for _ in 0..6 {
                    if verdict::all_noted(&looks, revision) {
                        break;
                    }
                    tokio::time::sleep(LOOK).await;
                    looks = hosts.look(&found).await;
                    show.steps(&looks, revision, components);
                }
                show.settled(&Summary::of(&looks, revision, components));
                return Ok(Outcome::Settled);
            }
            Verdict::Stalled(why) => {
                show.ended("stalled", revision, &why);
                return Ok(Outcome::Stalled(why));
            }
            Verdict::Unknown(why) => {
                show.clear();
                return Err(WrongInput(why).into());
            }
            Verdict::Waits(waits) if begun.elapsed() >= limit => {
                let words: Vec<_> = waits.iter().map(ToString::to_string).collect();
                let why = format!("not within {}: {}", format_duration(limit), waiting::in_words(&waits));
                show.ended("timed-out", revision, &why);
                return Ok(Outcome::TimedOut(words));
            }
            Verdict::Waits(waits) => show.waits(&waits, begun.elapsed()),
        }
        tokio::time::sleep(LOOK).await;
    }
}
