//! A new identity on trial beside the one that serves: judged at every step, and given up for as long as Git names it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use dunlin_placement::canary::{
    Aborted, Calls, Elsewhere, EmptySlot, First, Trial, Verdict, form_before, in_force, starts_first, verdict,
};
use dunlin_placement::{CANDIDATE, Demand, HostView, SlotState};
use tokio::time::Instant;

use super::Core;
use super::action::{Action, Token, World};
use super::slot::{Serving, Slot, Starting, is_ready};
use crate::state::{CanaryReport, HostState, UpdateReport};

/// Counts are shown to others at most this often: a host's state is written on change, and counts always change.
const SHOW: Duration = Duration::from_secs(2);

/// What is seen of trials, here and elsewhere.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// What came of the calls to the instances that run here.
    pub(crate) calls: BTreeMap<Token, Calls>,
    /// What other hosts gave up, by component.
    pub(crate) aborted: BTreeMap<String, Vec<Aborted>>,
    /// What live hosts have on trial: component and identity.
    pub(crate) on_trial: BTreeSet<(String, String)>,
}

impl Seen {
    /// Takes in what another host says of itself. What it gave up counts also when it is gone.
    pub(crate) fn hear(&mut self, host: &HostView, state: &HostState) {
        for (component, aborted) in &state.aborted {
            self.aborted.entry(component.clone()).or_default().push(aborted.clone());
        }
        if !host.seen_within(CANDIDATE) {
            return;
        }
        for (component, slot) in &state.slots {
            if let Some(update) = slot.update.as_ref().filter(|update| update.canary.is_some()) {
                self.on_trial.insert((component.clone(), update.identity.clone()));
            }
        }
    }
}

/// An instance on trial.
#[derive(Debug)]
pub(super) struct Canary {
    pub(super) serving: Serving,
    /// When it became ready for the first time.
    since: Instant,
    unready_since: Option<Instant>,
    shown: Calls,
    shown_at: Instant,
}

impl Canary {
    pub(super) fn new(start: Starting, now: Instant) -> Self {
        let serving = Serving::new(start, now);
        Self { serving, since: now, unready_since: None, shown: Calls::default(), shown_at: now }
    }

    /// Ends it: its calls are finished.
    pub(super) fn retire(self) -> Action {
        Action::Retire { token: self.serving.token, limit: self.serving.demand.request_timeout }
    }

    /// As the world sees it.
    pub(super) fn report(&self, started: Instant) -> UpdateReport {
        let since = self.since.saturating_duration_since(started).as_millis();
        let canary = CanaryReport {
            weight: self.weight(),
            since_ms: u64::try_from(since).unwrap_or(u64::MAX),
            calls: self.shown,
        };
        let identity = self.serving.demand.identity.clone();
        let (since_ms, canary) = (Some(canary.since_ms), Some(canary));
        UpdateReport { identity, failed: None, reason: None, since_ms, attempts: 0, canary }
    }

    /// The share of calls that it gets, in per cent.
    pub(super) fn weight(&self) -> u8 {
        self.serving.demand.update.as_ref().map_or(0, |update| update.canary.weight)
    }

    fn refresh(&mut self, world: &World<'_>) {
        let token = self.serving.token;
        self.serving.hear(is_ready(world, token), world.now);
        self.unready_since = match self.unready_since {
            _ if self.serving.ready => None,
            since => since.or(Some(world.now)),
        };
        if world.now.saturating_duration_since(self.shown_at) >= SHOW {
            self.shown = calls(world, token);
            self.shown_at = world.now;
        }
    }

    fn judge(&self, world: &World<'_>, old_is_ready: bool) -> Verdict {
        let age = |since| world.now.saturating_duration_since(since);
        let demand = &self.serving.demand;
        let trial = Trial {
            held_for: age(self.since),
            calls: calls(world, self.serving.token),
            unready_for: self.unready_since.map(age),
            old_is_ready,
            suspended: demand.suspend,
        };
        verdict(demand.update.as_ref().map(|update| &update.canary), &trial)
    }
}

fn calls(world: &World<'_>, token: Token) -> Calls {
    world.trials.calls.get(&token).copied().unwrap_or_default()
}

impl Slot {
    /// Whether an instance that became ready is tried before it serves: it is another identity than what serves, and
    /// Git asks for a trial.
    pub(super) fn tries(&self, start: &Starting) -> bool {
        self.serving.is_some() && start.demand.update.is_some()
    }

    /// Whether the demand is on trial already.
    pub(super) fn has_on_trial(&self, demand: &Demand) -> bool {
        self.canary.as_ref().is_some_and(|canary| canary.serving.demand.identity == demand.identity)
    }
}

impl Core {
    /// Takes in what others gave up, and judges what is on trial here.
    pub(super) fn judge_trials(&mut self, world: &World<'_>) -> Vec<Action> {
        let mut aborted: Vec<(String, Aborted)> = Vec::new();
        for (component, known) in &world.trials.aborted {
            let named = self.git(component).map(|demand| demand.identity.as_str());
            let other = known.iter().find(|aborted| Some(aborted.identity.as_str()) == named);
            aborted.extend(other.map(|aborted| (component.clone(), aborted.clone())));
        }
        let mut actions = Vec::new();
        for (component, slot) in &mut self.slots {
            let old_is_ready = slot.is_ready(world);
            // One that is not asked for any more is ended further on, and judged no more.
            let asked = self.demands.get(component).filter(|demand| slot.has_on_trial(demand)).cloned();
            let Some(demand) = asked else { continue };
            let Some(mut canary) = slot.canary.take() else { continue };
            canary.serving.demand = demand;
            canary.refresh(world);
            match canary.judge(world, old_is_ready) {
                Verdict::Hold => slot.canary = Some(canary),
                Verdict::Promote => {
                    let old = slot.serving.replace(canary.serving);
                    actions.extend(
                        old.map(|old| Action::Retire { token: old.token, limit: old.demand.request_timeout }),
                    );
                }
                Verdict::Abort { reason } => {
                    let identity = canary.serving.demand.identity.clone();
                    let calls = calls(world, canary.serving.token);
                    let by = self.settings.me.to_string();
                    aborted.push((component.clone(), Aborted { identity, by, reason, calls }));
                    actions.push(canary.retire());
                }
            }
            slot.note_state(world.now);
        }
        let before = self.aborted.len();
        for (component, aborted) in aborted {
            // The first word counts, so that all hosts tell the same.
            self.aborted.entry(component).or_insert(aborted);
        }
        if self.aborted.len() != before {
            self.put_in_force();
        }
        actions
    }

    /// Works out what is in force: what Git says, except where that was given up.
    pub(super) fn put_in_force(&mut self) {
        let Some(desired) = &self.desired else { return };
        let named = |component: &str, identity: &str| {
            desired.components.get(component).is_some_and(|demand| demand.identity == identity)
        };
        // What Git names no longer may be tried again, should it come back. What it was when the host stopped is no word
        // of Git's.
        let read = self.read;
        self.aborted.retain(|component, aborted| !read || named(component, &aborted.identity));
        let share = |(name, git): (&String, &Demand)| {
            let demand = in_force(git, desired.before.get(name), self.aborted.get(name));
            let unchanged = self.demands.get(name).filter(|known| ***known == demand);
            (name.clone(), unchanged.map_or_else(|| Arc::new(demand), Arc::clone))
        };
        self.demands = desired.components.iter().map(share).collect();
    }

    /// What was given up, for people.
    pub(super) fn tell_aborted(&mut self) {
        for (component, aborted) in self.aborted.clone() {
            let identity: String = aborted.identity.chars().take(7).collect();
            let message = format!(
                "the update to {identity} was given up by {}: {}; what ran before goes on; commit another identity, \
                 or revert",
                aborted.by, aborted.reason
            );
            self.condition(Some(&component), "Stalled", &message);
        }
    }

    /// What is to be started or updated to now: the demand, the form before it, or nothing.
    pub(super) fn form_to_start(
        &self,
        world: &World<'_>,
        demand: &Arc<Demand>,
        slot: &mut Slot,
        actions: &mut Vec<Action>,
    ) -> Option<Arc<Demand>> {
        let name = demand.component.as_str();
        let aborted = self.aborted.get(name).is_some_and(|aborted| aborted.identity == demand.identity);
        if let Some(serving) = &slot.serving {
            if !aborted || serving.demand.identity == demand.identity {
                return Some(Arc::clone(demand));
            }
            // Given up, and nothing is known that could be gone back to but what serves.
            actions.extend(slot.cancel_start());
            slot.failure = None;
            return None;
        }
        let before = self.desired.as_ref().and_then(|desired| desired.before.get(name));
        let empty = EmptySlot {
            aborted,
            ran: self.settings.ran.contains(name),
            before_failed: before.is_some_and(|before| slot.has_failed(&before.identity)),
            up_for: world.now.saturating_duration_since(self.started),
            elsewhere: elsewhere(world, demand, before.map(|before| before.identity.as_str())),
        };
        match (starts_first(demand, before, &empty), before) {
            (First::Before, Some(before)) => Some(Arc::new(form_before(demand, before))),
            (First::New | First::Before, _) => Some(Arc::clone(demand)),
            (First::Wait, _) => {
                if self.may_start_anew(world, demand) {
                    actions.extend(slot.cancel_start());
                    let why = if aborted { "was given up" } else { "is on trial" };
                    let reason = format!(
                        "the new identity {why} elsewhere, and this host does not know what ran before; it waits"
                    );
                    slot.wait(demand, reason, world.now);
                }
                None
            }
        }
    }

    /// What Git says of a component.
    fn git(&self, component: &str) -> Option<&Demand> {
        self.desired.as_ref()?.components.get(component)
    }
}

/// What other hosts that can be heard show of a component.
fn elsewhere(world: &World<'_>, demand: &Demand, before: Option<&str>) -> Elsewhere {
    let name = demand.component.as_str();
    let live = world.others.iter().filter(|host| host.seen_within(CANDIDATE));
    let ready = live.filter_map(|host| host.slot(name)).filter(|slot| slot.state == SlotState::Ready);
    let mut elsewhere = Elsewhere {
        on_trial: world.trials.on_trial.contains(&(name.to_owned(), demand.identity.clone())),
        ..Elsewhere::default()
    };
    for slot in ready {
        elsewhere.serves_new |= slot.identity == demand.identity;
        elsewhere.serves_before |= Some(slot.identity.as_str()) == before;
        elsewhere.serves_other |= slot.identity != demand.identity;
    }
    elsewhere
}
