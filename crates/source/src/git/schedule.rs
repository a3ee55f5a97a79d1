//! When to look at the repository next: now and then, later after failures, sooner after a nudge. Pure: the time and
//! the dice are arguments.

use std::time::Duration;

use tokio::time::Instant;

/// The longest between two looks because of failures.
const LONGEST: Duration = Duration::from_secs(300);
/// Nudged hosts spread their looks over this time, so that a server is not asked by all at once.
const SPREAD: Duration = Duration::from_millis(300);
/// Looks that nudges may cause in quick succession; afterwards one a second, whatever comes over the bus.
const BURST: f64 = 3.0;
/// How often a commit that a nudge told of and that is not there yet is looked for again.
const TRIES: u32 = 3;
/// Until the first of these, doubling.
const AGAIN: Duration = Duration::from_millis(500);

/// Why the repository is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It was time to.
    Time,
    /// Another host has seen this commit.
    Nudge(String),
}

/// When the next looks are due.
#[derive(Debug)]
pub(super) struct Schedule {
    interval: Duration,
    longest: Duration,
    failures: u32,
    due: Instant,
    nudge: Option<Nudge>,
    allowance: f64,
    allowed: Instant,
}

#[derive(Debug)]
struct Nudge {
    commit: String,
    tries: u32,
    at: Instant,
}

impl Schedule {
    /// Due now, and then every `interval`; after failures at most `longest` later, which is five minutes if none is given.
    pub(super) fn new(interval: Duration, longest: Option<Duration>, now: Instant) -> Self {
        let longest = longest.unwrap_or(LONGEST).max(interval);
        Self { interval, longest, failures: 0, due: now, nudge: None, allowance: BURST, allowed: now }
    }

    /// When the next look is due.
    pub(super) fn due(&self) -> Instant {
        self.nudge.as_ref().map_or(self.due, |nudge| nudge.at.min(self.due))
    }

    /// Something changed where it can be seen: look at once.
    pub(super) fn changed(&mut self, now: Instant) {
        self.due = self.due.min(now);
    }

    /// Another host has seen `commit`. `dice` is from 0 to 1.
    pub(super) fn nudged(&mut self, commit: &str, now: Instant, dice: f64) {
        if self.nudge.as_ref().is_some_and(|nudge| nudge.commit == commit) {
            return;
        }
        // One that comes before the one before it was looked at takes its place and its turn.
        let at = match &self.nudge {
            Some(waiting) if waiting.tries == 0 => waiting.at,
            _ => (now + SPREAD.mul_f64(dice.clamp(0.0, 1.0))).max(self.affordable(now)),
        };
        self.nudge = Some(Nudge { commit: commit.to_owned(), tries: 0, at });
    }

    /// The purpose of the look that begins now.
    pub(super) fn begin(&mut self, now: Instant) -> Purpose {
        match &self.nudge {
            Some(nudge) if nudge.at <= now && now < self.due => {
                let purpose = Purpose::Nudge(nudge.commit.clone());
                self.refill(now);
                self.allowance -= 1.0;
                purpose
            }
            _ => Purpose::Time,
        }
    }

    /// The commit that a nudge told of was here already. Nothing was asked of the repository, so nothing is known of it.
    pub(super) fn was_here(&mut self, commit: &str) {
        self.nudge.take_if(|nudge| nudge.commit == commit);
    }

    /// A look has ended: `worked` says whether it saw the repository, `found` whether it knows the commit that a nudge
    /// told of, if one did.
    pub(super) fn looked(&mut self, purpose: &Purpose, worked: bool, found: bool, now: Instant, dice: f64) {
        let again = self.affordable(now);
        // One that came while the look was under way, or was not looked for, waits for its own look.
        let this = |nudge: &Nudge| matches!(purpose, Purpose::Nudge(commit) if *commit == nudge.commit);
        if let Some(nudge) = self.nudge.as_mut().filter(|nudge| this(nudge)) {
            if found || !worked || nudge.tries >= TRIES {
                self.nudge = None;
            } else {
                nudge.at = (now + AGAIN * 2_u32.pow(nudge.tries)).max(again);
                nudge.tries += 1;
            }
        }
        let dice = dice.clamp(0.0, 1.0);
        if worked {
            self.failures = 0;
            self.due = now + self.interval.mul_f64(0.85 + 0.3 * dice);
        } else {
            self.failures = self.failures.saturating_add(1);
            let doubled = self.interval.saturating_mul(2_u32.saturating_pow(self.failures));
            self.due = now + doubled.min(self.longest).mul_f64(0.7 + 0.3 * dice);
        }
    }

    /// The earliest time at which a nudge may cause a look.
    fn affordable(&mut self, now: Instant) -> Instant {
        self.refill(now);
        now + Duration::from_secs_f64((1.0 - self.allowance).max(0.0))
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.allowed).as_secs_f64();
        self.allowance = (self.allowance + passed).min(BURST);
        self.allowed = now;
    }
}

#[cfg(test)]
#[path = "schedule/tests.rs"]
mod tests;
