//! What the running lattice says, for plans: asked of every host that can be found, believed only where it is the
//! lattice that the manifests are for.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use dunlin_host::status::{Manifests, Status};
use dunlin_manifest::Snapshot;

use super::{origins, place};
use crate::discovery::{self, Running};
use crate::git::Git;
use crate::printer::{self, WrongInput};
use crate::whom::Whom;
use crate::{ask, client};

/// A lattice as its hosts see it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// As the first host that answered sees it.
    pub(crate) status: Status,
    /// How long calls between two sites lately took, whichever way, as hosts measured it.
    pub(crate) latencies: BTreeMap<(String, String), Vec<Duration>>,
    /// What is in force, where the manifests have mistakes that hold some of it back.
    pub(crate) in_force: Option<Snapshot>,
}

impl Seen {
    /// How long a call between two sites takes: the median of what hosts measured.
    pub(crate) fn latency(&self, one: &str, other: &str) -> Option<Duration> {
        let mut all = self.latencies.get(&pair(one, other))?.clone();
        all.sort();
        all.get(all.len() / 2).copied()
    }

    /// Adds what one host measured.
    fn measured(&mut self, status: &Status) {
        let Some((from, _)) = status.seen_by.split_once('/') else { return };
        for (host, micros) in &status.own.latencies {
            if let Some((to, _)) = host.split_once('/') {
                let took = Duration::from_micros(*micros);
                self.latencies.entry(pair(from, to)).or_default().push(took);
            }
        }
    }
}

fn pair(one: &str, other: &str) -> (String, String) {
    let (first, second) = if one <= other { (one, other) } else { (other, one) };
    (first.to_owned(), second.to_owned())
}

/// Asks the running `dunlin dev`; `None` if none runs, or it runs something else than `manifests`. That several run and none
/// was named is said.
pub(crate) async fn of(manifests: &place::Manifests, process: Option<u32>) -> Option<Seen> {
    let running = found(process)?;
    let lattice = manifests.reading.snapshot.lattice.as_ref().map(|lattice| lattice.name.as_str());
    let seen = gather(&running, lattice).await?;
    if !runs(&running, &manifests.directory, &seen.status.revision).unwrap_or(false) {
        return None;
    }
    let in_force = match manifests.reading.mistakes.is_empty() {
        true => None,
        false => self::manifests(process).await.ok().map(|in_force| in_force.snapshot),
    };
    let named = |mut in_force| {
        origins::rename(&mut in_force, &running, &manifests.directory);
        in_force
    };
    Some(Seen { in_force: in_force.map(named), ..seen })
}

/// Asks the running `dunlin dev`; `None` if none runs or it is another lattice.
pub(crate) async fn ask(lattice: Option<&str>, process: Option<u32>) -> Option<Seen> {
    gather(&found(process)?, lattice).await
}

fn found(process: Option<u32>) -> Option<Running> {
    let running = discovery::find(process);
    let running = running.inspect_err(|error| {
        if error.is::<WrongInput>() {
            printer::note(error);
        }
    });
    running.ok()
}

async fn gather(running: &Running, lattice: Option<&str>) -> Option<Seen> {
    let asked = running.hosts.iter().map(|(_, admin, _)| client::get::<Status>(*admin, "/v1/status"));
    let answers = futures::future::join_all(asked).await;
    let mut seen: Option<Seen> = None;
    for status in answers.into_iter().flatten() {
        if lattice.is_some_and(|lattice| lattice != status.lattice) {
            continue;
        }
        let all = seen.get_or_insert_with(|| Seen { status: status.clone(), ..Seen::default() });
        all.measured(&status);
    }
    seen
}

/// Whether what runs is what `directory` says, or was at another time: it is within what is followed, or in a repository
/// that knows the revision in force.
fn runs(running: &Running, directory: &Path, revision: &str) -> Result<bool> {
    let directory = directory.canonicalize()?;
    if running.directory.canonicalize().is_ok_and(|followed| directory.starts_with(followed)) {
        return Ok(true);
    }
    let (Some(followed), Some(git)) = (&running.git, Git::around(&directory)?) else { return Ok(false) };
    let within = Path::new(&git.name_of(&directory)?).starts_with(followed.path.trim_matches('/'));
    Ok(within && git.commit(revision).is_ok())
}

/// What the running lattice follows.
///
/// # Errors
/// None runs, several do and none was named, or none of its hosts answers.
pub(crate) async fn manifests(process: Option<u32>) -> Result<Manifests> {
    let hosts = Whom::dev(process).find().await?;
    ask::first(&hosts, "/v1/manifests").await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_of_pairs_of_sites() {
        let status = |seen_by: &str, to: &str, micros| {
            let mut status = Status { seen_by: seen_by.into(), ..Status::default() };
            status.own.latencies.insert(to.into(), micros);
            status
        };
        let mut seen = Seen::default();
        for status in [
            status("aws/aws-1", "gcp/gcp-1", 82_000),
            status("gcp/gcp-1", "aws/aws-2", 84_000),
            status("aws/aws-2", "gcp/gcp-1", 81_000),
        ] {
            seen.measured(&status);
        }
        assert_eq!(seen.latency("aws", "gcp"), Some(Duration::from_millis(82)));
        assert_eq!(seen.latency("gcp", "aws"), Some(Duration::from_millis(82)));
        assert_eq!(seen.latency("gcp", "gcp"), None);
    }
}
