//! Whether hosts answer, are ready, hear the bus and follow the same revision.

use dunlin_manifest::short_revision;

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use crate::check::facts::{Facts, HostAnswer, HostFacts, Setting, Trouble};

/// One line for each host that was asked, and for each that others no longer hear.
pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let mut all: Vec<_> = facts.hosts.iter().map(|host| one(facts.setting, host)).collect();
    all.extend(silent(facts));
    all.extend(revisions(facts));
    all
}

fn one(setting: Setting, host: &HostFacts) -> Finding {
    let answer = match &host.answer {
        Ok(answer) => answer,
        Err(trouble) => {
            let name = host.id.as_ref().map_or_else(|| host.address.clone(), ToString::to_string);
            let found = format!("its admin port {} {trouble}", host.address);
            return Finding::bad(format!("host {name}"), found).mend(unreached(setting, &name, trouble));
        }
    };
    let name = &answer.status.seen_by;
    let what = format!("host {name}");
    match own_state(answer) {
        "draining" => {
            let found = "drains: it takes no new requests and ends once others have taken over";
            return Finding::warning(what, found);
        }
        _ if answer.status.conditions.iter().any(|condition| condition.reason == "Deaf") => {
            let found =
                "hears nobody on the bus, not even itself; what it runs goes on, and nothing new starts";
            return Finding::bad(what, found)
                .mend(format!("mend its way to the bus: its log, and `dunlin nats env {}`", site(name)));
        }
        _ if !answer.status.own.ready => {
            let found = "not ready: it starts, or has not read what it should run";
            return Finding::bad(what, found).mend("see CONDITIONS in `dunlin status`, and its log");
        }
        _ => {}
    }
    let revision = short_revision(&answer.status.revision);
    Finding::good(what, format!("ready, revision {revision}, answers in {} ms", answer.took.as_millis()))
}

fn unreached(setting: Setting, name: &str, trouble: &Trouble) -> String {
    match (setting, trouble) {
        (Setting::Deployed, Trouble::Silent(_)) => {
            "see what holds it (a stopped process, a full machine); otherwise start it again".to_owned()
        }
        (Setting::Deployed, _) => "start it, or correct the address".to_owned(),
        (_, Trouble::Silent(_)) => format!("dunlin thaw {name}"),
        _ => format!("dunlin revive {name}"),
    }
}

/// What a host says of itself: `live`, `draining`.
fn own_state(answer: &HostAnswer) -> &str {
    let own = answer.status.seen_by.split_once('/');
    let host = own.and_then(|(site, host)| answer.status.sites.get(site)?.hosts.get(host));
    host.map_or("", |host| host.state.as_str())
}

fn site(name: &str) -> &str {
    name.split('/').next().unwrap_or(name)
}

/// Hosts that went without a goodbye: others remember them, and they answer nobody.
fn silent(facts: &Facts) -> Vec<Finding> {
    let asked: BTreeSet<String> = facts
        .hosts
        .iter()
        .filter_map(|host| match &host.answer {
            Ok(answer) => Some(answer.status.seen_by.clone()),
            Err(_) => host.id.as_ref().map(ToString::to_string),
        })
        .collect();
    let mut silent: BTreeMap<String, u64> = BTreeMap::new();
    for answer in facts.answers() {
        for (site, seen) in &answer.status.sites {
            for (name, host) in seen.hosts.iter().filter(|(_, host)| host.state == "silent") {
                let name = format!("{site}/{name}");
                let least = silent.get(&name).copied().unwrap_or(u64::MAX).min(host.unseen_milliseconds);
                silent.insert(name, least);
            }
        }
    }
    silent.retain(|name, _| !asked.contains(name));
    silent
        .into_iter()
        .map(|(name, unseen)| {
            let mend = match facts.setting {
                Setting::Deployed => {
                    "start it again; if it is gone for good, the others forget it after 10 minutes".to_owned()
                }
                _ => format!("dunlin revive {name}"),
            };
            let found = format!("not heard for {} s, without a goodbye: killed, or cut off", unseen / 1000);
            Finding::bad(format!("host {name}"), found).mend(mend)
        })
        .collect()
}

/// A new commit takes some seconds to every host; one that stays behind cannot read it.
fn revisions(facts: &Facts) -> Option<Finding> {
    let mut hosts: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for answer in facts.answers() {
        hosts.entry(&answer.status.revision).or_default().push(&answer.status.seen_by);
    }
    if hosts.len() < 2 {
        return None;
    }
    let words: Vec<_> = hosts
        .iter()
        .map(|(revision, hosts)| format!("{} at {}", short_revision(revision), hosts.join(" ")))
        .collect();
    let mend = "normal for some seconds after a change; if it stays so, see in the log of those behind why they cannot read it";
    Some(
        Finding::warning("revisions", format!("hosts follow different ones: {}", words.join(", ")))
            .mend(mend),
    )
}
