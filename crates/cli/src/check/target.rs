//! What is to be checked: what a running `dunlin dev` says of itself, or what the flags name.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Result;
use dunlin_credentials::UserFacts;
use dunlin_lattice::nats::{NatsBus, NatsSettings};
use dunlin_lattice::subjects::Subjects;
use dunlin_manifest::HostId;

use super::Options;
use super::address::Address;
use super::facts::{Place, Setting};
use crate::discovery::{self, Running};
use crate::printer::WrongInput;

/// Everything that there is to look at.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) setting: Setting,
    pub(crate) subjects: Subjects,
    /// The viewer's name, which its subjects contain.
    pub(crate) viewer: String,
    pub(crate) credentials: Option<PathBuf>,
    pub(crate) authority: Option<PathBuf>,
    pub(crate) servers: Vec<Server>,
    pub(crate) hosts: Vec<(Option<HostId>, Address)>,
    pub(crate) ingress: Vec<(String, Address)>,
    pub(crate) manifests: Option<PathBuf>,
}

/// One NATS server, and the way in.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) place: Place,
    pub(crate) address: Address,
    pub(crate) bus: NatsBus,
}

/// The viewer's name where there are no credentials that say one.
const NAMELESS: &str = "check";

impl Target {
    /// What the flags name, or else the `dunlin dev` that runs.
    ///
    /// # Errors
    /// Wrong input, or nothing is named and no `dunlin dev` runs.
    pub(crate) fn find(options: &Options) -> Result<Self> {
        if options.nats.is_empty() && options.admin.is_empty() && options.ingress.is_empty() {
            Self::running(&discovery::find(options.process)?)
        } else {
            Self::named(options)
        }
    }

    fn running(running: &Running) -> Result<Self> {
        let first = running.viewers.first().map(|(_, viewer)| viewer);
        let (credentials, authority) =
            (first.map(|viewer| viewer.credentials.clone()), first.map(|viewer| viewer.authority.clone()));
        let (subjects, viewer) = whose(credentials.as_deref(), None)?;
        let way = Way { credentials, authority };
        let named = running.viewers.iter().map(|(name, viewer)| (name.as_str(), viewer.server.as_str()));
        Ok(Self {
            setting: if running.viewers.is_empty() { Setting::Here } else { Setting::Real },
            servers: way.servers(named)?,
            hosts: running.hosts.iter().map(|(id, admin, _)| (Some(id.clone()), at(*admin))).collect(),
            ingress: running.sites.iter().map(|(site, address)| (site.clone(), at(*address))).collect(),
            // A repository without a working tree here is not looked at: what is not named is not checked.
            manifests: Some(running.directory.clone()).filter(|directory| !directory.as_os_str().is_empty()),
            subjects,
            viewer,
            credentials: way.credentials,
            authority: way.authority,
        })
    }

    fn named(options: &Options) -> Result<Self> {
        let (subjects, viewer) = whose(options.credentials.as_deref(), options.lattice.as_deref())?;
        let way = Way { credentials: options.credentials.clone(), authority: options.authority.clone() };
        let named = options.nats.iter().map(|(name, url)| (name.as_str(), url.as_str()));
        Ok(Self {
            setting: Setting::Deployed,
            servers: way.servers(named)?,
            hosts: options.admin.iter().map(|address| (None, address.clone())).collect(),
            ingress: options.ingress.clone(),
            manifests: None,
            subjects,
            viewer,
            credentials: way.credentials,
            authority: way.authority,
        })
    }
}

/// How servers are entered.
struct Way {
    credentials: Option<PathBuf>,
    authority: Option<PathBuf>,
}

impl Way {
    /// The hub first, then the sites by name.
    fn servers<'n>(&self, named: impl Iterator<Item = (&'n str, &'n str)>) -> Result<Vec<Server>> {
        let server = |(name, url): (&str, &str)| -> Result<Server> {
            let settings = NatsSettings {
                servers: vec![url.to_owned()],
                credentials: self.credentials.clone(),
                authority: self.authority.clone(),
                name: "dunlin check".to_owned(),
            };
            let wrong = |reason: String| WrongInput(format!("{name}: {reason}"));
            Ok(Server {
                place: if name == "hub" { Place::Hub } else { Place::Leaf(name.to_owned()) },
                bus: NatsBus::new(settings).map_err(|error| wrong(error.to_string()))?,
                address: Address::nats(url).map_err(wrong)?,
            })
        };
        let mut servers = named.map(server).collect::<Result<Vec<_>>>()?;
        servers.sort_by(|one, other| one.place.cmp(&other.place));
        Ok(servers)
    }
}

/// The lattice and the viewer's name: a viewer's credentials say both.
fn whose(credentials: Option<&Path>, lattice: Option<&str>) -> Result<(Subjects, String)> {
    let user = credentials.map(UserFacts::read).transpose().map_err(|error| WrongInput(error.to_string()))?;
    let watches = user.iter().flat_map(|user| &user.publish).find_map(|subject| {
        let (lattice, _) = subject.split_once('.')?;
        let viewer = Subjects::new(lattice)?.parse_watch(subject)?;
        Some((lattice.to_owned(), viewer))
    });
    let (said, viewer) = match watches {
        Some((lattice, viewer)) => (Some(lattice), viewer),
        None => (None, NAMELESS.to_owned()),
    };
    // Without NATS nothing depends on it.
    let name = lattice.map(str::to_owned).or(said).unwrap_or_else(|| "unknown".to_owned());
    let subjects = Subjects::new(&name);
    let subjects = subjects.ok_or_else(|| WrongInput(format!("{name:?} is no name of a lattice")))?;
    Ok((subjects, viewer))
}

fn at(address: SocketAddr) -> Address {
    Address { host: address.ip().to_string(), port: address.port(), tls: false }
}
