//! `dunlin nats env`: what the `nats` command needs to look at a site's bus.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::dev::ForViewer;
use crate::discovery;
use crate::printer::{self, Output, WrongInput};

/// Help for the `nats` command.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  eval \"$(dunlin nats env gcp)\"           for the `nats` command in this shell\n  \
    dunlin nats env hub --output json      for scripts"
)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Prints what the `nats` command needs for a site: server, certificate authority, credentials.
    Env(Env),
}

/// For which site.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  eval \"$(dunlin nats env gcp)\"\n  \
    nats sub --subjects-only 'todo.presence.>'   who is there\n  \
    nats sub 'todo.trace.>'                      calls, while `dunlin calls -f` runs\n\n\
    The credentials are a viewer's: they may look, and call nobody. Nobody can look at the calls themselves, because\n\
    a second listener would take the bus's word that nobody listens (503), on which retries rely.")]
struct Env {
    /// The site, or `hub`; needed where there are several.
    site: Option<String>,
    /// Shell commands, or JSON for scripts.
    #[arg(long, short, default_value = "text")]
    output: Output,
    /// The `dunlin dev` to ask, where several run.
    #[arg(long, value_name = "NUMBER", value_parser = discovery::parse_process)]
    process: Option<u32>,
}

/// Runs it.
///
/// # Errors
/// No `dunlin dev --real` runs, or it has no such site.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let What::Env(options) = &options.what;
    let running = discovery::find(options.process)?;
    let viewer = choose(&running.viewers, options.site.as_deref())?;
    match options.output {
        Output::Json => printer::json(viewer),
        Output::Text => {
            exports(viewer).iter().for_each(printer::line);
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn choose<'a>(viewers: &'a [(String, ForViewer)], site: Option<&str>) -> Result<&'a ForViewer> {
    let names = || viewers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
    match (site, viewers) {
        (_, []) => bail!("the bus of this `dunlin dev` is in its process: start it with --real for NATS"),
        (None, [(_, viewer)]) => Ok(viewer),
        (None, _) => Err(WrongInput(format!("which site? there are {}", names())).into()),
        (Some(site), _) => match viewers.iter().find(|(name, _)| name == site) {
            Some((_, viewer)) => Ok(viewer),
            None => Err(WrongInput(format!("no site {site:?}; there are {}", names())).into()),
        },
    }
}

/// As the `nats` command reads its environment.
fn exports(viewer: &ForViewer) -> Vec<String> {
    let quoted = |text: String| format!("'{}'", text.replace('\'', r"'\''"));
    vec![
        format!("export NATS_URL={}", quoted(viewer.server.clone())),
        format!("export NATS_CA={}", quoted(viewer.authority.display().to_string())),
        format!("export NATS_CREDS={}", quoted(viewer.credentials.display().to_string())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_it_whatever_the_path() {
        let viewer = ForViewer {
            server: "tls://localhost:4222".into(),
            authority: "/a b/it's.crt".into(),
            credentials: "/c.creds".into(),
        };
        assert_eq!(
            exports(&viewer),
            [
                "export NATS_URL='tls://localhost:4222'",
                r"export NATS_CA='/a b/it'\''s.crt'",
                "export NATS_CREDS='/c.creds'"
            ]
        );
        let one = [("gcp".to_owned(), viewer.clone())];
        assert!(
            choose(&one, None).is_ok() && choose(&one, Some("aws")).is_err() && choose(&[], None).is_err()
        );
    }
}
