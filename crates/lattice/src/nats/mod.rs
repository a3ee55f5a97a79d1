//! The bus over NATS core: what sites share, and the only thing they share.
//!
//! A connection stands or it does not. While it does not, nothing is taken for later: `publish` fails at once, and a
//! task connects again, for ever, in growing and irregular intervals of at most three seconds. Each making of the
//! connection has a client of its own; what the former one had not written yet is gone with it. What may still be
//! delivered late is what was written before the loss and sits in sockets: a server that was frozen passes on what it
//! received when it wakes. Deadlines and incarnations in the frames guard against that.
//!
//! A server that answers nothing is given up 4.5 s after its last word; until then messages are taken as if all were
//! well, at most 256 beyond what the sockets hold. When those are full, a publisher waits for a second at most.
//!
//! The client's own log (target `async_nats`) repeats what is said here, once per attempt or dropped message: leave it
//! out below `warn`.

mod backoff;
mod connection;
mod dial;
mod error;
mod keeper;
mod link;
mod listener;
mod probe;
mod settings;
mod sparingly;
mod subscriptions;
mod trouble;
mod violation;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::rustls::crypto::{CryptoProvider, ring};
use async_nats::{Subject, ToSubject};
use async_trait::async_trait;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

pub use error::NatsError;
pub use probe::{Deed, Denied};
pub use settings::NatsSettings;
pub(crate) use subscriptions::Relay;

use crate::bus::{Bus, BusError, Connection};
use connection::{NatsConnection, Shared};
use keeper::Keeper;
use link::Links;
use listener::Common;
use settings::Target;

/// How long anything waits for the client to take it.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long [`NatsBus`] waits for the first attempt of a connection.
const FIRST: Duration = Duration::from_secs(1);

/// The bus of one user. All of its connections go to the same servers, each to one of them.
pub struct NatsBus {
    target: Arc<Target>,
    common: Arc<Common>,
    connections: AtomicU64,
}

impl NatsBus {
    /// How many connections suit a host's calls (`CallClient::start`) on a machine of several cores. One connection
    /// is one task, so it keeps one core busy at most.
    pub const CALL_CONNECTIONS: usize = 2;

    /// Reads the settings and the files that they name. Connects to nothing yet.
    ///
    /// # Errors
    /// [`NatsError`] for a setting that cannot be right.
    pub fn new(settings: NatsSettings) -> Result<Self, NatsError> {
        if CryptoProvider::get_default().is_none() {
            // Lost a race for it: then there is one.
            let _there = ring::default_provider().install_default();
        }
        let target = Arc::new(Target::new(settings)?);
        Ok(Self { target, common: Arc::default(), connections: AtomicU64::new(0) })
    }

    /// What is wrong with any of the connections, in words; `None` while all is well. Logged at each change.
    #[must_use]
    pub fn troubles(&self) -> watch::Receiver<Option<String>> {
        self.common.troubles.shown()
    }

    /// Messages dropped because a subscription's queue was full, since the start. There may have been more: of a
    /// sudden flood not every single one is counted.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.common.dropped.load(Ordering::Relaxed)
    }
}

impl std::fmt::Debug for NatsBus {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("NatsBus").field("name", &self.target.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl Bus for NatsBus {
    /// Returns once a server has answered or all have failed, or after a second; connected or not, the connection
    /// keeps trying for as long as it is held.
    async fn connect(&self, purpose: &str) -> Result<Arc<dyn Connection>, BusError> {
        let shared = Arc::new(Shared::new());
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        let (target, common) = (Arc::clone(&self.target), Arc::clone(&self.common));
        let keeper = Keeper::new(target, common, Arc::clone(&shared), number, purpose);
        let connection = Arc::new(NatsConnection { shared, links: Links::default() });
        let (tried, first) = oneshot::channel();
        tokio::spawn(keeper.run(tried));
        let _connected = timeout(FIRST, first).await;
        Ok(connection)
    }

    fn trouble(&self) -> Option<String> {
        self.common.troubles.shown().borrow().clone()
    }
}

/// Text that becomes a subject with one copy.
struct Borrowed<'a>(&'a str);

impl ToSubject for Borrowed<'_> {
    fn to_subject(&self) -> Subject {
        Subject::from(self.0)
    }
}
