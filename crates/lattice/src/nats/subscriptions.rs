//! The subscriptions of one connection, which outlive the client that carries them: each new one takes them over.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use async_nats::{Client, StatusCode, Subscriber};
use futures::StreamExt;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::{Borrowed, PATIENCE};
use crate::{BusError, Message};

/// What a connection listens to, and with which client now.
#[derive(Default)]
pub(super) struct Subscriptions {
    turn: tokio::sync::Mutex<Turn>,
    entries: Mutex<Vec<Entry>>,
    /// Messages that found a full queue.
    pub(super) dropped: AtomicU64,
}

#[derive(Default)]
struct Turn {
    client: Option<Client>,
    /// The client numbers its subscriptions in the order they are made, and names them to us by that number only.
    number: u64,
}

struct Entry {
    number: u64,
    pattern: Arc<str>,
    handover: Weak<Handover>,
}

impl Subscriptions {
    /// Listens to another pattern.
    pub(super) async fn add(&self, pattern: &str) -> Result<Relay, BusError> {
        let mut turn = self.turn.lock().await;
        let subscriber = turn.subscribe(pattern).await?;
        let handover = Arc::new(Handover::default());
        let entry =
            Entry { number: turn.number, pattern: pattern.into(), handover: Arc::downgrade(&handover) };
        let mut entries = self.entries();
        entries.retain(Entry::is_wanted);
        entries.push(entry);
        Ok(Relay { current: Some(subscriber), handover })
    }

    /// Makes all subscriptions anew with a new client; from then on it makes the further ones too.
    pub(super) async fn move_to(&self, client: Client) -> Result<(), BusError> {
        let mut turn = self.turn.lock().await;
        *turn = Turn { client: Some(client), number: 0 };
        let before = std::mem::take(&mut *self.entries());
        let mut failed = None;
        for Entry { pattern, handover, .. } in before {
            let Some(wanted) = handover.upgrade() else { continue };
            if failed.is_none() {
                match turn.subscribe(&pattern).await {
                    Ok(subscriber) => wanted.give(Given::Next(subscriber)),
                    Err(error) => failed = Some(error),
                }
            }
            self.entries().push(Entry { number: turn.number, pattern, handover });
        }
        failed.map_or(Ok(()), Err)
    }

    /// Ends all of them, once what has arrived is read.
    pub(super) async fn end(&self) {
        self.turn.lock().await.client = None;
        for entry in std::mem::take(&mut *self.entries()) {
            if let Some(wanted) = entry.handover.upgrade() {
                wanted.give(Given::End);
            }
        }
    }

    /// The pattern of the subscription that the client calls by this number.
    pub(super) fn pattern(&self, number: u64) -> Option<Arc<str>> {
        self.entries().iter().find(|entry| entry.number == number).map(|entry| Arc::clone(&entry.pattern))
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    async fn subscribe(&mut self, pattern: &str) -> Result<Subscriber, BusError> {
        let client = self.client.as_ref().ok_or(BusError::Disconnected)?;
        // Counted even when it is given up in the middle, because the client does the same.
        self.number += 1;
        match timeout(PATIENCE, client.subscribe(Borrowed(pattern))).await {
            Ok(Ok(subscriber)) => Ok(subscriber),
            Ok(Err(_)) | Err(_) => Err(BusError::Disconnected),
        }
    }
}

impl Entry {
    fn is_wanted(&self) -> bool {
        self.handover.strong_count() > 0
    }
}

/// Where a subscription finds its next client's messages.
#[derive(Debug, Default)]
struct Handover {
    given: Mutex<Given>,
    changed: Notify,
}

#[derive(Debug, Default)]
enum Given {
    #[default]
    Nothing,
    Next(Subscriber),
    End,
}

impl Handover {
    /// Replaces what was not taken yet: of clients that came and went meanwhile nothing is left to be read.
    fn give(&self, given: Given) {
        *self.given.lock().unwrap_or_else(PoisonError::into_inner) = given;
        self.changed.notify_one();
    }

    async fn take(&self) -> Option<Subscriber> {
        loop {
            {
                let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
                match std::mem::take(&mut *given) {
                    Given::Nothing => {}
                    Given::Next(subscriber) => return Some(subscriber),
                    Given::End => {
                        *given = Given::End;
                        return None;
                    }
                }
            }
            self.changed.notified().await;
        }
    }
}

/// The reading end of a subscription: takes messages straight from the client's queue, and goes on with the next
/// client when one is gone.
#[derive(Debug)]
pub(crate) struct Relay {
    current: Option<Subscriber>,
    handover: Arc<Handover>,
}

impl Relay {
    /// The next message; `None` once the connection is closed for good.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some(subscriber) = &mut self.current {
                if let Some(message) = subscriber.next().await {
                    return Some(read(&message));
                }
                self.current = None;
            }
            self.current = Some(self.handover.take().await?);
        }
    }
}

fn read(message: &async_nats::Message) -> Message {
    Message {
        subject: message.subject.as_str().into(),
        reply: message.reply.as_ref().map(|reply| reply.as_str().into()),
        payload: message.payload.clone(),
        no_responders: message.status == Some(StatusCode::NO_RESPONDERS),
    }
}
