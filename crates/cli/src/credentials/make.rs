//! Making credentials: what was written, and what to do with it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use dunlin_credentials::{
    Credentials, Error, HubUrl, ImportOptions, InitOptions, LeafFiles, LeafOptions, Lifetime, Outcome,
    ServerOptions, UserOptions, Written,
};
use dunlin_manifest::HostId;

use crate::printer::{self, DIM, GOOD, Output, WARN, WrongInput, styled};

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  dunlin credentials init --lattice todo --hub tls://hub.example.com:7422 --sites gcp,aws\n  \
    dunlin credentials init --lattice todo --hub tls://10.0.0.1:7422,tls://10.0.0.2:7422 --paths-as /etc/nats\n\n\
    Run again, it changes nothing."
)]
pub(super) struct Init {
    /// The lattice's name.
    #[arg(long, value_name = "NAME")]
    lattice: String,
    /// Where leaves will find the hub, such as tls://hub.example.com:7422.
    #[arg(long, value_name = "URL", required = true, value_delimiter = ',')]
    hub: Vec<HubUrl>,
    /// Sites whose leaves to make right away.
    #[arg(long, value_name = "SITE,…", value_delimiter = ',')]
    sites: Vec<String>,
    /// Further names and addresses of the hub's certificate.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    address: Vec<String>,
    /// The directory where the hub will find its files, if that is another than where they are made.
    #[arg(long, value_name = "DIRECTORY")]
    paths_as: Option<PathBuf>,
}

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  dunlin credentials leaf aws\n  \
    dunlin credentials leaf aws --address nats.dunlin.svc --paths-as /etc/nats   as a cluster mounts the files\n  \
    dunlin credentials leaf aws --expires 90d --replace")]
pub(super) struct Leaf {
    /// The site.
    site: String,
    /// Where the site's hosts will connect.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:4222")]
    listen: SocketAddr,
    /// Names and addresses of its certificate, such as nats.dunlin.svc.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    address: Vec<String>,
    /// Where it finds the hub, if not where `init` or `import` said.
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    hub: Vec<HubUrl>,
    /// The directory where it will find its files, such as where a Kubernetes secret is mounted.
    #[arg(long, value_name = "DIRECTORY")]
    paths_as: Option<PathBuf>,
    #[command(flatten)]
    user: User,
}

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  dunlin credentials host gcp gcp-1 gcp-2      a user for each host\n  \
    dunlin credentials host gcp gcp-1 --expires 90d --replace")]
pub(super) struct Host {
    /// The site.
    site: String,
    /// The hosts' names there.
    #[arg(required = true)]
    hosts: Vec<String>,
    #[command(flatten)]
    user: User,
}

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  dunlin credentials viewer me                 for `dunlin check` and the `nats` command\n  \
    dunlin credentials viewer me --expires 90d"
)]
pub(super) struct Viewer {
    /// Whose: a DNS label.
    name: String,
    #[command(flatten)]
    user: User,
}

#[derive(clap::Args)]
struct User {
    /// When it ends, such as 90d; never, unless told otherwise.
    #[arg(long, value_name = "LIFETIME")]
    expires: Option<Lifetime>,
    /// Makes it anew although it is there.
    #[arg(long)]
    replace: bool,
}

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  dunlin credentials import ngs.creds          an account at NGS in the hub's place\n  \
    dunlin credentials import aws.creds --site aws --hub tls://nats.example.com:7422 --authority ca.pem"
)]
pub(super) struct Import {
    /// The user's credentials at that system.
    file: PathBuf,
    /// Where leaves find it; without it, NGS.
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    hub: Vec<HubUrl>,
    /// The one site that the user is for.
    #[arg(long)]
    site: Option<String>,
    /// The authority of its certificate; without it, those that the machines trust.
    #[arg(long, value_name = "FILE")]
    authority: Option<PathBuf>,
    /// Puts it in the place of what was imported before.
    #[arg(long)]
    replace: bool,
}

pub(super) fn init(options: &Init, directory: &Path, output: Output) -> Result<ExitCode> {
    let Some(first) = options.hub.first().cloned() else { return Ok(ExitCode::FAILURE) };
    let mut wanted = InitOptions::new(options.lattice.clone(), first);
    wanted.hub_urls.clone_from(&options.hub);
    wanted.hub.server.addresses.clone_from(&options.address);
    wanted.hub.server.paths_as.clone_from(&options.paths_as);
    wanted.sites.clone_from(&options.sites);
    let made = Credentials::init(directory, &wanted).map_err(wrong)?;
    let root = made.credentials.directory();
    if output == Output::Json {
        return printer::json(&serde_json::json!({ "directory": root, "created": made.created }));
    }
    let word = if made.created { styled(GOOD, "made") } else { styled(DIM, "there already") };
    printer::line(format!("{word}  {}", root.display()));
    printer::line(format!(
        "start the hub with: nats-server --config {}",
        root.join("hub/hub.conf").display()
    ));
    printer::line("next: dunlin credentials leaf SITE, then dunlin credentials host SITE HOST…");
    printer::line(styled(WARN, "keep keys/ to yourself: it belongs on no server and in no commit"));
    Ok(ExitCode::SUCCESS)
}

pub(super) fn leaf(options: &Leaf, directory: &Path, output: Output) -> Result<ExitCode> {
    let server = ServerOptions {
        listen: options.listen,
        addresses: options.address.clone(),
        paths_as: options.paths_as.clone(),
        replace: options.user.replace,
        ..ServerOptions::default()
    };
    let leaf =
        LeafOptions { server, hub: options.hub.clone(), user: options.user.read(), ..LeafOptions::default() };
    let files = open(directory)?.leaf(&options.site, &leaf).map_err(wrong)?;
    if output == Output::Json {
        return printer::json(&files);
    }
    let LeafFiles { config, credentials, certificate, key, .. } = &files;
    [config, credentials, certificate, key].into_iter().for_each(say);
    printer::line(format!("start it with: nats-server --config {}", config.path.display()));
    Ok(ExitCode::SUCCESS)
}

pub(super) fn host(options: &Host, directory: &Path, output: Output) -> Result<ExitCode> {
    let credentials = open(directory)?;
    let make = |host: &String| {
        credentials.host(&HostId::new(options.site.clone(), host.clone()), options.user.read()).map_err(wrong)
    };
    users(options.hosts.iter().map(make).collect::<Result<Vec<_>>>()?, output)
}

pub(super) fn viewer(options: &Viewer, directory: &Path, output: Output) -> Result<ExitCode> {
    users(vec![open(directory)?.viewer(&options.name, options.user.read()).map_err(wrong)?], output)
}

pub(super) fn import(options: &Import, directory: &Path, output: Output) -> Result<ExitCode> {
    let wanted = ImportOptions {
        hub: options.hub.clone(),
        site: options.site.clone(),
        authority: options.authority.clone(),
        replace: options.replace,
    };
    let credentials = open(directory)?;
    let imported = credentials.import(&options.file, &wanted).map_err(wrong)?;
    if output == Output::Json {
        return printer::json(&imported);
    }
    let hub = imported.hub.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    say(&imported.credentials);
    printer::line(format!("leaves connect to {hub} as {} of account {}", imported.user, imported.account));
    if let Some(ends) = &imported.ends {
        printer::line(styled(WARN, format!("it ends {ends}")));
    }
    if !imported.isolated {
        let text = "that system does not hold each site to its own name: a site could speak there as another";
        printer::line(styled(WARN, text));
        if let Some(site) = &options.site {
            printer::line(format!(
                "ask there for a user with: {}",
                credentials.remote_user(site).map_err(wrong)?
            ));
        } else {
            printer::line("import a user for each site (--site SITE) whose rights end at that site");
        }
    }
    for site in &imported.stale {
        printer::line(format!("make the leaf of {site} anew: dunlin credentials leaf {site} --replace"));
    }
    Ok(ExitCode::SUCCESS)
}

impl User {
    fn read(&self) -> UserOptions {
        UserOptions { expires: self.expires, replace: self.replace }
    }
}

fn open(directory: &Path) -> Result<Credentials> {
    Credentials::open(directory).map_err(wrong)
}

fn users(written: Vec<Written>, output: Output) -> Result<ExitCode> {
    if output == Output::Json {
        return printer::json(&written);
    }
    written.iter().for_each(say);
    Ok(ExitCode::SUCCESS)
}

fn say(written: &Written) {
    let word = match written.outcome {
        Outcome::Created => styled(GOOD, "made     "),
        Outcome::Replaced => styled(WARN, "replaced "),
        Outcome::Kept => styled(DIM, "as before"),
    };
    printer::line(format!("{word}  {}", written.path.display()));
}

/// Nearly all that can go wrong here is in what was asked for.
fn wrong(error: Error) -> anyhow::Error {
    WrongInput(error.to_string()).into()
}
