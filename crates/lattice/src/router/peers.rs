//! The state beside the pure functions: latency, ejection and calls in flight of every host that was called.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use dunlin_manifest::HostId;
use tokio::time::Instant;

use super::{Ejection, EjectionSettings, Latency, Outcome};

/// Hosts beyond this many are forgotten, idle ones first; a lattice has far fewer.
const MOST: usize = 4096;

/// What this process has learned about the hosts it calls. Locks are held for a few instructions, never across a wait.
#[derive(Debug, Default)]
pub struct Peers {
    ejection: EjectionSettings,
    peers: RwLock<HashMap<HostId, Arc<Peer>>>,
}

#[derive(Debug, Default)]
struct Peer {
    in_flight: AtomicU32,
    past: Mutex<(Latency, Ejection)>,
}

/// What is known of one host at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Past {
    pub(crate) latency: Duration,
    pub(crate) ejected: bool,
    pub(crate) in_flight: u32,
}

impl Peers {
    /// Knows nothing yet.
    #[must_use]
    pub fn new(ejection: EjectionSettings) -> Self {
        Self { ejection, peers: RwLock::default() }
    }

    pub(crate) fn past(&self, host: &HostId, now: Instant) -> Past {
        let peers = self.peers.read().unwrap_or_else(PoisonError::into_inner);
        peers.get(host).map_or_else(Past::default, |peer| {
            let (latency, ejection) = *peer.past.lock().unwrap_or_else(PoisonError::into_inner);
            Past {
                latency: latency.estimate(now),
                ejected: ejection.is_ejected(now),
                in_flight: peer.in_flight.load(Ordering::Relaxed),
            }
        })
    }

    /// What to expect of an answer's time; zero if nothing is known.
    #[must_use]
    pub fn latency(&self, host: &HostId, now: Instant) -> Duration {
        self.past(host, now).latency
    }

    /// Counts a call in flight until the guard is dropped.
    #[must_use]
    pub fn begin(&self, host: &HostId) -> InFlight {
        let peer = self.peer(host);
        peer.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight { peer, ejection: self.ejection }
    }

    fn peer(&self, host: &HostId) -> Arc<Peer> {
        if let Some(peer) = self.peers.read().unwrap_or_else(PoisonError::into_inner).get(host) {
            return Arc::clone(peer);
        }
        let mut peers = self.peers.write().unwrap_or_else(PoisonError::into_inner);
        if peers.len() >= MOST {
            peers.retain(|_, peer| peer.in_flight.load(Ordering::Relaxed) > 0);
        }
        Arc::clone(peers.entry(host.clone()).or_default())
    }
}

/// A call that a host has not answered yet.
#[derive(Debug)]
pub struct InFlight {
    peer: Arc<Peer>,
    ejection: EjectionSettings,
}

impl InFlight {
    /// Learns from how it ended. Only executed calls measure latency: a refusal is quick and says nothing.
    pub fn ended(&self, outcome: Outcome, took: Duration, now: Instant) {
        let mut past = self.peer.past.lock().unwrap_or_else(PoisonError::into_inner);
        if outcome.is_fault_of_host() {
            past.1.failed(now, &self.ejection);
        } else {
            past.1.answered();
            if matches!(outcome, Outcome::Answer | Outcome::Failed) {
                past.0.record(took, now);
            }
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.peer.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn learns_from_outcomes() {
        let (peers, host, now) = (Peers::default(), HostId::new("gcp", "gcp-1"), Instant::now());
        let call = peers.begin(&host);
        assert_eq!(peers.past(&host, now).in_flight, 1);
        call.ended(Outcome::Busy, Duration::from_millis(1), now);
        assert_eq!(peers.latency(&host, now), Duration::ZERO, "a refusal measures nothing");
        call.ended(Outcome::Answer, Duration::from_millis(7), now);
        assert_eq!(peers.latency(&host, now), Duration::from_millis(7));
        for _ in 0..3 {
            call.ended(Outcome::Silence, Duration::from_secs(1), now);
        }
        assert!(peers.past(&host, now).ejected);
        drop(call);
        assert_eq!(peers.past(&host, now).in_flight, 0);
    }
}
