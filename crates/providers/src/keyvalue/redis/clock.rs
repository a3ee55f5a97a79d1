//! The server's clock, as far as we know it: what it shows when a deadline of ours passes.
//!
//! The server tells its time now and then; it did so at some moment between our question and its answer, so that the
//! difference between the clocks lies between two bounds. A deadline is told by the lower one: the server refuses a
//! little early rather than execute late. Only our monotonic clock and the server's are compared, no wall clock of ours.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

/// How far two clocks may part, in millionths: what an operating system corrects at most without a step.
const DRIFT: i64 = 500;

/// What is known of the server's clock; times are in microseconds.
#[derive(Debug)]
pub(super) struct Clock {
    /// What our times count from.
    began: Instant,
    bounds: Mutex<Bounds>,
}

/// Bounds of the server's time minus ours, as of one of our moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bounds {
    low: i64,
    high: i64,
    at: i64,
}

impl Bounds {
    /// The same at another moment, when the clocks may have parted.
    fn at(self, moment: i64) -> Self {
        let apart = (moment - self.at).max(0) / (1_000_000 / DRIFT) + 1;
        Self { low: self.low - apart, high: self.high + apart, at: moment }
    }
}

impl Clock {
    /// A clock known from one sample: asked at `sent`, the server said `time`, which we read at `received`.
    pub(super) fn new(sent: Instant, received: Instant, time: i64) -> Self {
        let at = micros(sent, received);
        Self { began: sent, bounds: Mutex::new(Bounds { low: time - at, high: time, at }) }
    }

    /// Takes note of a further sample. Says whether it contradicts the earlier ones: a clock was set.
    pub(super) fn observe(&self, sent: Instant, received: Instant, time: i64) -> bool {
        let (sent, at) = (micros(self.began, sent), micros(self.began, received));
        let new = Bounds { low: time - at, high: time - sent, at };
        let mut bounds = self.bounds.lock().unwrap_or_else(PoisonError::into_inner);
        let old = bounds.at(at);
        let both = Bounds { low: new.low.max(old.low), high: new.high.min(old.high), at };
        let stepped = both.low > both.high;
        *bounds = if stepped { new } else { both };
        stepped
    }

    /// What the server's clock shows when `deadline` comes, or a little less.
    pub(super) fn deadline(&self, deadline: Instant) -> i64 {
        let at = micros(self.began, deadline);
        let bounds = *self.bounds.lock().unwrap_or_else(PoisonError::into_inner);
        bounds.at(at).low.saturating_add(at)
    }
}

/// From `from` to `to`; far enough for every deadline that a caller can mean.
fn micros(from: Instant, to: Instant) -> i64 {
    i64::try_from(to.saturating_duration_since(from).as_micros()).unwrap_or(i64::MAX).min(i64::MAX >> 12)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: i64 = 1_000_000;

    fn after(start: Instant, seconds: f64) -> Instant {
        start + Duration::from_secs_f64(seconds)
    }

    #[test]
    fn a_deadline_is_never_told_too_late_nor_much_too_early() {
        let start = Instant::now();
        // The server's clock is 1000 s ahead; its answer takes 40 ms there and back, the question 10 ms of them.
        let sample = |asked: f64| {
            let time = ((asked + 0.010 + 1000.0) * 1e6).round() as i64;
            (after(start, asked), after(start, asked + 0.040), time)
        };
        let (sent, received, time) = sample(0.0);
        let clock = Clock::new(sent, received, time);
        for asked in [1.0, 3.0, 5.0] {
            let (sent, received, time) = sample(asked);
            assert!(!clock.observe(sent, received, time));
            let told = clock.deadline(after(start, asked + 2.0));
            let exact = ((asked + 2.0 + 1000.0) * 1e6) as i64;
            assert!((exact - 35_000..=exact).contains(&told), "{}", told - exact);
        }
    }

    #[test]
    fn a_slow_answer_does_not_spoil_what_a_fast_one_told() {
        let start = Instant::now();
        let clock = Clock::new(start, after(start, 0.001), 100 * SECOND);
        assert!(!clock.observe(after(start, 1.0), after(start, 6.0), 101 * SECOND + 500));
        let told = clock.deadline(after(start, 7.0));
        assert!((107 * SECOND - 10_000..=107 * SECOND).contains(&told), "{told}");
    }

    #[test]
    fn a_clock_that_was_set_is_believed_at_once() {
        let start = Instant::now();
        for (step, stepped) in [(0, false), (3600, true), (-3600, true)] {
            let clock = Clock::new(start, after(start, 0.001), 5000 * SECOND);
            let time = (5001 + step) * SECOND + 500;
            assert_eq!(clock.observe(after(start, 1.0), after(start, 1.001), time), stepped, "{step}");
            let told = clock.deadline(after(start, 2.0));
            let exact = (5002 + step) * SECOND;
            assert!((exact - 3000..=exact).contains(&told), "{step}: {}", told - exact);
        }
    }

    #[test]
    fn a_deadline_without_end_is_a_number() {
        let start = Instant::now();
        let clock = Clock::new(start, start, 100 * SECOND);
        assert!(clock.deadline(start + Duration::from_secs(86_400 * 365 * 30)) > 100 * SECOND);
    }
}
