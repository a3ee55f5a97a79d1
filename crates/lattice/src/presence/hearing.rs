//! Whether this host hears: every host listens for its own beats, and watches its own timer.

use std::time::Duration;

use tokio::time::Instant;

/// A host whose newest own beat that came back is older than this is deaf.
const MISSED: Duration = Duration::from_secs(3);
/// A host whose timer comes this much late was stopped or starved, and is deaf.
const SLIP: Duration = Duration::from_secs(1);
/// How long a deaf host must hear well before it judges again.
const RECOVERY: Duration = Duration::from_secs(5);

/// The deaf rule: missing one's own beats for 3 s, or a timer that slips by 1 s, makes deaf until 5 s of good
/// hearing. A host that has just started is not deaf until it has had 3 s to hear itself.
#[derive(Debug, Clone)]
pub struct Hearing {
    /// When the newest own beat that was heard had been sent; at first, the start.
    sent: Instant,
    /// When the timer should fire next.
    due: Instant,
    deaf: bool,
    ever: bool,
    good_since: Option<Instant>,
}

impl Hearing {
    /// A host that starts now.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { sent: now, due: now, deaf: false, ever: false, good_since: None }
    }

    /// The timer fired at `now` and should fire again at `next`.
    pub fn tick(&mut self, now: Instant, next: Instant) {
        self.judge(now);
        self.due = next;
    }

    /// An own beat came back `lag` after it was sent. One that is already too old is not hearing.
    pub fn heard(&mut self, now: Instant, lag: Duration) {
        self.judge(now);
        if lag >= MISSED {
            return;
        }
        self.sent = self.sent.max(now.checked_sub(lag).unwrap_or(now));
        self.ever = true;
        if self.deaf {
            let since = *self.good_since.get_or_insert(now);
            if now.saturating_duration_since(since) >= RECOVERY {
                self.deaf = false;
                self.good_since = None;
            }
        }
    }

    /// Whether the host is deaf at `now`, which may be long after anything was told to this value.
    #[must_use]
    pub fn deaf(&self, now: Instant) -> bool {
        self.deaf || self.bad(now)
    }

    /// Whether an own beat was ever heard.
    #[must_use]
    pub fn ever(&self) -> bool {
        self.ever
    }

    fn bad(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.sent) >= MISSED || now.saturating_duration_since(self.due) >= SLIP
    }

    fn judge(&mut self, now: Instant) {
        if self.bad(now) {
            self.deaf = true;
            self.good_since = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Ticks every 250 ms and hears a beat every second, from `from` up to `to` (milliseconds).
    fn well(hearing: &mut Hearing, start: Instant, from: u64, to: u64, lag: u64) {
        for at in (from..=to).step_by(250) {
            let now = start + millis(at);
            hearing.tick(now, now + millis(250));
            if at % 1000 == 0 {
                hearing.heard(now, millis(lag));
            }
        }
    }

    #[test]
    fn missing_own_beats_for_three_seconds_until_five_good_ones() {
        let start = Instant::now();
        let mut hearing = Hearing::new(start);
        assert!(!hearing.deaf(start) && !hearing.ever());
        well(&mut hearing, start, 0, 10_000, 1);
        assert!(!hearing.deaf(start + millis(10_250)) && hearing.ever());
        for at in (10_250..14_000).step_by(250) {
            hearing.tick(start + millis(at), start + millis(at + 250));
            assert_eq!(hearing.deaf(start + millis(at)), at >= 13_000, "{at}");
        }
        well(&mut hearing, start, 14_000, 18_750, 1);
        assert!(hearing.deaf(start + millis(18_750)));
        well(&mut hearing, start, 19_000, 19_000, 1);
        assert!(!hearing.deaf(start + millis(19_000)));
    }

    #[test]
    fn a_timer_that_slips() {
        let start = Instant::now();
        let mut hearing = Hearing::new(start);
        well(&mut hearing, start, 0, 5_000, 1);
        // Stopped for 1.3 s: known before the timer has run again.
        assert!(!hearing.deaf(start + millis(6_200)));
        assert!(hearing.deaf(start + millis(6_300)));
        well(&mut hearing, start, 6_500, 11_750, 1);
        assert!(hearing.deaf(start + millis(11_750)));
        well(&mut hearing, start, 12_000, 12_000, 1);
        assert!(!hearing.deaf(start + millis(12_000)));
    }

    #[test]
    fn stale_beats_are_no_hearing() {
        let start = Instant::now();
        let mut hearing = Hearing::new(start);
        well(&mut hearing, start, 0, 20_000, 3_000);
        assert!(hearing.deaf(start + millis(20_000)) && !hearing.ever());
    }
}
