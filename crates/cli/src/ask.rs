//! Asks all hosts of a lattice the same, at once.

use anyhow::Result;
use serde::de::DeserializeOwned;

use crate::client;
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
    let mut reason = anyhow::anyhow!("it has no hosts; try `dunlin revive SITE`");
    let mut answers = Vec::new();
    for answer in all(hosts, path).await {
        match answer {
            Ok(answer) => answers.push(answer),
            Err(error) => reason = error,
        }
    }
    if answers.is_empty() {
        return Err(reason.context(format!("no host of {} answers; {}", hosts.words, hosts.remedy)));
    }
    Ok(answers)
}
