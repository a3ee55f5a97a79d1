//! What the facts mean, in the order in which one would look: each part of the path, what was found, what to do.
//!
//! Pure: everything depends on the facts alone, so that each kind of wrong is a line of a table test.

mod bus;
mod clocks;
mod components;
mod credentials;
mod hosts;
mod ingress;
mod links;
mod permissions;
mod providers;
mod servers;
mod span;

use serde::Serialize;

use super::facts::{Facts, Setting};

/// How well something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// As it should be.
    Good,
    /// Worth knowing, or not looked at.
    Note,
    /// It works, and may not for long.
    Warning,
    /// It does not work, or nobody should rely on it.
    Bad,
}

/// One line of the result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// The part: `leaf aws`.
    pub(crate) what: String,
    pub(crate) verdict: Verdict,
    /// What was found.
    pub(crate) found: String,
    /// What to do about it, with a command where there is one; empty where there is nothing to do.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) mend: String,
}

impl Finding {
    pub(crate) fn new(what: impl Into<String>, verdict: Verdict, found: impl Into<String>) -> Self {
        Self { what: what.into(), verdict, found: found.into(), mend: String::new() }
    }

    pub(crate) fn good(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(what, Verdict::Good, found)
    }

    pub(crate) fn note(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(what, Verdict::Note, found)
    }

    pub(crate) fn warning(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(what, Verdict::Warning, found)
    }

    pub(crate) fn bad(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(what, Verdict::Bad, found)
    }

    pub(crate) fn mend(self, mend: impl Into<String>) -> Self {
        Self { mend: mend.into(), ..self }
    }
}

/// Judges everything that was found.
pub(crate) fn judge(facts: &Facts) -> Vec<Finding> {
    let mut all = Vec::new();
    match (facts.setting, facts.servers.as_slice()) {
        (Setting::Here, _) => all.push(Finding::note(
            "bus",
            "in this process: there are no servers, certificates, credentials, links or permissions to check; \
             `dunlin dev --real` has them",
        )),
        (_, []) => all.push(Finding::note("bus", "not checked: name the servers with --nats SITE=URL")),
        _ => {
            all.extend(servers::judge(facts));
            all.extend(credentials::certificates(facts));
            all.extend(credentials::users(facts));
            all.extend(links::judge(facts));
            all.extend(permissions::judge(facts));
        }
    }
    if facts.hosts.is_empty() {
        let found = match facts.setting {
            Setting::Deployed => "not checked: name their admin ports with --admin ADDRESS",
            _ => "none runs",
        };
        let verdict = if facts.setting == Setting::Deployed { Verdict::Note } else { Verdict::Bad };
        let mend = if verdict == Verdict::Bad { "dunlin revive SITE" } else { "" };
        all.push(Finding::new("hosts", verdict, found).mend(mend));
    }
    all.extend(clocks::judge(facts));
    all.extend(hosts::judge(facts));
    all.extend(bus::judge(facts));
    all.extend(providers::judge(facts));
    all.extend(components::judge(facts));
    all.extend(ingress::judge(facts));
    all
}

#[cfg(test)]
mod tests;
