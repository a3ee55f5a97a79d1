//! The streams of one connection that are under way, by call; where the dispatcher delivers their frames.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dunlin_manifest::HostId;

use super::{BodyBroken, Direction, Inbox, Outbox, Pool, Reader, Route, StreamCounters, StreamLimits};
use crate::call::frames::{Data, Reset};

/// Both roles use it: a caller reads answers and writes requests, a callee the other way round. A role has at most
/// one inbox and one outbox per call.
#[derive(Debug)]
pub(crate) struct Table {
    pool: Arc<Pool>,
    reads: Direction,
    pub(crate) counters: Arc<StreamCounters>,
    ends: Mutex<HashMap<u128, Ends>>,
}

#[derive(Debug)]
struct Ends {
    peer: HostId,
    inbox: Option<Arc<Inbox>>,
    outbox: Option<Arc<Outbox>>,
}

/// What became of a frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Delivered {
    Yes,
    /// No such stream, or not of this host.
    Stray,
    /// The stream is broken; the other end is to be told.
    Broken(BodyBroken),
}

impl Table {
    /// `reads` says which body this role reads; it writes the other.
    pub(crate) fn new(limits: StreamLimits, reads: Direction, counters: Arc<StreamCounters>) -> Arc<Self> {
        Arc::new(Self { pool: Pool::new(limits), reads, counters, ends: Mutex::default() })
    }

    pub(crate) fn limits(&self) -> &StreamLimits {
        &self.pool.limits
    }

    /// Opens the body that the other end announced; no credit is granted before somebody reads.
    pub(crate) fn open_reader(self: &Arc<Self>, peer: &HostId, route: Route) -> Result<Reader, BodyBroken> {
        let share = self.pool.open().ok_or_else(|| self.too_many())?;
        let inbox = Arc::new(Inbox::counted(self.counters.opens()));
        let mut table = self.lock();
        let ends = Ends::of(&mut table, route.id, peer);
        if ends.peer != *peer || ends.inbox.is_some() {
            return Err(BodyBroken::Protocol("a call id that is in use"));
        }
        ends.inbox = Some(Arc::clone(&inbox));
        drop(table);
        Ok(Reader::new(inbox, share, Arc::clone(self), route, self.reads))
    }

    /// Opens the body that this end is going to write.
    pub(crate) fn open_outbox(&self, id: u128, peer: &HostId) -> Result<Arc<Outbox>, BodyBroken> {
        let outbox = Arc::new(Outbox::counted(self.counters.opens()));
        let mut table = self.lock();
        if table.len() >= 2 * self.pool.limits.streams && !table.contains_key(&id) {
            return Err(self.too_many());
        }
        let ends = Ends::of(&mut table, id, peer);
        if ends.peer != *peer || ends.outbox.is_some() {
            return Err(BodyBroken::Protocol("a call id that is in use"));
        }
        ends.outbox = Some(Arc::clone(&outbox));
        Ok(outbox)
    }

    fn too_many(&self) -> BodyBroken {
        let reason = BodyBroken::TooManyStreams(self.pool.limits.streams);
        self.counters.breaks(&reason);
        reason
    }

    pub(crate) fn close_inbox(&self, id: u128) {
        self.close(id, |ends| ends.inbox = None);
    }

    pub(crate) fn close_outbox(&self, id: u128) {
        self.close(id, |ends| ends.outbox = None);
    }

    fn close(&self, id: u128, change: impl FnOnce(&mut Ends)) {
        let mut table = self.lock();
        if let Some(ends) = table.get_mut(&id) {
            change(ends);
            if ends.inbox.is_none() && ends.outbox.is_none() {
                table.remove(&id);
            }
        }
    }

    /// A piece of the body that this role reads. `peer` is checked where the subject names the sender.
    pub(crate) fn data(&self, id: u128, peer: Option<&HostId>, data: Data) -> Delivered {
        let inbox = self.find(id, peer, |ends| ends.inbox.clone());
        match inbox.map(|inbox| inbox.accept(data)) {
            None => Delivered::Stray,
            Some(Ok(())) => Delivered::Yes,
            Some(Err(reason)) => Delivered::Broken(reason),
        }
    }

    /// Credit for the body that this role writes.
    pub(crate) fn credit(&self, id: u128, peer: Option<&HostId>, up_to: u64) -> Delivered {
        match self.find(id, peer, |ends| ends.outbox.clone()) {
            None => Delivered::Stray,
            Some(outbox) => {
                outbox.grant(up_to);
                Delivered::Yes
            }
        }
    }

    pub(crate) fn reset(&self, id: u128, peer: Option<&HostId>, reset: &Reset) {
        let reason = || BodyBroken::Reset(reset.reason.clone());
        let (read, written) = match self.reads {
            Direction::Request => (reset.request, reset.answer),
            Direction::Answer => (reset.answer, reset.request),
        };
        if let Some(inbox) = self.find(id, peer, |ends| ends.inbox.clone().filter(|_| read)) {
            inbox.break_off(reason());
        }
        if let Some(outbox) = self.find(id, peer, |ends| ends.outbox.clone().filter(|_| written)) {
            outbox.break_off(reason());
        }
    }

    /// Breaks both bodies of a call.
    pub(crate) fn break_off(&self, id: u128, reason: &BodyBroken) {
        if let Some(ends) = self.lock().get(&id) {
            ends.break_off(reason);
        }
    }

    /// Breaks everything: frames may have been lost.
    pub(crate) fn break_all(&self, reason: &BodyBroken) {
        for ends in self.lock().values() {
            ends.break_off(reason);
        }
    }

    /// How many calls have a body under way.
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    fn find<T>(&self, id: u128, peer: Option<&HostId>, end: impl FnOnce(&Ends) -> Option<T>) -> Option<T> {
        let table = self.lock();
        let ends = table.get(&id)?;
        if peer.is_some_and(|peer| *peer != ends.peer) {
            return None;
        }
        end(ends)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u128, Ends>> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ends {
    fn of<'t>(table: &'t mut HashMap<u128, Self>, id: u128, peer: &HostId) -> &'t mut Self {
        table.entry(id).or_insert_with(|| Self { peer: peer.clone(), inbox: None, outbox: None })
    }

    fn break_off(&self, reason: &BodyBroken) {
        if let Some(inbox) = &self.inbox {
            inbox.break_off(reason.clone());
        }
        if let Some(outbox) = &self.outbox {
            outbox.break_off(reason.clone());
        }
    }
}
