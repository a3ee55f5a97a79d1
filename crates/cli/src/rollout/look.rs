//! One look at all hosts: what each sees, remembers, and has done since the last look.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use dunlin_host::events::Event;
use dunlin_host::history::{Revision, Revisions};
use dunlin_host::status::Status;

use crate::{client, whom};

/// What one host that answers says.
#[derive(Debug, Clone, Default)]
pub(super) struct Look {
    /// As `site/host`.
    pub(super) host: String,
    pub(super) status: Status,
    /// The newest first.
    pub(super) revisions: Vec<Revision>,
    /// What is new since the last look.
    pub(super) events: Vec<Event>,
}

impl Look {
    /// What the host remembers of a revision, if that is the newest: one that was before may come again, and what was
    /// then is not of now.
    pub(super) fn revision(&self, revision: &str) -> Option<&Revision> {
        self.revisions.first().filter(|newest| is(&newest.id, revision))
    }
}

/// Whether `asked` names `revision`: all of it, or the first digits of a commit.
pub(super) fn is(revision: &str, asked: &str) -> bool {
    revision == asked || (asked.len() >= 7 && !asked.starts_with("dir-") && revision.starts_with(asked))
}

/// Remembers where each host's events were read up to.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    /// By address: a host that was started again answers elsewhere.
    read: BTreeMap<SocketAddr, u64>,
}

impl Hosts {
    /// Looks at all hosts at once; those that do not answer are left out.
    pub(super) async fn look(&mut self, hosts: &whom::Hosts) -> Vec<Look> {
        let asks = hosts.admin.iter().map(|admin| {
            let (admin, from) = (*admin, self.read.get(admin).copied().unwrap_or(0));
            async move { Some((admin, one(admin, from).await?)) }
        });
        let answers = futures::future::join_all(asks).await;
        let mut looks = Vec::new();
        for (admin, look) in answers.into_iter().flatten() {
            if let Some(newest) = look.events.last() {
                self.read.insert(admin, newest.number + 1);
            }
            looks.push(look);
        }
        looks
    }
}

async fn one(admin: SocketAddr, from: u64) -> Option<Look> {
    let path = format!("/v1/events?from={from}");
    // Events first: what is told of the state is then never older than what happened.
    let events = client::lines(admin, &path).await.ok()?;
    let status = client::get::<Status>(admin, "/v1/status").await.ok()?;
    let revisions = client::get::<Revisions>(admin, "/v1/history").await.ok()?.revisions;
    Some(Look { host: status.seen_by.clone(), status, revisions, events })
}
