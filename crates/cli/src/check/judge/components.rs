//! Whether what Git asks for is ready, and whatever else hosts complain of.

use std::collections::BTreeMap;

use dunlin_host::status::Count;

use super::{Finding, Verdict};
use crate::check::facts::Facts;

/// Reasons that other lines tell of.
const TOLD: [&str; 3] = ["Bus", "Deaf", "CannotOpen"];

/// One line for each component, and one for each condition that no other line tells of.
pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let mut components: BTreeMap<&str, BTreeMap<&str, Count>> = BTreeMap::new();
    for answer in facts.answers() {
        for (name, component) in &answer.status.components {
            let sites = components.entry(name).or_default();
            for (site, count) in &component.sites {
                // Hosts that do not hear each other know only of some.
                let most = sites.entry(site).or_default();
                most.ready = most.ready.max(count.ready);
                most.wanted = most.wanted.max(count.wanted);
            }
        }
    }
    let mut all: Vec<_> = components.iter().map(|(name, sites)| component(facts, name, sites)).collect();
    let others = facts.conditions().into_iter().filter(|condition| {
        let told = TOLD.contains(&condition.reason.as_str()) || condition.object.starts_with("provider/");
        let component = condition.object.strip_prefix("component/");
        !told && !component.is_some_and(|name| components.contains_key(name))
    });
    all.extend(others.map(|condition| {
        let what = if condition.object.is_empty() { "lattice" } else { &condition.object };
        Finding::warning(what.replacen('/', " ", 1), format!("{}: {}", condition.reason, condition.message))
    }));
    all
}

fn component(facts: &Facts, name: &str, sites: &BTreeMap<&str, Count>) -> Finding {
    let object = format!("component/{name}");
    let short = sites.values().any(|count| count.ready < count.wanted);
    let conditions = facts.conditions().into_iter().filter(|condition| {
        // Hosts that do not hear another site miss what is ready there.
        condition.object == object && (short || condition.reason != "Shortage")
    });
    let reasons: Vec<_> =
        conditions.map(|condition| format!("{}: {}", condition.reason, condition.message)).collect();
    let counts: Vec<_> = sites
        .iter()
        .map(|(site, Count { wanted, ready })| format!("{ready} of {wanted} in {site}"))
        .collect();
    let none = sites.values().all(|count| count.ready == 0);
    let verdict = match (none, short || !reasons.is_empty()) {
        (true, true) => Verdict::Bad,
        // Somebody may want it so.
        (true, false) | (false, true) => Verdict::Warning,
        (false, false) => Verdict::Good,
    };
    let mut found = format!("{} ready", counts.join(", "));
    for reason in &reasons {
        found.push_str(&format!("; {reason}"));
    }
    let finding = Finding::new(format!("component {name}"), verdict, found);
    match verdict {
        Verdict::Good => finding,
        _ if none && !short => finding.mend(format!("nothing is asked for: `dunlin move {name} SITE=1`")),
        _ => finding.mend(format!(
            "`dunlin status` shows what each host waits for, `dunlin logs {name}` what it says"
        )),
    }
}
