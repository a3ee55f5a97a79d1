//! `dunlin status`: what runs where, and why not what should.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use dunlin_host::status::{Condition, Status};
use dunlin_providers::logging::escape;

use crate::printer::{self, BAD, BOLD, DIM, GOOD, Output, WARN, styled, table};
use crate::{client, discovery};

/// What to show.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  dunlin status\n  dunlin status --watch\n  dunlin status --output json | jq .components.todo.sites"
)]
pub(crate) struct Options {
    /// Text for people or JSON for scripts.
    #[arg(long, short, default_value = "text")]
    output: Output,
    /// Shows it again on every change until interrupted.
    #[arg(long, short)]
    watch: bool,
    /// The `dunlin dev` to ask, where several run.
    #[arg(long)]
    process: Option<u32>,
}

/// Asks the first host that answers.
///
/// # Errors
/// No `dunlin dev` runs, or none of its hosts answers.
pub(crate) async fn run(options: Options) -> Result<ExitCode> {
    let mut shown = Vec::new();
    loop {
        let lines = match ask(options.process).await {
            Ok(status) if !options.watch && options.output == Output::Json => return printer::json(&status),
            Ok(status) if options.output == Output::Json => vec![serde_json::to_string(&status)?],
            Ok(status) => render(&status),
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
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn ask(process: Option<u32>) -> Result<Status> {
    let running = discovery::find(process)?;
    for (_, address, _) in &running.hosts {
        if let Ok(mut status) = client::get::<Status>(*address, "/v1/status").await {
            // Ages change all the time; they matter only when a host is silent, and then by the second.
            for host in status.sites.values_mut().flat_map(|site| site.hosts.values_mut()) {
                let silent = host.state != "live";
                host.unseen_milliseconds = if silent { host.unseen_milliseconds / 1000 * 1000 } else { 0 };
            }
            return Ok(status);
        }
    }
    bail!(
        "no host of `dunlin dev` (process {}) answers; are all of them killed? try `dunlin revive SITE`",
        running.process
    )
}

/// The page for people, as lines.
fn render(status: &Status) -> Vec<String> {
    let mut lines = vec![format!(
        "{} {}   {} {}   {}",
        styled(DIM, "lattice"),
        styled(BOLD, &status.lattice),
        styled(DIM, "revision"),
        dunlin_source::short_revision(&status.revision),
        styled(DIM, format!("as {} sees it", status.seen_by)),
    )];
    section(&mut lines, &["SITE", "HOST", "STATE", "SLOTS", "PROVIDERS"], hosts(status));
    section(&mut lines, &["COMPONENT", "SITE", "READY", "ROUTES", "LINKS"], components(status));
    section(&mut lines, &["PROVIDER", "BACKEND", "OPEN AT"], providers(status));
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
                match slot.state.as_str() {
                    "ready" => component.clone(),
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

fn components(status: &Status) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for (name, component) in &status.components {
        let links: Vec<_> =
            component.links.iter().map(|(link, target)| format!("{link} → {target}")).collect();
        let mut first = Some((component.routes.join(" "), links.join(", ")));
        for (site, count) in &component.sites {
            let ready = format!("{} of {}", count.ready, count.wanted);
            let style = if count.ready >= count.wanted { GOOD } else { BAD };
            let name = if first.is_some() { name.clone() } else { String::new() };
            let (routes, links) = first.take().unwrap_or_default();
            rows.push(vec![name, site.clone(), styled(style, ready), routes, links]);
        }
        if let Some((routes, links)) = first {
            rows.push(vec![name.clone(), styled(DIM, "nowhere"), String::new(), routes, links]);
        }
    }
    rows
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
        let slot =
            SlotStatus { state: "failed".into(), reason: "not WebAssembly".into(), identity: "1".into() };
        let host = |state: &str, unseen| HostStatus {
            state: state.into(),
            unseen_milliseconds: unseen,
            slots: [("todo".to_owned(), slot.clone())].into(),
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

            SITE  HOST       STATE   SLOTS                          PROVIDERS
            aws   aws-1      silent  todo failed (not WebAssembly)
            gcp   none seen

            COMPONENT  SITE  READY   ROUTES  LINKS
            todo       aws   0 of 1  /       store → provider/redis

            PROVIDER  BACKEND  OPEN AT
            redis              nowhere

            CONDITIONS
            TooFewHosts  component/todo  0 of 1 in aws"#]]
        .assert_eq(&anstream::adapter::strip_str(&text).to_string());
    }
}
