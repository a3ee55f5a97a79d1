//! What becomes of a call besides its answer: how it ended in one word, and how it came to that.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dunlin_manifest::HostId;

use super::{CallError, Candidate, Reply};
use crate::router::{Executed, Outcome, Place};
use crate::stream::StreamCounters;

/// How a call ended, for its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ending {
    /// With an answer.
    Answered,
    /// Without one; it was not executed.
    NotExecuted,
    /// Nobody can say whether it was executed.
    Unknown,
    /// It was executed and failed.
    Failed,
    /// The caller went away before it had ended.
    GivenUp,
}

impl Ending {
    /// All of them, for tables and metrics.
    pub const ALL: [Self; 5] =
        [Self::Answered, Self::NotExecuted, Self::Unknown, Self::Failed, Self::GivenUp];

    /// The ending in a word, as metrics and `dunlin calls` have it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::NotExecuted => "not-executed",
            Self::Unknown => "unknown",
            Self::Failed => "failed",
            Self::GivenUp => "given-up",
        }
    }

    /// How a call with this result ended.
    #[must_use]
    pub fn of(result: Result<&Reply, &CallError>) -> Self {
        match result.map_err(CallError::executed) {
            Ok(_) => Self::Answered,
            Err(Executed::No) => Self::NotExecuted,
            Err(Executed::Unknown) => Self::Unknown,
            Err(Executed::Yes) => Self::Failed,
        }
    }
}

/// How a call goes. It is filled on the way, so that it is right even for a call that is dropped in the middle.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// How many hosts were asked.
    pub attempts: u32,
    /// Why another host was asked, for each time that one was.
    pub retried: Vec<Outcome>,
    /// The host that answered, else the one that was asked last, and how near it is.
    pub to: Option<(Arc<HostId>, Place)>,
}

impl Report {
    pub(super) fn asks(&mut self, candidate: &Candidate) {
        self.attempts += 1;
        self.to = Some((Arc::clone(&candidate.host), candidate.place));
    }

    pub(super) fn ends_at(&mut self, host: &Arc<HostId>, candidates: &[Candidate]) {
        let place = candidates.iter().find(|candidate| candidate.host == *host).map(|found| found.place);
        self.to = place.map(|place| (Arc::clone(host), place));
    }
}

/// What the two sides of calls count at one host. Counts only grow, and may be read at any time.
#[derive(Debug, Default)]
pub struct CallCounters {
    /// Streams of both sides.
    pub streams: Arc<StreamCounters>,
    pub(crate) refused: AtomicU64,
}

impl CallCounters {
    /// Messages to this host that were refused because they broke the rules of the wire.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}
