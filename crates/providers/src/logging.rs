//! The logging capability: what components say (`wasi:logging`), kept in bounded memory for `dunlin logs`.
//!
//! A component writes to a [`LogSink`]; a host keeps what it gets in a [`LogBuffer`]. The buffer has a ring for
//! each component and a rate limit on each, so that one that floods its log loses its own records and nobody
//! else's. What is lost is counted. Messages are kept as they came and escaped where they are printed
//! ([`escape`]).

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;
use tokio::time::Instant;

mod escape;
mod level;

pub use escape::escape;
pub use level::{Level, UnknownLevel};

/// Where a component's log records go. Must not block: it is called on the threads that serve.
pub trait LogSink: Send + Sync + 'static {
    /// Takes one record; one that finds no room is dropped and counted, never waited for.
    fn log(&self, record: Record);
}

/// One call of `wasi:logging/logging.log`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// How serious it is.
    pub level: Level,
    /// What the component calls this part of itself; often empty.
    pub context: String,
    /// What it says.
    pub message: String,
}

/// Who a record comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// Name of the component.
    pub component: Arc<str>,
    /// Site of its host.
    pub site: Arc<str>,
    /// Name of its host in that site.
    pub host: Arc<str>,
}

/// A record as it is kept and sent to whoever follows the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Rises by one with each record that one buffer keeps; orders records of equal time.
    pub sequence: u64,
    /// When it was written, in microseconds since 1970 by the host's wall clock. For people, never for decisions.
    pub time: u64,
    /// Who wrote it.
    #[serde(flatten)]
    pub origin: Origin,
    /// How serious it is.
    pub level: Level,
    /// See [`Record::context`]; cut to [`Limits::context_bytes`].
    pub context: String,
    /// See [`Record::message`]; cut to [`Limits::message_bytes`].
    pub message: String,
    /// Bytes cut off the end of context and message together.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cut: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Entry {
    /// What it costs to keep.
    fn size(&self) -> usize {
        size_of::<Self>() + self.context.len() + self.message.len()
    }
}

/// Bounds of a [`LogBuffer`]. The most it can hold is `components * bytes` and what subscribers have not yet read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Records kept of one component on one host.
    pub entries: usize,
    /// Memory for them, in bytes.
    pub bytes: usize,
    /// Components whose records are kept; beyond it, the one silent for longest is forgotten.
    pub components: usize,
    /// Longest message, in bytes of UTF-8; the rest is cut off.
    pub message_bytes: usize,
    /// Longest context, in bytes of UTF-8; the rest is cut off.
    pub context_bytes: usize,
    /// Records a second that one component may write for long.
    pub rate: u32,
    /// Records that one component may write at once after it has been quiet.
    pub burst: u32,
    /// Records that a subscriber may lag behind before it misses some.
    pub lag: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 2_000,
            bytes: 1024 * 1024,
            components: 128,
            message_bytes: 16 * 1024,
            context_bytes: 256,
            rate: 1_000,
            burst: 2_000,
            lag: 1_024,
        }
    }
}

/// The last records of each component, in memory.
#[derive(Debug)]
pub struct LogBuffer {
    limits: Limits,
    inner: Mutex<Inner>,
    published: broadcast::Sender<Arc<Entry>>,
}

#[derive(Debug, Default)]
struct Inner {
    sequence: u64,
    rings: BTreeMap<Origin, Ring>,
}

/// The records of one origin.
#[derive(Debug)]
struct Ring {
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
    /// Records that the rate limit refused.
    dropped: u64,
    /// Records that may be written now, as of `refilled`.
    tokens: f64,
    refilled: Instant,
}

impl LogBuffer {
    /// An empty buffer.
    #[must_use]
    pub fn new(limits: Limits) -> Arc<Self> {
        let published = broadcast::Sender::new(limits.lag.max(1));
        Arc::new(Self { limits, inner: Mutex::default(), published })
    }

    /// A sink for one component on one host.
    #[must_use]
    pub fn sink(self: &Arc<Self>, origin: Origin) -> Arc<dyn LogSink> {
        Arc::new(BufferSink { buffer: Arc::clone(self), origin })
    }

    /// The last `tail` records that `wanted` accepts, oldest first.
    pub fn tail(&self, tail: usize, wanted: impl Fn(&Origin) -> bool) -> Vec<Arc<Entry>> {
        tail_of(&self.lock(), tail, wanted)
    }

    /// The last `tail` records that `wanted` accepts, and every one after them, without gap or repetition.
    pub fn follow<F>(&self, tail: usize, wanted: F) -> (Vec<Arc<Entry>>, Subscription<F>)
    where
        F: Fn(&Origin) -> bool,
    {
        let inner = self.lock();
        // Records are published under the same lock, so none falls between the two.
        let receiver = self.published.subscribe();
        let entries = tail_of(&inner, tail, &wanted);
        (entries, Subscription { receiver, wanted })
    }

    /// How many records of each origin the rate limit refused since its first one.
    #[must_use]
    pub fn dropped(&self) -> BTreeMap<Origin, u64> {
        let inner = self.lock();
        inner.rings.iter().filter(|(_, ring)| ring.dropped > 0).map(|(o, r)| (o.clone(), r.dropped)).collect()
    }

    fn write(&self, origin: &Origin, record: Record) {
        let Record { level, mut context, mut message } = record;
        let cut = cut(&mut context, self.limits.context_bytes) + cut(&mut message, self.limits.message_bytes);
        let now = Instant::now();
        let mut inner = self.lock();
        let Inner { sequence, rings } = &mut *inner;
        if !rings.contains_key(origin) {
            make_room(rings, self.limits.components);
            rings.insert(origin.clone(), Ring::new(now, &self.limits));
        }
        let Some(ring) = rings.get_mut(origin) else { return };
        if !ring.admit(now, &self.limits) {
            ring.dropped += 1;
            return;
        }
        *sequence += 1;
        let entry = Arc::new(Entry {
            sequence: *sequence,
            time: wall_clock(),
            origin: origin.clone(),
            level,
            context,
            message,
            cut,
        });
        ring.push(Arc::clone(&entry), &self.limits);
        // An error only says that nobody follows.
        let _ = self.published.send(entry);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here can be left half done by a panic that matters to a log.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn new(now: Instant, limits: &Limits) -> Self {
        Self {
            entries: VecDeque::new(),
            bytes: 0,
            dropped: 0,
            tokens: f64::from(limits.burst.max(1)),
            refilled: now,
        }
    }

    /// Whether the rate limit lets one more record in.
    fn admit(&mut self, now: Instant, limits: &Limits) -> bool {
        let passed = now.saturating_duration_since(self.refilled).as_secs_f64();
        self.tokens = (self.tokens + passed * f64::from(limits.rate)).min(f64::from(limits.burst.max(1)));
        self.refilled = now;
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }

    fn push(&mut self, entry: Arc<Entry>, limits: &Limits) {
        self.bytes += entry.size();
        self.entries.push_back(entry);
        // The newest record stays, however small the limits are.
        while self.entries.len() > 1 && (self.entries.len() > limits.entries || self.bytes > limits.bytes) {
            if let Some(oldest) = self.entries.pop_front() {
                self.bytes -= oldest.size();
            }
        }
    }

    fn newest(&self) -> u64 {
        self.entries.back().map_or(0, |entry| entry.sequence)
    }
}

/// Forgets the origins that have been silent for longest, until one more fits.
fn make_room(rings: &mut BTreeMap<Origin, Ring>, most: usize) {
    while rings.len() >= most.max(1) {
        let silent = rings.iter().min_by_key(|(_, ring)| ring.newest()).map(|(origin, _)| origin.clone());
        match silent {
            Some(origin) => drop(rings.remove(&origin)),
            None => return,
        }
    }
}

fn tail_of(inner: &Inner, tail: usize, wanted: impl Fn(&Origin) -> bool) -> Vec<Arc<Entry>> {
    let mut entries: Vec<_> = inner
        .rings
        .iter()
        .filter(|(origin, _)| wanted(origin))
        .flat_map(|(_, ring)| ring.entries.iter().rev().take(tail).cloned())
        .collect();
    entries.sort_unstable_by_key(|entry| entry.sequence);
    entries.split_off(entries.len().saturating_sub(tail))
}

/// Cuts `text` to at most `most` bytes between two characters; returns how many went.
fn cut(text: &mut String, most: usize) -> u64 {
    let before = text.len();
    text.truncate(text.floor_char_boundary(most));
    if text.len() < before {
        // What a guest reserved beyond what is kept would not be counted.
        text.shrink_to_fit();
    }
    (before - text.len()) as u64
}

fn wall_clock() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

struct BufferSink {
    buffer: Arc<LogBuffer>,
    origin: Origin,
}

impl LogSink for BufferSink {
    fn log(&self, record: Record) {
        self.buffer.write(&self.origin, record);
    }
}

/// The records written after [`LogBuffer::follow`].
#[derive(Debug)]
pub struct Subscription<F> {
    receiver: broadcast::Receiver<Arc<Entry>>,
    wanted: F,
}

/// What a [`Subscription`] yields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Followed {
    /// The next record.
    Entry(Arc<Entry>),
    /// The subscriber was too slow: this many records, of any origin, went by unseen.
    Missed(u64),
}

impl<F: Fn(&Origin) -> bool> Subscription<F> {
    /// The next record, or how many were missed; `None` once the buffer is gone. Loses nothing when cancelled.
    pub async fn next(&mut self) -> Option<Followed> {
        loop {
            match self.receiver.recv().await {
                Ok(entry) if (self.wanted)(&entry.origin) => return Some(Followed::Entry(entry)),
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(missed)) => return Some(Followed::Missed(missed)),
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests;
