//! Promises of one slot: those that it gave and that bind it, and those that it collects to be free to leave.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dunlin_manifest::HostId;
use dunlin_placement::{ASK_VALID, PROMISE_BINDS, Yes, enough_promises};
use tokio::time::Instant;

use super::action::Action;

/// After a round that brought too few promises the next waits this long, then twice as long and so on.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Rounds come at least this often.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// Both sides of "will you stay?" for one slot.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    /// Whom it promised to stay, by question, and until when.
    bound: BTreeMap<(HostId, u64), Instant>,
    /// The questions that are out.
    round: Option<Round>,
    rounds: u64,
    pause: Duration,
    not_before: Option<Instant>,
    /// Who ever said yes; kept by a planted bug only.
    stale: BTreeSet<HostId>,
}

#[derive(Debug)]
struct Round {
    number: u64,
    began: Instant,
    silent: BTreeSet<HostId>,
    yes: BTreeMap<HostId, (u64, Instant)>,
}

/// An answer that came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The question.
    pub(crate) question: u64,
    /// Whether the other stays.
    pub(crate) yes: bool,
    /// When the question was sent.
    pub(crate) asked_at: Instant,
}

impl Leaving {
    /// Promises to stay.
    pub(super) fn bind(&mut self, asker: &HostId, question: u64, now: Instant) {
        self.bound.retain(|_, until| now < *until);
        self.bound.insert((asker.clone(), question), now + PROMISE_BINDS);
    }

    /// The asker needs the promise no longer.
    pub(super) fn release(&mut self, asker: &HostId, question: u64) {
        self.bound.remove(&(asker.clone(), question));
    }

    /// Whether a promise holds the slot.
    pub(super) fn is_bound(&self, now: Instant) -> bool {
        self.bound.values().any(|until| now < *until)
    }

    /// Whether a round of questions is out.
    pub(super) fn is_asking(&self) -> bool {
        self.round.is_some()
    }

    /// Asks everyone, unless the last round was just now.
    pub(super) fn ask(&mut self, component: &str, whom: Vec<HostId>, now: Instant) -> Vec<Action> {
        if self.round.is_some() || self.not_before.is_some_and(|at| now < at) {
            return Vec::new();
        }
        self.rounds += 1;
        let number = self.rounds;
        let ask = |host: &HostId| Action::Ask {
            component: component.to_owned(),
            round: number,
            host: host.clone(),
        };
        let actions = whom.iter().map(ask).collect();
        self.round =
            Some(Round { number, began: now, silent: whom.into_iter().collect(), yes: BTreeMap::new() });
        actions
    }

    /// Takes in an answer. One that comes too late for its round frees its giver at once.
    pub(super) fn answered(
        &mut self,
        component: &str,
        round: u64,
        host: HostId,
        answer: Answer,
    ) -> Option<Action> {
        match &mut self.round {
            Some(current) if current.number == round => {
                current.silent.remove(&host);
                if answer.yes {
                    current.yes.insert(host, (answer.question, answer.asked_at));
                }
                None
            }
            _ => answer.yes.then(|| Action::Done {
                component: component.to_owned(),
                host,
                question: answer.question,
            }),
        }
    }

    /// For a planted bug: counts this yes from now on, whenever it was said.
    pub(super) fn never_forget(&mut self, host: &HostId) {
        self.stale.insert(host.clone());
    }

    /// Whether enough have promised, lately enough.
    pub(super) fn has_enough(&self, needed: usize, myself: &HostId, now: Instant) -> bool {
        let Some(round) = &self.round else { return false };
        let fresh = round
            .yes
            .iter()
            .map(|(from, (_, asked_at))| Yes { from, asked_ago: now.saturating_duration_since(*asked_at) });
        let stale = self.stale.iter().map(|from| Yes { from, asked_ago: Duration::ZERO });
        enough_promises(needed, myself, fresh.chain(stale))
    }

    /// Whether nothing more can come of this round: all answered, or the first yeses no longer count.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.round.as_ref().is_some_and(|round| {
            round.silent.is_empty() || now.saturating_duration_since(round.began) >= ASK_VALID
        })
    }

    /// Ends the round and frees those who promised; the next comes after a pause, the longer the more often.
    pub(super) fn give_up(&mut self, component: &str, now: Instant) -> Vec<Action> {
        let Some(round) = self.round.take() else { return Vec::new() };
        self.pause = (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        self.not_before = Some(now + self.pause);
        let done = |(host, (question, _))| Action::Done { component: component.to_owned(), host, question };
        round.yes.into_iter().map(done).collect()
    }

    /// The slot stays after all: the next time it starts afresh.
    pub(super) fn stay(&mut self, component: &str, now: Instant) -> Vec<Action> {
        let actions = self.give_up(component, now);
        self.pause = Duration::ZERO;
        self.not_before = None;
        actions
    }
}
