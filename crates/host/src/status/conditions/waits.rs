//! What a component waits for, host by host and site by site. Pure.

use std::time::Duration;

use dunlin_agent::SlotReport;
use dunlin_manifest::short_revision;
use dunlin_placement::SlotState;

use super::facts::{Facts, HostFact};

/// One thing that is waited for, before its age is known for certain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) of: String,
    pub(super) kind: &'static str,
    pub(super) what: String,
    /// Since when, if who is waited for says so.
    pub(super) since: Option<Duration>,
}

/// Everything that is waited for. `missing` are the sites that have too few slots as asked.
pub(super) fn waits(facts: &Facts, missing: &[&str]) -> Vec<Found> {
    let mut all: Vec<Found> =
        facts.hosts.iter().filter(|host| !host.silent).flat_map(|host| of_host(facts, host)).collect();
    // What was given up is not waited for: Git has to name something else.
    let given_up = facts.hosts.iter().any(|host| !host.silent && host.gave_up());
    for site in missing.iter().filter(|_| !given_up) {
        let explains =
            |found: &&Found| found.of.split('/').next() == Some(*site) && found.kind != "WaitsForPromises";
        if all.iter().any(|found| explains(&found)) {
            continue;
        }
        if facts.asked.as_ref().is_some_and(|asked| asked.suspended) {
            let what = "starts nothing: the component is suspended".to_owned();
            all.push(Found { of: (*site).to_owned(), kind: "Suspended", what, since: None });
            continue;
        }
        let short = short(facts, site);
        let kind = if short.is_some() { "Shortage" } else { "NotStarted" };
        let (what, since) = short.unwrap_or_else(|| ("has no host that starts it yet".to_owned(), None));
        all.push(Found { of: (*site).to_owned(), kind, what, since });
    }
    all
}

/// What hosts of a site say of too few hosts, the host that says it for longest first.
fn short(facts: &Facts, site: &str) -> Option<(String, Option<Duration>)> {
    let mut here = facts.hosts.iter().filter(|host| host.site == site && !host.silent).peekable();
    if here.peek().is_none() {
        return Some(("has no live host".to_owned(), None));
    }
    let says = here.flat_map(|host| {
        let of = host.says.iter().filter(|(kind, ..)| kind == "Shortage");
        of.map(|(_, message, since)| (message.clone(), since.map(|since| host.ago(since))))
    });
    let (message, since) = says.max_by_key(|(_, since)| *since)?;
    Some((format!("has too few hosts: {message}"), since))
}

fn of_host(facts: &Facts, host: &HostFact) -> Vec<Found> {
    let found = |kind, what: String, since| Found { of: host.name.clone(), kind, what, since };
    let mut all = Vec::new();
    if !host.same && !host.draining && facts.asked.is_some() {
        let what = match host.revision.as_str() {
            "" => "has not read its source".to_owned(),
            revision if revision == facts.revision => "sees other manifests".to_owned(),
            revision => format!("still follows {}", short_revision(revision)),
        };
        all.push(found("Following", what, None));
    }
    if let Some(slot) = &host.slot {
        all.extend(of_slot(host, slot).map(|(kind, what, since)| found(kind, what, since)));
        all.extend(of_update(host, slot).map(|(kind, what, since)| found(kind, what, since)));
    }
    for (_, message, since) in host.says.iter().filter(|(kind, ..)| kind == "WaitsForPromises") {
        all.push(found("WaitsForPromises", message.clone(), since.map(|since| host.ago(since))));
    }
    all
}

type Words = (&'static str, String, Option<Duration>);

fn of_slot(host: &HostFact, slot: &SlotReport) -> Option<Words> {
    let since = Some(host.ago(slot.since_ms));
    let answer = || host.answer.clone();
    match slot.state {
        SlotState::Starting => Some(match answer() {
            Some(answer) => ("NotReady", format!("starts: {answer}"), since),
            None => ("Starting", "starts".to_owned(), since),
        }),
        SlotState::Unready => {
            let words = answer()
                .map_or_else(|| "is not ready".to_owned(), |answer| format!("is not ready: {answer}"));
            Some(("NotReady", words, since))
        }
        SlotState::Failed => Some(("Failed", failed(slot.attempts, slot.reason.as_deref()), since)),
        SlotState::Leaving => Some(("Leaving", "finishes its last requests".to_owned(), since)),
        SlotState::Ready => None,
    }
}

fn of_update(host: &HostFact, slot: &SlotReport) -> Option<Words> {
    let update = slot.update.as_ref()?;
    if update.failed.is_some() && update.since_ms.is_none() {
        return Some((
            "UpdateFailed",
            format!("update {}", failed(update.attempts, update.reason.as_deref())),
            None,
        ));
    }
    let since = update.since_ms.map(|since| host.ago(since));
    if let Some(canary) = &update.canary {
        return Some(("Canary", format!("tries the update on {} % of the calls", canary.weight), since));
    }
    let words =
        host.answer.as_ref().map_or_else(|| "updates".to_owned(), |answer| format!("updates: {answer}"));
    Some(("Updating", words, since))
}

/// What failed, and how often.
pub(super) fn failed(attempts: u32, reason: Option<&str>) -> String {
    let reason = reason.unwrap_or("for no reason that was told");
    match attempts {
        0 | 1 => format!("failed: {reason}"),
        more => format!("failed {more} times: {reason}"),
    }
}
