//! What goes into the core and what comes out of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use dunlin_manifest::HostId;
use dunlin_placement::{Demand, Failure, Hearing, HostView};
use tokio::time::Instant;

use super::canary::Seen;

/// Names one instance of a component on this host: a slot has one, during an update two.
pub(crate) type Token = u64;

/// What the core can see when it decides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct World<'a> {
    /// The time.
    pub(crate) now: Instant,
    /// All other hosts.
    pub(crate) others: &'a [HostView],
    /// How well this host hears.
    pub(crate) hearing: Hearing,
    /// Whether this host's server has a link to the hub, where that is known.
    pub(crate) linked: Option<bool>,
    /// Components that Git no longer has and that hold a route until its next owner is ready.
    pub(crate) holds: &'a BTreeSet<String>,
    /// The instances that run here.
    pub(crate) instances: &'a BTreeMap<Token, InstanceFacts>,
    /// What is seen of new identities on trial.
    pub(crate) trials: &'a Seen,
}

/// What an instance says of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct InstanceFacts {
    /// Its readiness path answers 2xx, or it has none.
    pub(crate) ready: bool,
    /// When it last took a call.
    pub(crate) last_call: Option<Instant>,
}

/// How an attempt to start ended badly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failed {
    /// How far it reaches.
    pub(crate) reach: Failure,
    /// Why, in words.
    pub(crate) reason: String,
}

/// Something for the shell to do. All are bounded in time, and none can fail without the core hearing of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Action {
    /// Start an instance; report with [`super::Core::started`].
    Start {
        /// Names it from now on.
        token: Token,
        /// What to start.
        demand: Arc<Demand>,
    },
    /// Fetch and compile ahead what may have to start here, and no more than that; report with
    /// [`super::Core::has_prepared`].
    Prepare {
        /// What may have to start.
        demand: Arc<Demand>,
    },
    /// Give up a start, or stop an instance that never served.
    Cancel {
        /// Which.
        token: Token,
    },
    /// Take no more calls, finish within the limit, stop; for an instance that leaves report with
    /// [`super::Core::gone`].
    Retire {
        /// Which.
        token: Token,
        /// How long its calls may take.
        limit: Duration,
    },
    /// Ask a host whether it stays; report with [`super::Core::answered`].
    Ask {
        /// The slot that wants to leave.
        component: String,
        /// The round of questions that this belongs to.
        round: u64,
        /// Whom to ask.
        host: HostId,
    },
    /// Tell a host that its promise is needed no longer.
    Done {
        /// The slot that wanted to leave.
        component: String,
        /// Who promised.
        host: HostId,
        /// The question.
        question: u64,
    },
}
