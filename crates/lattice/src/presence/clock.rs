//! The clocks of other hosts: when an instant here is over there, without any wall clock.
//!
//! A beat carries its sender's uptime, and arrives some time after it was sent. The least delayed beat therefore
//! shows the highest uptime for its time of arrival; what is taken from it is behind the sender's clock by its
//! delay and never ahead of it. So a deadline written in it comes at most that delay too early, never too late.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// For how long a beat counts.
const WINDOW: Duration = Duration::from_secs(60);
/// Beats this near to each other are kept as one, the less delayed.
const GRAIN: Duration = Duration::from_secs(5);
/// Beyond any uptime; keeps sums of instants within what clocks can hold.
const FOREVER: Duration = Duration::from_secs(200 * 365 * 24 * 3600);

/// A host's monotonic clock during one incarnation of it, seen from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerClock {
    /// The incarnation that this clock belongs to; deadlines carry it.
    pub incarnation: u64,
    /// When the clock here is taken to have begun.
    epoch: Instant,
    /// The uptime there, less the time since `epoch` here, in microseconds.
    offset: i64,
}

impl PeerClock {
    /// The clock of this very host, whose uptime began at `started`.
    #[must_use]
    pub fn own(incarnation: u64, started: Instant) -> Self {
        Self { incarnation, epoch: started, offset: 0 }
    }

    /// The host's uptime at an instant of here; zero for one before its start.
    #[must_use]
    pub fn to_peer(&self, here: Instant) -> Duration {
        let micros = since(self.epoch, here).saturating_add(self.offset);
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }

    /// The instant of here at which the host's uptime is `uptime`; for absurdly large ones some instant far ahead.
    #[must_use]
    pub fn to_local(&self, uptime: Duration) -> Instant {
        let uptime = micros(uptime.min(FOREVER));
        let shift = uptime.saturating_sub(self.offset);
        let distance = Duration::from_micros(shift.unsigned_abs()).min(FOREVER);
        let moved =
            if shift >= 0 { self.epoch.checked_add(distance) } else { self.epoch.checked_sub(distance) };
        moved.unwrap_or(self.epoch)
    }
}

/// The offsets that the beats of the last minute showed, the largest of which counts.
#[derive(Debug, Clone, Default)]
pub(super) struct Offsets {
    seen: VecDeque<(Instant, i64)>,
}

impl Offsets {
    /// Takes in a beat that says `uptime` and arrived at `now`.
    pub(super) fn hear(&mut self, epoch: Instant, now: Instant, uptime: Duration) {
        let offset = micros(uptime.min(FOREVER)).saturating_sub(since(epoch, now));
        while self.seen.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > WINDOW) {
            self.seen.pop_front();
        }
        match self.seen.back_mut() {
            Some((at, largest)) if now.saturating_duration_since(*at) < GRAIN => {
                *largest = offset.max(*largest)
            }
            _ => self.seen.push_back((now, offset)),
        }
    }

    /// The clock that follows from them.
    pub(super) fn clock(&self, incarnation: u64, epoch: Instant) -> PeerClock {
        let offset = self.seen.iter().map(|(_, offset)| *offset).max().unwrap_or(0);
        PeerClock { incarnation, epoch, offset }
    }
}

fn since(epoch: Instant, instant: Instant) -> i64 {
    match instant.checked_duration_since(epoch) {
        Some(after) => micros(after),
        None => -micros(epoch.saturating_duration_since(instant)),
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn the_least_delayed_beat_of_the_last_minute_counts() {
        let epoch = Instant::now();
        let mut offsets = Offsets::default();
        // The other host started 100 s before this one; its beats take 2 s, one of them only 1 s.
        for second in 0..20 {
            let delay = if second == 7 { secs(1) } else { secs(2) };
            offsets.hear(epoch, epoch + secs(second), secs(100 + second) - delay);
        }
        let clock = offsets.clock(9, epoch);
        assert_eq!(clock.to_peer(epoch + secs(20)), secs(119));
        assert_eq!(clock.to_local(secs(119)), epoch + secs(20));
        // A minute later the good beat counts no more.
        for second in 20..90 {
            offsets.hear(epoch, epoch + secs(second), secs(98 + second));
        }
        assert_eq!(offsets.clock(9, epoch).to_peer(epoch + secs(90)), secs(188));
        assert!(offsets.seen.len() <= 14);
    }

    #[test]
    fn absurd_times_do_no_harm() {
        let epoch = Instant::now();
        let mut offsets = Offsets::default();
        offsets.hear(epoch, epoch, Duration::MAX);
        let clock = offsets.clock(1, epoch);
        let _ = (clock.to_local(Duration::MAX), clock.to_local(Duration::ZERO), clock.to_peer(epoch));
        let clock = PeerClock::own(1, epoch);
        assert_eq!(clock.to_peer(epoch - secs(5)), Duration::ZERO);
        assert!(clock.to_local(Duration::MAX) > epoch + secs(1000));
    }
}
