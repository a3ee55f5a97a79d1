//! `dunlin status`: what runs where, and why not what should.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use dunlin_host::status::{CanaryStatus, ComponentStatus, Condition, Kstatus, Status, Truth, Wait};
use dunlin_providers::logging::escape;

use crate::client;
use crate::printer::{self, BAD, BOLD, DIM, GOOD, Output, WARN, styled, table};
use crate::whom::Whom;

/// What to show.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  dunlin status\n  dunlin status --watch\n  dunlin status --output json | jq .components.todo.sites\n  \
    dunlin status --admin 10.0.0.7:8081          where no `dunlin dev` runs"
)]
pub(crate) struct Options {
    /// Text for people or JSON for scripts.
    #[arg(long, short, default_value = "text")]
    output: Output,
    /// Shows it again on every change until interrupted.
    #[arg(long, short)]
    watch: bool,
    #[command(flatten)]
    whom: Whom,
}

/// How often it is asked while watching.
const LOOK: Duration = Duration::from_millis(500);

/// Asks the first host that answers.
///
/// # Errors
/// No host is found, or none answers.
pub(crate) async fn run(options: Options) -> Result<ExitCode> {
    let (mut shown, mut last) = (Vec::new(), Vec::new());
    loop {
        let lines = match ask(&options.whom).await {
            Ok(status) if !options.watch && options.output == Output::Json => return printer::json(&status),
            Ok(status) if options.output == Output::Json => {
                vec![serde_json::to_string(&without_ages(status))?]
            }
            // Ages go on all the time; they are shown along with what changes.
            Ok(status) => {
                let lines = render(&status);
                let plain = render(&without_ages(status));
                if plain == last {
                    tokio::time::sleep(LOOK).await;
                    continue;
                }
                last = plain;
                lines
            }
            // While watching, all hosts may be killed and revived.
            Err(error) if options.watch && !shown.is_empty() => vec![format!("{error:#}")],
            Err(error) => return Err(error),
        };
        if shown != lines {
            if options.output == Output::Text && !shown.is_empty() {
                printer::line("");
            }
            lines.iter().for_each(printer::line);
            shown = lines;
        }
        if !options.watch {
            return Ok(ExitCode::SUCCESS);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The same with every age at zero.
fn without_ages(mut status: Status) -> Status {
    for component in status.components.values_mut() {
        component.waits.iter_mut().for_each(|wait| wait.since = 0);
        for condition in &mut component.conditions {
            (condition.age, condition.last_transition) = (0, 0);
            if condition.kind == "Progressing" || condition.kind == "Reconciling" {
                condition.message.clear();
            }
        }
    }
    status
}

async fn ask(whom: &Whom) -> Result<Status> {
    let hosts = whom.find().await?;
    for address in &hosts.admin {
        if let Ok(mut status) = client::get::<Status>(*address, "/v1/status").await {
            // Ages change all the time; they matter only when a host is silent, and then by the second.
            for host in status.sites.values_mut().flat_map(|site| site.hosts.values_mut()) {
                let silent = host.state != "live";
                host.unseen_milliseconds = if silent { host.unseen_milliseconds / 1000 * 1000 } else { 0 };
            }
            return Ok(status);
        }
    }
    bail!("no host of {} answers; {}", hosts.words, hosts.remedy)
}

/// The page for people, as lines.
fn render(status: &Status) -> Vec<String> {
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
        section(&mut lines, &["WAITING", "FOR", "WHAT", "SINCE"], waits);
    }
    if !status.conditions.is_empty() {
        lines.push(String::new());
        lines.push(styled(BOLD, "CONDITIONS"));
        lines.extend(status.conditions.iter().map(condition));
    }
    lines
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
            let slots = host.slots.iter().map(|(component, slot)| {
                let reason = if slot.reason.is_empty() {
                    String::new()
                } else {
                    format!(" ({})", escape(&slot.reason))
                };
                let trial = slot.canary.as_ref().map(canary).unwrap_or_default();
                match slot.state.as_str() {
                    "ready" => format!("{component}{trial}"),
                    "failed" => styled(BAD, format!("{component} failed{reason}")),
                    other => styled(WARN, format!("{component} {other}{reason}")),
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
        let state = state(component);
        for (site, count) in &component.sites {
            let ready = format!("{} of {}", count.ready, count.wanted);
            let style = if count.ready >= count.wanted { GOOD } else { BAD };
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

/// How a component is, in a few words: the reason only where something is the matter.
fn state(component: &ComponentStatus) -> String {
    let condition = |kind: &str| component.conditions.iter().find(|condition| condition.kind == kind);
    let reason = |kind: &str| condition(kind).map(|found| format!(" ({})", found.reason)).unwrap_or_default();
    let accepted = condition("Accepted").is_none_or(|accepted| accepted.status == Truth::True);
    match component.result {
        Kstatus::Current if !accepted => styled(WARN, format!("as asked{}", reason("Accepted"))),
        Kstatus::Current => styled(GOOD, "as asked"),
        Kstatus::InProgress => styled(WARN, format!("in progress{}", reason("Progressing"))),
        Kstatus::Failed => styled(BAD, format!("stalled{}", reason("Stalled"))),
    }
}

/// What components wait for.
fn waits(status: &Status) -> Vec<Vec<String>> {
    let row = |name: &str, wait: &Wait| {
        vec![name.to_owned(), wait.of.clone(), escape(&wait.what).to_string(), wait.age()]
    };
    let of = |(name, component): (&String, &ComponentStatus)| {
        component.waits.iter().map(|wait| row(name, wait)).collect::<Vec<_>>()
    };
    status.components.iter().flat_map(of).collect()
}

fn providers(status: &Status) -> Vec<Vec<String>> {
    let row = |(name, provider): (&String, &dunlin_host::status::ProviderStatus)| {
        let open =
            if provider.open_at.is_empty() { styled(BAD, "nowhere") } else { provider.open_at.join(" ") };
        vec![name.clone(), provider.backend.clone(), open]
    };
    status.providers.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use dunlin_host::status::{ComponentStatus, Count, HostStatus, SiteStatus, SlotStatus};
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
            providers: [("redis".to_owned(), dunlin_host::status::ProviderStatus::default())].into(),
            conditions: vec![Condition {
                object: "component/todo".into(),
                reason: "TooFewHosts".into(),
                message: "0 of 1 in aws".into(),
            }],
        };
        let text = render(&status).join("\n");
        expect![[r#"
            lattice todo   revision dir-1   as aws/aws-1 sees it

            SITE  HOST       STATE   SLOTS                                                                         PROVIDERS
            aws   aws-1      silent  shop (canary 10 % since 12 s, 1 of 204 failed) todo failed (not WebAssembly)
            gcp   none seen

            COMPONENT  STATE        SITE  READY   ROUTES  LINKS
            todo       in progress  aws   0 of 1  /       store → provider/redis

            PROVIDER  BACKEND  OPEN AT
            redis              nowhere

            WAITING  FOR  WHAT                              SINCE
            todo     aws  has too few hosts: 0 of 1 in aws  12 s

            CONDITIONS
            TooFewHosts  component/todo  0 of 1 in aws"#]]
        .assert_eq(&anstream::adapter::strip_str(&text).to_string());
    }
}
