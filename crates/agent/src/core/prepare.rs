//! What a host that may stand in for another site has compiled ahead: one component at a time, each identity until it worked.

use std::collections::BTreeMap;
use std::sync::Arc;

use dunlin_placement::{Demand, Hearing, HostView, Standing, prepares, retry_after};
use tokio::time::Instant;

use super::Core;
use super::action::{Action, World};

/// What was prepared, and what is being prepared now.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    /// The last attempt at each component.
    last: BTreeMap<String, Attempt>,
    /// The component that is being prepared.
    busy: Option<String>,
}

#[derive(Debug)]
struct Attempt {
    identity: String,
    /// In a row.
    failures: u32,
    /// When to try again; not at all while it is under way, or once it worked.
    again: Option<Instant>,
}

impl Core {
    /// What to prepare next, if there is nothing better to do.
    pub(super) fn prepare(&mut self, world: &World<'_>, hosts: &[HostView]) -> Option<Action> {
        self.prepared.last.retain(|component, _| self.demands.contains_key(component));
        let calm = self.standing == Standing::Confirmed && world.hearing == Hearing::Good;
        if !calm || self.prepared.busy.is_some() || self.drain.is_some() || self.starts_going_on() > 0 {
            return None;
        }
        let is_due = |demand: &Demand| {
            self.prepared.last.get(&demand.component).is_none_or(|attempt| {
                attempt.identity != demand.identity || attempt.again.is_some_and(|again| again <= world.now)
            })
        };
        let due = |demand: &&Arc<Demand>| {
            !self.slots.contains_key(&demand.component)
                && is_due(demand)
                && prepares(demand, hosts, &self.settings.me)
        };
        let demand = Arc::clone(self.demands.values().find(due)?);
        let component = demand.component.clone();
        let before = self.prepared.last.get(&component).filter(|attempt| attempt.identity == demand.identity);
        let failures = before.map_or(0, |attempt| attempt.failures);
        let attempt = Attempt { identity: demand.identity.clone(), failures, again: None };
        self.prepared.last.insert(component.clone(), attempt);
        self.prepared.busy = Some(component);
        Some(Action::Prepare { demand })
    }

    /// The preparation that was asked for has ended; one that failed is tried again later.
    pub(crate) fn has_prepared(&mut self, worked: bool, now: Instant) {
        let component = self.prepared.busy.take();
        let attempt = component.and_then(|component| self.prepared.last.get_mut(&component));
        if let Some(attempt) = attempt.filter(|_| !worked) {
            attempt.failures = attempt.failures.saturating_add(1);
            attempt.again = Some(now + retry_after(attempt.failures));
        }
    }
}
