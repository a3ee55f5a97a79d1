//! Whom a site wants for a component, host by host in the order of rank, each with the reason. Pure.

use dunlin_manifest::{HostId, Replicas};
use dunlin_placement::{CANDIDATE, Demand, HostView, SiteDemand, fits, order, wanted};

use super::{Ranked, WhySite};

/// One site of a component, as `me` sees it.
pub(crate) fn site(demand: &Demand, name: &str, hosts: &[HostView], me: &HostId) -> WhySite {
    let Some(asked) = demand.sites.get(name) else { return WhySite::default() };
    let here: Vec<&HostView> = hosts.iter().filter(|host| host.id.site == name).collect();
    let outcome = wanted(demand, name, hosts, Some(me));
    let ranked = order(&demand.component, here.iter().map(|host| (&host.id, host.weight)));
    let ranked = ranked.into_iter().enumerate().filter_map(|(place, id)| {
        let host = here.iter().find(|host| host.id == *id)?;
        let wanted = outcome.wants(id);
        let why = match refusal(demand, asked, host, me) {
            Some(refusal) => refusal,
            None if wanted => format!("wanted: number {} in rank", place + 1),
            None if outcome.passes_over(id) => {
                "passed over: it failed here, another host may stand in".to_owned()
            }
            None if asked.replicas == Replicas::Count(0) => "none is asked for here".to_owned(),
            None => format!("not needed: number {} in rank", place + 1),
        };
        Some(Ranked { host: id.to_string(), wanted, why })
    });
    WhySite {
        asked: match asked.replicas {
            Replicas::All => "all".to_owned(),
            Replicas::Count(count) => count.to_string(),
        },
        ranked: ranked.collect(),
        shortage: outcome.shortage.map(|shortage| shortage.to_string()),
    }
}

/// Why a host is not one to choose from.
fn refusal(demand: &Demand, asked: &SiteDemand, host: &HostView, me: &HostId) -> Option<String> {
    if host.said_goodbye {
        return Some("gone: it said goodbye".to_owned());
    }
    let myself = host.id == *me;
    if !myself && !host.seen_within(CANDIDATE) {
        return Some(format!("silent for {} s", host.unseen_for.as_secs()));
    }
    if host.draining {
        return Some("draining".to_owned());
    }
    if !myself && !host.confirmed {
        return Some("not confirmed: it has not read its source".to_owned());
    }
    if fits(demand, asked, host) {
        return None;
    }
    let lacks: Vec<_> = asked
        .host_labels
        .iter()
        .filter(|(label, value)| host.labels.get(*label) != Some(value))
        .map(|(label, value)| format!("{label}={value}"))
        .collect();
    Some(if lacks.is_empty() {
        let (needs, has) = (demand.memory, host.memory_capacity);
        format!(
            "too little memory: {} of {}",
            dunlin_manifest::format_bytes(has),
            dunlin_manifest::format_bytes(needs)
        )
    } else {
        format!("without {}", lacks.join(" "))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::time::Duration;

    use dunlin_placement::{Failure, SlotState, SlotView};
    use expect_test::expect;

    use super::*;

    fn host(name: &str) -> HostView {
        HostView {
            id: HostId::new("gcp", name),
            incarnation: 1,
            unseen_for: Duration::ZERO,
            known_for: Duration::from_secs(60),
            said_goodbye: false,
            draining: false,
            confirmed: true,
            digest: None,
            labels: Arc::new([("disk".to_owned(), "ssd".to_owned())].into()),
            memory_capacity: 1 << 30,
            weight: 100,
            slots: Arc::default(),
            overdue: Default::default(),
            over: Default::default(),
        }
    }

    #[test]
    fn every_host_has_its_reason() {
        let failed = SlotView { identity: "i".into(), state: SlotState::Failed, failed: Some(Failure::Here) };
        let hosts = [
            host("me"),
            HostView { draining: true, ..host("drains") },
            HostView { unseen_for: Duration::from_secs(12), ..host("silent") },
            HostView { said_goodbye: true, ..host("gone") },
            HostView { confirmed: false, ..host("fresh") },
            HostView { labels: Arc::default(), ..host("plain") },
            HostView { memory_capacity: 1 << 20, ..host("small") },
            HostView { slots: Arc::new([("todo".to_owned(), failed)].into()), ..host("failed") },
            host("spare"),
            host("other"),
        ];
        let asked = SiteDemand {
            replicas: Replicas::Count(2),
            host_labels: [("disk".to_owned(), "ssd".to_owned())].into(),
        };
        let demand = Demand {
            component: "todo".into(),
            identity: "i".into(),
            sites: BTreeMap::from([("gcp".to_owned(), asked)]),
            memory: 64 << 20,
            suspend: false,
            request_timeout: Duration::from_secs(5),
            failover: None,
            update: None,
        };
        let site = site(&demand, "gcp", &hosts, &hosts[0].id);
        let lines: Vec<_> = site
            .ranked
            .iter()
            .map(|ranked| format!("{} {} | {}", ranked.host, ranked.wanted, ranked.why))
            .collect();
        expect![[r#"
            gcp/small false | too little memory: 1Mi of 64Mi
            gcp/plain false | without disk=ssd
            gcp/me true | wanted: number 3 in rank
            gcp/gone false | gone: it said goodbye
            gcp/silent false | silent for 12 s
            gcp/drains false | draining
            gcp/failed false | passed over: it failed here, another host may stand in
            gcp/fresh false | not confirmed: it has not read its source
            gcp/spare true | wanted: number 9 in rank
            gcp/other false | not needed: number 10 in rank"#]]
        .assert_eq(&lines.join("\n"));
        assert_eq!((site.asked.as_str(), site.shortage), ("2", None));
    }
}
