//! `dunlin status`: what runs where, and why not what should.

mod page;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use dunlin_host::status::Status;

use self::page::render;
pub(crate) use self::page::{alike, condition};
use crate::ask;
use crate::printer::{self, Output};
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
        let lines = match look(&options.whom).await {
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

async fn look(whom: &Whom) -> Result<Status> {
    let mut status: Status = ask::first(&whom.find().await?, "/v1/status").await?;
    // Ages change all the time; they matter only when a host is silent, and then by the second.
    for host in status.sites.values_mut().flat_map(|site| site.hosts.values_mut()) {
        let silent = host.state != "live";
        host.unseen_milliseconds = if silent { host.unseen_milliseconds / 1000 * 1000 } else { 0 };
    }
    Ok(status)
}
