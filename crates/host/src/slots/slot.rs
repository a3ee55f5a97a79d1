//! One running component: its workload, whether it is ready, and whether it leaves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use dunlin_placement::canary::Calls;
use dunlin_runtime::Workload;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::NotReady;

/// A started component.
#[derive(Debug)]
pub(crate) struct HostSlot {
    workload: Arc<Workload>,
    request_timeout: Duration,
    draining: AtomicBool,
    started: Instant,
    /// Microseconds from `started` to the last call, plus one; 0 before the first.
    last_call: AtomicU64,
    /// Calls that came while it was on trial, its own and those of what it is tried beside.
    turns: AtomicU64,
    /// Its own calls on trial that were executed, and those among them that failed.
    counted: AtomicU64,
    failed: AtomicU64,
    ready: watch::Receiver<bool>,
    /// Asks the readiness path as long as the slot lives.
    _probing: Option<AbortOnDropHandle<()>>,
}

/// How often the readiness path is asked until it answers for the first time.
const FIRST_PROBES: Duration = Duration::from_millis(100);
/// How often it is asked afterwards.
const PROBES: Duration = Duration::from_secs(2);
/// How long one answer may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// So many failures in a row make a ready slot unready.
const FAILURES: u32 = 2;
/// How often a leaving slot looks whether its requests have ended.
const DRAIN_LOOK: Duration = Duration::from_millis(5);

impl HostSlot {
    /// Starts to watch the readiness of `workload`; without a path it is ready at once.
    pub(crate) fn start(
        component: &str,
        workload: Workload,
        readiness: Option<String>,
        request_timeout: Duration,
        not_ready: &Arc<NotReady>,
    ) -> Self {
        let workload = Arc::new(workload);
        let (sender, ready) = watch::channel(readiness.is_none());
        let probing = readiness.map(|path| {
            let probed = Arc::clone(&workload);
            let watched = Watched { component: component.to_owned(), not_ready: Arc::clone(not_ready) };
            AbortOnDropHandle::new(tokio::spawn(
                async move { probe(&probed, &path, &sender, &watched).await },
            ))
        });
        Self {
            workload,
            request_timeout,
            draining: AtomicBool::new(false),
            started: Instant::now(),
            last_call: AtomicU64::new(0),
            turns: AtomicU64::new(0),
            counted: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            ready,
            _probing: probing,
        }
    }

    /// What runs, unless the slot takes no more calls.
    pub(crate) fn enter(&self) -> Option<&Arc<Workload>> {
        if self.draining.load(Ordering::Acquire) {
            return None;
        }
        let now = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX - 1) + 1;
        self.last_call.store(now, Ordering::Relaxed);
        Some(&self.workload)
    }

    /// The number of a call, for the split.
    pub(super) fn turn(&self) -> u64 {
        self.turns.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether it would begin with one more request now.
    pub(super) fn has_room(&self) -> bool {
        self.workload.has_room()
    }

    /// Counts a call on trial.
    pub(super) fn count(&self, failed: bool) {
        self.counted.fetch_add(1, Ordering::Relaxed);
        self.failed.fetch_add(u64::from(failed), Ordering::Relaxed);
    }

    /// The longest that a request may take.
    pub(crate) fn request_timeout(&self) -> Duration {
        self.request_timeout
    }
}

#[async_trait]
impl dunlin_agent::Slot for HostSlot {
    fn ready(&self) -> watch::Receiver<bool> {
        self.ready.clone()
    }

    fn begin_drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    async fn drained(&self, limit: Duration) {
        let finished = async {
            while self.workload.in_flight() > 0 {
                tokio::time::sleep(DRAIN_LOOK).await;
            }
        };
        // What has not finished by then is broken off when the slot is dropped.
        let _ = tokio::time::timeout(limit, finished).await;
    }

    fn in_flight(&self) -> usize {
        self.workload.in_flight()
    }

    fn last_call(&self) -> Option<Instant> {
        let since = self.last_call.load(Ordering::Relaxed).checked_sub(1)?;
        Some(self.started + Duration::from_micros(since))
    }

    fn calls(&self) -> Calls {
        let counted = self.counted.load(Ordering::Relaxed);
        // An answer whose body broke off was counted as one that went well.
        let broken = self.workload.counts().broken_bodies;
        Calls { counted, failed: (self.failed.load(Ordering::Relaxed) + broken).min(counted) }
    }
}

/// What is told of a slot's readiness; taken back when the slot is gone.
struct Watched {
    component: String,
    not_ready: Arc<NotReady>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.not_ready.clear(&self.component);
    }
}

async fn probe(workload: &Workload, path: &str, ready: &watch::Sender<bool>, watched: &Watched) {
    let mut failures = 0;
    loop {
        let answer = workload.probe(path, Instant::now() + PROBE_TIMEOUT).await;
        if answer.as_ref().is_ok_and(http::StatusCode::is_success) {
            failures = 0;
            watched.not_ready.clear(&watched.component);
            ready.send_if_modified(|ready| !std::mem::replace(ready, true));
        } else {
            failures += 1;
            tracing::debug!(path, ?answer, failures, "not ready");
            let answer = match answer {
                Ok(status) => format!("readiness path {path} answers {status}, not 2xx"),
                Err(error) => format!("readiness path {path} does not answer: {error}"),
            };
            watched.not_ready.note(&watched.component, answer);
            if failures >= FAILURES {
                ready.send_if_modified(|ready| std::mem::replace(ready, false));
            }
        }
        let pause = if *ready.borrow() { PROBES } else { FIRST_PROBES };
        tokio::time::sleep(pause).await;
    }
}
