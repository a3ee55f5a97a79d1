//! What happened, told by what changed: the slots and conditions of a host before a step and after it.
//!
//! The core decides and does not tell; whatever it learns to do, the story follows from what it shows.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use dunlin_manifest::HostId;
use dunlin_placement::{Demand, SlotState};
use tokio::time::Instant;

use crate::core::{Action, Token};
use crate::events::{Event, What};
use crate::state::{HostState, SlotReport, UpdateReport};

/// What was shown last.
#[derive(Debug, Default)]
pub(super) struct Story {
    slots: BTreeMap<String, SlotReport>,
    /// Messages by component and kind.
    conditions: BTreeMap<(String, String), String>,
    /// What each instance that is not gone yet was started for.
    instances: HashMap<Token, Arc<Demand>>,
}

impl Story {
    /// Tells what a step changed. `demanded` says whether Git asks for a component.
    pub(super) fn step(
        &mut self,
        report: &HostState,
        actions: &[Action],
        demanded: impl Fn(&str) -> bool,
        now: Instant,
    ) -> Vec<Event> {
        for action in actions {
            match action {
                Action::Start { token, demand } => {
                    self.instances.insert(*token, Arc::clone(demand));
                }
                Action::Cancel { token } => self.forget(*token),
                _ => {}
            }
        }
        let revision = report.revision.as_deref().unwrap_or_default();
        let event = |component: &str, identity: &str, what| Event {
            at: now,
            component: component.to_owned(),
            identity: identity.to_owned(),
            revision: revision.to_owned(),
            what,
        };
        let mut events = Vec::new();
        for (name, slot) in &report.slots {
            let leaving = || What::Leaving {
                promised: promised(name, actions),
                draining: report.draining,
                deleted: !demanded(name),
            };
            let told = slot_events(self.slots.get(name), slot, leaving);
            events.extend(told.into_iter().map(|(identity, what)| event(name, &identity, what)));
        }
        for (name, slot) in &self.slots {
            // One that left tells of its end itself, when its last call is finished.
            if !report.slots.contains_key(name) && slot.state != SlotState::Leaving {
                events.push(event(name, &slot.identity, What::GivenUp));
            }
        }
        let conditions = conditions(report);
        for ((component, kind), message) in &conditions {
            if !self.conditions.contains_key(&(component.clone(), kind.clone())) {
                let what = What::Condition { kind: kind.clone(), message: message.clone() };
                events.push(event(component, "", what));
            }
        }
        for (component, kind) in self.conditions.keys() {
            if !conditions.contains_key(&(component.clone(), kind.clone())) {
                events.push(event(component, "", What::ConditionOver { kind: kind.clone() }));
            }
        }
        self.conditions = conditions;
        self.slots.clone_from(&report.slots);
        events
    }

    /// An instance that was to retire has stopped.
    pub(super) fn stopped(
        &mut self,
        token: Token,
        revision: &str,
        finished: usize,
        cut: usize,
    ) -> Option<Event> {
        let demand = self.instances.remove(&token)?;
        Some(Event {
            at: Instant::now(),
            component: demand.component.clone(),
            identity: demand.identity.clone(),
            revision: revision.to_owned(),
            what: What::Stopped { finished, cut },
        })
    }

    /// An instance came to nothing.
    pub(super) fn forget(&mut self, token: Token) {
        self.instances.remove(&token);
    }
}

/// Those who promised to stay, when a slot left by their promises: they are told in the same step that it is done.
fn promised(component: &str, actions: &[Action]) -> Vec<HostId> {
    let host = |action: &Action| match action {
        Action::Done { component: of, host, .. } if of == component => Some(host.clone()),
        _ => None,
    };
    actions.iter().filter_map(host).collect()
}

fn conditions(report: &HostState) -> BTreeMap<(String, String), String> {
    let entry = |condition: &crate::Condition| {
        let component = condition.component.clone().unwrap_or_default();
        ((component, condition.kind.clone()), condition.message.clone())
    };
    report.conditions.iter().map(entry).collect()
}

/// What happened to one slot, each with the identity that it is about.
fn slot_events(
    before: Option<&SlotReport>,
    now: &SlotReport,
    leaving: impl Fn() -> What,
) -> Vec<(String, What)> {
    let mut events = Vec::new();
    let failed = |slot: &SlotReport| slot.failed.map(|reach| (reach, slot.attempts));
    let updated = before.is_some_and(|before| serves(before) && before.identity != now.identity);
    let state = before.filter(|_| !updated).map(|before| before.state);
    let what = match now.state {
        _ if updated => None,
        SlotState::Starting if state != Some(SlotState::Starting) => Some(What::Starting),
        SlotState::Ready if state != Some(SlotState::Ready) => {
            let since = before.map_or(now.since_ms, |before| before.since_ms);
            Some(What::Ready { after: Duration::from_millis(now.since_ms.saturating_sub(since)) })
        }
        SlotState::Unready if state != Some(SlotState::Unready) => Some(What::Unready),
        SlotState::Leaving if state != Some(SlotState::Leaving) => Some(leaving()),
        _ => None,
    };
    events.extend(what.map(|what| (now.identity.clone(), what)));
    if let Some((reach, attempts)) = failed(now)
        && before.and_then(failed) != Some((reach, attempts))
    {
        let reason = now.reason.clone().unwrap_or_default();
        events.push((now.identity.clone(), What::Failed { reach, reason, attempts }));
    }
    let (old, new) = (before.and_then(|before| before.update.as_ref()), now.update.as_ref());
    match (old, new) {
        (Some(old), _) if updated && old.identity == now.identity => {
            let after =
                Duration::from_millis(now.since_ms.saturating_sub(old.since_ms.unwrap_or(now.since_ms)));
            events.push((now.identity.clone(), What::Updated { after }));
        }
        _ if updated => events.push((now.identity.clone(), What::Updated { after: Duration::ZERO })),
        (Some(old), None) => events.push((old.identity.clone(), What::UpdateGivenUp)),
        (old, Some(new)) => events.extend(update_events(old, new)),
        (None, None) => {}
    }
    events
}

fn update_events(before: Option<&UpdateReport>, now: &UpdateReport) -> Vec<(String, What)> {
    let mut events = Vec::new();
    let begun = |update: &UpdateReport| (update.identity.clone(), update.since_ms);
    if now.since_ms.is_some() && before.map(begun) != Some(begun(now)) {
        events.push((now.identity.clone(), What::UpdateBegun));
    }
    let failed = |update: &UpdateReport| (update.identity.clone(), update.failed, update.attempts);
    if let Some(reach) = now.failed
        && before.map(failed) != Some(failed(now))
    {
        let reason = now.reason.clone().unwrap_or_default();
        events.push((now.identity.clone(), What::UpdateFailed { reach, reason, attempts: now.attempts }));
    }
    events
}

fn serves(slot: &SlotReport) -> bool {
    matches!(slot.state, SlotState::Ready | SlotState::Unready)
}

#[cfg(test)]
mod tests;
