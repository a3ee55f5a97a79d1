//! All hosts as this one sees them: for the router, for `dunlin status`, and (as [`HostView`]s) for placement.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use dunlin_lattice::presence::{PeerClock, Seen, Table};
use dunlin_manifest::HostId;
use dunlin_placement::{HostView, SlotView};
use tokio::time::Instant;

use crate::state::HostState;

/// A picture of the lattice, this host included. Swapped as a whole.
#[derive(Debug, Clone)]
pub struct LatticeView {
    /// The host whose picture it is.
    pub me: HostId,
    /// Whether it hears too badly to judge others.
    pub deaf: bool,
    /// All hosts that it knows.
    pub hosts: BTreeMap<HostId, HostEntry>,
}

/// One host in the picture.
#[derive(Debug, Clone)]
pub struct HostEntry {
    /// Which start of the host this is.
    pub incarnation: u64,
    /// When this incarnation was first heard.
    pub first_seen: Instant,
    /// When it was last heard; unseen for 3 s comes last in routing. For this host itself: now.
    pub last_beat: Instant,
    /// It said that it stops.
    pub goodbye: bool,
    /// What it says of itself; `None` until it came, or if it is of a newer version.
    pub state: Option<Arc<HostState>>,
    /// Its clock, for deadlines.
    pub clock: PeerClock,
}

/// States read, kept until they change.
#[derive(Debug, Default)]
pub(crate) struct States {
    read: HashMap<HostId, Read>,
}

#[derive(Debug, Clone)]
struct Read {
    incarnation: u64,
    number: u64,
    state: Option<Arc<HostState>>,
    slots: Arc<BTreeMap<String, SlotView>>,
}

impl States {
    /// All others as placement wants them.
    pub(crate) fn views(&mut self, table: &Table, now: Instant) -> Vec<HostView> {
        self.read.retain(|host, _| table.get(host).is_some());
        table.iter().map(|(host, seen)| view(host, seen, &self.of(host, seen), now)).collect()
    }

    /// What a host said of itself, as it was read last.
    pub(crate) fn state(&self, host: &HostId) -> Option<&HostState> {
        self.read.get(host)?.state.as_deref()
    }

    /// All others as readers want them.
    pub(crate) fn entries(&mut self, table: &Table) -> BTreeMap<HostId, HostEntry> {
        let entry = |(host, seen): (&HostId, &Seen)| {
            let entry = HostEntry {
                incarnation: seen.incarnation,
                first_seen: seen.first_seen,
                last_beat: seen.last_beat,
                goodbye: seen.goodbye,
                state: self.of(host, seen).state,
                clock: seen.clock,
            };
            (host.clone(), entry)
        };
        table.iter().map(entry).collect()
    }

    fn of(&mut self, host: &HostId, seen: &Seen) -> Read {
        let number = seen.state.as_ref().map_or(0, |state| state.number);
        if let Some(read) = self.read.get(host)
            && (read.incarnation, read.number) == (seen.incarnation, number)
        {
            return read.clone();
        }
        let state = seen.state.as_ref().and_then(|state| HostState::from_bytes(&state.body)).map(Arc::new);
        let slots = Arc::new(state.as_ref().map(|state| state.slot_views()).unwrap_or_default());
        let read = Read { incarnation: seen.incarnation, number, state, slots };
        self.read.insert(host.clone(), read.clone());
        read
    }
}

fn view(host: &HostId, seen: &Seen, read: &Read, now: Instant) -> HostView {
    let state = read.state.as_deref();
    HostView {
        id: host.clone(),
        incarnation: seen.incarnation,
        unseen_for: seen.age(now),
        known_for: now.saturating_duration_since(seen.first_seen),
        said_goodbye: seen.goodbye,
        draining: state.is_some_and(|state| state.draining),
        // One of which nothing is known yet is no candidate, but may become one.
        confirmed: state.is_some_and(|state| state.confirmed),
        digest: state.and_then(|state| state.digest.clone()),
        labels: state.map(|state| Arc::clone(&state.labels)).unwrap_or_default(),
        memory_capacity: state.map_or(u64::MAX, |state| state.memory_capacity),
        weight: state.map_or(0, |state| state.weight),
        slots: Arc::clone(&read.slots),
        overdue: BTreeSet::new(),
    }
}
