//! What a host is told when it starts. Everything else it reads from its source.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use dunlin_manifest::HostId;
use dunlin_runtime::Engine;

use crate::images::Images;

/// The settings of one host.
#[derive(Debug, Clone)]
pub struct HostConfig {
    /// Its site and its name there.
    pub id: HostId,
    /// The lattice that it belongs to, a DNS label.
    pub lattice: String,
    /// Where requests come in; port 0 for a free one.
    pub listen: SocketAddr,
    /// Where `/healthz`, `/readyz`, `/metrics` and the status are; port 0 for a free one.
    pub admin: SocketAddr,
    /// What outlives the process: last good state and embedded stores. One host's own.
    pub state: PathBuf,
    /// Secrets as files, where there are any: `<directory>/<secret>/<key>`.
    pub secrets: Option<PathBuf>,
    /// Where component code comes from.
    pub images: Images,
    /// What runs components; shared by hosts in one process.
    pub engine: Engine,
    /// Labels that `hostLabels` select by.
    pub labels: BTreeMap<String, String>,
    /// Bytes of memory declared for components.
    pub memory: u64,
    /// Share of slots relative to other hosts.
    pub weight: u32,
    /// Where providers are reached instead of at the `url` that their manifests give for this site (development).
    pub provider_urls: BTreeMap<String, String>,
    /// Connections to the bus that calls leave on; more than one where one core is the limit.
    pub call_connections: usize,
    /// Whether an embedded store stands in for providers that this version cannot open yet (development).
    pub stand_ins: bool,
    /// Whether this host holds the data of embedded and memory stores whose manifest names no host. One host of a site.
    pub first: bool,
    /// How long a leaving host still accepts, until whoever spreads the load has noticed.
    pub linger: Duration,
}

impl HostConfig {
    /// The settings of a host of which nothing more is said: loopback, free ports, no secrets, all of 4 GiB for
    /// components, and times as for a host behind a load balancer.
    #[must_use]
    pub fn new(id: HostId, lattice: String, state: PathBuf, engine: Engine, images: Images) -> Self {
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            id,
            lattice,
            listen: loopback,
            admin: loopback,
            state,
            secrets: None,
            images,
            engine,
            labels: BTreeMap::new(),
            memory: 4 << 30,
            weight: 100,
            provider_urls: BTreeMap::new(),
            call_connections: 1,
            stand_ins: false,
            first: false,
            linger: Duration::from_secs(5),
        }
    }
}
