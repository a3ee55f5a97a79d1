//! A new identity on trial inside a slot: which calls it gets, when it takes over, when it is given up, and what a
//! host starts meanwhile that has nothing to serve.

use std::time::Duration;

use dunlin_manifest::Canary;
use serde::{Deserialize, Serialize};

use crate::demand::{Before, Demand};
use crate::wanted::CANDIDATE;

/// A canary that is not ready for so long, while what it is to replace is, is given up.
pub const UNREADY_LIMIT: Duration = Duration::from_secs(10);

/// What came of the calls that an instance got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calls {
    /// Those that were executed.
    pub counted: u64,
    /// Those among them that failed: answered 5xx, trapped, or took too long.
    pub failed: u64,
}

/// An identity that was given up on trial. It is not tried again as long as Git names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aborted {
    /// What was given up.
    pub identity: String,
    /// The host that gave it up, as `site/host`; the others follow it.
    pub by: String,
    /// Why, in words.
    pub reason: String,
    /// What it had been counted by then.
    #[serde(default)]
    pub calls: Calls,
}

/// How a trial stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trial {
    /// How long ago it became ready for the first time.
    pub held_for: Duration,
    /// What came of its calls.
    pub calls: Calls,
    /// Since when it is not ready, if it is not.
    pub unready_for: Option<Duration>,
    /// Whether what it is to replace is ready.
    pub old_is_ready: bool,
    /// Git says that nothing is to be stopped.
    pub suspended: bool,
}

/// What becomes of a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Hold,
    /// The new identity takes over.
    Promote,
    /// The new identity is given up.
    Abort {
        /// Why, in words.
        reason: String,
    },
}

/// Judges a trial; `canary` is `None` where Git no longer asks for one.
///
/// Nothing but failures speaks against a new identity: one that got fewer calls than `minRequests` takes over at
/// the end of `hold`. `suspend` keeps it from taking over, not from being given up.
#[must_use]
pub fn verdict(canary: Option<&Canary>, trial: &Trial) -> Verdict {
    let Calls { counted, failed } = trial.calls;
    if let Some(abort) = canary.and_then(|canary| canary.abort.as_ref())
        && counted >= u64::from(abort.min_requests)
        && abort.error_ratio.is_exceeded(failed, counted)
    {
        let ratio = abort.error_ratio;
        let reason = format!("{failed} of {counted} calls failed, more than errorRatio {ratio} allows");
        return Verdict::Abort { reason };
    }
    if let (Some(_), Some(unready_for)) = (canary, trial.unready_for)
        && trial.old_is_ready
        && unready_for >= UNREADY_LIMIT
    {
        let reason = format!("it was not ready for {} s while the one before it was", unready_for.as_secs());
        return Verdict::Abort { reason };
    }
    let hold = canary.map_or(Duration::ZERO, |canary| canary.hold);
    if trial.suspended || trial.unready_for.is_some() || trial.held_for < hold {
        return Verdict::Hold;
    }
    Verdict::Promote
}

/// Whether the `turn`-th call goes to the canary: exactly `weight` of any hundred in a row, evenly spread.
#[must_use]
pub fn takes_turn(turn: u64, weight: u8) -> bool {
    (turn % 100) * u64::from(weight) % 100 < u64::from(weight)
}

/// What should run of a component: what Git says, or, where its identity was given up, the form before it with
/// everything but the identity as Git says it.
#[must_use]
pub fn in_force(demand: &Demand, before: Option<&Before>, aborted: Option<&Aborted>) -> Demand {
    match (before, aborted) {
        (Some(before), Some(aborted)) if aborted.identity == demand.identity => form_before(demand, before),
        _ => demand.clone(),
    }
}

/// The demand for the form before, which needs no trial.
#[must_use]
pub fn form_before(demand: &Demand, before: &Before) -> Demand {
    Demand { identity: before.identity.clone(), update: None, ..demand.clone() }
}

/// What other hosts show of a component.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Elsewhere {
    /// A host has the identity on trial.
    pub on_trial: bool,
    /// A host serves it.
    pub serves_new: bool,
    /// A host serves the form before it, as this host knows that.
    pub serves_before: bool,
    /// A host serves something else of that name.
    pub serves_other: bool,
}

/// What a host starts in a slot in which nothing serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// What Git says; without a trial, there is nothing to compare it with.
    New,
    /// The form before it, and then a trial.
    Before,
    /// Nothing here: others serve, and this host knows of nothing else that it could start. A substitute may.
    Wait,
}

/// A slot in which nothing serves, as far as it matters to what is started there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EmptySlot {
    /// The identity was given up, and this host does not know what was before.
    pub aborted: bool,
    /// The host ran the component when it stopped.
    pub ran: bool,
    /// The form before cannot be started here.
    pub before_failed: bool,
    /// How long the host has been up.
    pub up_for: Duration,
    /// What the others show.
    pub elsewhere: Elsewhere,
}

/// Decides what a host starts that has nothing to serve.
#[must_use]
pub fn starts_first(demand: &Demand, before: Option<&Before>, slot: &EmptySlot) -> First {
    let elsewhere = slot.elsewhere;
    if slot.aborted {
        // Those who know better may be about to come back.
        let alone = !elsewhere.serves_other && slot.up_for >= CANDIDATE;
        return if alone { First::New } else { First::Wait };
    }
    match before {
        _ if demand.update.is_none() => First::New,
        None if elsewhere.on_trial => First::Wait,
        Some(before)
            if !before.replaced
                && !slot.before_failed
                && !elsewhere.serves_new
                && (slot.ran || elsewhere.serves_before) =>
        {
            First::Before
        }
        _ => First::New,
    }
}
