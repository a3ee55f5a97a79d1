//! Telling of calls as they pass, to whoever asks, for as long as they ask: metadata only, never a value.
//!
//! Nobody may subscribe to call subjects (the bus would no longer say that nobody listens), so the calling host
//! tells: a viewer asks on `watch` every few seconds ([`Watcher`]), and while somebody does, every host publishes one
//! [`Record`] a call on `trace` ([`Witness`]). Telling never slows a call: what does not fit is dropped, and missed
//! visibly, because records are numbered.

mod frames;
mod record;
#[cfg(test)]
mod tests;
mod watcher;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use dunlin_manifest::HostId;
use rand::RngExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

pub use frames::{Refused, read, read_watch};
pub use record::Record;
pub use watcher::{Told, Watcher};

use crate::subjects::Subjects;
use crate::{Connection, Subscription};

/// For how long a viewer's word counts.
pub const WATCHED: Duration = Duration::from_secs(10);
/// How many records may wait to be published.
const QUEUE: usize = 1024;
/// How many records one host publishes in a second at most: somebody who looks on must not become the load.
const MOST: u64 = 2000;
/// How long until a subscription that failed is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Tells of this host's calls while somebody watches. Dropping it ends that.
#[derive(Debug)]
pub struct Witness {
    shared: Arc<Shared>,
    records: mpsc::Sender<Record>,
    task: tokio::task::AbortHandle,
}

#[derive(Debug, Default)]
struct Shared {
    watched: AtomicBool,
    dropped: AtomicU64,
    refused: AtomicU64,
}

impl Witness {
    /// Listens for viewers on `connection`, which should carry nothing that matters.
    pub async fn start(connection: Arc<dyn Connection>, subjects: Subjects, me: HostId) -> Self {
        let shared = Arc::<Shared>::default();
        let (records, waiting) = mpsc::channel(QUEUE);
        let watches = connection.subscribe(&subjects.watches()).await.ok();
        let telling = Telling {
            connection,
            subjects,
            me,
            shared: Arc::clone(&shared),
            incarnation: rand::rng().random(),
            told: 0,
            until: Instant::now(),
            second: Instant::now(),
            this_second: 0,
        };
        let task = tokio::spawn(telling.run(waiting, watches)).abort_handle();
        Self { shared, records, task }
    }

    /// Whether anybody watches; while nobody does, a record need not even be made.
    #[must_use]
    pub fn watched(&self) -> bool {
        self.shared.watched.load(Ordering::Relaxed)
    }

    /// Tells of a call, if anybody watches and there is room. Never waits.
    pub fn tell(&self, record: Record) {
        if self.watched() && self.records.try_send(record).is_err() {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Records that were not published although somebody watched: too many, or no connection.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Messages on the subject of viewers that were refused.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.shared.refused.load(Ordering::Relaxed)
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The task behind [`Witness`].
struct Telling {
    connection: Arc<dyn Connection>,
    subjects: Subjects,
    me: HostId,
    shared: Arc<Shared>,
    incarnation: u64,
    told: u64,
    until: Instant,
    second: Instant,
    this_second: u64,
}

impl Telling {
    async fn run(mut self, mut records: mpsc::Receiver<Record>, mut watches: Option<Subscription>) {
        loop {
            let Some(listening) = &mut watches else {
                watches = self.connection.subscribe(&self.subjects.watches()).await.ok();
                if watches.is_none() {
                    self.watch(None);
                    sleep(AGAIN).await;
                }
                continue;
            };
            let watched = self.shared.watched.load(Ordering::Relaxed);
            tokio::select! {
                biased;
                message = listening.next() => match message {
                    Some(message) => match frames::read_watch(&self.subjects, &message.subject, message.payload) {
                        Ok(_viewer) => self.watch(Some(Instant::now() + WATCHED)),
                        Err(refused) => {
                            self.shared.refused.fetch_add(1, Ordering::Relaxed);
                            tracing::debug!(subject = %message.subject, %refused, "refused a viewer");
                        }
                    },
                    None => watches = None,
                },
                () = sleep_until(self.until), if watched => self.watch(None),
                record = records.recv() => match record {
                    Some(record) => self.publish(&record).await,
                    None => return,
                },
            }
        }
    }

    fn watch(&mut self, until: Option<Instant>) {
        if self.shared.watched.swap(until.is_some(), Ordering::Relaxed) != until.is_some() {
            tracing::debug!(host = %self.me, watched = until.is_some(), "viewers come or go");
        }
        self.until = until.unwrap_or(self.until);
    }

    async fn publish(&mut self, record: &Record) {
        let now = Instant::now();
        if now.saturating_duration_since(self.second) >= Duration::from_secs(1) {
            (self.second, self.this_second) = (now, 0);
        }
        self.this_second += 1;
        // What was dropped is counted too, so that the next record's number tells how many are missing.
        let number = self.told + self.shared.dropped.load(Ordering::Relaxed);
        let subject = self.subjects.trace(&self.me, &record.component);
        let frame = frames::encode(record, self.incarnation, number);
        if self.this_second <= MOST && self.connection.publish(&subject, None, frame).await.is_ok() {
            self.told += 1;
        } else {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}
