//! How long to wait before the next attempt to connect: longer each time, and not at the same time as everybody else.

use std::time::Duration;

use rand::RngExt;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);
/// A connection that stood for less was no success: one that is closed right away must not be remade in a busy loop.
const STOOD: Duration = Duration::from_secs(5);

/// Counts the attempts that failed in a row.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failed: u32,
}

impl Backoff {
    /// The connection stood for `stood` before it was lost.
    pub(super) fn stood(&mut self, stood: Duration) {
        if stood >= STOOD {
            self.failed = 0;
        }
    }

    /// How long to wait now: 50 ms, doubled with each failure up to 2 s, and of that between half and one and a half.
    pub(super) fn next(&mut self) -> Duration {
        self.next_by(rand::rng().random())
    }

    fn next_by(&mut self, chance: f64) -> Duration {
        let delay = FIRST.saturating_mul(2u32.saturating_pow(self.failed)).min(LONGEST);
        self.failed = self.failed.saturating_add(1);
        delay.mul_f64(0.5 + chance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_to_two_seconds_and_begins_anew_after_a_success() {
        let mut backoff = Backoff::default();
        let delays: Vec<u128> = (0..9).map(|_| backoff.next_by(0.5).as_millis()).collect();
        assert_eq!(delays, [50, 100, 200, 400, 800, 1600, 2000, 2000, 2000]);
        backoff.stood(Duration::from_millis(10));
        assert_eq!(backoff.next_by(0.0), LONGEST / 2);
        backoff.stood(STOOD);
        assert_eq!(backoff.next_by(0.0), FIRST / 2);
        assert!(backoff.next_by(1.0) <= FIRST * 3);
        backoff.failed = u32::MAX;
        assert_eq!(backoff.next_by(1.0), LONGEST * 3 / 2);
    }
}
