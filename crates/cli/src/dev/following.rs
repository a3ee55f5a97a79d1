//! The logs of all hosts, as they come, for the terminal of `dunlin dev`. Hosts that start later are followed too.

use std::collections::HashSet;
use std::net::SocketAddr;

use dunlin_providers::logging::Entry;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::logs;

/// Records that come; dropping it stops following.
#[derive(Debug)]
pub(crate) struct Following {
    sender: mpsc::Sender<Entry>,
    entries: mpsc::Receiver<Entry>,
    followed: HashSet<SocketAddr>,
    reading: JoinSet<()>,
}

impl Following {
    /// Follows nobody yet.
    pub(crate) fn start() -> Self {
        let (sender, entries) = mpsc::channel(256);
        Self { sender, entries, followed: HashSet::new(), reading: JoinSet::new() }
    }

    /// Follows the hosts with these admin addresses, where that is not done yet.
    pub(crate) fn follow(&mut self, hosts: impl Iterator<Item = SocketAddr>) {
        for host in hosts {
            if self.followed.insert(host) {
                let sender = self.sender.clone();
                self.reading.spawn(logs::read(host, true, sender));
            }
        }
        // Those that ended are forgotten; a host that comes back has another port.
        while self.reading.try_join_next().is_some() {}
    }

    /// The next record; never, if nothing is followed.
    pub(crate) async fn next(following: &mut Option<Self>) -> Entry {
        if let Some(following) = following
            && let Some(entry) = following.entries.recv().await
        {
            return entry;
        }
        std::future::pending().await
    }
}
