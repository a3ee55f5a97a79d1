//! What is known of all other hosts. A value: everything that changes it is told what happened, and when.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dunlin_manifest::HostId;
use tokio::time::Instant;

use super::clock::{Offsets, PeerClock};
use super::frames::Beat;

/// How many hosts are known at most.
const MAX_HOSTS: usize = 10_000;
/// How long an unseen host stays known. It is not dead, only unknown; its age says so to readers.
const FORGET: Duration = Duration::from_secs(600);
/// A full table gives up the host unseen for longest, if it is at least this long.
const YIELD: Duration = Duration::from_secs(60);
/// Being heard again after this long is news.
pub(super) const SILENCE: Duration = Duration::from_secs(3);
/// How often one host is asked for its state at most.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// How many former incarnations of a host are remembered, to tell its stale beats.
const FORMER: usize = 8;

/// All other hosts that were heard. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Table {
    epoch: Instant,
    hosts: BTreeMap<Arc<HostId>, Arc<Seen>>,
}

/// What is known of one host.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Which start of the host this is about.
    pub incarnation: u64,
    /// When this incarnation was first heard.
    pub first_seen: Instant,
    /// When it was last heard.
    pub last_beat: Instant,
    /// The highest sequence heard.
    pub sequence: u64,
    /// The number of the state that the host shows, 0 while it has none.
    pub announced: u64,
    /// The state held, which may be older than the one announced.
    pub state: Option<PeerState>,
    /// Whether it said that it stops.
    pub goodbye: bool,
    /// The protocol version that it speaks.
    pub protocol: u32,
    /// The newest version of the rank that it can work out.
    pub rank: u32,
    /// Its clock, by the beats of the last minute.
    pub clock: PeerClock,
    offsets: Offsets,
    asked: Option<Instant>,
    former: VecDeque<u64>,
}

/// A state of another host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerState {
    /// Its number, which rises with each change.
    pub number: u64,
    /// Its bytes, as that host set them.
    pub body: Bytes,
}

/// What a beat brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// Something is new that others may act on.
    pub changed: bool,
    /// The host, or this incarnation of it, was not known.
    pub fresh: bool,
    /// The host shows a state that is not held: ask for it.
    pub ask: bool,
}

/// Why a beat changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ignored {
    /// Not newer than one already heard.
    Sequence,
    /// Of an incarnation that a newer one replaced.
    Incarnation,
    /// Of an incarnation that said goodbye.
    Gone,
    /// No room, and every host was heard within the last minute.
    Full,
}

impl Seen {
    /// How long ago the host was last heard.
    #[must_use]
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.last_beat)
    }

    /// Whether the state held is the one that the host shows.
    #[must_use]
    pub fn current(&self) -> bool {
        self.state.as_ref().map_or(0, |state| state.number) >= self.announced
    }
}

impl Table {
    /// Nobody known; `epoch` is where this host's own clock begins.
    #[must_use]
    pub fn new(epoch: Instant) -> Self {
        Self { epoch, hosts: BTreeMap::new() }
    }

    /// What is known of a host.
    #[must_use]
    pub fn get(&self, host: &HostId) -> Option<&Arc<Seen>> {
        self.hosts.get(host)
    }

    /// All hosts, by site and name.
    pub fn iter(&self) -> impl Iterator<Item = (&HostId, &Seen)> {
        self.hosts.iter().map(|(host, seen)| (host.as_ref(), seen.as_ref()))
    }

    /// How many hosts are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.hosts.len()
    }

    /// Whether no host is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }

    /// A host's clock.
    #[must_use]
    pub fn clock_of(&self, host: &HostId) -> Option<PeerClock> {
        self.hosts.get(host).map(|seen| seen.clock)
    }

    /// Takes in a beat of another host, with its state where it came along.
    ///
    /// # Errors
    /// [`Ignored`], and nothing changed.
    pub fn beat(
        &mut self,
        from: &HostId,
        beat: &Beat,
        body: Option<Bytes>,
        now: Instant,
    ) -> Result<Heard, Ignored> {
        let known = match self.hosts.get(from) {
            Some(seen) => seen.accepts(beat).map(|()| Some(seen.incarnation))?,
            None => {
                self.make_room(now)?;
                self.hosts.insert(Arc::new(from.clone()), Arc::new(Seen::new(self.epoch, beat, now)));
                None
            }
        };
        let fresh = known != Some(beat.incarnation);
        let mut changed = fresh;
        let Some(seen) = self.hosts.get_mut(from).map(Arc::make_mut) else { return Err(Ignored::Full) };
        if seen.incarnation != beat.incarnation {
            seen.replace(self.epoch, beat, now);
        }
        changed |= seen.take(self.epoch, beat, now);
        if let Some(body) = body
            && seen.state.as_ref().is_none_or(|held| held.number < beat.state)
        {
            // A copy, since the body is a part of whatever buffer the bus read it into.
            let body = Bytes::copy_from_slice(&body);
            seen.state = Some(PeerState { number: beat.state, body });
            changed = true;
        }
        Ok(Heard { changed, fresh, ask: seen.ask(now) })
    }

    /// A host said that it stops. True if that is news.
    pub fn goodbye(&mut self, from: &HostId, incarnation: u64) -> bool {
        match self.hosts.get_mut(from) {
            Some(seen) if seen.incarnation == incarnation && !seen.goodbye => {
                Arc::make_mut(seen).goodbye = true;
                true
            }
            _ => false,
        }
    }

    /// Forgets hosts that were not heard for ten minutes. A deaf host should not: it would forget everybody.
    /// True if there were any.
    pub fn forget(&mut self, now: Instant) -> bool {
        let before = self.hosts.len();
        self.hosts.retain(|_, seen| seen.age(now) < FORGET);
        self.hosts.len() != before
    }

    fn make_room(&mut self, now: Instant) -> Result<(), Ignored> {
        if self.hosts.len() < MAX_HOSTS {
            return Ok(());
        }
        let longest = self.hosts.iter().max_by_key(|(_, seen)| seen.age(now));
        let unseen = longest.filter(|(_, seen)| seen.age(now) >= YIELD).map(|(host, _)| Arc::clone(host));
        self.hosts.remove(&unseen.ok_or(Ignored::Full)?);
        Ok(())
    }
}

impl Seen {
    fn new(epoch: Instant, beat: &Beat, now: Instant) -> Self {
        Self {
            incarnation: beat.incarnation,
            first_seen: now,
            last_beat: now,
            sequence: beat.sequence,
            announced: 0,
            state: None,
            goodbye: false,
            protocol: beat.protocol,
            rank: beat.rank,
            clock: PeerClock::own(beat.incarnation, epoch),
            offsets: Offsets::default(),
            asked: None,
            former: VecDeque::new(),
        }
    }

    fn accepts(&self, beat: &Beat) -> Result<(), Ignored> {
        if beat.incarnation != self.incarnation {
            let known = self.former.contains(&beat.incarnation);
            return if known { Err(Ignored::Incarnation) } else { Ok(()) };
        }
        if self.goodbye {
            return Err(Ignored::Gone);
        }
        if beat.sequence <= self.sequence { Err(Ignored::Sequence) } else { Ok(()) }
    }

    /// A new incarnation: nothing of the former one holds, but that it is over.
    fn replace(&mut self, epoch: Instant, beat: &Beat, now: Instant) {
        let mut former = std::mem::take(&mut self.former);
        former.push_back(self.incarnation);
        if former.len() > FORMER {
            former.pop_front();
        }
        *self = Self { former, ..Self::new(epoch, beat, now) };
    }

    /// Takes in a beat of this incarnation. True if it says something new.
    fn take(&mut self, epoch: Instant, beat: &Beat, now: Instant) -> bool {
        let news = self.age(now) >= SILENCE || (self.protocol, self.rank) != (beat.protocol, beat.rank);
        self.offsets.hear(epoch, now, beat.uptime);
        self.clock = self.offsets.clock(self.incarnation, epoch);
        self.sequence = beat.sequence;
        self.last_beat = now;
        self.announced = self.announced.max(beat.state);
        self.protocol = beat.protocol;
        self.rank = beat.rank;
        news
    }

    fn ask(&mut self, now: Instant) -> bool {
        let lately = self.asked.is_some_and(|asked| now.saturating_duration_since(asked) < ASK_AGAIN);
        if self.current() || lately {
            return false;
        }
        self.asked = Some(now);
        true
    }
}

#[cfg(test)]
mod tests;
