//! The real ground of `dunlin dev --real`: a hub nats-server that stands for the network between clouds, a leaf for each
//! site that joins it, a Redis beside the sites that declare one; each a process that can be killed and frozen.

mod child;
mod fault;
mod link;
mod programs;
mod redis;
mod server;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use dunlin_credentials::{
    Credentials, HubOptions, HubUrl, InitOptions, LeafOptions, ServerOptions, UserOptions,
};
use dunlin_manifest::{HostId, KeyValueBackend, Snapshot};
use dunlin_source::{Consumer, SecretFiles};

pub(crate) use self::child::Process;
pub(crate) use self::fault::Fault;
use self::link::Link;
use self::redis::Redis;
use self::server::Server;
use crate::dev::plan::Plan;
use crate::printer::WrongInput;

/// Everything that hosts stand on.
#[derive(Debug)]
pub(crate) struct Ground {
    credentials: Credentials,
    hub: Server,
    leaves: BTreeMap<String, Server>,
    links: BTreeMap<String, Link>,
    redis: Vec<Redis>,
}

impl Ground {
    /// Makes credentials and starts everything but the hosts.
    ///
    /// # Errors
    /// A program is missing or does not start.
    pub(crate) async fn start(plan: &Plan, distance: Duration) -> Result<Self> {
        let program = programs::nats_server().ok_or_else(|| WrongInput(programs::GET_NATS.to_owned()))?;
        let folder = plan.data.join("nats");
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let ports = Ports { clients: free_port()?, leaves: free_port()? };
        let credentials = credentials(plan, &ports)?;
        let files = credentials.hub(&hub(&ports))?;
        let hub = Server::start(
            program.clone(),
            configured(&files.config.path),
            folder.join("hub.log"),
            ports.clients,
        );
        let hub = hub.await.context("the hub")?;
        let (mut links, mut leaves) = (BTreeMap::new(), BTreeMap::new());
        for site in &plan.sites {
            let link = Link::start(loopback(ports.leaves), distance).await?;
            let port = free_port()?;
            let leaf = LeafOptions {
                server: listening(port),
                hub: vec![url(link.address().port())?],
                // Else a link that is cut would be passed by.
                named_only: true,
                ..LeafOptions::default()
            };
            let files = credentials.leaf(site, &leaf)?;
            let log = folder.join(format!("leaf-{site}.log"));
            let server = Server::start(program.clone(), configured(&files.config.path), log, port).await;
            leaves.insert(site.clone(), server.with_context(|| format!("the leaf of {site}"))?);
            links.insert(site.clone(), link);
        }
        let redis = redis(plan).await?;
        Ok(Self { credentials, hub, leaves, links, redis })
    }

    /// What a host of this name is started with, as far as it depends on the ground.
    ///
    /// # Errors
    /// Its credentials cannot be written.
    pub(crate) fn for_host(&self, id: &HostId) -> Result<ForHost> {
        let leaf = self.leaves.get(&id.site).with_context(|| format!("site {} has no leaf", id.site))?;
        let here = self.redis.iter().filter(|redis| redis.sites.contains(&id.site));
        Ok(ForHost {
            nats: format!("tls://localhost:{}", leaf.address().port()),
            credentials: self.credentials.host(id, UserOptions::default())?.path,
            authority: self.credentials.authority(),
            provider_urls: here
                .map(|redis| (redis.provider.clone(), format!("redis://{}", redis.server.address())))
                .collect(),
            stand_ins: self.redis.is_empty(),
        })
    }

    /// What somebody who looks on needs to connect at a site: server, authority, credentials.
    ///
    /// # Errors
    /// The credentials cannot be written.
    pub(crate) fn for_viewer(&self, site: &str) -> Result<ForViewer> {
        let server = if site == HUB { Some(&self.hub) } else { self.leaves.get(site) };
        let leaf = server.with_context(|| format!("site {site} has no leaf"))?;
        Ok(ForViewer {
            server: format!("tls://localhost:{}", leaf.address().port()),
            authority: self.credentials.authority(),
            credentials: self.credentials.viewer("viewer", UserOptions::default())?.path,
        })
    }

    /// Which parts are real, in words for the table.
    pub(crate) fn words(&self) -> String {
        let leaves: Vec<_> = self.leaves.keys().map(String::as_str).collect();
        let redis = if self.redis.is_empty() { ", no redis-server: embedded store instead" } else { "" };
        format!("nats-server: a hub, leaves {}{redis}", leaves.join(" "))
    }

    /// Where a provider's Redis answers, if it is one of ours.
    pub(crate) fn redis_at(&self, provider: &str) -> Option<SocketAddr> {
        self.redis.iter().find(|redis| redis.provider == provider).map(|redis| redis.server.address())
    }

    /// Ends all of it, hosts having ended before.
    pub(crate) async fn stop(self) {
        const LIMIT: Duration = Duration::from_secs(3);
        let servers = std::iter::once(self.hub).chain(self.leaves.into_values());
        let processes = servers.filter_map(|server| server.process);
        let processes = processes.chain(self.redis.into_iter().filter_map(|redis| redis.server.process));
        futures::future::join_all(processes.map(|process| process.stop(LIMIT))).await;
    }
}

/// What a host needs of the ground.
#[derive(Debug)]
pub(crate) struct ForHost {
    pub(crate) nats: String,
    pub(crate) credentials: std::path::PathBuf,
    pub(crate) authority: std::path::PathBuf,
    pub(crate) provider_urls: Vec<(String, String)>,
    pub(crate) stand_ins: bool,
}

/// What a viewer needs of the ground.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct ForViewer {
    /// The site's NATS server.
    pub(crate) server: String,
    /// The certificate authority, PEM.
    pub(crate) authority: std::path::PathBuf,
    /// The viewer's credentials.
    pub(crate) credentials: std::path::PathBuf,
}

/// The hub's name among the places where a viewer may look on.
pub(crate) const HUB: &str = "hub";

fn configured(file: &Path) -> Vec<OsString> {
    vec!["--config".into(), file.into()]
}

struct Ports {
    clients: u16,
    leaves: u16,
}

/// A port of loopback that is free now. Somebody may take it before it is used; then what uses it says so.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?.port())
}

/// Those that a former run left in the data directory, else new ones.
fn credentials(plan: &Plan, ports: &Ports) -> Result<Credentials> {
    let folder = plan.data.join("credentials");
    if folder.is_dir() {
        return Ok(Credentials::open(&folder)?);
    }
    let options =
        InitOptions { hub: hub(ports), ..InitOptions::new(plan.lattice.clone(), url(ports.leaves)?) };
    Ok(Credentials::init(&folder, &options)?.credentials)
}

fn hub(ports: &Ports) -> HubOptions {
    HubOptions { server: listening(ports.clients), leaves: loopback(ports.leaves) }
}

/// Ports are others in each run, so what a former one wrote is written anew.
fn listening(port: u16) -> ServerOptions {
    ServerOptions { listen: loopback(port), replace: true, ..ServerOptions::default() }
}

fn url(port: u16) -> Result<HubUrl> {
    Ok(format!("tls://localhost:{port}").parse()?)
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// A Redis for each provider that declares one; none where redis-server is missing.
async fn redis(plan: &Plan) -> Result<Vec<Redis>> {
    let Some(program) = programs::redis_server() else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for (name, sites, secret) in declared(&plan.snapshot) {
        let password = password(plan.secrets.as_deref(), &name, secret.as_deref())?;
        let folder = plan.data.join("redis").join(&name);
        all.push(Redis::start(program.clone(), &name, sites, folder, password.as_deref()).await?);
    }
    Ok(all)
}

/// Providers with Redis, each with its sites and its secret. Where several sites reach it, it is one all the same.
fn declared(snapshot: &Snapshot) -> Vec<(String, Vec<String>, Option<String>)> {
    let providers = snapshot.providers.iter();
    let redis = providers.filter_map(|(name, provider)| {
        let KeyValueBackend::Redis(redis) = &provider.spec.keyvalue else { return None };
        let sites: Vec<_> = provider.spec.sites.keys().cloned().collect();
        let secret = redis.secret_ref.as_ref().map(|secret| secret.name.clone());
        (!sites.is_empty()).then(|| (name.clone(), sites, secret))
    });
    redis.collect()
}

fn password(secrets: Option<&Path>, provider: &str, secret: Option<&str>) -> Result<Option<String>> {
    let (Some(secret), Some(secrets)) = (secret, secrets) else { return Ok(None) };
    let consumer = Consumer::Provider(provider.to_owned());
    Ok(Some(SecretFiles::new(secrets).get(&consumer, secret, "password")?))
}
