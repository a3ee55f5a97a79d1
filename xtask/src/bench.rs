//! `cargo xtask bench`: measures side by side in one run, because machines are noisy and ratios are not.

mod call;
mod dev;
mod http;
mod load;
mod moves;
mod servers;
mod sites;

use anyhow::Result;

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Requests a second and latency of a hello component: a Dunlin host beside `wasmtime serve`.
    Http(http::Options),
    /// A component's calls to a store on another host: beside the NATS client alone over the same servers.
    Call(call::Options),
    /// How long a move takes from its commit, and a failover from the death of a site, while requests run.
    Move(moves::Options),
}

/// Runs the measurement and prints its table.
///
/// # Errors
/// Something that the measurement needs is missing, or a server does not start.
pub(crate) fn run(options: &Options) -> Result<()> {
    match &options.what {
        What::Http(options) => http::run(options),
        What::Call(options) => call::run(options),
        What::Move(options) => moves::run(options),
    }
}
