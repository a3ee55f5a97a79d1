//! What all connections of one network share: the hosts, who listens, and the way of a message to its listeners.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use arc_swap::ArcSwap;
use bytes::Bytes;
use dunlin_manifest::HostId;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};

use super::flight::Flights;
use super::interest::Interest;
use crate::bus::{ConnectionState, Message};

/// The network itself.
#[derive(Debug)]
pub(super) struct Shared {
    interest: ArcSwap<Interest>,
    /// Held while a new tree of interest is made from the old one.
    changing: Mutex<()>,
    hosts: Mutex<BTreeMap<HostId, Arc<Life>>>,
    connections: AtomicU64,
    dropped: AtomicU64,
    /// Set with the first fault and never taken back: queued messages must not be overtaken.
    faulty: AtomicBool,
    pub(super) flights: Flights,
}

/// A host from its start until it is killed.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) host: HostId,
    condition: Mutex<Condition>,
}

#[derive(Debug, Default)]
struct Condition {
    dead: bool,
    disconnected: bool,
    connections: Vec<Weak<Core>>,
}

/// What there is to know of one connection.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) id: u64,
    pub(super) life: Arc<Life>,
    /// The generation, doubled, plus one while connected: the part of `state` that every message looks at.
    standing: AtomicU64,
    pub(super) state: watch::Sender<ConnectionState>,
    patterns: Mutex<Vec<Arc<str>>>,
    /// Messages for its subscriptions that found a full queue.
    pub(super) dropped: AtomicU64,
}

/// One subscription as publishers see it.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) pattern: Arc<str>,
    pub(super) core: Arc<Core>,
    queue: mpsc::Sender<Message>,
    dropped: AtomicU64,
}

/// Locks, also after a panic elsewhere: every change made under these locks is a single step.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Core {
    /// The generation while connected.
    pub(super) fn connected(&self) -> Option<u64> {
        let standing = self.standing.load(Ordering::Acquire);
        (standing & 1 == 1).then_some(standing >> 1)
    }

    fn stand(&self, connected: bool, generation: u64) {
        self.standing.store(generation << 1 | u64::from(connected), Ordering::Release);
        self.state.send_replace(ConnectionState { connected, generation });
    }
}

impl Shared {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            interest: ArcSwap::default(),
            changing: Mutex::default(),
            hosts: Mutex::default(),
            connections: AtomicU64::new(1),
            dropped: AtomicU64::new(0),
            faulty: AtomicBool::new(false),
            flights: Flights::new(seed),
        }
    }

    /// The life that a host leads now.
    pub(super) fn life(&self, host: &HostId) -> Arc<Life> {
        let fresh = || Arc::new(Life { host: host.clone(), condition: Mutex::default() });
        Arc::clone(lock(&self.hosts).entry(host.clone()).or_insert_with(fresh))
    }

    /// Opens a connection; `None` if the host is dead or disconnected.
    pub(super) fn connect(&self, life: &Arc<Life>) -> Option<Arc<Core>> {
        let mut condition = lock(&life.condition);
        if condition.dead || condition.disconnected {
            return None;
        }
        let core = Arc::new(Core {
            id: self.connections.fetch_add(1, Ordering::Relaxed),
            life: Arc::clone(life),
            standing: AtomicU64::new(1 << 1 | 1),
            state: watch::Sender::new(ConnectionState { connected: true, generation: 1 }),
            patterns: Mutex::default(),
            dropped: AtomicU64::new(0),
        });
        condition.connections.retain(|connection| connection.strong_count() > 0);
        condition.connections.push(Arc::downgrade(&core));
        Some(core)
    }

    /// Adds a subscription, and clears away those of this connection that nobody reads any more. False, and
    /// nothing is added, if the connection does not stand (looked at under the lock that `close` takes as well).
    pub(super) fn listen(&self, core: &Arc<Core>, pattern: &str, queue: mpsc::Sender<Message>) -> bool {
        let pattern: Arc<str> = pattern.into();
        let mut patterns = lock(&core.patterns);
        if core.connected().is_none() {
            return false;
        }
        let listener = Arc::new(Listener {
            pattern: Arc::clone(&pattern),
            core: Arc::clone(core),
            queue,
            dropped: AtomicU64::new(0),
        });
        self.change(|interest| {
            for pattern in patterns.iter() {
                interest.remove(pattern, &|other| other.core.id == core.id && other.queue.is_closed());
            }
            interest.add(&listener);
        });
        if !patterns.contains(&pattern) {
            patterns.push(pattern);
        }
        true
    }

    /// Ends a connection: its subscriptions end, and whatever is under way to it is lost.
    pub(super) fn close(&self, core: &Core) {
        let generation = core.state.borrow().generation;
        core.stand(false, generation);
        let patterns = std::mem::take(&mut *lock(&core.patterns));
        self.change(|interest| {
            for pattern in &patterns {
                interest.remove(pattern, &|listener| listener.core.id == core.id);
            }
        });
    }

    /// Ends a host's life, all its connections with it.
    pub(super) fn kill(&self, host: &HostId) {
        let Some(life) = lock(&self.hosts).remove(host) else { return };
        let connections = {
            let mut condition = lock(&life.condition);
            condition.dead = true;
            std::mem::take(&mut condition.connections)
        };
        connections.iter().filter_map(Weak::upgrade).for_each(|core| self.close(&core));
    }

    /// Takes a host off the bus, or puts it back; its subscriptions outlive that, as a NATS client's do.
    pub(super) fn set_connected(&self, host: &HostId, connected: bool) {
        let life = self.life(host);
        let mut condition = lock(&life.condition);
        if condition.disconnected != connected {
            return;
        }
        condition.disconnected = !connected;
        for core in condition.connections.iter().filter_map(Weak::upgrade) {
            let generation = core.state.borrow().generation;
            core.stand(connected, generation + u64::from(connected));
        }
    }

    /// The hosts that live.
    pub(super) fn living(&self) -> Vec<HostId> {
        lock(&self.hosts).keys().cloned().collect()
    }

    /// From now on messages pass through the model of the network.
    pub(super) fn make_faulty(&self) {
        self.faulty.store(true, Ordering::Release);
    }

    /// Brings a message to all who listen, or tells its sender that nobody does.
    pub(super) fn publish(
        self: &Arc<Self>,
        from: &Arc<Core>,
        subject: &str,
        reply: Option<&str>,
        payload: Bytes,
    ) {
        let message =
            Message { subject: subject.into(), reply: reply.map(Into::into), payload, no_responders: false };
        if self.route(from, &message, |_| true) == 0
            && let Some(reply) = message.reply
        {
            let answer = Message { subject: reply, reply: None, payload: Bytes::new(), no_responders: true };
            self.route(from, &answer, |listener| listener.core.id == from.id);
        }
    }

    /// Hands a message to the listeners of its subject that are `meant`, and says how many there are.
    fn route(
        self: &Arc<Self>,
        from: &Arc<Core>,
        message: &Message,
        meant: impl Fn(&Listener) -> bool,
    ) -> usize {
        let faulty = self.faulty.load(Ordering::Acquire);
        let mut listening = 0;
        let mut abandoned = false;
        self.interest.load().visit(&message.subject, &mut |listener| {
            let Some(generation) = listener.core.connected() else { return };
            if listener.queue.is_closed() {
                abandoned = true;
            } else if meant(listener) {
                listening += 1;
                if faulty {
                    self.flights.depart(self, from, listener, generation, message);
                } else {
                    self.arrive(listener, message.clone());
                }
            }
        });
        if abandoned {
            self.sweep(&message.subject);
        }
        listening
    }

    /// Puts a message into a subscription's queue.
    pub(super) fn arrive(&self, listener: &Listener, message: Message) {
        if let Err(TrySendError::Full(_)) = listener.queue.try_send(message) {
            self.count_dropped();
            listener.core.dropped.fetch_add(1, Ordering::Relaxed);
            if listener.dropped.fetch_add(1, Ordering::Relaxed) == 0 {
                let (host, pattern) = (&listener.core.life.host, &listener.pattern);
                tracing::warn!(%host, %pattern, "a slow consumer: its queue is full and messages are dropped");
            }
        }
    }

    pub(super) fn count_dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub(super) fn subscriptions(&self) -> usize {
        self.interest.load().count()
    }

    /// Removes the subscriptions on a subject that nobody reads any more.
    fn sweep(&self, subject: &str) {
        self.change(|interest| {
            let mut patterns = Vec::new();
            interest.visit(subject, &mut |listener| {
                if listener.queue.is_closed() {
                    patterns.push(Arc::clone(&listener.pattern));
                }
            });
            for pattern in patterns {
                interest.remove(&pattern, &|listener| listener.queue.is_closed());
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut Interest)) {
        let _changing = lock(&self.changing);
        let mut interest = Interest::clone(&self.interest.load());
        change(&mut interest);
        self.interest.store(Arc::new(interest));
    }
}
