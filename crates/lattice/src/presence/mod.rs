//! Who is there: every host's beat and state, a table of all others, and whether this host hears well enough to judge.
//!
//! Presence informs and decides nothing. A host that is not seen is unknown, not dead: it stays in the table with
//! its age, and readers draw their own lines. The rules are values with methods that take the time ([`Table`],
//! [`Hearing`]); one task per host feeds them from its own connection.

mod clock;
mod frames;
mod hearing;
mod lookout;
mod table;
mod task;
mod voice;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use dunlin_manifest::HostId;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

pub use clock::PeerClock;
pub use frames::{Announced, Beat, Refused, read};
pub use hearing::Hearing;
pub use table::{Heard, Ignored, PeerState, Seen, Table};

use crate::bus::Connection;
use crate::subjects::Subjects;

/// The largest state of a host in bytes; everybody holds everybody's.
pub const MAX_STATE: usize = 256 * 1024;

/// How long [`Presence::goodbye`] takes at most.
const GOODBYE_WAIT: Duration = Duration::from_secs(2);

/// For how long another process of the same name counts after it was heard.
const RIVAL: Duration = Duration::from_secs(10);

/// Who this host is.
#[derive(Debug, Clone)]
pub struct PresenceConfig {
    /// The subjects of the lattice that it belongs to.
    pub subjects: Subjects,
    /// Its name.
    pub me: HostId,
    /// What tells this start of it from all others; made up if not given.
    pub incarnation: Option<u64>,
    /// Where its chances come from (jitter, incarnation); from the system if not given.
    pub seed: Option<u64>,
    /// The newest version of the rank of hosts that it can work out.
    pub rank: u32,
}

/// Why a state was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// The state is larger than hosts hold of each other.
    #[error("a state of {size} bytes is more than the {MAX_STATE} that hosts hold of each other")]
    TooLarge {
        /// Bytes given.
        size: usize,
    },
}

/// This host's presence. Dropping it silences the host without a goodbye, as if it had crashed.
#[derive(Debug)]
pub struct Presence {
    shared: Arc<Shared>,
    table: watch::Receiver<Arc<Table>>,
    changes: watch::Receiver<u64>,
    task: tokio::task::AbortHandle,
}

/// What the handle and the task share.
#[derive(Debug)]
struct Shared {
    me: HostId,
    incarnation: u64,
    started: Instant,
    hearing: Mutex<Hearing>,
    own: Mutex<OwnState>,
    own_changed: Notify,
    refused: AtomicU64,
    /// Beats of other hosts that were taken in.
    heard: AtomicU64,
    /// How long the newest own beat was under way, in microseconds, plus one; 0 before the first.
    lag: AtomicU64,
    /// When another incarnation of this host was last heard.
    rival: Mutex<Option<Instant>>,
    leave: CancellationToken,
    gone: CancellationToken,
}

/// The state that this host shows.
#[derive(Debug, Default, Clone)]
struct OwnState {
    number: u64,
    body: Bytes,
}

impl Presence {
    /// Starts to beat and to listen, on a connection that nothing else should load. Needs no bus to be
    /// reachable: what cannot be sent is dropped, and subscriptions are tried again.
    #[must_use]
    pub fn start(connection: Arc<dyn Connection>, config: PresenceConfig) -> Self {
        let mut random = match config.seed {
            Some(seed) => StdRng::seed_from_u64(seed),
            None => StdRng::from_rng(&mut rand::rng()),
        };
        let started = Instant::now();
        let shared = Arc::new(Shared {
            me: config.me.clone(),
            incarnation: config.incarnation.unwrap_or_else(|| random.random_range(1..=u64::MAX)),
            started,
            hearing: Mutex::new(Hearing::new(started)),
            own: Mutex::default(),
            own_changed: Notify::new(),
            refused: AtomicU64::new(0),
            heard: AtomicU64::new(0),
            lag: AtomicU64::new(0),
            rival: Mutex::default(),
            leave: CancellationToken::new(),
            gone: CancellationToken::new(),
        });
        let (table_sender, table) = watch::channel(Arc::new(Table::new(started)));
        let (changes_sender, changes) = watch::channel(0);
        let voice = voice::Voice::new(connection, config, Arc::clone(&shared), random);
        let task = task::Task::new(voice, table_sender, changes_sender);
        let span = tracing::debug_span!("presence", host = %shared.me, incarnation = shared.incarnation);
        let task = tokio::spawn(task.run().instrument(span)).abort_handle();
        Self { shared, table, changes, task }
    }

    /// This host's name.
    #[must_use]
    pub fn me(&self) -> &HostId {
        &self.shared.me
    }

    /// What tells this start of the host from all others.
    #[must_use]
    pub fn incarnation(&self) -> u64 {
        self.shared.incarnation
    }

    /// How long this presence has run, by the monotonic clock: the clock that others write deadlines in.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.shared.started.elapsed()
    }

    /// This host's own clock, to read deadlines that others wrote in it.
    #[must_use]
    pub fn own_clock(&self) -> PeerClock {
        PeerClock::own(self.shared.incarnation, self.shared.started)
    }

    /// Another host's clock, as its least delayed beat of the last minute shows it; `None` if it was never seen.
    #[must_use]
    pub fn clock_of(&self, host: &HostId) -> Option<PeerClock> {
        self.table.borrow().clock_of(host)
    }

    /// Shows a new state to all; the same bytes again change nothing. Returns the state's number.
    ///
    /// # Errors
    /// [`StateError::TooLarge`] beyond [`MAX_STATE`]; the former state stays.
    pub fn set_state(&self, body: Bytes) -> Result<u64, StateError> {
        if body.len() > MAX_STATE {
            return Err(StateError::TooLarge { size: body.len() });
        }
        let mut own = lock(&self.shared.own);
        if own.number == 0 || own.body != body {
            own.number += 1;
            own.body = body;
            self.shared.own_changed.notify_one();
        }
        Ok(own.number)
    }

    /// All other hosts as they are known now. A beat that only confirms what is known may show up to 350 ms late.
    #[must_use]
    pub fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table.borrow())
    }

    /// Counts up when the table says something new (a host, a state, a goodbye, a host heard again after 3 s), when
    /// this host becomes deaf or hears again, and when its connection comes or goes. Mere beats do not count.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }

    /// Whether this host hears too badly to judge others; see [`Hearing`]. Worked out at the time of asking, so
    /// that a process which was stopped knows it before it acts.
    #[must_use]
    pub fn deaf(&self) -> bool {
        lock(&self.shared.hearing).deaf(Instant::now())
    }

    /// Whether this host ever heard its own beat: false for one that started without a bus.
    #[must_use]
    pub fn ever_heard(&self) -> bool {
        lock(&self.shared.hearing).ever()
    }

    /// Whether another process was heard under this host's name within the last 10 s. Stale beats of this host's
    /// own former life look the same, so this informs and decides nothing.
    #[must_use]
    pub fn contested(&self) -> bool {
        lock(&self.shared.rival).is_some_and(|heard| heard.elapsed() < RIVAL)
    }

    /// How many frames were refused: malformed, of another version, or not of the host that their subject names.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.shared.refused.load(Ordering::Relaxed)
    }

    /// How many beats of other hosts were heard.
    #[must_use]
    pub fn beats_heard(&self) -> u64 {
        self.shared.heard.load(Ordering::Relaxed)
    }

    /// How long this host's newest beat took to come back to it; `None` before the first one did.
    #[must_use]
    pub fn own_lag(&self) -> Option<Duration> {
        self.shared.lag.load(Ordering::Relaxed).checked_sub(1).map(Duration::from_micros)
    }

    /// Tells all others that this host stops, and stops beating. Returns once the bus has carried the
    /// word (this host heard it itself), or after a second.
    pub async fn goodbye(&self) {
        self.shared.leave.cancel();
        // The task bounds its own waits; this bound is for a task that was never polled again.
        let _ = tokio::time::timeout(GOODBYE_WAIT, self.shared.gone.cancelled()).await;
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
