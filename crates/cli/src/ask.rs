//! Asks all hosts of a lattice the same, at once.

use std::collections::BTreeSet;

use anyhow::{Error, Result, anyhow};
use dunlin_host::status::Status;
use dunlin_manifest::did_you_mean;
use serde::de::DeserializeOwned;

use crate::client;
use crate::printer::WrongInput;
use crate::whom::Hosts;

/// What each host answers to `path`.
pub(crate) async fn all<T: DeserializeOwned>(hosts: &Hosts, path: &str) -> Vec<Result<T>> {
    futures::future::join_all(hosts.admin.iter().map(|admin| client::get(*admin, path))).await
}

/// The answers of those that answered.
///
/// # Errors
/// None did, with the reason of the last.
pub(crate) async fn some<T: DeserializeOwned>(hosts: &Hosts, path: &str) -> Result<Vec<T>> {
    let mut reason = none();
    let mut answers = Vec::new();
    for answer in all(hosts, path).await {
        match answer {
            Ok(answer) => answers.push(answer),
            Err(error) => reason = error,
        }
    }
    if answers.is_empty() { Err(silent(hosts, reason)) } else { Ok(answers) }
}

/// The answer of the first that answers.
///
/// # Errors
/// None does, with the reason of the last.
pub(crate) async fn first<T: DeserializeOwned>(hosts: &Hosts, path: &str) -> Result<T> {
    let mut reason = none();
    for admin in &hosts.admin {
        match client::get(*admin, path).await {
            Ok(answer) => return Ok(answer),
            Err(error) => reason = error,
        }
    }
    Err(silent(hosts, reason))
}

fn none() -> Error {
    anyhow!("it has no hosts; try `dunlin revive SITE`")
}

fn silent(hosts: &Hosts, reason: Error) -> Error {
    reason.context(format!("no host of {} answers; {}", hosts.words, hosts.remedy))
}

/// Refuses the name of a component that no host knows or runs.
///
/// # Errors
/// Wrong input: it is unknown, with the names that are not. Or no host answers.
pub(crate) async fn known(hosts: &Hosts, component: &str) -> Result<()> {
    let status: Vec<Status> = some(hosts, "/v1/status").await?;
    let declared = status.iter().flat_map(|status| status.components.keys());
    let sites = status.iter().flat_map(|status| status.sites.values());
    let run = sites.flat_map(|site| site.hosts.values()).flat_map(|host| host.slots.keys());
    let known: BTreeSet<&str> = declared.chain(run).map(String::as_str).collect();
    if known.contains(component) {
        return Ok(());
    }
    Err(WrongInput(unknown(component, &hosts.words, &known)).into())
}

/// What is wrong with the name of a component that there is not.
pub(crate) fn unknown(component: &str, place: &str, known: &BTreeSet<&str>) -> String {
    let hint = did_you_mean(component, known.iter().copied());
    let hint = hint.map(|hint| format!(": {hint}")).unwrap_or_default();
    let known = known.iter().copied().collect::<Vec<_>>().join(", ");
    let known = if known.is_empty() { "none" } else { &known };
    format!("no component {component:?} in {place}{hint}; there is {known}")
}
