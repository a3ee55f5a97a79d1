//! A hub and the leaves of `aws` and `gcp`, with what was made for them.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Instant;

use dunlin_credentials::{
    Credentials, HubOptions, HubUrl, InitOptions, LeafOptions, ServerOptions, UserOptions,
};
use dunlin_lattice::subjects::{Announcement, Subjects};
use dunlin_manifest::HostId;
use dunlin_testkit::{NatsServer, free_port};

use crate::client::Client;

pub struct World {
    pub credentials: Credentials,
    pub hub: NatsServer,
    pub leaf_port: u16,
    pub aws: NatsServer,
    pub gcp: NatsServer,
    /// Everything lies in it and goes with it.
    _folder: tempfile::TempDir,
}

pub fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

pub fn listening(port: u16) -> ServerOptions {
    ServerOptions { listen: loopback(port), ..ServerOptions::default() }
}

pub fn subjects() -> Subjects {
    Subjects::new("todo").unwrap()
}

pub fn id(name: &str) -> HostId {
    let (site, host) = name.split_once('/').unwrap();
    HostId::new(site, host)
}

/// New credentials of the lattice `todo` and the hub's ports for clients and leaves.
pub fn init(folder: &std::path::Path) -> (Credentials, u16, u16) {
    let (clients, leaves) = (free_port(), free_port());
    let url: HubUrl = format!("tls://localhost:{leaves}").parse().unwrap();
    let options = InitOptions {
        hub: HubOptions { server: listening(clients), leaves: loopback(leaves) },
        ..InitOptions::new("todo", url)
    };
    (Credentials::init(&folder.join("credentials"), &options).unwrap().credentials, clients, leaves)
}

pub fn creds_at(credentials: &Credentials, name: &str) -> PathBuf {
    credentials.host(&id(name), UserOptions::default()).unwrap().path
}

/// Starts the leaf of a site with what is made for it.
pub fn leaf(credentials: &Credentials, site: &str) -> NatsServer {
    let port = free_port();
    let options = LeafOptions { server: listening(port), ..LeafOptions::default() };
    let files = credentials.leaf(site, &options).unwrap();
    NatsServer::with_file(&files.config.path, port)
}

impl World {
    /// All of it, running and joined.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (credentials, clients, leaf_port) = init(folder.path());
        let hub = NatsServer::with_file(&credentials.directory().join("hub/hub.conf"), clients);
        let (aws, gcp) = (leaf(&credentials, "aws"), leaf(&credentials, "gcp"));
        let world = Self { credentials, hub, leaf_port, aws, gcp, _folder: folder };
        world.joined().await;
        world
    }

    /// Waits until a message gets from each site to the other, hearing it by the right that each host has.
    pub async fn joined(&self) {
        let (mut aws, mut gcp) = (self.host("aws/join").await, self.host("gcp/join").await);
        aws.listen(&subjects().announcements()).await;
        gcp.listen(&subjects().announcements()).await;
        self.reaches(&aws, &mut gcp, "aws/join").await;
        self.reaches(&gcp, &mut aws, "gcp/join").await;
    }

    async fn reaches(&self, from: &Client, to: &mut Client, name: &str) {
        let subject = subjects().announcement(Announcement::Beat, &id(name));
        let begun = Instant::now();
        loop {
            from.publish(&subject, "join").await;
            if to.hears_of(&subject).await {
                return;
            }
            let (hub, aws, gcp) = (self.hub.log(), self.aws.log(), self.gcp.log());
            assert!(
                begun.elapsed().as_secs() < 10,
                "{name} is unheard\nhub:\n{hub}\naws:\n{aws}\ngcp:\n{gcp}"
            );
        }
    }

    pub fn server(&self, site: &str) -> &NatsServer {
        match site {
            "aws" => &self.aws,
            "gcp" => &self.gcp,
            _ => &self.hub,
        }
    }

    pub fn creds_of(&self, name: &str) -> PathBuf {
        creds_at(&self.credentials, name)
    }

    /// A host, connected to its site's leaf.
    pub async fn host(&self, name: &str) -> Client {
        let server = self.server(&id(name).site);
        Client::connect(server, &self.creds_of(name), &self.credentials.authority()).await.unwrap()
    }

    /// A viewer, connected to a site's leaf.
    pub async fn viewer(&self, name: &str, site: &str) -> Client {
        let creds = self.credentials.viewer(name, UserOptions::default()).unwrap().path;
        Client::connect(self.server(site), &creds, &self.credentials.authority()).await.unwrap()
    }
}
