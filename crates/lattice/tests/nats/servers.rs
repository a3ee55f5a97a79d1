//! The servers that these tests run against, and buses that connect to them.

use std::net::SocketAddr;
use std::sync::Arc;

use dunlin_lattice::nats::{NatsBus, NatsSettings};
use dunlin_testkit::{NatsServer, free_port};

/// A hub, and a leaf at each of two sites.
pub(crate) struct Sites {
    pub(crate) gcp: NatsServer,
    pub(crate) aws: NatsServer,
    _hub: NatsServer,
}

impl Sites {
    pub(crate) fn start() -> Self {
        let port = free_port();
        let hub = NatsServer::start(&format!("leafnodes {{ host: 127.0.0.1, port: {port} }}"));
        let leaf = || {
            NatsServer::start(&format!(
                "leafnodes {{ remotes: [{{ url: \"nats-leaf://127.0.0.1:{port}\" }}] }}"
            ))
        };
        Self { gcp: leaf(), aws: leaf(), _hub: hub }
    }
}

pub(crate) fn bus(server: SocketAddr) -> Arc<NatsBus> {
    bus_at(&format!("nats://{server}"))
}

pub(crate) fn bus_at(url: &str) -> Arc<NatsBus> {
    let servers = vec![url.to_owned()];
    let settings = NatsSettings { servers, name: "dunlin todo".into(), ..NatsSettings::default() };
    Arc::new(NatsBus::new(settings).unwrap())
}
