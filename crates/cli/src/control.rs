//! `dunlin kill` and `dunlin revive`: what the keys of `dunlin dev` do, from another terminal.

use std::process::ExitCode;

use anyhow::Result;

use crate::{client, discovery, printer};

/// What to kill or revive.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  dunlin kill aws          every host of the site\n  dunlin kill gcp/gcp-2    one host\n  \
    dunlin revive aws\n\nWith `dunlin dev --real` also: hub, leaf/aws (a server), link/aws (the network between a site \
    and the hub), provider/redis"
)]
pub(crate) struct Options {
    /// A site such as `aws`, a host such as `aws/aws-1`, or with `--real` another part.
    #[arg(value_parser = parse_target)]
    target: String,
    /// The `dunlin dev` to talk to, where several run.
    #[arg(long)]
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
