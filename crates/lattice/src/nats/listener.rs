//! What the client tells of itself while it is connected: refusals of the server, dropped messages, a server that leaves.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_nats::{Event, ServerError};

use super::sparingly::Sparingly;
use super::subscriptions::Subscriptions;
use super::trouble::Troubles;
use super::violation::Violation;

/// What all connections of one bus have in common.
#[derive(Default)]
pub(super) struct Common {
    pub(super) troubles: Troubles,
    /// Messages that a subscription's queue had no room for.
    pub(super) dropped: AtomicU64,
    drops: Sparingly,
    refusals: Sparingly,
}

/// Hears what one client tells.
pub(super) struct Listener {
    common: Arc<Common>,
    subscriptions: Arc<Subscriptions>,
    /// Which connection this is about.
    connection: u64,
    purpose: Arc<str>,
    /// The server's last words, if it closes the connection.
    last_words: Mutex<Option<String>>,
    /// Another client has taken over; what comes now is late.
    over: AtomicBool,
}

impl Listener {
    pub(super) fn new(
        common: Arc<Common>,
        subscriptions: Arc<Subscriptions>,
        connection: u64,
        purpose: Arc<str>,
    ) -> Self {
        let (last_words, over) = (Mutex::default(), AtomicBool::new(false));
        Self { common, subscriptions, connection, purpose, last_words, over }
    }

    /// Whether the server said why it closes the connection.
    pub(super) fn last_words(&self) -> Option<String> {
        self.last_words.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Hears nothing more.
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    pub(super) fn hear(&self, event: Event) {
        match event {
            Event::SlowConsumer(number) => self.dropped(number),
            // It closes its connections one by one; the next connect tries other servers first.
            Event::LameDuckMode => {
                tracing::info!(purpose = &*self.purpose, "a server of the bus is about to stop");
            }
            Event::ServerError(ServerError::Other(words)) => self.refused(words),
            Event::ServerError(error) => self.refused(error.to_string()),
            Event::Connected
            | Event::Disconnected
            | Event::Draining
            | Event::Closed
            | Event::ClientError(_) => {}
        }
    }

    fn dropped(&self, number: u64) {
        self.common.dropped.fetch_add(1, Ordering::Relaxed);
        self.subscriptions.dropped.fetch_add(1, Ordering::Relaxed);
        if let Some(before) = self.common.drops.say() {
            let pattern = self.subscriptions.pattern(number);
            tracing::warn!(
                pattern = pattern.as_deref().unwrap_or("a former subscription"),
                purpose = &*self.purpose,
                before,
                "a subscription is read too slowly; messages are dropped"
            );
        }
    }

    fn refused(&self, words: String) {
        if self.over.load(Ordering::Relaxed) {
            return;
        }
        match Violation::read(&words) {
            Some(Violation::Subscribe(pattern)) => {
                let what = format!("the bus refuses to let this user listen to {pattern}: {words}");
                self.common.troubles.refused(self.connection, what);
            }
            Some(Violation::Publish(subject) | Violation::Reply(subject)) => {
                if let Some(before) = self.common.refusals.say() {
                    tracing::warn!(%subject, before, "the bus refuses what this user publishes: {words}");
                }
            }
            // Mostly the last words before the server closes the connection.
            None => {
                let what = format!("the bus refuses this user: {words}");
                *self.last_words.lock().unwrap_or_else(PoisonError::into_inner) = Some(what.clone());
                self.common.troubles.down(self.connection, what);
            }
        }
    }
}
