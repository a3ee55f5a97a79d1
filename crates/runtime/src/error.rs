//! Why a request got no answer from a component, and what to tell its client.

use http::StatusCode;

/// Why [`crate::Workload::handle`] has no response.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum HandleError {
    /// As many requests as the component may handle are under way, or the host has no room for an instance.
    #[error("busy: {0}")]
    Busy(String),
    /// The deadline had passed before anything was done.
    #[error("the deadline had passed before the request was begun")]
    DeadlinePassed,
    /// The request cannot be given to a component.
    #[error("bad request: {0}")]
    BadRequest(String),
    /// The request body is longer than allowed, by its own account.
    #[error("the request body is over the limit of {limit} bytes")]
    BodyTooLarge {
        /// Bytes allowed.
        limit: u64,
    },
    /// The component does not serve HTTP.
    #[error(
        "the component does not serve HTTP: it exports neither wasi:http/incoming-handler 0.2 nor wasi:http/handler 0.3"
    )]
    NotHttp,
    /// No instance could be started.
    #[error("the component could not be started: {0}")]
    Start(String),
    /// No answer in time; the instance was stopped.
    #[error("no answer by the deadline")]
    TimedOut,
    /// The component broke down.
    #[error("the component trapped: {0}")]
    Trapped(String),
    /// The component broke down after it was refused memory.
    #[error("the component ran out of memory: its limit is {limit} bytes")]
    Memory {
        /// Bytes allowed to one instance.
        limit: u64,
    },
    /// The component returned without an answer.
    #[error("the component returned without an answer")]
    NoAnswer,
    /// The component answered with an error of `wasi:http`.
    #[error("the component answered with an error: {0}")]
    Guest(String),
    /// The component's answer cannot be sent on.
    #[error("the component's answer is not valid: {0}")]
    BadAnswer(String),
}

impl HandleError {
    /// What a client should see.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::DeadlinePassed | Self::TimedOut => StatusCode::GATEWAY_TIMEOUT,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotHttp => StatusCode::NOT_IMPLEMENTED,
            Self::Start(_)
            | Self::Trapped(_)
            | Self::Memory { .. }
            | Self::NoAnswer
            | Self::Guest(_)
            | Self::BadAnswer(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Seconds for `Retry-After`, where trying again soon may help.
    #[must_use]
    pub fn retry_after(&self) -> Option<u32> {
        matches!(self, Self::Busy(_)).then_some(1)
    }

    /// Whether the component may have begun to work on the request. False is certain, true is not.
    #[must_use]
    pub fn may_have_executed(&self) -> bool {
        match self {
            Self::Busy(_)
            | Self::DeadlinePassed
            | Self::BadRequest(_)
            | Self::BodyTooLarge { .. }
            | Self::NotHttp
            | Self::Start(_) => false,
            Self::TimedOut
            | Self::Trapped(_)
            | Self::Memory { .. }
            | Self::NoAnswer
            | Self::Guest(_)
            | Self::BadAnswer(_) => true,
        }
    }
}

/// How a response body ended before its end.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum BodyError {
    /// The component broke down while it sent the body.
    #[error("the component trapped while it sent the body: {0}")]
    Trapped(String),
    /// The body stood still for too long; see [`crate::Limits::body_idle`].
    #[error("the body stood still for too long")]
    Stalled,
    /// The component broke the body off, or sent more or less than it said.
    #[error("the component broke the body off: {0}")]
    Broken(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_begun_is_known() {
        assert!(!HandleError::Busy(String::new()).may_have_executed());
        assert!(HandleError::TimedOut.may_have_executed());
        assert_eq!(HandleError::TimedOut.status(), HandleError::DeadlinePassed.status());
        assert_eq!(HandleError::Busy(String::new()).retry_after(), Some(1));
    }
}
