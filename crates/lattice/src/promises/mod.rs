//! "Will you stay?": how a host that wants to stop a slot asks others for a promise, and answers when asked.
//!
//! Only transport. Who is asked, what is answered and how long an answer binds is the agent's. Silence is no; so is
//! everything that is not a clear yes of the very host that was asked, within a second.

mod frames;
mod task;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dunlin_manifest::HostId;
use rand::RngExt;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, timeout_at};

pub use frames::{Frame, Refused, read};

use crate::bus::Connection;
use crate::subjects::Subjects;
use crate::wire;

/// How long an answer is awaited, and how long a yes counts for the asker, from when it asked.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// How many answers are awaited at once; further questions are answered no on the spot.
const MAX_PENDING: usize = 4096;

/// A question that another host asks of this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Who asks; the bus vouches for it.
    pub from: HostId,
    /// The component whose slot it wants to stop.
    pub component: String,
    /// Tells the question from all others; `done` repeats it.
    pub id: u64,
}

/// Who decides whether this host stays. Called on the task that reads messages: be quick, never block.
pub trait Promising: Send + Sync + 'static {
    /// Whether this host's slot of the component stays. A yes binds until [`Promising::done`] with the same
    /// host and id, or for 2 s, which the implementor keeps account of.
    fn will_you_stay(&self, ask: &Ask) -> bool;

    /// The asker needs the answer to this question no longer.
    fn done(&self, ask: &Ask);
}

/// What came of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The question, for [`Promises::done`].
    pub id: u64,
    /// Whether the host promised to stay; silence, refusal and absence are all no.
    pub yes: bool,
    /// When the question was sent: the promise ages from here.
    pub asked_at: Instant,
}

impl Answer {
    /// Whether this is a yes that still counts: given to a question asked within the last second.
    #[must_use]
    pub fn stands(&self, now: Instant) -> bool {
        self.yes && now.saturating_duration_since(self.asked_at) < PATIENCE
    }
}

/// This host's end of all promises. Dropping it answers nobody any more.
#[derive(Debug)]
pub struct Promises {
    shared: Arc<Shared>,
    listening: watch::Receiver<bool>,
    task: tokio::task::AbortHandle,
}

struct Shared {
    connection: Arc<dyn Connection>,
    subjects: Subjects,
    me: HostId,
    /// Names this connection in reply subjects, where the bus says that nobody listens.
    token: String,
    pending: Mutex<HashMap<u64, Pending>>,
    refused: std::sync::atomic::AtomicU64,
}

#[derive(Debug)]
struct Pending {
    host: HostId,
    answer: oneshot::Sender<bool>,
}

impl Promises {
    /// Starts to answer, on a connection that nothing else should load; `promising` decides. Needs no bus to be
    /// reachable: subscriptions are tried again, and questions meanwhile are answered no.
    #[must_use]
    pub fn start(
        connection: Arc<dyn Connection>,
        subjects: Subjects,
        me: HostId,
        promising: Arc<dyn Promising>,
    ) -> Self {
        let shared = Arc::new(Shared {
            connection,
            subjects,
            me,
            token: format!("p{:016x}", rand::rng().random::<u64>()),
            pending: Mutex::default(),
            refused: Default::default(),
        });
        let (sender, listening) = watch::channel(false);
        let task = tokio::spawn(task::run(Arc::clone(&shared), promising, sender)).abort_handle();
        Self { shared, listening, task }
    }

    /// Asks a host whether its slot of a component stays. Returns within a second.
    pub async fn ask(&self, host: &HostId, component: &str) -> Answer {
        let id = rand::rng().random();
        let began = Instant::now();
        let deadline = began + PATIENCE;
        let mut listening = self.listening.clone();
        // The value that the wait ends with holds a lock, so it must not live on.
        let ready = async { listening.wait_for(|listening| *listening).await.is_ok() };
        let ready = timeout_at(deadline, ready).await.unwrap_or(false);
        let asked_at = Instant::now();
        let yes = ready && self.shared.ask(host, component, id, deadline).await;
        Answer { id, yes, asked_at }
    }

    /// Tells a host that its answer to a question is needed no longer, so that it may leave itself.
    /// Not confirmed: where it is lost, the promise runs out by itself.
    pub async fn done(&self, host: &HostId, component: &str, id: u64) {
        let frame = Frame::Done { id, component: component.to_owned() };
        self.shared.send(host, &frame, None).await;
    }

    /// How many frames were refused: malformed, of another version, or answers that nobody awaits.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.shared.refused.load(std::sync::atomic::Ordering::Relaxed)
    }
}

impl Drop for Promises {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    async fn ask(&self, host: &HostId, component: &str, id: u64, deadline: Instant) -> bool {
        let (answer, answered) = oneshot::channel();
        {
            let mut pending = self.pending();
            if pending.len() >= MAX_PENDING {
                return false;
            }
            pending.insert(id, Pending { host: host.clone(), answer });
        }
        // Also when the asker gives up half-way.
        let _forget = Forget { shared: self, id };
        let reply = self.subjects.reply(&self.me, &self.token, &format!("{id:016x}"));
        let frame = Frame::Ask { id, component: component.to_owned() };
        let asking = async { self.send(host, &frame, Some(&reply)).await && answered.await.unwrap_or(false) };
        timeout_at(deadline, asking).await.unwrap_or(false)
    }

    /// Sends a frame, or not; says which.
    async fn send(&self, to: &HostId, frame: &Frame, reply: Option<&str>) -> bool {
        let subject = self.subjects.promise(to, &self.me);
        let publish = self.connection.publish(&subject, reply, wire::encode(&frames::write(frame)));
        matches!(tokio::time::timeout(PATIENCE, publish).await, Ok(Ok(())))
    }

    /// Settles a question, if it was put to this host.
    fn settle(&self, id: u64, by: Option<&HostId>, yes: bool) -> bool {
        let mut pending = self.pending();
        let asked = |question: &Pending| by.is_none_or(|host| *host == question.host);
        match pending.entry(id) {
            Entry::Occupied(question) if asked(question.get()) => question.remove().answer.send(yes).is_ok(),
            Entry::Occupied(_) | Entry::Vacant(_) => false,
        }
    }

    fn pending(&self) -> MutexGuard<'_, HashMap<u64, Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Shared")
            .field("me", &self.me)
            .field("pending", &self.pending().len())
            .finish_non_exhaustive()
    }
}

struct Forget<'s> {
    shared: &'s Shared,
    id: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.shared.pending().remove(&self.id);
    }
}
