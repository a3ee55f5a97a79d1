//! `dunlin credentials`: who may speak on a lattice. Makes and explains credentials; decides nothing itself.

mod make;
mod show;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use crate::printer::Output;

/// Credentials of a lattice.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  dunlin credentials init --lattice todo --hub tls://hub.example.com:7422 --sites gcp,aws\n  \
    dunlin credentials host gcp gcp-1 gcp-2      a user for each host\n  \
    dunlin credentials leaf aws --paths-as /etc/nats      as the files will be mounted\n  \
    dunlin credentials viewer me                 for `dunlin check` and the `nats` command\n  \
    dunlin credentials show credentials/hosts/gcp/gcp-1.creds\n  \
    dunlin credentials import ngs.creds          an account at NGS in the hub's place\n\n\
    All of it lies in one directory, which git ignores. Nothing there is ever overwritten without --replace."
)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: What,
    /// The directory of the lattice's credentials.
    #[arg(long, global = true, default_value = "credentials", value_name = "DIRECTORY")]
    directory: PathBuf,
    /// Text for people or JSON for scripts.
    #[arg(long, short, global = true, default_value = "text")]
    output: Output,
}

#[derive(clap::Subcommand)]
enum What {
    /// Makes operator, account, TLS authority, and the hub's certificate and configuration.
    Init(make::Init),
    /// Makes a site's leaf: its user at the hub, its certificate and configuration.
    Leaf(make::Leaf),
    /// Makes the users of a site's hosts.
    Host(make::Host),
    /// Makes the user of somebody who looks on and can call nobody.
    Viewer(make::Viewer),
    /// Puts an account at NGS, or at another NATS system, in the hub's place.
    Import(make::Import),
    /// Explains any credential in words; shows no secret.
    Show(show::Show),
}

/// Runs it.
///
/// # Errors
/// What the credentials say is wrong.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let (directory, output) = (&options.directory, options.output);
    match &options.what {
        What::Init(options) => make::init(options, directory, output),
        What::Leaf(options) => make::leaf(options, directory, output),
        What::Host(options) => make::host(options, directory, output),
        What::Viewer(options) => make::viewer(options, directory, output),
        What::Import(options) => make::import(options, directory, output),
        What::Show(options) => show::show(options, output),
    }
}
