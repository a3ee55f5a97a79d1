//! Asks again and again whether this host's server is linked to the hub: failover wants to know whose silence it hears.

use std::sync::Arc;
use std::time::Duration;

use dunlin_lattice::Connection;
use dunlin_lattice::subjects::Subjects;
use dunlin_manifest::HostId;
use tokio::sync::watch;

/// How often it is asked: a fraction of the ten seconds that silence takes to count.
const ASK: Duration = Duration::from_secs(2);
/// How often a bus is asked that could not tell several times.
const SELDOM: Duration = Duration::from_secs(60);
/// How many times in a row.
const SEVERAL: u32 = 5;

/// Asks on the connection that presence is heard on, since that is the one whose silence counts.
pub(crate) struct Link {
    connection: Arc<dyn Connection>,
    reply: Option<String>,
    linked: watch::Sender<Option<bool>>,
}

impl Link {
    /// What will ask, and what it will have heard.
    pub(crate) fn new(
        id: &HostId,
        lattice: &str,
        connection: Arc<dyn Connection>,
    ) -> (Self, watch::Receiver<Option<bool>>) {
        let (sender, linked) = watch::channel(None);
        let reply = Subjects::new(lattice).map(|subjects| subjects.reply(id, "link", "1"));
        (Self { connection, reply, linked: sender }, linked)
    }

    /// Asks until the host ends.
    pub(crate) async fn run(self) {
        let Some(reply) = self.reply else { return };
        let mut unknown = 0;
        loop {
            let linked = self.connection.linked(&reply).await;
            let changed = self.linked.send_replace(linked) != linked;
            if changed {
                tracing::info!(?linked, "whether this host's server is linked to the hub");
            }
            unknown = if linked.is_some() { 0 } else { unknown + 1 };
            tokio::time::sleep(if unknown < SEVERAL { ASK } else { SELDOM }).await;
        }
    }
}
