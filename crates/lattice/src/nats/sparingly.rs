//! Says the same thing now and then only, and how often it would have been said.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How often the same kind of thing is said.
const INTERVAL: Duration = Duration::from_secs(10);

/// One kind of thing to say.
#[derive(Debug, Default)]
pub(super) struct Sparingly {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    said: Option<Instant>,
    held_back: u64,
}

impl Sparingly {
    /// `Some` if it may be said now, with how often it was held back since the last time.
    pub(super) fn say(&self) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if state.said.is_some_and(|said| now - said < INTERVAL) {
            state.held_back += 1;
            return None;
        }
        state.said = Some(now);
        Some(std::mem::take(&mut state.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn holds_back_within_the_interval() {
        let sparingly = Sparingly::default();
        assert_eq!([sparingly.say(), sparingly.say(), sparingly.say()], [Some(0), None, None]);
        tokio::time::advance(INTERVAL).await;
        assert_eq!([sparingly.say(), sparingly.say()], [Some(2), None]);
    }
}
