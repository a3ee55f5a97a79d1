//! The directory of one lattice's credentials.

use std::path::{Path, PathBuf};

use dunlin_lattice::subjects::Subjects;
use serde::{Deserialize, Serialize};

use crate::address::HubUrl;
use crate::error::Error;
use crate::key::{Key, Kind};
use crate::token::Claims;
use crate::{configuration, files, names};

/// The credentials of one lattice, in a directory. Holds no secrets in memory; they are read when something is
/// signed.
#[derive(Debug, Clone)]
pub struct Credentials {
    pub(crate) root: PathBuf,
    /// Where the directory will be when it is complete: what configurations call it.
    pub(crate) named: PathBuf,
    pub(crate) facts: Facts,
}

/// What is known of the lattice; not secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Facts {
    pub(crate) version: u32,
    pub(crate) lattice: String,
    pub(crate) hub: Vec<HubUrl>,
}

pub(crate) const VERSION: u32 = 1;

impl Credentials {
    /// The credentials in `directory`.
    ///
    /// # Errors
    /// There are none, or they cannot be read.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let file = directory.join(names::FACTS);
        if !file.is_file() {
            return Err(Error::Missing { path: directory.to_owned() });
        }
        let facts: Facts = serde_json::from_str(&files::read(&file)?)
            .map_err(|error| Error::Unreadable { path: file.clone(), reason: error.to_string() })?;
        if facts.version != VERSION || Subjects::new(&facts.lattice).is_none() || facts.hub.is_empty() {
            let reason = format!(
                "expected version {VERSION} with a lattice and a hub, found version {}",
                facts.version
            );
            return Err(Error::Unreadable { path: file, reason });
        }
        let root = std::fs::canonicalize(directory).map_err(|source| Error::File {
            action: "find",
            path: directory.to_owned(),
            source,
        })?;
        Ok(Self { named: root.clone(), root, facts })
    }

    /// The lattice.
    #[must_use]
    pub fn lattice(&self) -> &str {
        &self.facts.lattice
    }

    /// Where leaves find the hub that was made here.
    #[must_use]
    pub fn hub_urls(&self) -> &[HubUrl] {
        &self.facts.hub
    }

    /// The directory, by its absolute path.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.root
    }

    /// The certificate of the TLS authority: what clients trust instead of the system's authorities.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.root.join(names::AUTHORITY)
    }

    /// The sites that have a leaf.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn sites(&self) -> Result<Vec<String>, Error> {
        names::sites(&self.root)
    }

    pub(crate) fn subjects(&self) -> Result<Subjects, Error> {
        let name = &self.facts.lattice;
        Subjects::new(name).ok_or_else(|| Error::Name { what: "lattice", name: name.clone() })
    }

    /// A key that never leaves the directory.
    pub(crate) fn key(&self, kind: Kind, file: &str) -> Result<Key, Error> {
        Key::from_seed(kind, &files::read_secret(&names::keys(&self.root).join(file))?)
    }

    /// The public key that a token of the directory is about, and the token.
    pub(crate) fn token(&self, file: &str) -> Result<(Claims, String), Error> {
        let path = self.root.join(file);
        let text = files::read(&path)?.trim().to_owned();
        match Claims::read(&text) {
            Ok(claims) => Ok((claims, text)),
            Err(reason) => Err(Error::Unreadable { path, reason }),
        }
    }

    /// The part of each server's configuration that says whom it trusts.
    pub(crate) fn trust(&self) -> Result<String, Error> {
        let (_, operator) = self.token(names::OPERATOR_TOKEN)?;
        let (system, system_token) = self.token(names::SYSTEM_TOKEN)?;
        let (account, account_token) = self.token(names::ACCOUNT_TOKEN)?;
        Ok(configuration::trust(
            &operator,
            (&system.subject, &system_token),
            (&account.subject, &account_token),
        ))
    }

    /// # Errors
    /// The site has no leaf: most likely it is mistyped.
    pub(crate) fn known_site(&self, site: &str) -> Result<(), Error> {
        names::check("site", site)?;
        let sites = self.sites()?;
        if sites.iter().any(|known| known == site) {
            return Ok(());
        }
        let known = match sites.as_slice() {
            [] => "no site has a leaf yet".to_owned(),
            sites => format!("there are leaves for {}", sites.join(", ")),
        };
        Err(Error::UnknownSite { site: site.to_owned(), known })
    }
}
