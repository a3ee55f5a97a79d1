//! Each kind of wrong, and what is said of it: a lattice in which all is well, and one change at a time.

mod bus;
mod lattice;
mod links;

use std::time::Duration;

use dunlin_credentials::{CertificateFacts, Span, UserFacts};
use dunlin_host::status::{ComponentStatus, Condition, Count, HostStatus, ProviderStatus, Status};
use dunlin_manifest::HostId;

use super::{Finding, Verdict, judge};
use crate::check::facts::{
    Entry, Facts, HostAnswer, HostFacts, Look, Place, RouteAnswer, RouteFacts, ServerFacts, Setting, Tls,
    Trust,
};

const NOW: i64 = 1_900_000_000;
const DAY: i64 = 86_400;
const HOSTS: [(&str, &str); 4] = [("aws", "aws-1"), ("aws", "aws-2"), ("gcp", "gcp-1"), ("gcp", "gcp-2")];

/// Two sites with two hosts each, a hub, a store in Redis: all is well.
fn well() -> Facts {
    let leaf = |site: &str| server(Place::Leaf(site.to_owned()));
    let user = |name: &str| UserFacts { name: name.to_owned(), ..UserFacts::default() };
    Facts {
        now: NOW,
        setting: Setting::Real,
        servers: vec![server(Place::Hub), leaf("aws"), leaf("gcp")],
        authority: vec![CertificateFacts { name: "Dunlin lattice todo".into(), ..certificate() }],
        viewer: Some(user("viewer me")),
        users: vec![user("leaf aws"), user("leaf gcp"), user("host aws/aws-1")],
        hosts: HOSTS.map(|(site, host)| answering(HostId::new(site, host))).into(),
        redis: ["redis".to_owned()].into(),
        routes: vec![route("aws"), route("gcp")],
    }
}

fn server(place: Place) -> ServerFacts {
    let heard = HOSTS.map(|(site, host)| HostId::new(site, host)).into();
    let tls = Tls { certificate: certificate(), trust: Trust::Trusted };
    ServerFacts {
        place,
        address: "localhost:4222".into(),
        look: Ok(Look { version: "2.14.9".into(), demands_user: true, tls: Some(tls) }),
        entry: Some(Ok(Entry { heard, ..Entry::default() })),
    }
}

fn certificate() -> CertificateFacts {
    CertificateFacts {
        name: "todo hub".into(),
        names: vec!["localhost".into(), "127.0.0.1".into()],
        issuer: "Dunlin lattice todo".into(),
        span: Span { begins: Some(NOW - DAY), ends: Some(NOW + 700 * DAY) },
    }
}

fn answering(id: HostId) -> HostFacts {
    let mut status = Status {
        lattice: "todo".into(),
        seen_by: id.to_string(),
        revision: "dir-1".into(),
        ..Status::default()
    };
    for (site, host) in HOSTS {
        let live = HostStatus { state: "live".into(), ..HostStatus::default() };
        status.sites.entry(site.into()).or_default().hosts.insert(host.into(), live);
    }
    let both = Count { wanted: 2, ready: 2 };
    let todo = ComponentStatus {
        sites: [("gcp".to_owned(), both), ("aws".to_owned(), Count { wanted: 1, ready: 1 })].into(),
        routes: vec!["/".into()],
        links: [("store".to_owned(), "provider/redis".to_owned())].into(),
        ..ComponentStatus::default()
    };
    status.components.insert("todo".into(), todo);
    let open_at = vec!["gcp/gcp-1".into(), "gcp/gcp-2".into()];
    status.providers.insert("redis".into(), ProviderStatus { backend: "Redis".into(), open_at });
    (status.own.ready, status.own.clock) = (true, 1_900_000_000_004);
    let answer = HostAnswer { status, took: Duration::from_millis(2), here: 1_900_000_000_000 };
    HostFacts { id: Some(id), address: "127.0.0.1:8081".into(), answer: Ok(answer) }
}

fn route(site: &str) -> RouteFacts {
    let served_by = Some(format!("{site}/{site}-1"));
    let took = Duration::from_millis(7);
    RouteFacts {
        site: site.into(),
        route: "/".into(),
        address: "127.0.0.1:8082".into(),
        answer: Ok(RouteAnswer { status: 200, served_by, took, text: String::new() }),
    }
}

/// What one host says.
fn status(facts: &mut Facts, host: usize) -> &mut Status {
    &mut facts.hosts[host].answer.as_mut().unwrap().status
}

/// A condition that every host tells of.
fn complain(facts: &mut Facts, object: &str, reason: &str, message: &str) {
    for host in 0..facts.hosts.len() {
        let condition = Condition { object: object.into(), reason: reason.into(), message: message.into() };
        status(facts, host).conditions.push(condition);
    }
}

/// What was inside a server: 0 is the hub, 1 aws, 2 gcp.
fn entry(facts: &mut Facts, server: usize) -> &mut Entry {
    facts.servers[server].entry.as_mut().unwrap().as_mut().unwrap()
}

/// All lines that are not good, after one change to a lattice in which all is well.
fn after(change: impl FnOnce(&mut Facts)) -> String {
    let mut facts = well();
    change(&mut facts);
    let findings = judge(&facts);
    let wrong = findings.iter().filter(|finding| finding.verdict != Verdict::Good);
    wrong.map(line).collect::<Vec<_>>().join("\n")
}

fn line(finding: &Finding) -> String {
    let mark = match finding.verdict {
        Verdict::Good => '✓',
        Verdict::Note => '·',
        Verdict::Warning => '!',
        Verdict::Bad => '✗',
    };
    let mend = if finding.mend.is_empty() { String::new() } else { format!(" → {}", finding.mend) };
    format!("{mark} {}: {}{mend}", finding.what, finding.found)
}

#[test]
fn all_is_well() {
    let all: Vec<_> = judge(&well()).iter().map(line).collect();
    expect_test::expect![[r#"
        ✓ hub: nats-server 2.14.9 at localhost:4222: TLS trusted, credentials accepted
        ✓ leaf aws: nats-server 2.14.9 at localhost:4222: TLS trusted, credentials accepted
        ✓ leaf gcp: nats-server 2.14.9 at localhost:4222: TLS trusted, credentials accepted
        ✓ certificate hub: ends 2032-02-15 17:46 UTC, in 700 days
        ✓ certificate aws: ends 2032-02-15 17:46 UTC, in 700 days
        ✓ certificate gcp: ends 2032-02-15 17:46 UTC, in 700 days
        ✓ authority: Dunlin lattice todo ends 2032-02-15 17:46 UTC, in 700 days
        ✓ credentials viewer me: never ends
        ✓ credentials: 3 hosts and leaves: none ends
        ✓ link aws: hears aws (2 hosts), gcp (2 hosts)
        ✓ link gcp: hears aws (2 hosts), gcp (2 hosts)
        ✓ permissions hub: this user may look on, and is denied to call or to take calls
        ✓ permissions aws: this user may look on, and is denied to call or to take calls
        ✓ permissions gcp: this user may look on, and is denied to call or to take calls
        ✓ clocks: 4 hosts within 3 ms of the clock here
        ✓ host aws/aws-1: ready, revision dir-1, answers in 2 ms
        ✓ host aws/aws-2: ready, revision dir-1, answers in 2 ms
        ✓ host gcp/gcp-1: ready, revision dir-1, answers in 2 ms
        ✓ host gcp/gcp-2: ready, revision dir-1, answers in 2 ms
        ✓ provider redis: Redis, open at gcp/gcp-1 gcp/gcp-2
        ✓ component todo: 1 of 1 in aws, 2 of 2 in gcp ready
        ✓ ingress aws /: 200 from aws/aws-1 in 7 ms
        ✓ ingress gcp /: 200 from gcp/gcp-1 in 7 ms"#]]
    .assert_eq(&all.join("\n"));
}

#[test]
fn without_nats_what_applies_is_checked() {
    let said = after(|facts| {
        facts.setting = Setting::Here;
        (facts.servers, facts.authority, facts.users) = Default::default();
        facts.viewer = None;
        for host in 0..4 {
            status(facts, host).providers.get_mut("redis").unwrap().backend = "embedded store".into();
        }
    });
    expect_test::expect![[r#"
        · bus: in this process: there are no servers, certificates, credentials, links or permissions to check; `dunlin dev --real` has them
        · provider redis: embedded store in place of Redis, at gcp/gcp-1 gcp/gcp-2: fine for development only"#]].assert_eq(&said);
    let said = after(|facts| {
        facts.setting = Setting::Deployed;
        (facts.servers, facts.hosts, facts.routes) = Default::default();
    });
    expect_test::expect![[r#"
        · bus: not checked: name the servers with --nats SITE=URL
        · hosts: not checked: name their admin ports with --admin ADDRESS"#]]
    .assert_eq(&said);
}
