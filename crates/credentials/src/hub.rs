//! The hub: the server that joins the sites.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::Serialize;

use crate::configuration::{self, Tls};
use crate::directory::Credentials;
use crate::error::Error;
use crate::files::{self, Written};
use crate::server::{self, ServerOptions};
use crate::{HubUrl, names};

/// How the hub listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubOptions {
    /// Clients, certificate and files.
    pub server: ServerOptions,
    /// Where leaves connect: `0.0.0.0:7422` unless told otherwise.
    pub leaves: SocketAddr,
}

impl Default for HubOptions {
    fn default() -> Self {
        Self { server: ServerOptions::default(), leaves: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 7422)) }
    }
}

/// What the hub's server needs, all in one directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HubFiles {
    /// The directory: what to mount where `paths_as` said.
    pub directory: PathBuf,
    /// The configuration, for `nats-server --config`.
    pub config: Written,
    /// Whom it trusts; included by the configuration.
    pub trust: Written,
    /// Its certificate.
    pub certificate: Written,
    /// The certificate's private key.
    pub key: Written,
}

impl Credentials {
    /// Makes certificate and configuration of the hub, or says that they are there.
    ///
    /// # Errors
    /// They are there and differ, and `options.server.replace` is not set; an address or a path cannot be used; or
    /// the files cannot be written.
    pub fn hub(&self, options: &HubOptions) -> Result<HubFiles, Error> {
        let (folder, named) = (names::hub(&self.root), names::hub(&self.named));
        let ServerOptions { replace, .. } = options.server;
        let addresses: Vec<_> = self.facts.hub.iter().map(HubUrl::host).collect();
        let server = options.server.names(&addresses)?;
        let tls = Tls {
            certificate: options.server.place(&named, names::CERTIFICATE)?,
            key: options.server.place(&named, names::CERTIFICATE_KEY)?,
        };
        let text = configuration::hub(&self.facts.lattice, &options.server, options.leaves, &tls);
        files::create_directory(&folder)?;
        let config = files::write_same(&folder.join(names::HUB_CONFIGURATION), &text, replace)?;
        let trust = files::write_same(&folder.join(names::TRUST), &self.trust()?, true)?;
        let common_name = format!("{} hub", self.facts.lattice);
        let certified = server::certify(&self.root, &folder, &common_name, &server, replace)?;
        Ok(HubFiles {
            directory: folder,
            config,
            trust,
            certificate: certified.certificate,
            key: certified.key,
        })
    }
}
