//! The page of `dunlin status` for people. Pure.

use dunlin_host::status::{
    CanaryStatus, ComponentStatus, Condition, HostStatus, Kstatus, ProviderStatus, Status, Truth,
};
use dunlin_providers::logging::escape;

use crate::printer::{BAD, BOLD, DIM, GOOD, WARN, styled, table};
use crate::waiting::{self, Group};

/// The page as lines.
pub(super) fn render(status: &Status) -> Vec<String> {
    let mut lines = vec![format!(
        "{} {}   {} {}   {}",
        styled(DIM, "lattice"),
        styled(BOLD, &status.lattice),
        styled(DIM, "revision"),
        dunlin_manifest::short_revision(&status.revision),
        styled(DIM, format!("as {} sees it", status.seen_by)),
    )];
    section(&mut lines, &["SITE", "HOST", "STATE", "SLOTS", "PROVIDERS"], hosts(status));
    section(&mut lines, &["COMPONENT", "STATE", "SITE", "READY", "ROUTES", "LINKS"], components(status));
    section(&mut lines, &["PROVIDER", "BACKEND", "OPEN AT"], providers(status));
    let waits = waits(status);
    if !waits.is_empty() {
        // What is long comes last, where it makes no other row wider.
        section(&mut lines, &["WAITING", "FOR", "SINCE", "WHAT"], waits);
    }
    if !status.conditions.is_empty() {
        lines.push(String::new());
        lines.push(styled(BOLD, "CONDITIONS"));
        lines.extend(alike(status, &status.conditions).iter().map(condition));
    }
    lines
}

/// Conditions where what several hosts say alike is said once, with their names.
pub(crate) fn alike(status: &Status, conditions: &[Condition]) -> Vec<Condition> {
    let is_host = |name: &str| {
        name.split_once('/').is_some_and(|(site, host)| {
            status.sites.get(site).is_some_and(|site| site.hosts.contains_key(host))
        })
    };
    let mut all: Vec<(Vec<&str>, &str, &Condition)> = Vec::new();
    for condition in conditions {
        let said = condition.message.split_once(": ").filter(|(host, _)| is_host(host));
        let (host, message) = said.unwrap_or(("", &condition.message));
        let same = |(hosts, known, other): &&mut (Vec<&str>, &str, &Condition)| {
            let kind = (&other.object, &other.reason) == (&condition.object, &condition.reason);
            kind && *known == message && !host.is_empty() && !hosts.is_empty()
        };
        match all.iter_mut().find(same) {
            Some((hosts, ..)) => hosts.push(host),
            None => {
                let hosts = Some(host).filter(|host| !host.is_empty());
                all.push((hosts.into_iter().collect(), message, condition));
            }
        }
    }
    let whole = |(hosts, message, condition): (Vec<&str>, &str, &Condition)| {
        let who = if hosts.is_empty() { String::new() } else { format!("{}: ", hosts.join(", ")) };
        Condition { message: format!("{who}{message}"), ..condition.clone() }
    };
    all.into_iter().map(whole).collect()
}

/// One condition in one line.
pub(crate) fn condition(condition: &Condition) -> String {
    let object = if condition.object.is_empty() { String::new() } else { format!("{}  ", condition.object) };
    // Messages may quote what a component or a manifest said.
    format!("{}  {object}{}", styled(WARN, &condition.reason), escape(&condition.message))
}

fn section(lines: &mut Vec<String>, head: &[&str], rows: Vec<Vec<String>>) {
    let mut all = vec![head.iter().map(|cell| styled(BOLD, cell)).collect()];
    all.extend(rows);
    lines.push(String::new());
    lines.extend(table(&all));
}

fn hosts(status: &Status) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for (site_name, site) in &status.sites {
        if site.hosts.is_empty() {
            rows.push(vec![site_name.clone(), styled(DIM, "none seen")]);
        }
        for (name, host) in &site.hosts {
            let state = match host.state.as_str() {
                "live" => styled(GOOD, "live"),
                "silent" => styled(WARN, "silent"),
                other => styled(WARN, other),
            };
            // Why they are so is told once for all hosts, by the conditions and by what is waited for.
            let slots = host.slots.iter().map(|(component, slot)| {
                let trial = slot.canary.as_ref().map(canary).unwrap_or_default();
                match slot.state.as_str() {
                    "ready" => format!("{component}{trial}"),
                    "failed" => styled(BAD, format!("{component} failed")),
                    other => styled(WARN, format!("{component} {other}")),
                }
            });
            let slots = slots.collect::<Vec<_>>().join(" ");
            rows.push(vec![site_name.clone(), name.clone(), state, slots, host.providers.join(" ")]);
        }
    }
    rows
}

/// How a trial stands, behind the name of its component.
fn canary(canary: &CanaryStatus) -> String {
    let CanaryStatus { weight, since_milliseconds, calls, failed, .. } = canary;
    let seconds = since_milliseconds / 1000;
    let words = format!("canary {weight} % since {seconds} s, {failed} of {calls} failed");
    format!(" ({})", styled(WARN, words))
}

fn components(status: &Status) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for (name, component) in &status.components {
        let links: Vec<_> =
            component.links.iter().map(|(link, target)| format!("{link} → {target}")).collect();
        let mut first = Some((component.routes.join(" "), links.join(", ")));
        let silent = |site: &str| silent(status, site, name);
        let state = state(component, component.sites.keys().any(|site| silent(site) > 0));
        for (site, count) in &component.sites {
            let (ready, silent) = (format!("{} of {}", count.ready, count.wanted), silent(site));
            let style = match silent {
                _ if count.ready < count.wanted => BAD,
                0 => GOOD,
                _ => WARN,
            };
            // Unknown is not dead, and not known either.
            let ready = match silent {
                0 => ready,
                1 => format!("{ready}, 1 on a silent host"),
                more => format!("{ready}, {more} on silent hosts"),
            };
            let (name, state) = match first {
                Some(_) => (name.clone(), state.clone()),
                None => Default::default(),
            };
            let (routes, links) = first.take().unwrap_or_default();
            rows.push(vec![name, state, site.clone(), styled(style, ready), routes, links]);
        }
        if let Some((routes, links)) = first {
            rows.push(vec![name.clone(), state, styled(DIM, "nowhere"), String::new(), routes, links]);
        }
    }
    rows
}

/// So many of the slots that count as ready are on hosts that were not heard lately.
fn silent(status: &Status, site: &str, component: &str) -> usize {
    let hosts = status.sites.get(site).into_iter().flat_map(|site| site.hosts.values());
    let counts = |host: &&HostStatus| {
        host.state == "silent" && host.slots.get(component).is_some_and(|slot| slot.state == "ready")
    };
    hosts.filter(counts).count()
}

/// How a component is, in a few words: the reason only where something is the matter.
fn state(component: &ComponentStatus, silent: bool) -> String {
    let condition = |kind: &str| component.conditions.iter().find(|condition| condition.kind == kind);
    let reason = |kind: &str| condition(kind).map(|found| format!(" ({})", found.reason)).unwrap_or_default();
    let accepted = condition("Accepted").is_none_or(|accepted| accepted.status == Truth::True);
    match component.result {
        Kstatus::Current if !accepted => styled(WARN, format!("as asked{}", reason("Accepted"))),
        Kstatus::Current if silent => styled(WARN, "as asked, when last heard"),
        Kstatus::Current => styled(GOOD, "as asked"),
        Kstatus::InProgress => styled(WARN, format!("in progress{}", reason("Progressing"))),
        Kstatus::Failed => styled(BAD, format!("stalled{}", reason("Stalled"))),
    }
}

/// What components wait for: what several hosts are waited for alike, once.
fn waits(status: &Status) -> Vec<Vec<String>> {
    let row = |name: &str, group: &Group<'_>| {
        vec![name.to_owned(), group.of.join(" "), group.age(), escape(&group.what).into_owned()]
    };
    let of = |(name, component): (&String, &ComponentStatus)| {
        waiting::groups(&component.waits).iter().map(|group| row(name, group)).collect::<Vec<_>>()
    };
    status.components.iter().flat_map(of).collect()
}

fn providers(status: &Status) -> Vec<Vec<String>> {
    let host = |name: &String| {
        let found = name.split_once('/').and_then(|(site, host)| status.sites.get(site)?.hosts.get(host));
        match found {
            Some(host) if host.state == "silent" => styled(WARN, format!("{name} (silent)")),
            _ => name.clone(),
        }
    };
    let row = |(name, provider): (&String, &ProviderStatus)| {
        let open: Vec<_> = provider.open_at.iter().map(host).collect();
        let open = if open.is_empty() { styled(BAD, "nowhere") } else { open.join(" ") };
        vec![name.clone(), provider.backend.clone(), open]
    };
    status.providers.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use dunlin_host::status::{Count, SiteStatus, SlotStatus, Wait};
    use expect_test::expect;

    use super::*;

    #[test]
    fn shows_what_people_look_for() {
        let slot = SlotStatus {
            state: "failed".into(),
            reason: "not WebAssembly".into(),
            identity: "1".into(),
            ..SlotStatus::default()
        };
        let canary = CanaryStatus {
            identity: "2".into(),
            weight: 10,
            since_milliseconds: 12_000,
            calls: 204,
            failed: 1,
        };
        let tried = SlotStatus { state: "ready".into(), canary: Some(canary), ..SlotStatus::default() };
        let host = |state: &str, unseen| HostStatus {
            state: state.into(),
            unseen_milliseconds: unseen,
            slots: [("shop".to_owned(), tried.clone()), ("todo".to_owned(), slot.clone())].into(),
            ..HostStatus::default()
        };
        let sites = [
            ("aws".to_owned(), SiteStatus { hosts: [("aws-1".to_owned(), host("silent", 4200))].into() }),
            ("gcp".to_owned(), SiteStatus::default()),
        ];
        let todo = ComponentStatus {
            sites: [("aws".to_owned(), Count { wanted: 1, ready: 0 })].into(),
            routes: vec!["/".into()],
            links: [("store".to_owned(), "provider/redis".to_owned())].into(),
            waits: vec![Wait {
                of: "aws".into(),
                kind: "Shortage".into(),
                what: "has too few hosts: 0 of 1 in aws".into(),
                since: 12_345,
            }],
            ..ComponentStatus::default()
        };
        let status = Status {
            lattice: "todo".into(),
            seen_by: "aws/aws-1".into(),
            revision: "dir-1".into(),
            own: Default::default(),
            sites: sites.into(),
            components: [("todo".to_owned(), todo)].into(),
            providers: [("redis".to_owned(), ProviderStatus::default())].into(),
            conditions: vec![Condition {
                object: "component/todo".into(),
                reason: "TooFewHosts".into(),
                message: "0 of 1 in aws".into(),
            }],
        };
        let text = render(&status).join("\n");
        expect![[r#"
            lattice todo   revision dir-1   as aws/aws-1 sees it

            SITE  HOST       STATE   SLOTS                                                       PROVIDERS
            aws   aws-1      silent  shop (canary 10 % since 12 s, 1 of 204 failed) todo failed
            gcp   none seen

            COMPONENT  STATE        SITE  READY   ROUTES  LINKS
            todo       in progress  aws   0 of 1  /       store → provider/redis

            PROVIDER  BACKEND  OPEN AT
            redis              nowhere

            WAITING  FOR  SINCE  WHAT
            todo     aws  12 s   has too few hosts: 0 of 1 in aws

            CONDITIONS
            TooFewHosts  component/todo  0 of 1 in aws"#]]
        .assert_eq(&anstream::adapter::strip_str(&text).to_string());
    }
    /// Two hosts of `gcp` that were not heard for a moment, with what ran there.
    fn dead_site() -> Status {
        let slot = SlotStatus { state: "ready".into(), ..SlotStatus::default() };
        let host = HostStatus {
            state: "silent".into(),
            unseen_milliseconds: 4000,
            slots: [("todo".to_owned(), slot)].into(),
            ..HostStatus::default()
        };
        let hosts = ["gcp-1", "gcp-2"].map(|name| (name.to_owned(), host.clone())).into();
        let todo = ComponentStatus {
            sites: [("gcp".to_owned(), Count { wanted: 2, ready: 2 })].into(),
            result: Kstatus::Current,
            ..ComponentStatus::default()
        };
        let redis = ProviderStatus { backend: "Redis".into(), open_at: vec!["gcp/gcp-1".into()] };
        Status {
            sites: [("gcp".to_owned(), SiteStatus { hosts })].into(),
            components: [("todo".to_owned(), todo)].into(),
            providers: [("redis".to_owned(), redis)].into(),
            ..Status::default()
        }
    }

    #[test]
    fn what_silent_hosts_said_is_not_told_as_if_they_were_heard() {
        let status = dead_site();
        let told =
            |rows: Vec<Vec<String>>| anstream::adapter::strip_str(&table(&rows).join("\n")).to_string();
        expect!["todo  as asked, when last heard  gcp  2 of 2, 2 on silent hosts"]
            .assert_eq(&told(components(&status)));
        expect!["redis  Redis  gcp/gcp-1 (silent)"].assert_eq(&told(providers(&status)));
        let mut heard = status;
        let gcp = heard.sites.get_mut("gcp").unwrap();
        gcp.hosts.get_mut("gcp-1").unwrap().state = "live".into();
        expect!["todo  as asked, when last heard  gcp  2 of 2, 1 on a silent host"]
            .assert_eq(&told(components(&heard)));
        let hosts = heard.sites.values_mut().flat_map(|site| site.hosts.values_mut());
        hosts.for_each(|host| host.state = "live".into());
        expect!["todo  as asked  gcp  2 of 2"].assert_eq(&told(components(&heard)));
    }

    #[test]
    fn what_all_hosts_say_is_said_once() {
        let mut status = dead_site();
        let condition = |object: &str, reason: &str, message: &str| Condition {
            object: object.into(),
            reason: reason.into(),
            message: message.into(),
        };
        status.conditions = vec![
            condition("component/todo", "Failed", "gcp/gcp-1: no secret: x"),
            condition("component/todo", "Failed", "gcp/gcp-2: no secret: x"),
            condition("component/shop", "Failed", "gcp/gcp-2: no secret: x"),
            condition("component/todo", "Shortage", "1 of 2: one host"),
            condition("", "Bus", "gcp/gcp-2: no hub"),
        ];
        let wait = |of: &str, since| Wait {
            of: of.into(),
            kind: "Failed".into(),
            what: "failed 2 times: no secret: x".into(),
            since,
        };
        let todo = status.components.get_mut("todo").unwrap();
        todo.waits = vec![wait("gcp/gcp-1", 2000), wait("gcp/gcp-2", 5000)];
        let lines = render(&status);
        let told = lines.iter().skip_while(|line| !line.contains("WAITING")).cloned().collect::<Vec<_>>();
        expect![[r#"
            WAITING  FOR                  SINCE  WHAT
            todo     gcp/gcp-1 gcp/gcp-2  5 s    failed 2 times: no secret: x

            CONDITIONS
            Failed  component/todo  gcp/gcp-1, gcp/gcp-2: no secret: x
            Failed  component/shop  gcp/gcp-2: no secret: x
            Shortage  component/todo  1 of 2: one host
            Bus  gcp/gcp-2: no hub"#]]
        .assert_eq(&anstream::adapter::strip_str(&told.join("\n")).to_string());
    }
}
