//! What becomes of one slot in one step: start, update, keep, leave.

use std::sync::Arc;
use std::time::Duration;

use dunlin_manifest::HostId;
use dunlin_placement::{
    CANDIDATE, Demand, Hearing, HostView, Standing, Wanted, deleted_may_leave, may_start, promises_needed,
};

use super::Core;
use super::action::{Action, World};
use super::slot::{Slot, Starting};

/// How long a host listens before it starts what it did not run before: every other host has beaten by then. Until
/// then it would take itself for the only one.
pub(super) const LISTEN: Duration = Duration::from_millis(1500);

/// How many starts go on at once on one host.
const STARTS: usize = 4;

impl Core {
    /// Decides about one slot. `asked` is the demand and who is wanted, unless Git does not have the component.
    pub(super) fn decide(
        &mut self,
        world: &World<'_>,
        hosts: &[HostView],
        name: &str,
        asked: Option<(&Arc<Demand>, &Wanted)>,
        slot: &mut Slot,
    ) -> Vec<Action> {
        let mut actions = Vec::new();
        if slot.is_leaving() {
            return actions;
        }
        let me = self.settings.me.clone();
        match asked {
            None => self.deleted(world, name, slot, &mut actions),
            Some((demand, wanted)) => {
                slot.deleted_since = None;
                let draining = self.drain.is_some();
                if wanted.wants(&me) && !draining {
                    actions.extend(slot.leaving.stay(name, world.now));
                    self.start(world, demand, slot, &mut actions);
                } else if wanted.passes_over(&me) && slot.serving.is_none() && !draining {
                    self.start(world, demand, slot, &mut actions);
                } else if draining || !demand.suspend {
                    self.unwanted(world, hosts, demand, slot, &mut actions);
                } else {
                    actions.extend(slot.leaving.stay(name, world.now));
                }
            }
        }
        actions
    }

    /// Starts what is asked for, unless it runs or is on its way.
    fn start(&mut self, world: &World<'_>, demand: &Arc<Demand>, slot: &mut Slot, actions: &mut Vec<Action>) {
        let Some(demand) = &self.form_to_start(world, demand, slot, actions) else { return };
        let serves = slot.serving.as_ref().map(|serving| serving.demand.identity.as_str());
        let comes = slot.starting.as_ref().map(|start| start.demand.identity.as_str());
        if serves == Some(demand.identity.as_str()) {
            // Also after a change was taken back: nothing is to come and nothing failed.
            actions.extend(slot.cancel_start());
            slot.failure = None;
            if let Some(serving) = &mut slot.serving {
                serving.demand = Arc::clone(demand);
            }
            return;
        }
        if comes == Some(demand.identity.as_str()) || slot.has_on_trial(demand) {
            return;
        }
        if demand.suspend {
            // What is on its way or on trial is not what Git says any more, and nobody judges it.
            actions.extend(slot.cancel_start());
            return;
        }
        let is_update = slot.serving.is_some();
        if !(is_update || self.may_start_anew(world, demand)) {
            return;
        }
        actions.extend(slot.cancel_start());
        if slot.may_try(&demand.identity, world.now) && self.starts_going_on() < STARTS {
            if let Some(old) = slot.serving.take_if(|_| self.settings.bugs.update_in_place) {
                actions.push(Action::Retire { token: old.token, limit: old.demand.request_timeout });
            }
            let token = self.next_token;
            self.next_token += 1;
            slot.starting = Some(Starting { token, demand: Arc::clone(demand), since: world.now });
            actions.push(Action::Start { token, demand: Arc::clone(demand) });
        }
    }

    pub(super) fn may_start_anew(&self, world: &World<'_>, demand: &Demand) -> bool {
        let ran = self.settings.ran.contains(&demand.component);
        let hearing = if self.settings.bugs.judge_while_deaf { Hearing::Good } else { world.hearing };
        let listened = self.settings.bugs.judge_while_deaf
            || self.hears_since.is_some_and(|since| world.now.saturating_duration_since(since) >= LISTEN);
        let standing = match self.standing {
            Standing::Waiting if self.settings.bugs.resurrect => Standing::Restarting,
            standing => standing,
        };
        may_start(demand, standing, ran, hearing) && (listened || ran)
    }

    pub(super) fn starts_going_on(&self) -> usize {
        self.slots.values().filter(|slot| slot.starting.is_some()).count()
    }

    /// A slot that this host does not want: what does not serve ends, what serves leaves when it may.
    fn unwanted(
        &mut self,
        world: &World<'_>,
        hosts: &[HostView],
        demand: &Arc<Demand>,
        slot: &mut Slot,
        actions: &mut Vec<Action>,
    ) {
        actions.extend(slot.cancel_start());
        slot.failure = None;
        if slot.serving.is_none() {
            return;
        }
        let deadline = self.drain.as_ref().map(|drain| drain.deadline);
        if deadline.is_some_and(|deadline| world.now >= deadline) {
            actions.extend(slot.leaving.stay(&demand.component, world.now));
            slot.leave(world.now, actions);
            return;
        }
        // What is wanted is not known to be current, or who is there is not known at all.
        let judges = self.standing == Standing::Confirmed && world.hearing == Hearing::Good;
        if !judges && deadline.is_none() {
            actions.extend(slot.leaving.stay(&demand.component, world.now));
            return;
        }
        self.leave_by_promise(world, hosts, demand, slot, actions);
    }

    fn leave_by_promise(
        &mut self,
        world: &World<'_>,
        hosts: &[HostView],
        demand: &Arc<Demand>,
        slot: &mut Slot,
        actions: &mut Vec<Action>,
    ) {
        let name = demand.component.as_str();
        let bugs = self.settings.bugs;
        let me = &self.settings.me;
        let deaf = world.hearing != Hearing::Good;
        let counted: Vec<HostView>;
        let hosts = if bugs.count_only_the_seen {
            counted = hosts.iter().filter(|host| host.seen_within(CANDIDATE)).cloned().collect();
            &counted
        } else {
            hosts
        };
        let over = self.failovers.of(name);
        let needed = promises_needed(demand, &over, hosts, me, self.drain.is_some(), deaf);
        if slot.leaving.is_bound(world.now) && !bugs.break_promises {
            // Whoever promises cannot leave; let go of those who promised to it meanwhile.
            actions.extend(slot.leaving.give_up(name, world.now));
            self.condition(Some(name), "WaitsForPromises", "has promised to stay until another has left");
            return;
        }
        let others = self.others_ready(world, name);
        let seen = others.len();
        let shown = bugs.stop_on_presence && others.len() >= needed;
        if needed == 0 || shown || slot.leaving.has_enough(needed, me, world.now) {
            actions.extend(slot.leaving.stay(name, world.now));
            slot.leave(world.now, actions);
            return;
        }
        if slot.leaving.is_over(world.now) {
            actions.extend(slot.leaving.give_up(name, world.now));
        }
        // Presence only tells whether it is worth asking.
        if !slot.leaving.is_asking() && others.len() >= needed {
            actions.extend(slot.leaving.ask(name, others, world.now));
        }
        let message = waits_for_promises(needed, seen);
        self.condition(Some(name), "WaitsForPromises", &message);
    }

    /// Other hosts that show a ready slot and can be heard.
    fn others_ready(&self, world: &World<'_>, component: &str) -> Vec<HostId> {
        let shows = |host: &&HostView| host.shows_ready(component) && host.seen_within(CANDIDATE);
        world.others.iter().filter(shows).map(|host| host.id.clone()).collect()
    }

    /// Git does not have the component: nobody is asked, but calls under way elsewhere may still come.
    fn deleted(&mut self, world: &World<'_>, name: &str, slot: &mut Slot, actions: &mut Vec<Action>) {
        actions.extend(slot.cancel_start());
        slot.failure = None;
        actions.extend(slot.leaving.stay(name, world.now));
        if self.standing != Standing::Confirmed && self.drain.is_none() {
            return;
        }
        let Some(serving) = &slot.serving else { return };
        if world.holds.contains(name) && self.drain.is_none() {
            // Calls that follow the old route may come for a while after it has passed.
            slot.deleted_since = None;
            let message = "serves on: whoever gets its route is not ready anywhere";
            self.condition(Some(name), "HoldsRoute", message);
            return;
        }
        let since = *slot.deleted_since.get_or_insert(world.now);
        let deleted_for = world.now.saturating_duration_since(since);
        let last_call = world.instances.get(&serving.token).and_then(|instance| instance.last_call);
        let idle = last_call.map(|at| world.now.saturating_duration_since(at));
        let promised = slot.leaving.is_bound(world.now);
        if !promised && (self.drain.is_some() || deleted_may_leave(deleted_for, idle)) {
            slot.leave(world.now, actions);
        }
    }
}

/// What a slot that is not wanted here waits for, in words that change only when something does.
fn waits_for_promises(needed: usize, ready: usize) -> String {
    let promises = |count: usize| if count == 1 { "promise" } else { "promises" };
    match needed.saturating_sub(ready) {
        0 => format!("waits for {needed} {} to stay (ready elsewhere: {ready})", promises(needed)),
        more => format!("waits for {more} more {} of {needed} (ready elsewhere: {ready})", promises(more)),
    }
}
