//! The last revisions: what each changed, how it went and how long it took, as this host saw it.

mod changes;
mod disk;
mod record;

use dunlin_source::Commit;
use serde::{Deserialize, Serialize};

pub(crate) use self::changes::changes;
pub use self::changes::{Change, ChangeKind, FieldChange};
pub(crate) use self::disk::Kept;
pub(crate) use self::record::{Counts, Followed, History, Progress};

/// One revision that this host followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Revision {
    /// The revision.
    pub id: String,
    /// The commit, where the source is a Git repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Commit>,
    /// When this host began to follow it, in milliseconds since 1970 by its clock; for people.
    pub applied: u64,
    /// What it changes.
    pub changes: Vec<Change>,
    /// What of it is not taken, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
    /// How it went.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Milliseconds from when this host followed it until it was settled, or until now or another took its place.
    pub took: u64,
    /// Requests at this host's ingress meanwhile.
    pub requests: u64,
    /// Those among them that Dunlin had to fail.
    pub failures: u64,
}

/// How a revision went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Outcome {
    /// Not everything is as it says yet.
    InProgress {
        /// What is waited for.
        waits: Vec<String>,
    },
    /// Everything was as it says.
    Settled,
    /// Another came before everything was as it says.
    Superseded,
    /// It does not get further without a person.
    Stalled {
        /// Why.
        why: String,
    },
    /// Nothing of it was taken.
    Held {
        /// Why.
        why: String,
    },
}

/// What `/v1/history` answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Revisions {
    /// The host that answers, as `site/host`.
    pub host: String,
    /// The last revisions, the newest first.
    pub revisions: Vec<Revision>,
}
