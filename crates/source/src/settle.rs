//! From what was read to what is in force: pure.

use std::sync::Arc;

use dunlin_manifest::{Reading, Snapshot};

use crate::{Condition, State};

/// The state that follows `previous` once `reading` was read as `revision`: mistaken objects at their last
/// good form, and no emptiness that nobody asked for.
pub(crate) fn settle(revision: String, mut reading: Reading, previous: &Arc<Snapshot>) -> State {
    let mistakes = Arc::new(std::mem::take(&mut reading.mistakes));
    // Only a lattice that was read now speaks for what was read now.
    let allowed = reading.snapshot.lattice.as_ref().is_some_and(|lattice| lattice.spec.allow_empty);
    let next = reading.hold_back(previous);
    let mut conditions = Vec::new();
    let snapshot = if next.components.is_empty() && !previous.components.is_empty() && !allowed {
        conditions.push(Condition::HeldEmpty);
        Arc::clone(previous)
    } else {
        Arc::new(next)
    };
    if snapshot.lattice.is_none() {
        conditions.push(Condition::NoLattice);
    }
    State { revision, commit: None, snapshot, mistakes, conditions, read: true }
}

/// The state that follows when the source cannot be read: the one before, and why.
pub(crate) fn unreadable(mut state: State, reason: String) -> State {
    state.conditions.retain(|condition| !matches!(condition, Condition::Unreadable(_)));
    state.conditions.push(Condition::Unreadable(reason));
    state
}
