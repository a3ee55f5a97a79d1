//! What a change of sites may bring that nobody meant: calls that cross sites, too few hosts, nowhere left, a failover that
//! would not help. Pure.

use std::collections::BTreeSet;

use dunlin_manifest::{LinkTarget, Remote, Replicas, Snapshot, WasmComponent};
use serde::Serialize;

use super::plan::Slots;
use super::seen::Seen;

/// One thing to think about before it is committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Warning {
    /// One word in CamelCase.
    pub(crate) reason: &'static str,
    /// In words.
    pub(crate) message: String,
}

/// Everything worth a warning about `name`, as `after` has it.
pub(crate) fn warnings(
    name: &str,
    before: &Snapshot,
    after: &Snapshot,
    slots: &Slots,
    seen: Option<&Seen>,
) -> Vec<Warning> {
    let Some(new) = after.components.get(name).map(|object| &object.spec) else { return Vec::new() };
    let old = before.components.get(name).map(|object| &object.spec);
    let mut all = Vec::new();
    let mut warn = |reason, message| all.push(Warning { reason, message });
    let (was, is) = (old.map(sites).unwrap_or_default(), sites(new));
    if is.is_empty() {
        let left = if was.is_empty() { "" } else { " any more" };
        warn(
            "Nowhere",
            format!(
                "{name} runs nowhere{left}: its last replicas stop without a promise, and nobody answers"
            ),
        );
    }
    let grows = |site: &&&str| count(old, site) < count(Some(new), site);
    for site in is.iter().filter(grows) {
        for (link, target) in &new.links {
            if let Some(message) = crossing(name, link, &target.target, site, after, seen) {
                warn("CrossesSites", message);
            }
        }
    }
    for site in was.difference(&is).filter(|_| !is.is_empty()) {
        for (caller, object) in &after.components {
            let links = object.spec.links.iter();
            let calls = links.filter(|(_, link)| link.target == LinkTarget::Component(name.to_owned()));
            for (link, _) in calls.filter(|_| caller != name && sites(&object.spec).contains(site)) {
                let cost = cost(site, &is, link, seen);
                warn("CrossesSites", format!("{caller} stays in {site} and calls {name}: {cost}"));
            }
        }
        let denied = new.http.as_ref().is_some_and(|http| http.remote == Remote::Deny);
        if denied {
            let what = "its requests there are answered 503, since `http.remote` is Deny";
            warn("NotForwarded", format!("{name} has no replica left in {site}: {what}"));
        }
    }
    if new.readiness.is_none() && !slots.starts.is_empty() {
        let what =
            "a replica counts as ready as soon as its code is there; `readiness: { path: … }` asks it first";
        warn("NoReadiness", format!("{name} names no readiness path: {what}"));
    }
    for short in &slots.short {
        warn("TooFewHosts", short.clone());
    }
    if new.suspend {
        warn(
            "Suspended",
            format!("{name} is suspended: nothing starts and nothing stops until `suspend` is gone"),
        );
    }
    all
}

/// What `failover` promises and cannot keep: a link of the component leads to what is lost with the site. Told of a change
/// that the component is part of, or that brings it about elsewhere.
pub(crate) fn failover(name: &str, before: &Snapshot, after: &Snapshot) -> Vec<Warning> {
    let spec = |snapshot: &Snapshot| snapshot.components.get(name).map(|object| object.spec.clone());
    let (was, is) = (helpless(name, before), helpless(name, after));
    let (old, new) = (spec(before), spec(after));
    let same = |old: &WasmComponent, new: &WasmComponent| {
        (&old.sites, &old.failover, &old.links) == (&new.sites, &new.failover, &new.links)
    };
    if was == is && old.zip(new).is_some_and(|(old, new)| same(&old, &new)) {
        return Vec::new();
    }
    is.into_iter().map(|message| Warning { reason: "FailoverHelpless", message }).collect()
}

/// Each home of a component whose loss takes the target of a link along, in words.
fn helpless(name: &str, snapshot: &Snapshot) -> Vec<String> {
    let Some(spec) = snapshot.components.get(name).map(|object| &object.spec) else { return Vec::new() };
    let Some(failover) = &spec.failover else { return Vec::new() };
    let mut all = Vec::new();
    for home in sites(spec) {
        let to: Vec<_> = failover.to.iter().map(String::as_str).filter(|site| *site != home).collect();
        if to.is_empty() {
            continue;
        }
        for (link, target) in &spec.links {
            if let Some(lost) = lost_with(home, name, &target.target, snapshot) {
                let to = to.join(", ");
                all.push(format!(
                    "failover to {to} would not help {name} while {home} is lost: link {link} leads to {lost} in {home} alone"
                ));
            }
        }
    }
    all
}

/// What a link leads to and how it is there, if it is in no other site than `home`.
fn lost_with(home: &str, name: &str, target: &LinkTarget, snapshot: &Snapshot) -> Option<String> {
    match target {
        LinkTarget::Provider(provider) => {
            let mut there = snapshot.providers.get(provider)?.spec.sites.keys();
            let alone = there.len() > 0 && there.all(|site| site == home);
            alone.then(|| format!("provider {provider}, which is open"))
        }
        LinkTarget::Component(component) if component != name => {
            let spec = &snapshot.components.get(component)?.spec;
            let there = sites(spec);
            // Another site may stand in for it as well.
            let moves = spec.failover.iter().any(|failover| failover.to.iter().any(|site| site != home));
            let alone = !moves && !there.is_empty() && there.iter().all(|site| *site == home);
            alone.then(|| format!("component {component}, which runs"))
        }
        LinkTarget::Component(_) | LinkTarget::Egress(_) => None,
    }
}

/// The sites that shall run some of a component.
fn sites(spec: &WasmComponent) -> BTreeSet<&str> {
    let some = spec.sites.iter().filter(|(_, placement)| placement.replicas != Replicas::Count(0));
    some.map(|(site, _)| site.as_str()).collect()
}

fn count(spec: Option<&WasmComponent>, site: &str) -> u32 {
    match spec.and_then(|spec| spec.sites.get(site)).map(|placement| placement.replicas) {
        None => 0,
        Some(Replicas::Count(count)) => count,
        Some(Replicas::All) => u32::MAX,
    }
}

/// What it means that a link leads out of `site`; nothing if it does not.
fn crossing(
    name: &str,
    link: &str,
    target: &LinkTarget,
    site: &str,
    after: &Snapshot,
    seen: Option<&Seen>,
) -> Option<String> {
    let (what, there): (&str, BTreeSet<&str>) = match target {
        LinkTarget::Provider(provider) => {
            (provider, after.providers.get(provider)?.spec.sites.keys().map(String::as_str).collect())
        }
        LinkTarget::Component(component) if component != name => {
            (component, sites(&after.components.get(component)?.spec))
        }
        _ => return None,
    };
    if there.is_empty() || there.contains(site) {
        return None;
    }
    let names = there.iter().copied().collect::<Vec<_>>().join(", ");
    Some(format!("{what} stays in {names}: {}", cost(site, &there, link, seen)))
}

/// What a call from `site` to the nearest of `there` costs, if hosts have measured it.
fn cost(site: &str, there: &BTreeSet<&str>, link: &str, seen: Option<&Seen>) -> String {
    let measured = seen.and_then(|seen| there.iter().filter_map(|other| seen.latency(site, other)).min());
    match measured {
        Some(took) if took.as_millis() >= 10 => format!("+{} ms a call, measured", took.as_millis()),
        Some(took) => format!("+{:.1} ms a call, measured", took.as_secs_f64() * 1e3),
        None => format!("every call of the link {link:?} crosses sites"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use dunlin_manifest::{File, read};
    use expect_test::{Expect, expect};

    use super::super::plan::slots;
    use super::*;

    const REST: &str = "apiVersion: dunlin.dev/v1alpha1\nkind: Lattice\nmetadata: { name: l }\nspec: { sites: { aws: {}, gcp: {} } }\n---\n\
        apiVersion: dunlin.dev/v1alpha1\nkind: WasmProvider\nmetadata: { name: redis }\nspec: { keyvalue: { embedded: {} }, sites: { gcp: {} } }\n---\n\
        apiVersion: dunlin.dev/v1alpha1\nkind: WasmComponent\nmetadata: { name: shop }\nspec: { image: \"shop:1\", sites: { gcp: {} }, \
        links: { todo: { import: \"a:b/c\", component: { name: todo } } } }\n";

    fn snapshot(sites: &str, more: &str) -> Snapshot {
        let text = format!(
            "{REST}---\napiVersion: dunlin.dev/v1alpha1\nkind: WasmComponent\nmetadata: {{ name: todo }}\nspec:\n  image: todo:1\n  \
             sites: {sites}\n  links: {{ store: {{ import: \"wasi:keyvalue\", provider: {{ name: redis }} }} }}\n{more}"
        );
        let reading = read(&[File { path: "all.yaml".into(), text }]);
        assert_eq!(reading.mistakes, vec![]);
        reading.snapshot
    }

    fn check(before: &str, after: &str, more: &str, seen: Option<&Seen>, expected: Expect) {
        let (before, after) = (snapshot(before, more), snapshot(after, more));
        let slots = slots("todo", None, &after.components["todo"].spec, seen.map(|seen| &seen.status));
        let found = warnings("todo", &before, &after, &slots, seen);
        let lines: Vec<_> =
            found.iter().map(|warning| format!("{}: {}", warning.reason, warning.message)).collect();
        expected.assert_eq(&lines.join("\n"));
    }

    const READY: &str = "  readiness: { path: / }\n";

    #[test]
    fn calls_that_cross_sites() {
        check(
            "{ gcp: { replicas: 2 } }",
            "{ gcp: { replicas: 0 }, aws: { replicas: 2 } }",
            READY,
            None,
            expect![[r#"
                CrossesSites: redis stays in gcp: every call of the link "store" crosses sites
                CrossesSites: shop stays in gcp and calls todo: every call of the link "todo" crosses sites"#]],
        );
        let mut seen = Seen::default();
        seen.latencies.insert(("aws".into(), "gcp".into()), vec![Duration::from_micros(82_400)]);
        check(
            "{ aws: { replicas: 1 }, gcp: { replicas: 1 } }",
            "{ aws: { replicas: 2 }, gcp: { replicas: 1 } }",
            READY,
            Some(&seen),
            expect![[r#"
                CrossesSites: redis stays in gcp: +82 ms a call, measured
                TooFewHosts: 0 of 2 in aws: no live host
                TooFewHosts: 0 of 1 in gcp: no live host"#]],
        );
        check("{ gcp: { replicas: 1 } }", "{ gcp: { replicas: 2 } }", READY, None, expect![""]);
    }

    #[test]
    fn a_failover_without_its_store_would_not_help() {
        let check = |before: &Snapshot, after: &Snapshot, expected: Expect| {
            let lines: Vec<_> =
                failover("todo", before, after).into_iter().map(|warning| warning.message).collect();
            expected.assert_eq(&lines.join("\n"));
        };
        let to = |sites: &str| format!("{READY}  failover: {{ after: 30s, to: {sites} }}\n");
        let plain = snapshot("{ gcp: { replicas: 2 } }", READY);
        let declared = snapshot("{ gcp: { replicas: 2 } }", &to("[aws]"));
        let helpless = || {
            expect![
                "failover to aws would not help todo while gcp is lost: link store leads to provider redis, which is open in gcp alone"
            ]
        };
        check(&plain, &declared, helpless());
        check(&declared, &declared, expect![""]);
        check(&declared, &plain, expect![""]);
        let moved = snapshot("{ gcp: { replicas: 1 }, aws: { replicas: 1 } }", &to("[aws]"));
        check(&declared, &moved, helpless());
        // Its home is where the store is not: a lost home leaves the store.
        check(&declared, &snapshot("{ aws: { replicas: 1 } }", &to("[gcp]")), expect![""]);
        // The store goes home while the component stays as it is.
        let mut shared = declared.clone();
        let sites = &mut shared.providers.get_mut("redis").unwrap().spec.sites;
        sites.insert("aws".into(), Default::default());
        check(&plain, &shared, expect![""]);
        check(&shared, &declared, helpless());
        let mut calling = snapshot("{ aws: { replicas: 1 } }", READY);
        let home = calling.components["todo"].spec.sites.clone();
        let shop = &mut calling.components.get_mut("shop").unwrap().spec;
        shop.sites = home;
        shop.failover = declared.components["todo"].spec.failover.clone();
        shop.failover.as_mut().unwrap().to = vec!["gcp".into()];
        let told = failover("shop", &plain, &calling);
        assert_eq!(
            told[0].message,
            "failover to gcp would not help shop while aws is lost: link todo leads to component todo, which runs in aws alone"
        );
        calling.components.get_mut("todo").unwrap().spec.failover =
            calling.components["shop"].spec.failover.clone();
        assert_eq!(failover("shop", &plain, &calling), vec![]);
    }

    #[test]
    fn nowhere_left_and_nobody_asked() {
        check(
            "{ gcp: { replicas: 1 } }",
            "{ gcp: { replicas: 0 } }",
            READY,
            None,
            expect![[r#"
                Nowhere: todo runs nowhere any more: its last replicas stop without a promise, and nobody answers"#]],
        );
        check(
            "{ aws: { replicas: 1 }, gcp: { replicas: 1 } }",
            "{ gcp: { replicas: 2 } }",
            "  http: { remote: Deny }\n  suspend: true\n",
            None,
            expect![[r#"
                NotForwarded: todo has no replica left in aws: its requests there are answered 503, since `http.remote` is Deny
                NoReadiness: todo names no readiness path: a replica counts as ready as soon as its code is there; `readiness: { path: … }` asks it first
                Suspended: todo is suspended: nothing starts and nothing stops until `suspend` is gone"#]],
        );
    }
}
