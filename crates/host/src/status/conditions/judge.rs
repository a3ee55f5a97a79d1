//! From facts to conditions. Pure.

use std::time::Duration;

use dunlin_agent::SlotReport;
use dunlin_placement::{Failure, SlotState};

use super::Truth;
use super::facts::{Accepted, Asked, Facts, HostFact};
use super::waits::{self, Found};

/// So many failures in a row, each with nothing changed between, need a person.
const ATTEMPTS: u32 = 3;
/// What lasts for this long does not pass by itself.
const LONG: Duration = Duration::from_secs(60);

/// The conditions of one component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Judged {
    pub(crate) accepted: Verdict,
    pub(crate) ready: Verdict,
    pub(crate) progressing: Verdict,
    pub(crate) stalled: Verdict,
    /// What is waited for.
    pub(super) waits: Vec<Found>,
}

/// One condition without its age.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) status: Truth,
    pub(crate) reason: String,
    pub(crate) message: String,
}

fn verdict(status: Truth, reason: &str, message: impl Into<String>) -> Verdict {
    Verdict { status, reason: reason.to_owned(), message: message.into() }
}

/// Judges one component.
pub(crate) fn judge(facts: &Facts) -> Judged {
    let accepted = accepted(&facts.accepted);
    let counts: Vec<Count<'_>> = facts.asked.iter().flat_map(|asked| counts(facts, asked)).collect();
    let missing: Vec<&str> =
        counts.iter().filter(|count| count.ready < count.asked).map(|count| count.site).collect();
    let mut waits = waits::waits(facts, &missing);
    let ready = ready(facts, &counts, &waits);
    if ready.status == Truth::True {
        // Others stand in for those that fail or try again.
        let fails = |found: &Found| {
            let host = facts.hosts.iter().find(|host| host.name == found.of);
            let slot = host.and_then(|host| host.slot.as_ref());
            found.kind == "Failed"
                || (found.kind != "Leaving" && slot.is_some_and(|slot| slot.failed.is_some()))
        };
        waits.retain(|found| !fails(found));
    }
    if ready.status == Truth::Unknown {
        // What nobody can tell is not waited for.
        waits.retain(|found| !matches!(found.kind, "NotStarted" | "Shortage"));
    }
    let stalled = stalled(facts, &ready, &waits);
    let progressing = progressing(facts, &ready, &stalled, &waits);
    Judged { accepted, ready, progressing, stalled, waits }
}

fn accepted(accepted: &Accepted) -> Verdict {
    match accepted {
        Accepted::Yes => verdict(Truth::True, "InForce", "what Git says is in force"),
        Accepted::Invalid(mistake) => verdict(Truth::False, "Invalid", mistake),
        Accepted::HeldBack(why) => verdict(Truth::False, "HeldBack", why),
        Accepted::Unknown(why) => verdict(Truth::Unknown, "SourceUnreadable", why),
    }
}

/// The slots of one site.
struct Count<'a> {
    site: &'a str,
    asked: usize,
    /// Ready, and as asked.
    ready: usize,
    /// Silent hosts that were ready when they were heard last.
    silent: usize,
    /// Hosts are known, and none of them is heard.
    unheard: bool,
}

fn counts<'a>(facts: &'a Facts, asked: &'a Asked) -> Vec<Count<'a>> {
    let count = |(site, count): (&'a String, &usize)| {
        let good = facts.hosts.iter().filter(|host| host.site == *site && is_as_asked(asked, host));
        let (silent, heard): (Vec<_>, Vec<_>) = good.partition(|host| host.silent);
        let mut here = facts.hosts.iter().filter(|host| host.site == *site).peekable();
        let unheard = here.peek().is_some() && here.all(|host| host.silent);
        Count { site, asked: *count, ready: heard.len(), silent: silent.len(), unheard }
    };
    asked.sites.iter().map(count).collect()
}

/// Whether a host has a ready slot of what is asked for. Identities cover secrets, which may differ from site to site: of a
/// host that wants the same, it is enough that it has nothing to update.
fn is_as_asked(asked: &Asked, host: &HostFact) -> bool {
    host.slot.as_ref().is_some_and(|slot| {
        let same =
            slot.identity == asked.identity || (asked.has_secrets && host.same && slot.update.is_none());
        slot.state == SlotState::Ready && same
    })
}

fn ready(facts: &Facts, counts: &[Count<'_>], waits: &[Found]) -> Verdict {
    let Some(asked) = &facts.asked else {
        return verdict(Truth::False, "NotAccepted", "no form of it was ever good");
    };
    let lacking: Vec<_> = counts.iter().filter(|count| count.ready < count.asked).collect();
    let words = |counts: &mut dyn Iterator<Item = &Count<'_>>| {
        let count = |count: &Count<'_>| format!("{} of {} in {}", count.ready, count.asked, count.site);
        counts.map(count).collect::<Vec<_>>().join(", ")
    };
    if lacking.is_empty() {
        let all = words(&mut counts.iter());
        let all = if all.is_empty() { "nowhere asked for".to_owned() } else { all };
        return verdict(Truth::True, "AsAsked", all);
    }
    let message = format!("{} ready", words(&mut lacking.iter().copied()));
    if facts.deaf {
        let message = format!("{message}, as far as this host hears, which is badly");
        return verdict(Truth::Unknown, "Deaf", message);
    }
    if lacking.iter().all(|count| count.unheard || count.ready + count.silent >= count.asked) {
        let ran: Vec<_> = silent(facts, asked, &lacking).map(|host| host.name.as_str()).collect();
        let what = match ran.as_slice() {
            [] => "nobody there is heard".to_owned(),
            ran => format!("{} ran it when last heard, and may still", ran.join(", ")),
        };
        return verdict(Truth::Unknown, "HostsSilent", format!("{message}; {what}"));
    }
    if asked.suspended {
        return verdict(Truth::False, "Suspended", message);
    }
    if facts.hosts.iter().any(|host| !host.silent && host.gave_up()) {
        let message = format!("{message} of what Git says; what ran before goes on");
        return verdict(Truth::False, "CanaryAborted", message);
    }
    let kinds = |kind: &str| waits.iter().any(|found| found.kind == kind);
    let reason = match () {
        () if kinds("Failed") || kinds("UpdateFailed") => "Failed",
        () if kinds("NotReady") => "NotReady",
        () if kinds("Updating") || kinds("Canary") => "Updating",
        () if kinds("Starting") => "Starting",
        () if kinds("Shortage") => "Shortage",
        () => "TooFew",
    };
    verdict(Truth::False, reason, message)
}

fn silent<'a>(
    facts: &'a Facts,
    asked: &'a Asked,
    lacking: &'a [&Count<'_>],
) -> impl Iterator<Item = &'a HostFact> {
    let of_site = |host: &HostFact| lacking.iter().any(|count| count.site == host.site);
    facts.hosts.iter().filter(move |host| host.silent && of_site(host) && is_as_asked(asked, host))
}

/// What does not pass without a person.
fn stalled(facts: &Facts, ready: &Verdict, waits: &[Found]) -> Verdict {
    let no = || verdict(Truth::False, "NotStalled", "");
    match &facts.accepted {
        Accepted::Invalid(mistake) => return verdict(Truth::True, "Invalid", mistake),
        Accepted::HeldBack(why) => return verdict(Truth::True, "HeldBack", why),
        Accepted::Yes | Accepted::Unknown(_) => {}
    }
    // What a host says that is silent, or follows another revision, is of the past.
    let heard = facts.hosts.iter().filter(|host| host.same && !host.silent);
    let mut said = heard.flat_map(|host| &host.says);
    if let Some((_, message, _)) = said.find(|(kind, ..)| kind == "Stalled") {
        return verdict(Truth::True, "CanaryAborted", message.as_str());
    }
    if ready.status == Truth::True {
        return no();
    }
    // What a host says that follows another revision is of the past.
    let failures = facts.hosts.iter().filter(|host| host.same && !host.silent).filter_map(|host| {
        let (reach, attempts, reason) = failure(host.slot.as_ref()?)?;
        let words = format!("{} {}", host.name, waits::failed(attempts, reason));
        Some((reach, attempts, words))
    });
    let failures: Vec<_> = failures.collect();
    if let Some((.., words)) = failures.iter().find(|(reach, ..)| *reach == Failure::Everywhere) {
        return verdict(Truth::True, "FailsEverywhere", words.as_str());
    }
    if let Some((.., words)) = failures.iter().find(|(_, attempts, _)| *attempts >= ATTEMPTS) {
        return verdict(Truth::True, "FailsAgain", words.as_str());
    }
    if ready.status == Truth::Unknown {
        return no();
    }
    let lasts = |found: &&Found| found.since.is_some_and(|since| since >= LONG);
    let lasting = waits.iter().filter(lasts).find(|found| matches!(found.kind, "Shortage" | "NotReady"));
    lasting.map_or_else(no, |found| verdict(Truth::True, found.kind, format!("{} {}", found.of, found.what)))
}

/// What failed in a slot: the start of what it is to run, how often, and why.
fn failure(slot: &SlotReport) -> Option<(Failure, u32, Option<&str>)> {
    let first = slot.failed.map(|reach| (reach, slot.attempts, slot.reason.as_deref()));
    let update = slot.update.as_ref();
    first.or_else(|| {
        update.and_then(|update| Some((update.failed?, update.attempts, update.reason.as_deref())))
    })
}

fn progressing(facts: &Facts, ready: &Verdict, stalled: &Verdict, waits: &[Found]) -> Verdict {
    if stalled.status == Truth::True {
        return verdict(Truth::False, "Stalled", stalled.message.as_str());
    }
    if facts.asked.as_ref().is_some_and(|asked| asked.suspended) {
        return verdict(Truth::False, "Suspended", "suspend: true starts nothing and stops nothing");
    }
    if let Some(first) = waits.first() {
        let words: Vec<_> = waits.iter().map(|found| format!("{} {}", found.of, found.what)).collect();
        return verdict(Truth::True, first.kind, words.join("; "));
    }
    match ready.status {
        Truth::Unknown => verdict(Truth::Unknown, &ready.reason, ready.message.as_str()),
        Truth::True | Truth::False => verdict(Truth::False, "Settled", ""),
    }
}
