//! The life of one instance: until when it may live, its turn at computing, and how it ended.
//!
//! Shared between the instance, the requests that wait for it and the bodies that come from it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::Waker;
use std::time::Duration;

use futures::task::AtomicWaker;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use wasmtime::UpdateDeadline;

/// How an instance ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// In peace.
    Done,
    /// It was stopped since its time was over.
    TimedOut,
    /// It trapped after it was refused memory.
    Memory,
    /// It trapped.
    Trapped(String),
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Life {
    born: Instant,
    /// When it is stopped, in milliseconds after `born`.
    kill_at: AtomicU64,
    /// It serves one request only.
    single: AtomicBool,
    /// Who stops it.
    sooner: AtomicWaker,
    /// Its time was over before it ended.
    overdue: AtomicBool,
    /// The component's seats for instances that compute for long; see [`Life::tick`].
    seats: Arc<Semaphore>,
    seat: Mutex<Option<OwnedSemaphorePermit>>,
    fate: OnceLock<Fate>,
    ended: Notify,
}

impl Life {
    /// Begins now and ends at the latest after `time`, unless it begins to serve.
    pub(crate) fn new(time: Duration, seats: &Arc<Semaphore>) -> Arc<Self> {
        Arc::new(Self {
            born: Instant::now(),
            kill_at: AtomicU64::new(milliseconds(time)),
            single: AtomicBool::new(true),
            sooner: AtomicWaker::new(),
            overdue: AtomicBool::new(false),
            seats: Arc::clone(seats),
            seat: Mutex::new(None),
            fate: OnceLock::new(),
            ended: Notify::new(),
        })
    }

    /// It has started, and got its first request: from now on it lives until `until`.
    pub(crate) fn begin(&self, until: Instant) {
        let after = milliseconds(until.saturating_duration_since(self.born));
        self.kill_at.store(after, Ordering::Relaxed);
    }

    /// Something of an answer moved: it lives until `until` now, or as long as another of its requests may take.
    pub(crate) fn moved(&self, until: Instant) {
        if !self.single.load(Ordering::Relaxed) {
            return self.extend(until);
        }
        let after = milliseconds(until.saturating_duration_since(self.born));
        if self.kill_at.swap(after, Ordering::Relaxed) > after {
            self.sooner.wake();
        }
    }

    /// It has a second request, so that no one of them decides any more.
    pub(crate) fn share(&self, until: Instant) {
        self.single.store(false, Ordering::Relaxed);
        self.extend(until);
    }

    /// Wakes `waker` when its end has come nearer.
    pub(crate) fn watch(&self, waker: &Waker) {
        self.sooner.register(waker);
    }

    /// Lets it live until `until` at least.
    fn extend(&self, until: Instant) {
        let after = milliseconds(until.saturating_duration_since(self.born));
        self.kill_at.fetch_max(after, Ordering::Relaxed);
    }

    /// When it is stopped, as things stand.
    pub(crate) fn kill_at(&self) -> Instant {
        let after = Duration::from_millis(self.kill_at.load(Ordering::Relaxed));
        self.born.checked_add(after).unwrap_or(self.born)
    }

    /// Notes that its time is over.
    pub(crate) fn overdue(&self) {
        self.overdue.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_overdue(&self) -> bool {
        self.overdue.load(Ordering::Relaxed)
    }

    /// What becomes of code that has computed until the next tick of the epoch.
    ///
    /// It is stopped if its time is over. Else it lets everybody else run, and goes on once it has one of the few
    /// seats of its component: so a component whose every request loops takes no more turns from others than one
    /// with as many requests as it has seats.
    pub(crate) fn tick(life: &Arc<Self>) -> UpdateDeadline {
        if Instant::now() >= life.kill_at() {
            life.overdue();
            return UpdateDeadline::Interrupt;
        }
        let life = Arc::clone(life);
        UpdateDeadline::YieldCustom(
            1,
            Box::pin(async move {
                life.stand_up();
                tokio::task::yield_now().await;
                // Closed never; and without a seat it would merely run.
                let seat = Arc::clone(&life.seats).acquire_owned().await.ok();
                *life.seat.lock().unwrap_or_else(PoisonError::into_inner) = seat;
            }),
        )
    }

    /// Gives the seat back, if it has one: called whenever it waits.
    pub(crate) fn stand_up(&self) {
        *self.seat.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Tells everybody how it ended.
    pub(crate) fn end(&self, fate: Fate) {
        self.stand_up();
        let _ = self.fate.set(fate);
        self.ended.notify_waiters();
    }

    /// How it ended, if it has.
    pub(crate) fn fate(&self) -> Option<&Fate> {
        self.fate.get()
    }

    /// How it ends, if that is soon.
    pub(crate) async fn ends_within(&self, time: Duration) -> Option<&Fate> {
        let ended = self.ended.notified();
        // The future is made first, so an end between the look and the wait is not missed.
        if self.fate().is_none() {
            let _ = tokio::time::timeout(time, ended).await;
        }
        self.fate()
    }
}

/// Rounded up, so that nothing is stopped before its time.
fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX / 2).min(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn lives_as_long_as_the_latest_says() {
        let life = Life::new(Duration::from_secs(5), &Arc::new(Semaphore::new(1)));
        let start = Instant::now();
        life.begin(start + Duration::from_secs(3));
        assert_eq!(life.kill_at(), start + Duration::from_secs(3));
        life.moved(start + Duration::from_secs(1));
        assert_eq!(life.kill_at(), start + Duration::from_secs(1));
        life.share(start + Duration::from_secs(7));
        life.moved(start + Duration::from_secs(1));
        assert_eq!(life.kill_at(), start + Duration::from_secs(7));
        assert!(matches!(Life::tick(&life), UpdateDeadline::YieldCustom(1, _)));
        tokio::time::advance(Duration::from_secs(7)).await;
        assert!(matches!(Life::tick(&life), UpdateDeadline::Interrupt));
        assert!(life.is_overdue());
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_compute_take_turns() {
        let seats = Arc::new(Semaphore::new(1));
        let [first, second] = [(); 2].map(|()| Life::new(Duration::from_secs(5), &seats));
        let turn = |life| match Life::tick(life) {
            UpdateDeadline::YieldCustom(_, turn) => turn,
            _ => panic!("its time is not over"),
        };
        turn(&first).await;
        let mut waiting = turn(&second);
        assert!(futures::poll!(&mut waiting).is_pending());
        assert!(futures::poll!(&mut waiting).is_pending());
        first.stand_up();
        waiting.await;
        second.end(Fate::Done);
        assert_eq!(seats.available_permits(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn waits_for_an_end_that_is_near_only() {
        let life = Life::new(Duration::from_secs(5), &Arc::new(Semaphore::new(1)));
        assert_eq!(life.ends_within(Duration::from_millis(1)).await, None);
        life.end(Fate::Memory);
        assert_eq!(life.ends_within(Duration::from_millis(1)).await, Some(&Fate::Memory));
    }
}
