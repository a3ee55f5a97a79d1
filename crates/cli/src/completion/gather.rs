//! The names that may come next: of the `dunlin dev` that runs, else of manifests.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use dunlin_host::status::Status;
use dunlin_manifest::Snapshot;

use super::wanted::{Kind, Wanted};
use crate::ask;
use crate::discovery::{self, Running};
use crate::whom::Whom;

/// Whoever pressed a key does not wait for longer.
const PATIENCE: Duration = Duration::from_millis(800);

/// Everything of this kind that can be had at once, in order.
pub(super) async fn names(wanted: &Wanted) -> BTreeSet<String> {
    match wanted.kind {
        Kind::Nothing => BTreeSet::new(),
        Kind::Processes => {
            let running = discovery::all().unwrap_or_default();
            running.iter().map(|running| running.process.to_string()).collect()
        }
        Kind::Servers => {
            let running = discovery::find(wanted.process).ok();
            running.into_iter().flat_map(|running| running.viewers).map(|(name, _)| name).collect()
        }
        Kind::Parts => match discovery::find(wanted.process) {
            Ok(running) => parts(&running, status(wanted).await.as_ref()),
            Err(_) => BTreeSet::new(),
        },
        Kind::Components | Kind::Changes => {
            // A directory that is named is meant, whatever runs.
            let status = if wanted.directory.is_some() { None } else { status(wanted).await };
            let (components, sites) = match status {
                Some(status) => (status.components.into_keys().collect(), status.sites.into_keys().collect()),
                None => declared(wanted.directory.as_deref().unwrap_or(Path::new("."))),
            };
            match wanted.kind {
                Kind::Changes => changes(&sites, &wanted.named),
                _ => components.into_iter().filter(|name| !wanted.named.contains(name)).collect(),
            }
        }
    }
}

async fn status(wanted: &Wanted) -> Option<Status> {
    let asking = async { ask::first(&Whom::dev(wanted.process).find().await?, "/v1/status").await };
    tokio::time::timeout(PATIENCE, asking).await.ok()?.ok()
}

/// Components and sites of manifests.
fn declared(directory: &Path) -> (BTreeSet<String>, BTreeSet<String>) {
    let Ok((_, reading)) = dunlin_source::read_directory(directory) else { return Default::default() };
    let Snapshot { lattice, components, .. } = reading.snapshot;
    let sites = lattice.into_iter().flat_map(|lattice| lattice.spec.sites.into_keys());
    (components.into_keys().collect(), sites.collect())
}

/// `gcp=` for each site that is not named yet.
fn changes(sites: &BTreeSet<String>, named: &[String]) -> BTreeSet<String> {
    let all = sites.iter().map(|site| format!("{site}="));
    all.filter(|site| !named.iter().any(|change| change.starts_with(site.as_str()))).collect()
}

/// Everything that can be killed or frozen. What is killed is not announced; hosts of it are known for a while.
fn parts(running: &Running, status: Option<&Status>) -> BTreeSet<String> {
    let sites = running.sites.iter().map(|(site, _)| site.clone());
    let hosts = running.hosts.iter().map(|(host, ..)| host.to_string());
    let processes = running.processes.iter().map(|(name, _)| name.clone());
    let seen = status
        .into_iter()
        .flat_map(|status| &status.sites)
        .flat_map(|(site, status)| status.hosts.keys().map(move |host| format!("{site}/{host}")));
    let servers = running.viewers.iter().flat_map(|(site, _)| match site.as_str() {
        "hub" => vec![site.clone()],
        site => vec![format!("leaf/{site}"), format!("link/{site}")],
    });
    sites.chain(hosts).chain(processes).chain(seen).chain(servers).collect()
}
