//! What is told of one call.

use std::time::{Duration, SystemTime};

use dunlin_manifest::HostId;

use crate::call::Ending;
use crate::router::Place;

/// One call, as its calling host saw it. Nothing of what it carried is in it but sizes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// When it ended, by the calling host's wall clock, to the microsecond.
    pub at: SystemTime,
    /// The trace that it belongs to: 32 digits of W3C Trace Context.
    pub trace: Option<String>,
    /// The host that called.
    pub from: HostId,
    /// The component that called; for a request from outside, the component it is for.
    pub component: String,
    /// By which of the component's links; empty for a request from outside.
    pub link: String,
    /// The component or provider that was called.
    pub target: String,
    /// What of it.
    pub function: String,
    /// The host that answered, else the one asked last; `None` if there was none to ask.
    pub to: Option<HostId>,
    /// How near that host is; [`Place::SameProcess`] means that nothing went over the bus.
    pub place: Option<Place>,
    /// How many hosts were asked.
    pub attempts: u32,
    /// From the call to its answer, a streamed body not included.
    pub took: Duration,
    /// How it ended.
    pub ending: Ending,
    /// Bytes of arguments and of a body that was not streamed; 0 also where that is not known.
    pub asked: u64,
    /// Bytes of results and of a body that was not streamed; 0 also where that is not known.
    pub answered: u64,
}
