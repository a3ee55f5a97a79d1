//! What a host does with calls that arrive: the trait it implements, and what goes in and out.

use async_trait::async_trait;
use bytes::Bytes;
use dunlin_manifest::HostId;
use tokio::time::Instant;

use super::frames::{self, RefusalKind};
use crate::stream::Body;

/// Executes calls. Dropped in the middle when the caller gives up or the deadline passes; a panic is answered as
/// a failure of this one call.
#[async_trait]
pub trait Serve: Send + Sync + 'static {
    /// Executes one call, or says why not. Before a refusal that says "not executed" nothing may have been done;
    /// the body is asked for (its caller gets credit) with the first read of it.
    ///
    /// # Errors
    /// [`Refusal`].
    async fn serve(&self, call: Incoming) -> Result<Answer, Refusal>;
}

/// A call as it arrived.
#[derive(Debug)]
pub struct Incoming {
    /// Tells it from all other calls; of every attempt its own.
    pub id: u128,
    /// The host that asks. The bus vouches for it.
    pub from: HostId,
    /// The component or provider that is asked.
    pub target: String,
    /// What of it.
    pub function: String,
    /// The component that asks; the asking host vouches for it.
    pub from_component: String,
    /// By which of its links, empty for a route.
    pub link: String,
    /// The arguments, encoded.
    pub values: Bytes,
    /// The request's body.
    pub body: Body,
    /// When the caller stops waiting; whatever this call calls in turn gets no later one.
    pub deadline: Instant,
    /// W3C `traceparent`.
    pub traceparent: Option<String>,
}

/// What came out of a call.
#[derive(Debug, Default)]
pub struct Answer {
    /// The results, encoded; together with a small body they must fit one message of the bus.
    pub values: Bytes,
    /// The answer's body.
    pub body: Body,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not executed: no such component or provider here. The caller tries another.
    #[error("not here")]
    NotHere,
    /// Not executed: the slot is leaving. The caller tries another.
    #[error("draining")]
    Draining,
    /// Not executed: as many calls as there may be. The caller tries another.
    #[error("busy")]
    Busy,
    /// Not executed: it came too late.
    #[error("the deadline had passed")]
    DeadlinePassed,
    /// Not executed, here or anywhere.
    #[error("refused: {0}")]
    Refused(String),
    /// Not executed: this host's snapshot has no such link.
    #[error("not linked: {0}")]
    NotLinked(String),
    /// Executed, and it failed: the guest's error, a trap.
    #[error("failed: {0}")]
    Failed(String),
    /// Nobody can say whether it was executed.
    #[error("outcome unknown: {0}")]
    Unknown(String),
}

impl Refusal {
    pub(crate) fn into_frame(self) -> frames::Refusal {
        let (kind, reason) = match self {
            Self::NotHere => (RefusalKind::NotHere, String::new()),
            Self::Draining => (RefusalKind::Draining, String::new()),
            Self::Busy => (RefusalKind::Busy, String::new()),
            Self::DeadlinePassed => (RefusalKind::DeadlinePassed, String::new()),
            Self::Refused(reason) => (RefusalKind::Refused, reason),
            Self::NotLinked(reason) => (RefusalKind::NotLinked, reason),
            Self::Failed(reason) => (RefusalKind::Failed, reason),
            Self::Unknown(reason) => (RefusalKind::Unknown, reason),
        };
        refusal(kind, &reason)
    }
}

/// A refusal with a reason of bounded length: it has to fit a message.
pub(crate) fn refusal(kind: RefusalKind, reason: &str) -> frames::Refusal {
    frames::Refusal { kind: kind as i32, reason: reason.chars().take(2000).collect() }
}
