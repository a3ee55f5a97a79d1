//! What a host's past says of it: how fast it answers, and whether it lately failed again and again.

use std::time::Duration;

use tokio::time::Instant;

/// A moving average of answer times that forgets: an old measurement halves every [`Latency::HALF_LIFE`], so that
/// a host that was slow once gets another chance.
#[derive(Debug, Clone, Copy, Default)]
pub struct Latency {
    micros: f64,
    at: Option<Instant>,
}

impl Latency {
    /// How long until a measurement counts half.
    pub const HALF_LIFE: Duration = Duration::from_secs(60);
    const WEIGHT: f64 = 0.2;

    /// Adds an answer that took `sample`.
    pub fn record(&mut self, sample: Duration, now: Instant) {
        let sample = sample.as_secs_f64() * 1e6;
        self.micros = match self.at {
            Some(_) => {
                let old = self.faded(now);
                // Faded to nothing, the past says nothing: then the sample stands for itself.
                if old < sample / 4.0 { sample } else { old + Self::WEIGHT * (sample - old) }
            }
            None => sample,
        };
        self.at = Some(now);
    }

    /// What to expect now; zero if nothing is known.
    #[must_use]
    pub fn estimate(&self, now: Instant) -> Duration {
        Duration::from_secs_f64((self.faded(now) / 1e6).clamp(0.0, 3600.0))
    }

    fn faded(&self, now: Instant) -> f64 {
        self.at.map_or(0.0, |at| {
            let age = now.saturating_duration_since(at).as_secs_f64();
            self.micros * 0.5_f64.powf(age / Self::HALF_LIFE.as_secs_f64())
        })
    }
}

/// When a host is ejected, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EjectionSettings {
    /// How many failures in a row eject it.
    pub failures: u32,
    /// How long the first time; doubles with each failure after.
    pub first: Duration,
    /// How long at most.
    pub longest: Duration,
}

impl Default for EjectionSettings {
    fn default() -> Self {
        Self { failures: 3, first: Duration::from_secs(2), longest: Duration::from_secs(60) }
    }
}

/// Failures in a row of one host. An ejected host is tried last, not never: so never all are out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ejection {
    failures: u32,
    rounds: u32,
    until: Option<Instant>,
}

impl Ejection {
    /// Notes that the host did not answer. Says whether it is ejected for that.
    pub fn failed(&mut self, now: Instant, settings: &EjectionSettings) -> bool {
        if self.is_ejected(now) {
            return false;
        }
        self.failures = self.failures.saturating_add(1);
        // After an ejection one failure is enough for the next.
        let ejects = self.rounds > 0 || self.failures >= settings.failures;
        if ejects {
            let doubled = settings.first.saturating_mul(2_u32.saturating_pow(self.rounds.min(16)));
            self.until = Some(now + doubled.min(settings.longest));
            self.rounds = self.rounds.saturating_add(1);
            self.failures = 0;
        }
        ejects
    }

    /// Notes that the host answered: all is forgotten. Says whether there was an ejection to forget.
    pub fn answered(&mut self) -> bool {
        std::mem::take(self).rounds > 0
    }

    /// Whether it is ejected now.
    #[must_use]
    pub fn is_ejected(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn latency_follows_and_forgets() {
        let start = Instant::now();
        let mut latency = Latency::default();
        assert_eq!(latency.estimate(start), Duration::ZERO);
        latency.record(Duration::from_millis(10), start);
        assert_eq!(latency.estimate(start).as_millis(), 10);
        latency.record(Duration::from_millis(20), start);
        assert_eq!(latency.estimate(start).as_millis(), 12);
        let later = start + Latency::HALF_LIFE;
        assert_eq!(latency.estimate(later).as_millis(), 6);
        latency.record(Duration::from_millis(100), later);
        assert_eq!(latency.estimate(later).as_millis(), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn ejected_after_three_doubling_to_a_bound_and_back_with_an_answer() {
        let settings = EjectionSettings::default();
        let mut now = Instant::now();
        let mut ejection = Ejection::default();
        for _ in 0..2 {
            ejection.failed(now, &settings);
            assert!(!ejection.is_ejected(now));
        }
        let mut lengths = Vec::new();
        for _ in 0..7 {
            ejection.failed(now, &settings);
            let from = now;
            while ejection.is_ejected(now) {
                ejection.failed(now, &settings); // Late failures do not prolong it.
                now += Duration::from_secs(1);
            }
            lengths.push((now - from).as_secs());
        }
        assert_eq!(lengths, [2, 4, 8, 16, 32, 60, 60]);
        ejection.answered();
        ejection.failed(now, &settings);
        assert!(!ejection.is_ejected(now));
    }
}
