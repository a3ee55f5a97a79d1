//! `dunlin dev`: sites and hosts on this machine, following a directory of manifests or a Git repository.

mod balancer;
mod built_in;
mod conditions;
mod folder;
mod following;
mod keys;
mod log;
mod member;
mod moving;
mod orders;
mod plan;
mod real;
mod repository;
mod screen;
mod session;
mod signals;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;

pub(crate) use self::log::Log;
use self::plan::Plan;
pub(crate) use self::real::ForViewer;
pub(crate) use self::screen::{Screen, cut};
use self::session::Session;
pub(crate) use self::signals::Signals;

/// What to run.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  dunlin dev                            the todo application in sites gcp and aws\n  \
    dunlin dev --sites a,b,c --hosts 3    three sites with three hosts each\n  \
    dunlin dev ./manifests --wasm shop=target/shop.wasm\n  \
    dunlin dev --git ./my-app             follows a repository's commits; a URL will do as well\n  \
    dunlin dev --git new                  makes ./dunlin-todo, a repository of the todo application to play with\n  \
    dunlin dev --real --distance 20ms     nats-servers, Redis and hosts as processes, sites 40 ms apart\n\n\
    What runs is what the directory says: edit a file and watch; with --git, what the last commit says. Everything ends with it; nothing is left behind\n\
    unless --data names a directory."
)]
pub(crate) struct Options {
    /// The directory of manifests; the built-in todo application if none is named. With `--git new`, the repository to
    /// make.
    directory: Option<PathBuf>,
    /// Follows the commits of a Git repository instead: a path or URL, or `new` to make one of the todo application.
    #[arg(long, value_name = "PATH|URL|new")]
    git: Option<String>,
    /// With --git, the branch to follow instead of the default branch.
    #[arg(long, value_name = "NAME", requires = "git")]
    branch: Option<String>,
    /// With --git, the directory of the manifests in the repository.
    #[arg(long, value_name = "DIRECTORY", requires = "git")]
    path: Option<String>,
    /// Runs only these sites of the Lattice; with the built-in application, any names.
    #[arg(long, value_delimiter = ',', value_name = "SITE,…")]
    sites: Option<Vec<String>>,
    /// Hosts in each site.
    #[arg(long, default_value_t = 2)]
    hosts: usize,
    /// The first site's port; the next sites get the next ones. 0 takes free ports.
    #[arg(long, default_value_t = 8082)]
    port: u16,
    /// Puts a local build in the place of a component's image; may be repeated.
    #[arg(long, value_name = "COMPONENT=FILE", value_parser = parse_wasm)]
    wasm: Vec<(String, PathBuf)>,
    /// Runs real parts: a hub nats-server, one leaf for each site with credentials of its own, Redis, and each host as a process.
    #[arg(long)]
    real: bool,
    /// With --real, how long everything takes between a site and the hub, each way, such as 20ms.
    #[arg(long, value_name = "DURATION", requires = "real", value_parser = parse_distance)]
    distance: Option<Duration>,
    /// Secrets as files: DIRECTORY/<secret>/<key>, usable by those that DIRECTORY/<secret>/.for names.
    #[arg(long, value_name = "DIRECTORY")]
    secrets: Option<PathBuf>,
    /// Keeps stores, last good states and compiled code here instead of in a temporary directory.
    #[arg(long, value_name = "DIRECTORY")]
    data: Option<PathBuf>,
}

impl Options {
    /// Whether a local build of this component is named.
    fn gives(&self, component: &str) -> bool {
        self.wasm.iter().any(|(named, _)| named == component)
    }
}

fn parse_distance(text: &str) -> Result<Duration, String> {
    let distance =
        dunlin_manifest::parse_duration(text).filter(|distance| *distance <= Duration::from_secs(10));
    distance.ok_or_else(|| "expected a duration up to 10s, such as 20ms".to_owned())
}

fn parse_wasm(text: &str) -> Result<(String, PathBuf), String> {
    let (component, file) = text.split_once('=').ok_or("expected COMPONENT=FILE, such as todo=todo.wasm")?;
    Ok((component.to_owned(), file.into()))
}

/// Runs until Ctrl-C, SIGTERM or `q`.
///
/// # Errors
/// Wrong input, or a host that cannot start.
pub(crate) async fn run(options: Options, log: Log) -> Result<ExitCode> {
    let signals = Signals::listen()?;
    let plan = Plan::make(&options).await?;
    Session::start(plan, signals, log).await?.run().await;
    Ok(ExitCode::SUCCESS)
}
