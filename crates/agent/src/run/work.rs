//! Carries out what the core decided, and tells it what came of that.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use dunlin_lattice::promises::Promises;
use dunlin_manifest::HostId;
use dunlin_placement::Failure;
use tokio::sync::watch;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{Instant, timeout};

use super::Shared;
use super::inner::{Inner, Instance};
use super::story::Story;
use crate::core::{Action, Answer, Failed, InService, OnTrial, Token};
use crate::events::Events;
use crate::slots::{CanaryInSlot, InSlot, Launcher, Slot, SlotTable, StartFailure};
use crate::state::{HostFacts, HostState};
use crate::view::{HostEntry, LatticeView};

/// How a piece of work ended.
pub(super) enum Event<S> {
    Started { token: Token, outcome: Result<Arc<S>, StartFailure> },
    Answered { component: String, round: u64, host: HostId, answer: Answer },
    Gone { token: Token, finished: usize, cut: usize },
    Prepared { worked: bool },
    Told,
}

pub(super) struct Work<L: Launcher> {
    pub(super) launcher: Arc<L>,
    pub(super) promises: Arc<Promises>,
    pub(super) shared: Arc<Shared<L::Slot>>,
    /// Everything under way. Dropped with the loop, which ends all of it.
    pub(super) tasks: JoinSet<Event<L::Slot>>,
    pub(super) starts: HashMap<Token, AbortHandle>,
    pub(super) preparing: Option<Id>,
    pub(super) retiring: usize,
    pub(super) slots: Arc<ArcSwap<SlotTable<L::Slot>>>,
    pub(super) view: Arc<ArcSwap<LatticeView>>,
    pub(super) ran: watch::Sender<BTreeSet<String>>,
    pub(super) published: Option<HostState>,
    pub(super) story: Story,
    pub(super) events: Events,
    pub(super) start_limit: Duration,
}

impl<L: Launcher> Work<L> {
    /// One step of the core, and all that follows from it.
    pub(super) fn step(&mut self, facts: &HostFacts) {
        let shared = Arc::clone(&self.shared);
        let mut inner = shared.inner();
        inner.linked = facts.linked;
        inner.holds.clone_from(&facts.holds);
        let actions = inner.with_world(&shared.presence, |core, world| core.step(world));
        let (report, demanded) = (inner.core.report(), |name: &str| inner.core.demands(name));
        let told = self.story.step(&report, &actions, demanded, Instant::now());
        drop(inner);
        self.events.tell(told);
        // The table first: when an old instance begins to drain, new calls already go to the new one.
        self.show_slots();
        actions.into_iter().for_each(|action| self.carry_out(action));
        self.show_state(facts);
    }

    pub(super) fn is_drained(&self) -> bool {
        self.retiring == 0 && self.shared.inner().core.is_drained()
    }

    /// What a task that ended has to tell. One that was cancelled has nothing to tell, nor has one that panicked,
    /// except for a start (that failed) and a preparation (that is over).
    pub(super) fn event_of(
        &mut self,
        ended: Result<(Id, Event<L::Slot>), JoinError>,
    ) -> Option<Event<L::Slot>> {
        let error = match ended {
            Ok((_, event)) => return Some(event),
            Err(error) => error,
        };
        if self.preparing == Some(error.id()) {
            return Some(Event::Prepared { worked: false });
        }
        let token =
            self.starts.iter().find(|(_, start)| start.id() == error.id()).map(|(token, _)| *token)?;
        let reason = format!("the start broke off: {error}");
        Some(Event::Started { token, outcome: Err(StartFailure::Here(reason)) })
    }

    pub(super) fn take_in(&mut self, event: Event<L::Slot>) {
        match event {
            Event::Started { token, outcome } => self.started(token, outcome),
            Event::Answered { component, round, host, answer } => {
                let action = self.shared.inner().core.answered(&component, round, host, answer);
                if let Some(action) = action {
                    self.carry_out(action);
                }
            }
            Event::Gone { token, finished, cut } => {
                self.retiring -= 1;
                self.shared.inner().core.gone(token);
                let revision = self.published.as_ref().and_then(|state| state.revision.as_deref());
                self.events.tell(self.story.stopped(token, revision.unwrap_or_default(), finished, cut));
            }
            Event::Prepared { worked } => {
                self.preparing = None;
                self.shared.inner().core.has_prepared(worked, Instant::now());
            }
            Event::Told => {}
        }
    }

    fn started(&mut self, token: Token, outcome: Result<Arc<L::Slot>, StartFailure>) {
        self.starts.remove(&token);
        let (slot, outcome) = match outcome {
            Ok(slot) => (Some(slot), Ok(())),
            Err(StartFailure::Here(reason)) => (None, Err(Failed { reach: Failure::Here, reason })),
            Err(StartFailure::Everywhere(reason)) => {
                (None, Err(Failed { reach: Failure::Everywhere, reason }))
            }
        };
        if let Err(Failed { reason, .. }) = &outcome {
            self.story.forget(token);
            tracing::warn!(%reason, "a component did not start");
        }
        let mut inner = self.shared.inner();
        let needed = inner.core.started(token, outcome, Instant::now());
        let Some(slot) = slot else { return };
        if needed {
            inner.instances.insert(token, Instance::new(slot, &self.shared.wake));
        } else {
            slot.begin_drain();
            drop(inner);
            self.story.forget(token);
        }
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Start { token, demand } => {
                tracing::info!(component = demand.component, identity = demand.identity, "starting");
                let launcher = Arc::clone(&self.launcher);
                let start = async move { Event::Started { token, outcome: launcher.start(&demand).await } };
                self.starts.insert(token, self.tasks.spawn(start));
            }
            Action::Prepare { demand } => {
                tracing::debug!(component = demand.component, identity = demand.identity, "preparing");
                let (launcher, limit) = (Arc::clone(&self.launcher), self.start_limit);
                let prepare = async move {
                    let component = demand.component.as_str();
                    let reason = match timeout(limit, launcher.prepare(&demand)).await {
                        Ok(Ok(())) => return Event::Prepared { worked: true },
                        Ok(Err(StartFailure::Here(reason) | StartFailure::Everywhere(reason))) => reason,
                        Err(_) => format!("it took more than {} s", limit.as_secs()),
                    };
                    tracing::warn!(component, %reason, "could not be prepared; tried again later");
                    Event::Prepared { worked: false }
                };
                self.preparing = Some(self.tasks.spawn(prepare).id());
            }
            Action::Cancel { token } => {
                if let Some(start) = self.starts.remove(&token) {
                    start.abort();
                }
                let instance = self.shared.inner().instances.remove(&token);
                if let Some(instance) = instance {
                    instance.slot.begin_drain();
                }
            }
            Action::Retire { token, limit } => {
                let instance = self.shared.inner().instances.remove(&token);
                let slot = instance.map(|instance| Arc::clone(&instance.slot));
                if let Some(slot) = &slot {
                    slot.begin_drain();
                }
                self.retiring += 1;
                self.tasks.spawn(async move {
                    let had = slot.as_ref().map_or(0, |slot| slot.in_flight());
                    let mut cut = 0;
                    if let Some(slot) = slot {
                        // The slot keeps the limit itself; this is for one that does not.
                        let _ = timeout(limit, slot.drained(limit)).await;
                        cut = slot.in_flight();
                    }
                    Event::Gone { token, finished: had.saturating_sub(cut), cut }
                });
            }
            Action::Ask { component, round, host } => {
                let promises = Arc::clone(&self.promises);
                self.tasks.spawn(async move {
                    let answer = promises.ask(&host, &component).await;
                    let answer = Answer { question: answer.id, yes: answer.yes, asked_at: answer.asked_at };
                    Event::Answered { component, round, host, answer }
                });
            }
            Action::Done { component, host, question } => {
                let promises = Arc::clone(&self.promises);
                self.tasks.spawn(async move {
                    promises.done(&host, &component, question).await;
                    Event::Told
                });
            }
        }
    }

    fn show_slots(&self) {
        let inner = self.shared.inner();
        let in_service = inner.core.in_service();
        let shown = self.slots.load();
        let unchanged = shown.len() == in_service.len()
            && in_service
                .iter()
                .all(|(name, now)| shown.get(name).is_some_and(|slot| is_shown(&inner, slot, now)));
        if unchanged {
            return;
        }
        let slot = |(name, now): (String, InService)| {
            let instance = |token| Some(Arc::clone(&inner.instances.get(&token)?.slot));
            let canary = now.canary.and_then(|canary| {
                let OnTrial { token, demand, ready, weight } = canary;
                Some(CanaryInSlot { slot: instance(token)?, demand, ready, weight })
            });
            let slot = InSlot { slot: instance(now.token)?, demand: now.demand, ready: now.ready, canary };
            Some((name, slot))
        };
        let table = in_service.into_iter().filter_map(slot).collect();
        self.slots.store(Arc::new(SlotTable::new(table)));
    }

    /// Publishes what changed: to the lattice, to readers in this process, and what is to be remembered.
    fn show_state(&mut self, facts: &HostFacts) {
        let presence = &self.shared.presence;
        let mut inner = self.shared.inner();
        let mut state = inner.core.report();
        state.providers.clone_from(&facts.providers);
        state.details = facts.details.clone();
        let mut hosts = inner.states.entries(&presence.table());
        let ran = inner.core.ran();
        drop(inner);

        if self.published.as_ref() != Some(&state) {
            if let Err(error) = presence.set_state(Bytes::from(state.to_bytes())) {
                tracing::error!(%error, "the host's details are not published");
                state.details = serde_json::Value::Null;
                let _ = presence.set_state(Bytes::from(state.to_bytes()));
            }
            self.published = Some(state.clone());
        }
        let now = Instant::now();
        let myself = HostEntry {
            incarnation: presence.incarnation(),
            first_seen: now.checked_sub(presence.uptime()).unwrap_or(now),
            last_beat: now,
            goodbye: false,
            state: Some(Arc::new(state)),
            clock: presence.own_clock(),
        };
        hosts.insert(presence.me().clone(), myself);
        let view = LatticeView { me: presence.me().clone(), deaf: presence.deaf(), hosts };
        self.view.store(Arc::new(view));
        self.ran.send_if_modified(|known| {
            let changed = *known != ran;
            *known = ran;
            changed
        });
    }
}

/// Whether the table shows a slot as it is now.
fn is_shown<S>(inner: &Inner<S>, shown: &InSlot<S>, now: &InService) -> bool {
    let same =
        |token, slot: &Arc<S>| inner.instances.get(&token).is_some_and(|it| Arc::ptr_eq(&it.slot, slot));
    let canary = match (&shown.canary, &now.canary) {
        (None, None) => true,
        (Some(shown), Some(now)) => {
            same(now.token, &shown.slot)
                && (shown.ready, shown.weight) == (now.ready, now.weight)
                && Arc::ptr_eq(&shown.demand, &now.demand)
        }
        _ => false,
    };
    let ready = shown.ready == now.ready && Arc::ptr_eq(&shown.demand, &now.demand);
    canary && ready && same(now.token, &shown.slot)
}
