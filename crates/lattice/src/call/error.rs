//! Why a call has no answer, and what is known of its execution.

use dunlin_manifest::HostId;

use super::Request;
use crate::router::{Executed, Outcome};

/// A call without an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Not executed: nobody who has the target could take it.
    #[error("no host could take the call ({tried} tried); the last one: {reason}")]
    Unavailable {
        /// How many hosts were tried.
        tried: usize,
        /// What the last one said.
        reason: String,
    },
    /// Not executed: the deadline passed before.
    #[error("the deadline passed before the call was executed")]
    DeadlinePassed,
    /// Not executed: the callee refuses it.
    #[error("{host} refused the call: {reason}")]
    Refused {
        /// Who refused.
        host: HostId,
        /// In its words.
        reason: String,
    },
    /// Not executed: the callee knows no such link.
    #[error("{host} knows no such link: {reason}; its snapshot may be older or newer than this host's")]
    NotLinked {
        /// Who refused.
        host: HostId,
        /// In its words.
        reason: String,
    },
    /// Not executed: it cannot be sent.
    #[error(
        "{size} bytes of values are more than the {limit} that fit one message; send large data as the body"
    )]
    TooLarge {
        /// Bytes of values.
        size: usize,
        /// Bytes that fit.
        limit: usize,
    },
    /// Not executed: a name in it is no name.
    #[error("`{0}` is no name of a component or provider: a DNS label is needed")]
    BadTarget(String),
    /// Nobody can say whether it was executed.
    #[error("nobody knows whether {host} executed the call: {reason}")]
    Unknown {
        /// Who may have executed it.
        host: HostId,
        /// Why that is not known.
        reason: String,
    },
    /// Executed, and it failed there.
    #[error("the call failed at {host}: {reason}")]
    Failed {
        /// Who executed it.
        host: HostId,
        /// In its words.
        reason: String,
    },
    /// Executed before, and its answer is no longer kept.
    #[error("{host} has executed the call and no longer has its answer")]
    AnswerGone {
        /// Who executed it.
        host: HostId,
    },
}

/// A call without an answer, and the request where that may be made again.
#[derive(Debug)]
pub struct Unanswered {
    /// Why there is no answer.
    pub error: CallError,
    /// The request as it was, if it was certainly not executed and nothing of its body was taken.
    pub again: Option<Box<Request>>,
}

impl From<CallError> for Unanswered {
    fn from(error: CallError) -> Self {
        Self { error, again: None }
    }
}

impl CallError {
    /// What is known of the execution.
    #[must_use]
    pub fn executed(&self) -> Executed {
        match self {
            Self::Unavailable { .. }
            | Self::DeadlinePassed
            | Self::Refused { .. }
            | Self::NotLinked { .. }
            | Self::TooLarge { .. }
            | Self::BadTarget(_) => Executed::No,
            Self::Unknown { .. } => Executed::Unknown,
            Self::Failed { .. } | Self::AnswerGone { .. } => Executed::Yes,
        }
    }

    /// What is reported when `outcome` at `host` ends the call.
    pub(crate) fn of(outcome: Outcome, host: &HostId, reason: String, tried: usize) -> Self {
        let host = host.clone();
        match outcome {
            Outcome::NoResponders | Outcome::NotHere | Outcome::Draining | Outcome::Busy => {
                Self::Unavailable { tried, reason: format!("{host}: {reason}") }
            }
            Outcome::DeadlinePassed => Self::DeadlinePassed,
            Outcome::Refused => Self::Refused { host, reason },
            Outcome::NotLinked => Self::NotLinked { host, reason },
            Outcome::Silence | Outcome::ConnectionLost | Outcome::Reset => Self::Unknown { host, reason },
            Outcome::AnswerGone => Self::AnswerGone { host },
            Outcome::Answer | Outcome::Failed | Outcome::BrokenOff => Self::Failed { host, reason },
        }
    }
}
