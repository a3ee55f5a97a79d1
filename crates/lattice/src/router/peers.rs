//! The state beside the pure functions: latency, ejection and calls in flight of every host that was called.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
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
    ejections: Arc<Ejections>,
}

#[derive(Debug)]
struct Peer {
    host: HostId,
    in_flight: AtomicU32,
    past: Mutex<(Latency, Ejection)>,
}

/// How often hosts were ejected, by site.
type Ejections = Mutex<BTreeMap<String, u64>>;

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
        Self { ejection, ..Self::default() }
    }

    pub(crate) fn past(&self, host: &HostId, now: Instant) -> Past {
        let peers = self.peers.read().unwrap_or_else(PoisonError::into_inner);
        peers.get(host).map_or_else(Past::default, |peer| {
            let (latency, ejection) = *lock(&peer.past);
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

    /// What to expect of the answers of every host that answered lately.
    #[must_use]
    pub fn latencies(&self, now: Instant) -> Vec<(HostId, Duration)> {
        let peers = self.peers.read().unwrap_or_else(PoisonError::into_inner);
        let known = peers.values().map(|peer| (peer.host.clone(), lock(&peer.past).0.estimate(now)));
        known.filter(|(_, took)| !took.is_zero()).collect()
    }

    /// How often hosts were ejected so far, by site; sites without an ejection are left out.
    #[must_use]
    pub fn ejections(&self) -> BTreeMap<String, u64> {
        lock(&self.ejections).clone()
    }

    /// The hosts that are ejected now.
    #[must_use]
    pub fn ejected(&self, now: Instant) -> Vec<HostId> {
        let peers = self.peers.read().unwrap_or_else(PoisonError::into_inner);
        let out = peers.values().filter(|peer| lock(&peer.past).1.is_ejected(now));
        out.map(|peer| peer.host.clone()).collect()
    }

    /// Counts a call in flight until the guard is dropped.
    #[must_use]
    pub fn begin(&self, host: &HostId) -> InFlight {
        let peer = self.peer(host);
        peer.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight { peer, ejection: self.ejection, ejections: Arc::clone(&self.ejections) }
    }

    fn peer(&self, host: &HostId) -> Arc<Peer> {
        if let Some(peer) = self.peers.read().unwrap_or_else(PoisonError::into_inner).get(host) {
            return Arc::clone(peer);
        }
        let mut peers = self.peers.write().unwrap_or_else(PoisonError::into_inner);
        if peers.len() >= MOST {
            peers.retain(|_, peer| peer.in_flight.load(Ordering::Relaxed) > 0);
        }
        let fresh =
            || Arc::new(Peer { host: host.clone(), in_flight: AtomicU32::new(0), past: Mutex::default() });
        Arc::clone(peers.entry(host.clone()).or_insert_with(fresh))
    }
}

/// A call that a host has not answered yet.
#[derive(Debug)]
pub struct InFlight {
    peer: Arc<Peer>,
    ejection: EjectionSettings,
    ejections: Arc<Ejections>,
}

impl InFlight {
    /// Learns from how it ended. Only executed calls measure latency: a refusal is quick and says nothing.
    pub fn ended(&self, outcome: Outcome, took: Duration, now: Instant) {
        let host = &self.peer.host;
        let mut past = lock(&self.peer.past);
        if outcome.is_fault_of_host() {
            let ejected = past.1.failed(now, &self.ejection);
            drop(past);
            if ejected {
                *lock(&self.ejections).entry(host.site.clone()).or_default() += 1;
                tracing::info!(%host, ?outcome, "ejected: it is tried last until it answers, or for a while");
            }
            return;
        }
        let was_ejected = past.1.answered();
        if matches!(outcome, Outcome::Answer | Outcome::Failed) {
            past.0.record(took, now);
        }
        drop(past);
        if was_ejected {
            tracing::info!(%host, "it answers again after an ejection");
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.peer.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
        assert_eq!(peers.latencies(now), [(host.clone(), Duration::from_millis(7))]);
        for _ in 0..3 {
            call.ended(Outcome::Silence, Duration::from_secs(1), now);
        }
        assert!(peers.past(&host, now).ejected);
        assert_eq!(peers.ejected(now), std::slice::from_ref(&host));
        assert_eq!(peers.ejections(), [("gcp".to_owned(), 1)].into());
        let later = now + Duration::from_secs(3);
        assert!(peers.ejected(later).is_empty());
        call.ended(Outcome::Answer, Duration::from_millis(7), later);
        assert_eq!(peers.ejections(), [("gcp".to_owned(), 1)].into(), "counts only grow");
        drop(call);
        assert_eq!(peers.past(&host, now).in_flight, 0);
    }
}
