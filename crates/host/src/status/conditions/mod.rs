//! What is the matter with one component, as Kubernetes has it: conditions of a few types, each true, false or unknown.
//!
//! [`judge`] is a function of what one host knows ([`Facts`]); it reads no clock. [`Ages`] remembers when each
//! condition last changed. Conditions decide nothing.

mod ages;
mod facts;
mod judge;
mod kstatus;
mod waits;

use serde::{Deserialize, Serialize};

pub(crate) use self::ages::Ages;
pub(crate) use self::facts::{Accepted, Facts, Picture};
pub(crate) use self::judge::judge;
pub use self::kstatus::Kstatus;

/// One condition of a component. Types are `Accepted`, `Ready`, `Progressing`, `Stalled`, and while `Progressing` is true
/// `Reconciling`, which kstatus knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ComponentCondition {
    /// What it is about.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it holds.
    pub status: Truth,
    /// Why, in one word in CamelCase.
    pub reason: String,
    /// Why, in words; for `Progressing`, what is waited for and since when.
    pub message: String,
    /// Milliseconds since `status` last changed, as far as the answering host remembers.
    pub age: u64,
    /// When that was, in milliseconds since 1970 by the answering host's clock; for people.
    pub last_transition: u64,
    /// The revision that it was worked out for.
    pub observed_revision: String,
    /// The identity that is asked for, as the answering host resolves it.
    pub identity: String,
}

/// Whether a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Truth {
    /// It does.
    True,
    /// It does not.
    False,
    /// It cannot be told: who would know is silent.
    Unknown,
}

/// One thing that is waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wait {
    /// Who waits, or is waited for: a host, as `site/host`, or a site.
    pub of: String,
    /// What kind of wait, in one word in CamelCase.
    pub kind: String,
    /// In words that change only when something does.
    pub what: String,
    /// Since when, in milliseconds before now.
    pub since: u64,
}

impl Wait {
    /// How long it has been waited for: `340 ms`, `12 s`, `3 min`.
    #[must_use]
    pub fn age(&self) -> String {
        match self.since {
            1000..10_000 => format!("{} s", self.since / 1000),
            other => crate::events::in_words(other),
        }
    }
}

impl std::fmt::Display for Wait {
    /// `aws-2 starts since 3 s`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.of.rsplit_once('/').map_or(self.of.as_str(), |(_, host)| host);
        write!(f, "{name} {} since {}", self.what, self.age())
    }
}

#[cfg(test)]
mod tests;
