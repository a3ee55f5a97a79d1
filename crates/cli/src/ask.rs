//! Asks all hosts of a running `dunlin dev` the same, at once.

use anyhow::Result;
use dunlin_manifest::HostId;
use serde::de::DeserializeOwned;

use crate::client;
use crate::discovery::Running;

/// What each host answers to `path`, in the order of the announcement.
pub(crate) async fn all<T: DeserializeOwned>(running: &Running, path: &str) -> Vec<(HostId, Result<T>)> {
    let ask = |(id, admin, _): &(HostId, std::net::SocketAddr, std::net::SocketAddr)| {
        let (id, admin) = (id.clone(), *admin);
        async move { (id, client::get(admin, path).await) }
    };
    futures::future::join_all(running.hosts.iter().map(ask)).await
}

/// The answers of those that answered.
///
/// # Errors
/// None did, with the reason of the last.
pub(crate) async fn some<T: DeserializeOwned>(running: &Running, path: &str) -> Result<Vec<(HostId, T)>> {
    let mut reason = anyhow::anyhow!("it has no hosts; try `dunlin revive SITE`");
    let mut answers = Vec::new();
    for (id, answer) in all(running, path).await {
        match answer {
            Ok(answer) => answers.push((id, answer)),
            Err(error) => reason = error,
        }
    }
    if answers.is_empty() {
        return Err(reason.context(format!("no host of `dunlin dev` (process {}) answers", running.process)));
    }
    Ok(answers)
}
