//! The logs of all hosts, as they come, for the terminal of `dunlin dev`.

use std::sync::Arc;

use dunlin_providers::logging::{Entry, Followed, LogBuffer};
use tokio::sync::mpsc;

/// Records that come; dropping it stops following.
#[derive(Debug)]
pub(crate) struct Following {
    entries: mpsc::Receiver<Arc<Entry>>,
    /// Kept, so that the channel does not end when every host has.
    _open: mpsc::Sender<Arc<Entry>>,
}

/// Records shown of what came before.
const TAIL: usize = 5;

impl Following {
    /// Follows the logs of these hosts.
    pub(crate) fn start(logs: impl Iterator<Item = Arc<LogBuffer>>) -> Self {
        let (sender, entries) = mpsc::channel(256);
        for log in logs {
            tokio::spawn(pass_on(log, sender.clone()));
        }
        Self { entries, _open: sender }
    }

    /// The next record; never, if nothing is followed.
    pub(crate) async fn next(following: &mut Option<Self>) -> Arc<Entry> {
        if let Some(following) = following
            && let Some(entry) = following.entries.recv().await
        {
            return entry;
        }
        std::future::pending().await
    }
}

async fn pass_on(log: Arc<LogBuffer>, sender: mpsc::Sender<Arc<Entry>>) {
    let (tail, mut coming) = log.follow(TAIL, |_| true);
    for entry in tail {
        if sender.send(entry).await.is_err() {
            return;
        }
    }
    while let Some(next) = coming.next().await {
        if let Followed::Entry(entry) = next
            && sender.send(entry).await.is_err()
        {
            return;
        }
    }
}
