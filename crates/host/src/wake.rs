//! Notices that this process stood still (stopped, suspended, starved of its processor), and remembers it for a moment.
//!
//! What lies in a socket when a process goes on may be old: whoever sent it may have given up, or asked another host,
//! and nothing in an HTTP request says when it was sent. So a host that has just woken refuses what would do harm if
//! it were late. What comes over the lattice needs no such guess: it carries a deadline in this host's own clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;

/// How often the clock is looked at.
const TICK: Duration = Duration::from_millis(100);
/// A gap between two looks that means standing still and not being busy.
const STILL: Duration = Duration::from_secs(1);
/// How long after waking what arrives is taken to be old: time enough to read what had been waiting.
const DOUBT: Duration = Duration::from_millis(250);

/// Looks at the clock while it is held.
#[derive(Debug)]
pub(crate) struct Wake {
    marks: Arc<Marks>,
    _looking: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct Marks {
    start: Instant,
    /// The last look, in milliseconds since the start.
    looked: AtomicU64,
    /// Until when what arrives is in doubt, likewise.
    doubt: AtomicU64,
}

impl Wake {
    /// Starts to look.
    pub(crate) fn start() -> Self {
        let marks =
            Arc::new(Marks { start: Instant::now(), looked: AtomicU64::new(0), doubt: AtomicU64::new(0) });
        let looking = Arc::clone(&marks);
        let task = tokio::spawn(async move {
            let mut tick = interval(TICK);
            tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tick.tick().await;
                looking.look();
            }
        });
        Self { marks, _looking: AbortOnDropHandle::new(task) }
    }

    /// Whether what arrives now may have waited while this process stood still.
    pub(crate) fn in_doubt(&self) -> bool {
        let now = self.marks.now();
        // On waking a request may be read before the clock is.
        let still = now.saturating_sub(self.marks.looked.load(Ordering::Acquire)) >= millis(STILL);
        still || now < self.marks.doubt.load(Ordering::Acquire)
    }
}

impl Marks {
    fn look(&self) {
        let now = self.now();
        if now.saturating_sub(self.looked.load(Ordering::Acquire)) >= millis(STILL) {
            tracing::warn!("this host stood still; requests that may be old are refused for a moment");
            self.doubt.store(now + millis(DOUBT), Ordering::Release);
        }
        self.looked.store(now, Ordering::Release);
    }

    fn now(&self) -> u64 {
        millis(self.start.elapsed())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_gap_is_doubted_for_a_moment_and_no_longer() {
        let wake = Wake::start();
        tokio::time::sleep(TICK * 5).await;
        assert!(!wake.in_doubt());
        // The clock goes on, and nobody looks: so it is with a stopped process.
        tokio::time::advance(STILL * 2).await;
        assert!(wake.in_doubt(), "before the first look");
        tokio::time::sleep(TICK).await;
        assert!(wake.in_doubt(), "after it");
        tokio::time::sleep(DOUBT + TICK).await;
        assert!(!wake.in_doubt());
    }
}
