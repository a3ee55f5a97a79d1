//! One connection: what its user holds, and the state that it shares with the task that keeps it connected.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arc_swap::ArcSwapOption;
use async_nats::{Client, PublishError, PublishErrorKind};
use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::link::Links;
use super::subscriptions::Subscriptions;
use super::{Borrowed, PATIENCE};
use crate::spelling::{check_head, check_pattern};
use crate::{BusError, Connection, ConnectionState, Subscription};

/// What servers accept by default; assumed until one says something else.
const MAX_PAYLOAD: usize = 1024 * 1024;

/// Shared with the task behind the connection.
pub(super) struct Shared {
    /// The client that is connected now.
    pub(super) client: ArcSwapOption<Client>,
    pub(super) subscriptions: Arc<Subscriptions>,
    pub(super) state: watch::Sender<ConnectionState>,
    max_payload: AtomicUsize,
    /// Cancelled when nobody holds the connection any more.
    pub(super) closed: CancellationToken,
}

impl Shared {
    pub(super) fn new() -> Self {
        Self {
            client: ArcSwapOption::empty(),
            subscriptions: Arc::default(),
            state: watch::Sender::new(ConnectionState { connected: false, generation: 0 }),
            max_payload: AtomicUsize::new(MAX_PAYLOAD),
            closed: CancellationToken::new(),
        }
    }

    /// From now on messages go to this client. Its subscriptions are in force before anybody learns of it.
    pub(super) async fn adopt(&self, client: &Client) -> Result<(), BusError> {
        self.subscriptions.move_to(client.clone()).await?;
        self.max_payload.store(client.max_payload(), Ordering::Relaxed);
        self.client.store(Some(Arc::new(client.clone())));
        self.state.send_modify(|state| {
            *state = ConnectionState { connected: true, generation: state.generation + 1 };
        });
        Ok(())
    }

    /// There is no client now.
    pub(super) fn abandon(&self) {
        self.client.store(None);
        self.state.send_if_modified(|state| std::mem::take(&mut state.connected));
    }
}

/// The connection as its user holds it; dropping it closes it.
pub(super) struct NatsConnection {
    pub(super) shared: Arc<Shared>,
    pub(super) links: Links,
}

#[async_trait]
impl Connection for NatsConnection {
    async fn publish(&self, subject: &str, reply: Option<&str>, payload: Bytes) -> Result<(), BusError> {
        let Some(client) = self.shared.client.load_full() else { return Err(BusError::Disconnected) };
        let (size, limit) = (payload.len(), self.max_payload());
        if size > limit {
            return Err(BusError::TooLarge { size, limit });
        }
        check_head(subject, reply)?;
        let sending = async {
            match reply {
                Some(reply) => client.publish_with_reply(Borrowed(subject), Borrowed(reply), payload).await,
                None => client.publish(Borrowed(subject), payload).await,
            }
        };
        // Waits only while the client's queue is full; a message that finds no room in time was not sent.
        match timeout(PATIENCE, sending).await {
            Ok(result) => result.map_err(|error| unsent(&error, size, limit)),
            Err(_) => Err(BusError::Disconnected),
        }
    }

    async fn subscribe(&self, pattern: &str) -> Result<Subscription, BusError> {
        check_pattern(pattern)?;
        if self.shared.client.load().is_none() {
            return Err(BusError::Disconnected);
        }
        self.shared.subscriptions.add(pattern).await.map(Subscription::relay)
    }

    fn max_payload(&self) -> usize {
        self.shared.max_payload.load(Ordering::Relaxed)
    }

    fn state(&self) -> watch::Receiver<ConnectionState> {
        self.shared.state.subscribe()
    }

    fn dropped(&self) -> u64 {
        self.shared.subscriptions.dropped.load(Ordering::Relaxed)
    }

    async fn linked(&self, reply: &str) -> Option<bool> {
        self.links.ask(self, reply).await
    }
}

impl Drop for NatsConnection {
    fn drop(&mut self) {
        self.shared.abandon();
        self.shared.closed.cancel();
    }
}

fn unsent(error: &PublishError, size: usize, limit: usize) -> BusError {
    match error.kind() {
        PublishErrorKind::MaxPayloadExceeded => BusError::TooLarge { size, limit },
        PublishErrorKind::InvalidSubject | PublishErrorKind::Send => BusError::Disconnected,
    }
}
