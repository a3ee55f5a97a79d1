//! A leaf: the server of a site, to which its hosts connect and which connects to the hub.

use std::path::{Path, PathBuf};

use dunlin_lattice::permissions::Permissions;
use serde::Serialize;

use crate::account::{Door, user_rights};
use crate::address::HubUrl;
use crate::configuration::{self, Remote, Tls};
use crate::directory::Credentials;
use crate::error::Error;
use crate::files::{self, Written};
use crate::names;
use crate::remote::System;
use crate::server::{self, ServerOptions};
use crate::users::UserOptions;

/// How a leaf listens and where it finds the hub.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeafOptions {
    /// Clients, certificate and files.
    pub server: ServerOptions,
    /// Where the hub is; without any, where `init` or `import` said.
    pub hub: Vec<HubUrl>,
    /// Connects by these addresses alone. A hub tells leaves its own address, whatever its `no_advertise` says, and
    /// they try that one as well when they connect again. Releases of nats-server before 2.14 do not know the setting.
    pub named_only: bool,
    /// How long the leaf may connect to the hub; without end unless told otherwise.
    pub user: UserOptions,
}

/// What a leaf's server needs, all in one directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeafFiles {
    /// The directory: what to mount where `paths_as` said.
    pub directory: PathBuf,
    /// The configuration, for `nats-server --config`.
    pub config: Written,
    /// Whom it trusts; included by the configuration.
    pub trust: Written,
    /// As whom it connects to the hub.
    pub credentials: Written,
    /// Its certificate for its clients.
    pub certificate: Written,
    /// The certificate's private key.
    pub key: Written,
    /// The authority of the hub's certificate; none if the system's own are asked.
    pub authority: Option<Written>,
}

impl Credentials {
    /// Makes credentials, certificate and configuration of a site's leaf, or says that they are there.
    ///
    /// # Errors
    /// They are there and differ, and `options.server.replace` is not set; a name, an address or a path cannot be
    /// used; nothing was imported for this site; or the files cannot be written.
    pub fn leaf(&self, site: &str, options: &LeafOptions) -> Result<LeafFiles, Error> {
        names::check("site", site)?;
        let system = System::find(&self.root)?;
        let (folder, named) = (names::leaf(&self.root, site), names::leaf(&self.named, site));
        let server = &options.server;
        let reached = server.names(&[])?;
        let tls = Tls {
            certificate: server.place(&named, names::CERTIFICATE)?,
            key: server.place(&named, names::CERTIFICATE_KEY)?,
        };
        let authority = match &system {
            Some(system) => system.authority(&self.root)?,
            None => Some(files::read(&self.authority())?),
        };
        let hub = match (&options.hub, &system) {
            (given, _) if !given.is_empty() => given.clone(),
            (_, Some(system)) => system.hub.clone(),
            (_, None) => self.facts.hub.clone(),
        };
        let remote = Remote {
            hub,
            credentials: server.place(&named, names::HUB_CREDS)?,
            authority: authority.as_ref().map(|_| server.place(&named, names::AUTHORITY)).transpose()?,
            account: self.token(names::ACCOUNT_TOKEN)?.0.subject,
            named_only: options.named_only,
        };
        let text = configuration::leaf(&self.facts.lattice, site, server, &tls, &remote);
        let imported = system.as_ref().map(|system| system.credentials(&self.root, site)).transpose()?;
        files::create_directory(&folder)?;
        let replace = server.replace;
        let config = files::write_same(&folder.join(names::leaf_configuration(site)), &text, replace)?;
        let trust = files::write_same(&folder.join(names::TRUST), &self.trust()?, true)?;
        let path = folder.join(names::HUB_CREDS);
        let credentials = match imported {
            Some(imported) => files::write_same(&path, imported.expose(), replace)?,
            None => self.own_leaf(&path, site, UserOptions { replace, ..options.user })?,
        };
        let common_name = format!("{} leaf {site}", self.facts.lattice);
        let certified = server::certify(&self.root, &folder, &common_name, &reached, replace)?;
        let authority = authority
            .map(|authority| files::write_same(&folder.join(names::AUTHORITY), &authority, replace))
            .transpose()?;
        Ok(LeafFiles {
            directory: folder,
            config,
            trust,
            credentials,
            certificate: certified.certificate,
            key: certified.key,
            authority,
        })
    }

    fn own_leaf(&self, path: &Path, site: &str, options: UserOptions) -> Result<Written, Error> {
        let rights = user_rights(&Permissions::site(&self.subjects()?, site), Door::Leaf);
        self.user(path, &format!("leaf {site}"), rights, options)
    }
}
