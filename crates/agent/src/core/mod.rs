//! What one host decides: a function of the time, what it sees and what it is told, without a clock or a socket.
//!
//! The shell ([`crate::run`]) calls [`Core::step`] whenever something may have changed and carries out the actions
//! that come back. Everything that may start or stop a slot is decided here, in one call under one lock: between the
//! moment that promises are counted and the moment that a slot leaves nothing can come in between.
//!
//! **Architecture Invariant:** a slot that serves ends only in [`decide`], for one of four reasons: enough promises,
//! nobody asks for it any more, the grace period of a drain is over, or a ready successor in the same slot (whose
//! trial, if it had one, [`canary`] judges).

mod action;
mod bugs;
mod canary;
mod decide;
mod failover;
mod leaving;
mod overdue;
mod prepare;
mod report;
mod since;
mod slot;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use dunlin_manifest::HostId;
use dunlin_placement::canary::Aborted;
use dunlin_placement::{
    Asker, Demand, Desired, Hearing, HostView, Replicas, Responder, Standing, Wanted, cut_off, may_promise,
    standing, wanted, with_stand_ins,
};
use tokio::time::Instant;

pub(crate) use action::{Action, Failed, InstanceFacts, Token, World};
pub use bugs::Bugs;
pub(crate) use canary::Seen;
pub(crate) use leaving::Answer;

use crate::state::Condition;
use failover::Failovers;
use overdue::Overdue;
use prepare::Prepared;
use since::Since;
use slot::Slot;

/// What does not change while the host runs.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) me: HostId,
    pub(crate) incarnation: u64,
    pub(crate) labels: Arc<BTreeMap<String, String>>,
    pub(crate) memory_capacity: u64,
    pub(crate) weight: u32,
    pub(crate) ran: BTreeSet<String>,
    pub(crate) aborted: BTreeMap<String, Aborted>,
    pub(crate) start_limit: Duration,
    pub(crate) bugs: Bugs,
}

/// The decisions of one host.
#[derive(Debug)]
pub(crate) struct Core {
    settings: Settings,
    started: Instant,
    /// What is wanted: the last good state at first, then what the source says.
    desired: Option<Desired>,
    /// What is in force of it: where an identity was given up, the form before.
    demands: BTreeMap<String, Arc<Demand>>,
    aborted: BTreeMap<String, Aborted>,
    read: bool,
    standing: Standing,
    hears_since: Option<Instant>,
    drain: Option<Drain>,
    slots: BTreeMap<String, Slot>,
    overdue: Overdue,
    failovers: Failovers,
    prepared: Prepared,
    conditions: Vec<Condition>,
    since: Since,
    next_token: Token,
}

/// All slots are to go elsewhere.
#[derive(Debug)]
struct Drain {
    /// From then on nothing is waited for.
    deadline: Instant,
    /// What it ran when the drain began: what it is to start should everybody come back at once.
    ran: BTreeSet<String>,
}

/// An instance that takes calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InService {
    pub(crate) token: Token,
    pub(crate) demand: Arc<Demand>,
    pub(crate) ready: bool,
    /// What is on trial beside it.
    pub(crate) canary: Option<OnTrial>,
}

/// An instance that takes a share of the calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OnTrial {
    pub(crate) token: Token,
    pub(crate) demand: Arc<Demand>,
    pub(crate) ready: bool,
    /// Its share, in per cent.
    pub(crate) weight: u8,
}

impl Core {
    /// A host that starts now, with what it last knew to be wanted.
    pub(crate) fn new(settings: Settings, last_good: Option<Desired>, now: Instant) -> Self {
        let mut core = Self {
            aborted: settings.aborted.clone(),
            settings,
            started: now,
            desired: None,
            demands: BTreeMap::new(),
            read: false,
            standing: Standing::Waiting,
            hears_since: None,
            drain: None,
            slots: BTreeMap::new(),
            overdue: Overdue::default(),
            failovers: Failovers::default(),
            prepared: Prepared::default(),
            conditions: Vec::new(),
            since: Since::default(),
            next_token: 1,
        };
        if let Some(last_good) = last_good {
            core.set_desired(last_good);
        }
        core
    }

    /// The source says what is wanted.
    pub(crate) fn source_read(&mut self, desired: Desired) {
        let first = !std::mem::replace(&mut self.read, true);
        self.set_desired(desired);
        // What the disk remembers is judged by Git's own word, also where that is what was known already.
        if first {
            self.put_in_force();
        }
    }

    fn set_desired(&mut self, desired: Desired) {
        if self.desired.as_ref() == Some(&desired) {
            return;
        }
        self.desired = Some(desired);
        self.put_in_force();
    }

    /// All slots are to go elsewhere; after `grace` nothing is waited for. A second call may only shorten it.
    pub(crate) fn drain(&mut self, grace: Duration, now: Instant) {
        let deadline = now + grace;
        match &mut self.drain {
            Some(drain) => drain.deadline = drain.deadline.min(deadline),
            None => self.drain = Some(Drain { deadline, ran: self.runs() }),
        }
    }

    /// Whether Git asks for the component.
    pub(crate) fn demands(&self, component: &str) -> bool {
        self.demands.contains_key(component)
    }

    /// Whether it has drained: nothing serves and nothing finishes.
    pub(crate) fn is_drained(&self) -> bool {
        self.drain.is_some() && self.slots.is_empty()
    }

    /// Decides what to do now.
    pub(crate) fn step(&mut self, world: &World<'_>) -> Vec<Action> {
        let mut actions = Vec::new();
        for slot in self.slots.values_mut() {
            actions.extend(slot.refresh(world, self.settings.start_limit));
        }
        actions.extend(self.judge_trials(world));
        self.note_hearing(world);
        self.note_standing(world);
        self.conditions.clear();
        self.tell_aborted();
        if self.standing == Standing::Waiting && self.desired.is_some() {
            self.condition(
                None,
                "NotConfirmed",
                "the source was not read yet, and no host of the site confirms what was last known",
            );
        }

        let hosts = self.hosts(world);
        self.note_failovers(world, &hosts);
        let names: BTreeSet<String> = self.demands.keys().chain(self.slots.keys()).cloned().collect();
        for name in names {
            let demand = self.demands.get(&name).cloned();
            let wanted = demand.as_ref().map(|demand| self.wanted(demand, &hosts));
            if let (Some(demand), Some(wanted)) = (&demand, &wanted) {
                self.note_wanted(world, demand, wanted);
                self.report_failover(demand, &hosts);
            }
            let mut slot = self.slots.remove(&name).unwrap_or_else(|| Slot::new(world.now));
            actions.extend(self.decide(
                world,
                &hosts,
                &name,
                demand.as_ref().zip(wanted.as_ref()),
                &mut slot,
            ));
            if !slot.is_absent() {
                slot.note_state(world.now);
                self.slots.insert(name, slot);
            }
        }
        self.since.note(&mut self.conditions, self.started, world.now);
        let demands = &self.demands;
        self.overdue.keep(|host, component| {
            demands.contains_key(component) && world.others.iter().any(|other| other.id == *host)
        });
        actions.extend(self.prepare(world, &hosts));
        actions
    }

    /// "Will you stay?" A yes binds.
    pub(crate) fn will_you_stay(
        &mut self,
        world: &World<'_>,
        component: &str,
        asker: &HostId,
        question: u64,
    ) -> bool {
        let hosts = self.hosts(world);
        let draining = self.drain.is_some() && !self.settings.bugs.forget_own_drain;
        let demand = self.demands.get(component).cloned();
        let wanted = demand.as_ref().map(|demand| self.wanted(demand, &hosts)).unwrap_or_default();
        let me = &self.settings.me;
        let Some(slot) = self.slots.get_mut(component) else { return false };
        let responder = Responder {
            id: me,
            weight: self.settings.weight,
            ready: slot.is_ready(world),
            leaving: slot.is_leaving(),
            draining,
            demanded: demand.is_some(),
            wanted: wanted.wants(me),
        };
        // Rank compares weights, and the weight of an asker whose state has not come yet is not known.
        let known = world.others.iter().find(|host| host.id == *asker && host.slot(component).is_some());
        let yes = match known {
            Some(host) => may_promise(component, responder, Asker { id: asker, weight: host.weight }),
            None => responder.wanted && may_promise(component, responder, Asker { id: asker, weight: 0 }),
        };
        if yes {
            slot.leaving.bind(asker, question, world.now);
        }
        yes
    }

    /// The asker needs a promise no longer.
    pub(crate) fn release(&mut self, component: &str, asker: &HostId, question: u64) {
        if let Some(slot) = self.slots.get_mut(component) {
            slot.leaving.release(asker, question);
        }
    }

    /// An answer came, or silence for long enough.
    pub(crate) fn answered(
        &mut self,
        component: &str,
        round: u64,
        host: HostId,
        answer: Answer,
    ) -> Option<Action> {
        match self.slots.get_mut(component) {
            Some(slot) => {
                if self.settings.bugs.trust_stale_yes && answer.yes {
                    slot.leaving.never_forget(&host);
                }
                slot.leaving.answered(component, round, host, answer)
            }
            None => answer.yes.then(|| Action::Done {
                component: component.to_owned(),
                host,
                question: answer.question,
            }),
        }
    }

    /// A start came to its end. Says whether the instance is still needed; one that is shows its readiness in
    /// [`World::instances`] from now on.
    pub(crate) fn started(&mut self, token: Token, outcome: Result<(), Failed>, now: Instant) -> bool {
        let of_token = |slot: &&mut Slot| slot.starting.as_ref().is_some_and(|start| start.token == token);
        let Some(slot) = self.slots.values_mut().find(of_token) else { return false };
        if let Err(failed) = outcome {
            if let Some(start) = slot.starting.take() {
                slot.fail(&start.demand, failed, now);
            }
            slot.note_state(now);
            return false;
        }
        true
    }

    /// An instance that was to retire has stopped.
    pub(crate) fn gone(&mut self, token: Token) {
        self.slots.retain(|_, slot| {
            !(slot.is_leaving() && slot.serving.as_ref().is_some_and(|serving| serving.token == token))
        });
    }

    /// What takes calls here now, by component.
    pub(crate) fn in_service(&self) -> BTreeMap<String, InService> {
        let of = |(name, slot): (&String, &Slot)| {
            let serving = slot.serving.as_ref().filter(|_| !slot.is_leaving())?;
            let canary = slot.canary.as_ref().map(|canary| OnTrial {
                token: canary.serving.token,
                demand: Arc::clone(&canary.serving.demand),
                ready: canary.serving.ready,
                weight: canary.weight(),
            });
            let demand = Arc::clone(&serving.demand);
            let in_service = InService { token: serving.token, demand, ready: serving.ready, canary };
            Some((name.clone(), in_service))
        };
        self.slots.iter().filter_map(of).collect()
    }

    /// What to start again after a restart. A drain does not shorten it: when all hosts of a lattice are stopped in
    /// order and come back without their source, each still knows what it ran.
    pub(crate) fn ran(&self) -> BTreeSet<String> {
        self.drain.as_ref().map_or_else(|| self.runs(), |drain| drain.ran.clone())
    }

    fn runs(&self) -> BTreeSet<String> {
        // What ran before this start counts until it is known whether it is to run again, and has come up.
        let comes = |name: &str| self.slots.get(name).is_some_and(|slot| slot.serving.is_none());
        let before =
            self.settings.ran.iter().filter(|name| self.standing != Standing::Confirmed || comes(name));
        self.in_service().into_keys().chain(before.cloned()).collect()
    }

    fn note_hearing(&mut self, world: &World<'_>) {
        if world.hearing != Hearing::Good {
            self.hears_since = None;
            self.overdue.forget_running();
        } else if self.hears_since.is_none() {
            self.hears_since = Some(world.now);
        }
    }

    fn note_standing(&mut self, world: &World<'_>) {
        if self.standing == Standing::Confirmed {
            return;
        }
        let last_good = self.desired.as_ref().map(|desired| desired.digest.as_str());
        let up_for = world.now.saturating_duration_since(self.started);
        self.standing = standing(self.read, last_good, &self.settings.me, world.others, up_for);
    }

    fn note_failovers(&mut self, world: &World<'_>, hosts: &[HostView]) {
        let (me, bugs) = (&self.settings.me, self.settings.bugs);
        let cut_off = cut_off(&me.site, hosts, world.linked) && !bugs.failover_while_cut_off;
        let deaf = world.hearing != Hearing::Good && !bugs.failover_while_deaf;
        let hears = !deaf && !cut_off;
        let demands = self.demands.values().map(Arc::as_ref);
        self.failovers.watch(demands, hosts, me, hears, world.now, bugs);
    }

    fn note_wanted(&mut self, world: &World<'_>, demand: &Demand, wanted: &Wanted) {
        if let Some(shortage) = &wanted.shortage {
            self.condition(Some(&demand.component), "Shortage", &shortage.to_string());
        }
        if world.hearing == Hearing::Good && !demand.suspend {
            self.overdue.watch(&demand.component, wanted, world.others, world.now);
        }
    }

    fn condition(&mut self, component: Option<&str>, kind: &str, message: &str) {
        let component = component.map(str::to_owned);
        self.conditions.push(Condition {
            component,
            kind: kind.to_owned(),
            message: message.to_owned(),
            since_ms: None,
        });
    }

    fn wanted(&self, demand: &Demand, hosts: &[HostView]) -> Wanted {
        let (me, over) = (&self.settings.me, self.failovers.of(&demand.component));
        let mut whole = with_stand_ins(demand, over, hosts, Some(me));
        if self.settings.bugs.failover_replaces
            && let Some(Replicas::Count(own)) = demand.sites.get(&me.site).map(|site| site.replicas)
            && let Some(site) = whole.as_mut().and_then(|whole| whole.sites.get_mut(&me.site))
            && let Replicas::Count(all @ 1..) = site.replicas
        {
            site.replicas = Replicas::Count(if all > own { all - own } else { own });
        }
        wanted(whole.as_ref().unwrap_or(demand), &me.site, hosts, Some(me))
    }

    /// All hosts as this one judges them, itself included.
    fn hosts(&self, world: &World<'_>) -> Vec<HostView> {
        let limit = if self.settings.bugs.trust_stale_beats { Duration::from_secs(1) } else { Duration::MAX };
        let judged = world.others.iter().map(|host| HostView {
            overdue: self.overdue.of(host),
            unseen_for: host.unseen_for.min(limit),
            ..host.clone()
        });
        let me = HostView {
            id: self.settings.me.clone(),
            incarnation: self.settings.incarnation,
            unseen_for: Duration::ZERO,
            known_for: world.now.saturating_duration_since(self.started),
            said_goodbye: false,
            draining: self.drain.is_some() && !self.settings.bugs.forget_own_drain,
            confirmed: self.standing == Standing::Confirmed,
            digest: self.desired.as_ref().map(|desired| desired.digest.clone()),
            labels: Arc::clone(&self.settings.labels),
            memory_capacity: self.settings.memory_capacity,
            weight: self.settings.weight,
            slots: Arc::new(self.slots.iter().map(|(name, slot)| (name.clone(), slot.view())).collect()),
            overdue: BTreeSet::new(),
            over: Arc::new(self.failovers.homes()),
        };
        judged.chain([me]).collect()
    }
}

#[cfg(test)]
mod tests;
