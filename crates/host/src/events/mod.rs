//! What happened on this host, component by component: kept for readers of the admin port, in words for people.

mod log;
mod translate;
mod words;

use serde::{Deserialize, Serialize};

pub(crate) use self::log::{EventLog, now};
pub(crate) use self::translate::follow;
pub use self::words::in_words;

/// Something that happened, as one line of `/v1/events`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Rises from event to event of one host.
    pub number: u64,
    /// When, in milliseconds since 1970 by the host's clock; for people.
    pub time: u64,
    /// The host, as `site/host`.
    pub host: String,
    /// The component; empty where it is about the whole host.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub component: String,
    /// The revision that the host followed then.
    pub revision: String,
    /// What runs, or was to run.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub identity: String,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened. Durations are in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum What {
    /// The host follows another revision from now on.
    Revision {
        /// What that changes, in words.
        changes: Vec<String>,
    },
    /// What Git says of the component is not taken: it stays at its last good form.
    Held {
        /// Why.
        reason: String,
    },
    /// The component is being started.
    Starting,
    /// Its code is there.
    Compiled {
        /// How long that took.
        took: u64,
        /// Where it came from: `compiler`, `cache` (on disk) or `memory` (in use already).
        from: String,
    },
    /// It takes calls.
    Ready {
        /// How long since its start, or since it was not ready.
        after: u64,
    },
    /// It is ready no longer.
    Unready,
    /// It did not start.
    Failed {
        /// No other host could start it either.
        everywhere: bool,
        /// Why.
        reason: String,
        /// Attempts in a row that failed.
        attempts: u32,
    },
    /// It is no longer to be started here.
    GivenUp,
    /// A new identity is being started beside the old.
    UpdateBegun,
    /// The new identity takes the calls.
    Updated {
        /// How long since it was started.
        after: u64,
    },
    /// The new identity did not start; the old serves on.
    UpdateFailed {
        /// No other host could start it either.
        everywhere: bool,
        /// Why.
        reason: String,
        /// Attempts in a row that failed.
        attempts: u32,
    },
    /// The new identity is no longer asked for; the old serves on.
    UpdateGivenUp,
    /// It takes no more calls.
    Leaving {
        /// The hosts that promised to stay, as `site/host`.
        promised: Vec<String>,
        /// All slots of the host go elsewhere.
        draining: bool,
        /// Git does not have the component any more.
        deleted: bool,
    },
    /// An instance has stopped.
    Stopped {
        /// Requests that it finished meanwhile.
        finished: u64,
        /// Requests that were broken off.
        cut: u64,
    },
    /// Something is not as asked.
    Condition {
        /// What, as one word.
        kind: String,
        /// What, in words.
        message: String,
    },
    /// That is over.
    ConditionOver {
        /// What, as one word.
        kind: String,
    },
}
