//! The task behind a connection: connects, waits until that is lost, and connects again, for ever.

use std::sync::Arc;

use async_nats::Client;
use rand::seq::SliceRandom;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::PATIENCE;
use super::backoff::Backoff;
use super::connection::Shared;
use super::dial::dial;
use super::listener::{Common, Listener};
use super::settings::Target;

/// Keeps one connection.
pub(super) struct Keeper {
    target: Arc<Target>,
    common: Arc<Common>,
    shared: Arc<Shared>,
    /// Tells it from the other connections of the bus.
    number: u64,
    purpose: Arc<str>,
    /// The present session, or the last one.
    session: Option<Session>,
}

/// One making of the connection.
struct Session {
    client: Client,
    listener: Arc<Listener>,
    /// Which of the servers.
    server: usize,
}

impl Keeper {
    pub(super) fn new(
        target: Arc<Target>,
        common: Arc<Common>,
        shared: Arc<Shared>,
        number: u64,
        purpose: &str,
    ) -> Self {
        Self { target, common, shared, number, purpose: purpose.into(), session: None }
    }

    /// Until the connection is closed. `tried` is told once a server has answered, or none of them has.
    pub(super) async fn run(mut self, tried: oneshot::Sender<()>) {
        let closed = self.shared.closed.clone();
        closed.run_until_cancelled(self.keep(tried)).await;
        self.shared.abandon();
        if let Some(session) = self.session {
            session.listener.end();
            // Writes what was published before, then ends the client and its subscriptions.
            let _ended = timeout(PATIENCE, session.client.drain()).await;
        }
        self.shared.subscriptions.end().await;
        self.common.troubles.forget(self.number);
    }

    async fn keep(&mut self, tried: oneshot::Sender<()>) {
        let (mut backoff, mut tried) = (Backoff::default(), Some(tried));
        loop {
            let connected = self.connect().await;
            if let Some(tried) = tried.take() {
                // Whoever opened the connection may wait no longer.
                let _waited = tried.send(());
            }
            match connected {
                Ok(gone) => {
                    let since = Instant::now();
                    gone.cancelled().await;
                    self.lost();
                    backoff.stood(since.elapsed());
                }
                Err(reason) => self.common.troubles.down(self.number, reason),
            }
            sleep(backoff.next()).await;
        }
    }

    /// Tries each server once, in an order of chance, the one that was lost just now last.
    async fn connect(&mut self) -> Result<CancellationToken, String> {
        let lost = self.session.take().map(|session| {
            session.listener.end();
            session.server
        });
        let mut order: Vec<usize> = (0..self.target.servers.len()).collect();
        order.shuffle(&mut rand::rng());
        order.sort_by_key(|server| Some(*server) == lost);
        let mut reasons = Vec::with_capacity(order.len());
        for server in order {
            match self.connect_to(server).await {
                Ok(gone) => return Ok(gone),
                Err(reason) => reasons.push((server, reason)),
            }
        }
        // In the order of the settings, so that the words do not change from time to time.
        reasons.sort();
        let reasons: Vec<String> = reasons.into_iter().map(|(_, reason)| reason).collect();
        Err(reasons.join("; "))
    }

    async fn connect_to(&mut self, number: usize) -> Result<CancellationToken, String> {
        let Some(server) = self.target.servers.get(number) else { return Err("no such server".to_owned()) };
        let (common, subscriptions) = (Arc::clone(&self.common), Arc::clone(&self.shared.subscriptions));
        let listener = Arc::new(Listener::new(common, subscriptions, self.number, Arc::clone(&self.purpose)));
        let hears = Arc::clone(&listener);
        let name = format!("{} {}", self.target.name, self.purpose);
        let (client, gone) = dial(&self.target, server, name.trim(), move |event| hears.hear(event)).await?;
        // Before the subscriptions are made, because a refusal of one may come at once.
        self.common.troubles.forget(self.number);
        self.shared.adopt(&client).await.map_err(|_| format!("{}: lost at once", server.shown))?;
        tracing::debug!(server = &*server.shown, purpose = &*self.purpose, "connected to the bus");
        self.session = Some(Session { client, listener, server: number });
        Ok(gone)
    }

    fn lost(&self) {
        self.shared.abandon();
        let said = self.session.as_ref().and_then(|session| session.listener.last_words());
        let reason = said.unwrap_or_else(|| "the connection was lost".to_owned());
        self.common.troubles.down(self.number, reason);
    }
}
