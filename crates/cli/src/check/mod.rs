//! `dunlin check`: walks the whole path from the hub to the answers of the application, and says what is wrong and
//! how to mend it.
//!
//! [`gather`] looks, all at once and within limits; [`judge`] says what that means, without looking at anything.

mod address;
mod facts;
mod gather;
mod judge;
mod page;
mod target;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

pub(crate) use self::address::Address;
use self::judge::{Verdict, judge};
use self::target::Target;
use crate::discovery::parse_process;
use crate::printer::{self, Output, WrongInput};

/// What to check.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  dunlin check                       the `dunlin dev` that runs here\n  \
    dunlin check --nats hub=tls://hub.example:4222 --nats gcp=tls://nats.gcp.example:4222 \\\n      \
        --credentials me.creds --authority authority.pem --admin 10.0.0.7:8081 --ingress gcp=https://todo.example\n\n\
    It takes some seconds and disturbs nobody. Exit codes: 0 all well (there may be warnings), 1 something is wrong,\n\
    2 wrong input")]
pub(crate) struct Options {
    /// A NATS server: `hub=URL`, or a site's leaf, `gcp=tls://HOST:4222`; may be repeated.
    #[arg(long, value_name = "SITE=URL", value_parser = parse_named)]
    nats: Vec<(String, String)>,
    /// As whom to look: a viewer's credentials.
    #[arg(long, value_name = "FILE", requires = "nats")]
    credentials: Option<PathBuf>,
    /// The certificates, in PEM, that sign the servers' own; those that this machine trusts without it.
    #[arg(long, value_name = "FILE", requires = "nats")]
    authority: Option<PathBuf>,
    /// A host's admin port, `HOST:PORT`; several with commas, or repeated.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',', value_parser = Address::http)]
    admin: Vec<Address>,
    /// Where a site's requests come in, `gcp=https://todo.example`; may be repeated.
    #[arg(long, value_name = "SITE=URL", value_parser = parse_ingress)]
    ingress: Vec<(String, Address)>,
    /// The lattice's name, where no viewer's credentials say it.
    #[arg(long, value_name = "NAME")]
    lattice: Option<String>,
    /// Text for people or JSON for scripts.
    #[arg(long, short, default_value = "text")]
    output: Output,
    /// The `dunlin dev` to check, where several run.
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["nats", "admin", "ingress"], value_parser = parse_process)]
    process: Option<u32>,
}

fn parse_named(text: &str) -> Result<(String, String), String> {
    let named = text.split_once('=').filter(|(site, _)| dunlin_manifest::is_dns_label(site));
    let (site, url) = named.ok_or("expected SITE=URL, such as gcp=tls://nats.gcp.example:4222")?;
    Address::nats(url)?;
    Ok((site.to_owned(), url.to_owned()))
}

fn parse_ingress(text: &str) -> Result<(String, Address), String> {
    let named = text.split_once('=').filter(|(site, _)| dunlin_manifest::is_dns_label(site));
    let (site, url) = named.ok_or("expected SITE=URL, such as gcp=https://todo.example")?;
    Ok((site.to_owned(), Address::http(url)?))
}

/// Looks, judges and says so.
///
/// # Errors
/// Wrong input, or nothing is named and no `dunlin dev` runs.
pub(crate) async fn run(options: Options) -> Result<ExitCode> {
    if !options.nats.is_empty() && options.credentials.is_none() && options.lattice.is_none() {
        let text = "which lattice? a viewer's --credentials say it, or --lattice NAME";
        return Err(WrongInput(text.to_owned()).into());
    }
    let target = Target::find(&options)?;
    let findings = judge(&gather::gather(&target).await);
    match options.output {
        Output::Json => drop(printer::json(&serde_json::json!({ "findings": findings }))?),
        Output::Text => page::render(&findings).iter().for_each(printer::line),
    }
    let wrong = findings.iter().any(|finding| finding.verdict == Verdict::Bad);
    Ok(if wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
