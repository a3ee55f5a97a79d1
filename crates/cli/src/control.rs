//! `dunlin kill`, `revive`, `freeze` and `thaw`: what the keys of `dunlin dev` do, from another terminal.

use std::process::ExitCode;

use anyhow::Result;

use crate::{client, discovery, printer};

/// Examples of each.
pub(crate) const KILL: &str = "Examples:\n  dunlin kill aws          every host of the site\n  \
    dunlin kill gcp/gcp-2    one host\n  dunlin kill hub          with `dunlin dev --real`, a server\n\n\
    `dunlin revive` starts it again.";
pub(crate) const REVIVE: &str = "Examples:\n  dunlin revive aws          every host of the site\n  \
    dunlin revive gcp/gcp-2    one host\n  dunlin revive hub          with `dunlin dev --real`, a server";
pub(crate) const FREEZE: &str = "Examples:\n  dunlin freeze aws              every host of the site\n  \
    dunlin freeze gcp/gcp-2        one host\n  dunlin freeze leaf/aws         a site's NATS server\n  \
    dunlin freeze link/aws         what passes between a site and the hub\n  \
    dunlin freeze provider/redis   a provider\n\n\
    `dunlin thaw` lets it go on.";
pub(crate) const THAW: &str = "Examples:\n  dunlin thaw aws          every host of the site\n  \
    dunlin thaw gcp/gcp-2    one host\n  dunlin thaw link/aws     what passes between a site and the hub";

/// What to stop or start.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// A site such as `aws`, or a host such as `aws/aws-1`; with `dunlin dev --real` also `hub`, `leaf/SITE`, `link/SITE`
    /// and `provider/NAME`.
    #[arg(value_parser = parse_target)]
    target: String,
    /// The `dunlin dev` to talk to, where several run.
    #[arg(long, value_name = "NUMBER", value_parser = discovery::parse_process)]
    process: Option<u32>,
}

/// Names of sites and hosts are DNS labels; anything else names nothing.
fn parse_target(text: &str) -> Result<String, String> {
    if text.split('/').all(dunlin_manifest::is_dns_label) {
        return Ok(text.to_owned());
    }
    Err("expected a site such as aws, or a host such as aws/aws-1".to_owned())
}

/// Kills a site or a host without warning.
///
/// # Errors
/// No `dunlin dev` runs, or it has no such site or host.
pub(crate) async fn kill(options: &Options) -> Result<ExitCode> {
    order("kill", options).await
}

/// Starts it again.
///
/// # Errors
/// As [`kill`].
pub(crate) async fn revive(options: &Options) -> Result<ExitCode> {
    order("revive", options).await
}

/// Stops it where it stands.
///
/// # Errors
/// As [`kill`]; and hosts of a `dunlin dev` without `--real` cannot be frozen.
pub(crate) async fn freeze(options: &Options) -> Result<ExitCode> {
    order("freeze", options).await
}

/// Lets it go on.
///
/// # Errors
/// As [`freeze`].
pub(crate) async fn thaw(options: &Options) -> Result<ExitCode> {
    order("thaw", options).await
}

async fn order(verb: &str, options: &Options) -> Result<ExitCode> {
    let running = discovery::find(options.process)?;
    let answer =
        client::post(running.control, &format!("/{verb}/{}", options.target), &running.token).await?;
    printer::line(answer.trim_end());
    Ok(ExitCode::SUCCESS)
}
