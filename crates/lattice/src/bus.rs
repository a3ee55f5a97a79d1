//! What the lattice asks of a message bus: subjects with wildcards, at most once, in order per connection.
//!
//! NATS core ([`crate::nats`]) has exactly these semantics, and the in-process network ([`crate::memory`]) copies
//! them, so that everything above runs unchanged on either.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use crate::nats::Relay;

/// One connection to a bus. Messages published on one connection arrive in order at each subscriber;
/// nothing is promised between connections. Cheap to clone behind an [`Arc`]; dropping the last clone closes it
/// and ends its subscriptions.
#[async_trait]
pub trait Connection: Send + Sync + 'static {
    /// Hands a message to the bus; returning says nothing about delivery. With `reply` set and nobody
    /// subscribed to `subject`, a message marked [`Message::no_responders`] comes back on `reply`, to this connection only.
    ///
    /// # Errors
    /// [`BusError::Disconnected`] at once (never queued), [`BusError::TooLarge`] beyond [`Connection::max_payload`].
    async fn publish(&self, subject: &str, reply: Option<&str>, payload: Bytes) -> Result<(), BusError>;

    /// Listens to `pattern`: dot-separated tokens, `*` for one token, `>` for one or more at the end.
    ///
    /// # Errors
    /// [`BusError::Disconnected`], or [`BusError::Refused`] where the user has no permission.
    async fn subscribe(&self, pattern: &str) -> Result<Subscription, BusError>;

    /// The largest payload in bytes that one message may carry.
    fn max_payload(&self) -> usize;

    /// Whether the connection stands, and how often it was made. A new `generation` means that messages may have been lost.
    fn state(&self) -> watch::Receiver<ConnectionState>;

    /// Messages that arrived for subscriptions of this connection and were dropped because too many waited there.
    fn dropped(&self) -> u64 {
        0
    }

    /// Whether whatever carries this connection's messages reaches beyond its own site; `None` if that cannot be told.
    /// `reply` is a subject that this user may listen to and nobody else answers on. Takes half a second at most.
    async fn linked(&self, _reply: &str) -> Option<bool> {
        None
    }
}

/// Makes connections of one user to one bus. A host holds several: one for presence and promises, others for calls.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Opens another connection; `purpose` names it where connections are listed.
    ///
    /// # Errors
    /// [`BusError::Disconnected`] or [`BusError::Refused`].
    async fn connect(&self, purpose: &str) -> Result<Arc<dyn Connection>, BusError>;

    /// What is wrong with the bus now, in words for whoever runs this host; `None` while all is well.
    fn trouble(&self) -> Option<String> {
        None
    }
}

/// A message as it arrived.
#[derive(Debug, Clone)]
pub struct Message {
    /// The subject it was published to.
    pub subject: Arc<str>,
    /// Where an answer is expected.
    pub reply: Option<Arc<str>>,
    /// What it carries.
    pub payload: Bytes,
    /// Set on the answer of the bus itself: nobody listens, so the message was not delivered.
    pub no_responders: bool,
}

/// What a connection knows of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionState {
    /// Whether messages can be published now.
    pub connected: bool,
    /// Counts connects, from 1.
    pub generation: u64,
}

/// Messages of one subscription, at most the queue's length waiting; the bus drops what does not fit and counts it.
#[derive(Debug)]
pub struct Subscription {
    messages: Messages,
}

#[derive(Debug)]
enum Messages {
    Queue(mpsc::Receiver<Message>),
    Relay(Relay),
}

impl Subscription {
    /// How many messages may wait in one subscription before further ones are dropped.
    pub const QUEUE: usize = 4096;

    /// Wraps the receiving end that a bus implementation feeds.
    #[must_use]
    pub fn new(messages: mpsc::Receiver<Message>) -> Self {
        Self { messages: Messages::Queue(messages) }
    }

    /// One that takes its messages straight from the client's own queue.
    pub(crate) fn relay(relay: Relay) -> Self {
        Self { messages: Messages::Relay(relay) }
    }

    /// The next message; `None` once the connection is closed. Nothing is lost when the wait is given up.
    pub async fn next(&mut self) -> Option<Message> {
        match &mut self.messages {
            Messages::Queue(messages) => messages.recv().await,
            Messages::Relay(messages) => messages.next().await,
        }
    }
}

/// Why the bus did not take a message or a subscription.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum BusError {
    /// There is no connection now; nothing was sent and nothing is queued.
    #[error("not connected to the bus; nothing was sent")]
    Disconnected,
    /// The payload is larger than the bus carries in one message.
    #[error("a message of {size} bytes is more than the {limit} bytes that the bus carries")]
    TooLarge {
        /// Bytes that should have been sent.
        size: usize,
        /// Bytes that fit.
        limit: usize,
    },
    /// The bus denies this user the subject.
    #[error("the bus refuses the subject {subject}: {reason}")]
    Refused {
        /// The subject or pattern.
        subject: String,
        /// In the words of the bus.
        reason: String,
    },
}
