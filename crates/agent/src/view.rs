//! All hosts as this one sees them: for the router, for `dunlin status`, and (as [`HostView`]s) for placement.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

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

impl HostEntry {
    /// The host as placement wants it, in the eyes of an onlooker: what hosts hold against each other is their own
    /// stopwatch's.
    #[must_use]
    pub fn view(&self, id: &HostId, now: Instant) -> HostView {
        let state = self.state.as_deref();
        HostView {
            incarnation: self.incarnation,
            unseen_for: now.saturating_duration_since(self.last_beat),
            known_for: now.saturating_duration_since(self.first_seen),
            said_goodbye: self.goodbye,
            slots: Arc::new(state.map(HostState::slot_views).unwrap_or_default()),
            over: Arc::new(state.map(HostState::over).unwrap_or_default()),
            ..said(id, state)
        }
    }
}

/// States read, kept until they change; in the order of the table.
#[derive(Debug, Default)]
pub(crate) struct States {
    read: Vec<(HostId, Read)>,
}

#[derive(Debug, Clone)]
struct Read {
    incarnation: u64,
    number: u64,
    state: Option<Arc<HostState>>,
    slots: Arc<BTreeMap<String, SlotView>>,
    over: Arc<BTreeSet<(String, String)>>,
}

impl States {
    /// All others as placement wants them.
    pub(crate) fn views(&mut self, table: &Table, now: Instant) -> Vec<HostView> {
        self.refresh(table);
        table.iter().zip(&self.read).map(|((host, seen), (_, read))| view(host, seen, read, now)).collect()
    }

    /// What a host said of itself, as it was read last.
    pub(crate) fn state(&self, host: &HostId) -> Option<&HostState> {
        let found = self.read.binary_search_by(|(known, _)| known.cmp(host)).ok()?;
        self.read.get(found)?.1.state.as_deref()
    }

    /// All others as readers want them.
    pub(crate) fn entries(&mut self, table: &Table) -> BTreeMap<HostId, HostEntry> {
        self.refresh(table);
        let entry = |((host, seen), (_, read)): ((&HostId, &Seen), &(HostId, Read))| {
            let entry = HostEntry {
                incarnation: seen.incarnation,
                first_seen: seen.first_seen,
                last_beat: seen.last_beat,
                goodbye: seen.goodbye,
                state: read.state.clone(),
                clock: seen.clock,
            };
            (host.clone(), entry)
        };
        table.iter().zip(&self.read).map(entry).collect()
    }

    /// Reads what is new, so that what was read stands beside what the table shows: both are in order, so that one
    /// walk does, however many hosts there are.
    fn refresh(&mut self, table: &Table) {
        let current = self.read.len() == table.len()
            && table.iter().zip(&self.read).all(|((host, seen), (known, read))| {
                *host == *known && (seen.incarnation, number(seen)) == (read.incarnation, read.number)
            });
        if current {
            return;
        }
        let mut known = std::mem::take(&mut self.read).into_iter().peekable();
        for (host, seen) in table.iter() {
            while known.next_if(|(before, _)| before < host).is_some() {}
            let same = |(before, read): &(HostId, Read)| {
                before == host && (read.incarnation, read.number) == (seen.incarnation, number(seen))
            };
            let read = known.next_if(same).unwrap_or_else(|| (host.clone(), Read::of(seen)));
            self.read.push(read);
        }
    }
}

/// The number of the state that is held of a host.
fn number(seen: &Seen) -> u64 {
    seen.state.as_ref().map_or(0, |state| state.number)
}

impl Read {
    fn of(seen: &Seen) -> Self {
        let state = seen.state.as_ref().and_then(|state| HostState::from_bytes(&state.body)).map(Arc::new);
        let slots = Arc::new(state.as_ref().map(|state| state.slot_views()).unwrap_or_default());
        let over = Arc::new(state.as_ref().map(|state| state.over()).unwrap_or_default());
        Self { incarnation: seen.incarnation, number: number(seen), state, slots, over }
    }
}

fn view(host: &HostId, seen: &Seen, read: &Read, now: Instant) -> HostView {
    HostView {
        incarnation: seen.incarnation,
        unseen_for: seen.age(now),
        known_for: now.saturating_duration_since(seen.first_seen),
        said_goodbye: seen.goodbye,
        slots: Arc::clone(&read.slots),
        over: Arc::clone(&read.over),
        ..said(host, read.state.as_deref())
    }
}

/// What a host says of itself, for placement; when it said so, and of which slots, is for the caller to add.
fn said(host: &HostId, state: Option<&HostState>) -> HostView {
    HostView {
        id: host.clone(),
        incarnation: 0,
        unseen_for: Duration::ZERO,
        known_for: Duration::ZERO,
        said_goodbye: false,
        draining: state.is_some_and(|state| state.draining),
        // One of which nothing is known yet is no candidate, but may become one.
        confirmed: state.is_some_and(|state| state.confirmed),
        digest: state.and_then(|state| state.digest.clone()),
        labels: state.map(|state| Arc::clone(&state.labels)).unwrap_or_default(),
        memory_capacity: state.map_or(u64::MAX, |state| state.memory_capacity),
        weight: state.map_or(0, |state| state.weight),
        slots: Arc::default(),
        overdue: BTreeSet::new(),
        over: Arc::default(),
    }
}
