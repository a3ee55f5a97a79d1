//! One slot: absent -> starting -> ready <-> unready -> leaving -> absent, and an update inside it.

use std::sync::Arc;
use std::time::Duration;

use dunlin_placement::{Demand, Failure, SlotState, SlotView, retry_after};
use tokio::time::Instant;

use super::action::{Action, Failed, Token, World};
use super::canary::Canary;
use super::leaving::Leaving;
use crate::state::{SlotReport, UpdateReport, uptime};

/// An instance that became unready counts as ready again after this long of being so: readiness that flaps does
/// not make everybody's tables flap.
const STEADY: Duration = Duration::from_secs(1);

/// The slot of one component on this host.
#[derive(Debug)]
pub(super) struct Slot {
    /// What serves, if anything does.
    pub(super) serving: Option<Serving>,
    /// What is to serve: the first instance, or the new identity of an update.
    pub(super) starting: Option<Starting>,
    /// What is on trial beside what serves.
    pub(super) canary: Option<Canary>,
    /// The last attempts failed.
    pub(super) failure: Option<Attempts>,
    /// Serving has ended; its last calls are being finished until then.
    pub(super) until: Option<Instant>,
    /// Since when Git does not have the component.
    pub(super) deleted_since: Option<Instant>,
    /// Promises that it gave and collects.
    pub(super) leaving: Leaving,
    state: SlotState,
    since: Instant,
}

/// An instance that serves.
#[derive(Debug)]
pub(super) struct Serving {
    pub(super) token: Token,
    pub(super) demand: Arc<Demand>,
    pub(super) ready: bool,
    says_ready: bool,
    says_so_since: Instant,
}

/// An instance that does not serve yet.
#[derive(Debug)]
pub(super) struct Starting {
    pub(super) token: Token,
    pub(super) demand: Arc<Demand>,
    pub(super) since: Instant,
}

/// Failed attempts in a row to start one identity.
#[derive(Debug)]
pub(super) struct Attempts {
    identity: String,
    failed: Failed,
    count: u32,
    retry_at: Instant,
}

impl Slot {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            serving: None,
            starting: None,
            canary: None,
            failure: None,
            until: None,
            deleted_since: None,
            leaving: Leaving::default(),
            state: SlotState::Starting,
            since: now,
        }
    }

    /// Nothing is left of it.
    pub(super) fn is_absent(&self) -> bool {
        self.serving.is_none() && self.starting.is_none() && self.failure.is_none()
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.until.is_some()
    }

    /// It serves, and its instance says at this moment that it is ready.
    pub(super) fn is_ready(&self, world: &World<'_>) -> bool {
        self.serving.as_ref().is_some_and(|serving| serving.ready && is_ready(world, serving.token))
    }

    /// Takes in what the instances say: readiness, a start that came to its end or takes too long.
    pub(super) fn refresh(&mut self, world: &World<'_>, start_limit: Duration) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.is_leaving() {
            return actions;
        }
        if let Some(serving) = &mut self.serving {
            serving.hear(is_ready(world, serving.token), world.now);
        }
        match self.starting.take() {
            Some(start) if self.tries(&start) && is_ready(world, start.token) => {
                self.failure = None;
                self.canary = Some(Canary::new(start, world.now));
            }
            Some(start) if is_ready(world, start.token) => {
                let old = self.serving.replace(Serving::new(start, world.now));
                self.failure = None;
                actions.extend(
                    old.map(|old| Action::Retire { token: old.token, limit: old.demand.request_timeout }),
                );
            }
            Some(start) if world.now.saturating_duration_since(start.since) >= start_limit => {
                actions.push(Action::Cancel { token: start.token });
                let launched = world.instances.contains_key(&start.token);
                let what = if launched { "become ready" } else { "start" };
                let reason = format!("did not {what} within {} s", start_limit.as_secs());
                self.fail(&start.demand, Failed { reach: Failure::Here, reason }, world.now);
            }
            start => self.starting = start,
        }
        self.note_state(world.now);
        actions
    }

    /// An attempt failed.
    pub(super) fn fail(&mut self, demand: &Demand, failed: Failed, now: Instant) {
        let before = self.failure.take().filter(|attempts| attempts.identity == demand.identity);
        let count = before.map_or(0, |attempts| attempts.count).saturating_add(1);
        let retry_at = now + retry_after(count);
        self.failure = Some(Attempts { identity: demand.identity.clone(), failed, count, retry_at });
    }

    /// It waits for what others find out. Shown as a failure here, so that others take its place; not counted, and over
    /// as soon as there is something to start.
    pub(super) fn wait(&mut self, demand: &Demand, reason: String, now: Instant) {
        let failed = Failed { reach: Failure::Here, reason };
        self.failure = Some(Attempts { identity: demand.identity.clone(), failed, count: 1, retry_at: now });
    }

    /// Whether this identity may be tried now.
    pub(super) fn may_try(&self, identity: &str, now: Instant) -> bool {
        self.failure.as_ref().is_none_or(|attempts| attempts.identity != identity || now >= attempts.retry_at)
    }

    /// Whether this identity is what failed last.
    pub(super) fn has_failed(&self, identity: &str) -> bool {
        self.failure.as_ref().is_some_and(|attempts| attempts.identity == identity)
    }

    /// Gives up whatever is being started or on trial.
    pub(super) fn cancel_start(&mut self) -> Vec<Action> {
        let start = self.starting.take().map(|start| Action::Cancel { token: start.token });
        start.into_iter().chain(self.canary.take().map(Canary::retire)).collect()
    }

    /// Serving ends: what waits is cancelled, what serves finishes its calls.
    pub(super) fn leave(&mut self, now: Instant, actions: &mut Vec<Action>) {
        actions.extend(self.cancel_start());
        self.failure = None;
        if let Some(serving) = &mut self.serving {
            serving.ready = false;
            let limit = serving.demand.request_timeout;
            self.until = Some(now + limit);
            actions.push(Action::Retire { token: serving.token, limit });
        }
        self.note_state(now);
    }

    /// Brings `state` up to date and notes when it changed.
    pub(super) fn note_state(&mut self, now: Instant) {
        let state = match (&self.serving, &self.starting) {
            _ if self.until.is_some() => SlotState::Leaving,
            (Some(serving), _) if serving.ready => SlotState::Ready,
            (Some(_), _) => SlotState::Unready,
            (None, None) if self.failure.is_some() => SlotState::Failed,
            (None, _) => SlotState::Starting,
        };
        if state != self.state {
            self.state = state;
            self.since = now;
        }
    }

    /// As placement sees it.
    pub(super) fn view(&self) -> SlotView {
        let failure = self.failure.as_ref();
        SlotView {
            identity: self.identity().to_owned(),
            state: self.state,
            // A failed update takes nothing from a slot that serves.
            failed: failure.filter(|_| self.serving.is_none()).map(|attempts| attempts.failed.reach),
        }
    }

    /// As the world sees it; `started` is when this host's uptime began.
    pub(super) fn report(&self, started: Instant) -> SlotReport {
        let SlotView { identity, state, failed } = self.view();
        let attempts = self.failure.as_ref();
        let next = self.starting.as_ref().map(|start| &start.demand.identity);
        let update = || {
            let identity = next.or(attempts.map(|attempts| &attempts.identity));
            identity.filter(|_| self.serving.is_some()).map(|identity| UpdateReport {
                identity: identity.clone(),
                failed: attempts.map(|attempts| attempts.failed.reach),
                reason: attempts.map(|attempts| attempts.failed.reason.clone()),
                since_ms: self.starting.as_ref().map(|start| uptime(started, start.since)),
                attempts: attempts.map_or(0, |attempts| attempts.count),
                canary: None,
            })
        };
        SlotReport {
            identity,
            state,
            failed,
            reason: attempts.filter(|_| failed.is_some()).map(|attempts| attempts.failed.reason.clone()),
            since_ms: uptime(started, self.since),
            attempts: attempts.filter(|_| failed.is_some()).map_or(0, |attempts| attempts.count),
            update: self.canary.as_ref().map(|canary| canary.report(started)).or_else(update),
        }
    }

    fn identity(&self) -> &str {
        let serving = self.serving.as_ref().map(|serving| &serving.demand);
        let starting = self.starting.as_ref().map(|start| &start.demand);
        let failed = self.failure.as_ref().map(|attempts| &attempts.identity);
        serving.or(starting).map(|demand| &demand.identity).or(failed).map_or("", |identity| identity)
    }
}

/// Whether an instance says at this moment that it is ready.
pub(super) fn is_ready(world: &World<'_>, token: Token) -> bool {
    world.instances.get(&token).is_some_and(|instance| instance.ready)
}

impl Serving {
    pub(super) fn new(start: Starting, now: Instant) -> Self {
        Self { token: start.token, demand: start.demand, ready: true, says_ready: true, says_so_since: now }
    }

    /// Unready at once, ready again only when it stays so.
    pub(super) fn hear(&mut self, says_ready: bool, now: Instant) {
        if says_ready != self.says_ready {
            self.says_ready = says_ready;
            self.says_so_since = now;
        }
        self.ready =
            says_ready && (self.ready || now.saturating_duration_since(self.says_so_since) >= STEADY);
    }
}
