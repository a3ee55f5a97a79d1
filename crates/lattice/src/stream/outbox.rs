//! The sending end of a stream: how far the other end lets us write, and whether it still wants to read.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::{BodyBroken, Underway};

/// Changed by the connection's dispatcher; one pump waits on it.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    state: Mutex<State>,
    changed: Notify,
    /// Counts it as open.
    _underway: Option<Underway>,
}

#[derive(Debug, Default)]
struct State {
    allowed: u64,
    broken: Option<BodyBroken>,
}

impl Outbox {
    /// A new one, which counts as open.
    pub(crate) fn counted(underway: Underway) -> Self {
        Self { _underway: Some(underway), ..Self::default() }
    }

    /// The other end lets us write up to `up_to` in total.
    pub(crate) fn grant(&self, up_to: u64) {
        let mut state = self.lock();
        state.allowed = state.allowed.max(up_to);
        drop(state);
        self.changed.notify_one();
    }

    /// Nobody reads any more; the pump stops.
    pub(crate) fn break_off(&self, reason: BodyBroken) {
        self.lock().broken.get_or_insert(reason);
        self.changed.notify_one();
    }

    /// Waits until at least `up_to` in total may be written, and returns how far.
    pub(crate) async fn allowed(&self, up_to: u64) -> Result<u64, BodyBroken> {
        loop {
            {
                let state = self.lock();
                if let Some(broken) = &state.broken {
                    return Err(broken.clone());
                }
                if state.allowed >= up_to {
                    return Ok(state.allowed);
                }
            }
            self.changed.notified().await;
        }
    }

    /// Waits until it is broken off. Only one may wait, here or in [`Outbox::allowed`].
    pub(crate) async fn broken(&self) -> BodyBroken {
        loop {
            if let Some(broken) = self.lock().broken.clone() {
                return broken;
            }
            self.changed.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
