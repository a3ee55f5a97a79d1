//! What a host that may stand in for another site has compiled ahead: one component at a time, each identity once.

use std::collections::BTreeMap;
use std::sync::Arc;

use dunlin_placement::{Demand, Hearing, HostView, Standing, prepares};

use super::Core;
use super::action::{Action, World};

/// What was prepared, and what is being prepared now.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    /// The identity of each component that was prepared last, well or badly: a start would say what is wrong.
    identities: BTreeMap<String, String>,
    busy: bool,
}

impl Core {
    /// What to prepare next, if there is nothing better to do.
    pub(super) fn prepare(&mut self, world: &World<'_>, hosts: &[HostView]) -> Option<Action> {
        self.prepared.identities.retain(|component, _| self.demands.contains_key(component));
        let calm = self.standing == Standing::Confirmed && world.hearing == Hearing::Good;
        if !calm || self.prepared.busy || self.drain.is_some() || self.starts_going_on() > 0 {
            return None;
        }
        let due = |demand: &&Arc<Demand>| {
            let component = &demand.component;
            !self.slots.contains_key(component)
                && self.prepared.identities.get(component) != Some(&demand.identity)
                && prepares(demand, hosts, &self.settings.me)
        };
        let demand = Arc::clone(self.demands.values().find(due)?);
        self.prepared.identities.insert(demand.component.clone(), demand.identity.clone());
        self.prepared.busy = true;
        Some(Action::Prepare { demand })
    }

    /// The preparation that was asked for has ended, one way or the other.
    pub(crate) fn has_prepared(&mut self) {
        self.prepared.busy = false;
    }
}
