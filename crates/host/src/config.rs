//! What a host is told when it starts. Everything else it reads from its source.

use std::collections::BTreeMap;
use std::net::SocketAddr;
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
    /// Whether an embedded store stands in for providers that this version cannot open yet (development).
    pub stand_ins: bool,
    /// Whether this host holds the data of embedded and memory stores whose manifest names no host. One host of a site.
    pub first: bool,
    /// How long a drain may take.
    pub grace: Duration,
    /// How long a leaving host still accepts, until whoever spreads the load has noticed.
    pub linger: Duration,
}
