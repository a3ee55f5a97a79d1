//! How many second attempts there may be: a share of the calls, so that retries never make an overload worse.

use tokio::time::Instant;

/// How the budget grows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BudgetSettings {
    /// Retries for each call, 0.2 being one in five.
    pub share: f64,
    /// Retries for each second, whatever the traffic.
    pub floor: f64,
    /// Seconds for which what was not used is kept, so that a short burst of refusals passes.
    pub memory: f64,
}

impl Default for BudgetSettings {
    fn default() -> Self {
        Self { share: 0.2, floor: 10.0, memory: 10.0 }
    }
}

/// The retries that are left now. What is not used fades away over [`BudgetSettings::memory`].
#[derive(Debug, Clone)]
pub struct Budget {
    settings: BudgetSettings,
    balance: f64,
    at: Instant,
}

impl Budget {
    /// A budget with its floor full.
    #[must_use]
    pub fn new(settings: BudgetSettings, now: Instant) -> Self {
        Self { settings, balance: settings.floor * settings.memory, at: now }
    }

    /// Counts a call.
    pub fn deposit(&mut self, now: Instant) {
        self.fade(now);
        self.balance += self.settings.share;
    }

    /// Takes one retry, if there is one.
    pub fn withdraw(&mut self, now: Instant) -> bool {
        self.fade(now);
        let there = self.balance >= 1.0;
        if there {
            self.balance -= 1.0;
        }
        there
    }

    fn fade(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.at).as_secs_f64();
        if seconds > 0.0 {
            let kept = (-seconds / self.settings.memory.max(f64::MIN_POSITIVE)).exp();
            let floor = self.settings.floor * self.settings.memory;
            self.balance = self.balance * kept + floor * (1.0 - kept);
            self.at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn drain(budget: &mut Budget, now: Instant) -> usize {
        (0..100_000).take_while(|_| budget.withdraw(now)).count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_floor_and_a_share() {
        let start = Instant::now();
        let mut budget = Budget::new(BudgetSettings::default(), start);
        assert_eq!(drain(&mut budget, start), 100);
        assert!(!budget.withdraw(start));
        for _ in 0..1000 {
            budget.deposit(start);
        }
        assert!((199..=200).contains(&drain(&mut budget, start)));
        let later = drain(&mut budget, start + Duration::from_secs(1));
        assert!((9..=10).contains(&later), "{later} after a second without traffic");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_saved_fades() {
        let start = Instant::now();
        let mut budget = Budget::new(BudgetSettings::default(), start);
        for _ in 0..100_000 {
            budget.deposit(start);
        }
        let later = drain(&mut budget, start + Duration::from_secs(120));
        assert!((99..=101).contains(&later), "{later}");
    }
}
