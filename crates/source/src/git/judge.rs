//! What becomes of the head of a branch: it comes into force, or it is held, and why. Pure.

use std::sync::Arc;

use dunlin_manifest::{Reading, Snapshot};

use super::order::{Head, Order, order};
use crate::settle::settle;
use crate::{Condition, State};

/// What is in force.
#[derive(Debug, Clone, Copy)]
pub struct InForce<'a> {
    /// Its revision.
    pub revision: &'a str,
    /// What it says.
    pub snapshot: &'a Arc<Snapshot>,
}

/// The state that follows from the commit `head`, which says `reading` and has what is in force among its ancestors if it
/// `descends`; or why it is held.
pub(super) fn judge(
    in_force: InForce<'_>,
    head: &str,
    descends: bool,
    reading: Reading,
) -> Result<State, Condition> {
    let replaces = reading.snapshot.lattice.as_ref().and_then(|lattice| lattice.spec.replaces.as_deref());
    match order(Some(in_force.revision), Head { id: head, descends, replaces }) {
        Order::Apply => {
            let state = settle(head.to_owned(), reading, in_force.snapshot);
            // Nothing of it is in force, so what follows need not descend from it.
            if state.conditions.contains(&Condition::HeldEmpty) {
                Err(Condition::HeldEmpty)
            } else {
                Ok(state)
            }
        }
        Order::Hold => Err(Condition::HeldOrder {
            head: head.to_owned(),
            in_force: in_force.revision.to_owned(),
            mistake: reading.mistakes.first().map(ToString::to_string),
        }),
    }
}

/// Why a host would hold the commit `head`, if it would.
#[must_use]
pub fn would_hold(in_force: InForce<'_>, head: &str, descends: bool, reading: Reading) -> Option<Condition> {
    judge(in_force, head, descends, reading).err()
}
