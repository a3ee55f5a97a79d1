//! From what was read to what is in force, and the word of it to whoever listens.

use std::sync::Arc;

use dunlin_manifest::{File, Reading, Snapshot, read};
use tokio::sync::watch;

use crate::files::Listing;
use crate::{Condition, LastGood, State};

/// What files say, with what of them cannot be read.
pub(crate) fn understand(listing: Listing) -> (Vec<File>, Reading) {
    let mut reading = read(&listing.files);
    for file in listing.unreadable {
        reading.add_unreadable(&file.path, file.found, file.allowed, file.hint);
    }
    (listing.files, reading)
}

/// The state that a host goes on with until its source has been read.
pub(crate) fn last_good_state(last_good: LastGood) -> State {
    let LastGood { revision, commit, snapshot, .. } = last_good;
    State { revision, commit, snapshot, mistakes: Arc::default(), conditions: Vec::new(), read: false }
}

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

/// Tells of `state`, if it is another one than before.
pub(crate) fn publish(sender: &watch::Sender<State>, state: State) {
    sender.send_if_modified(|current| {
        let modified = *current != state;
        if modified {
            report(&state);
            *current = state;
        }
        modified
    });
}

/// Logs what is to be known of a state.
pub(crate) fn report(state: &State) {
    let State { revision, snapshot, mistakes, conditions, .. } = state;
    let components = snapshot.components.len();
    tracing::info!(%revision, components, mistakes = mistakes.len(), "desired state");
    for condition in conditions {
        tracing::warn!(%revision, "{condition}");
    }
    for mistake in mistakes.iter() {
        tracing::warn!(%revision, "{mistake}");
    }
}
