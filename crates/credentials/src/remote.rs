//! Another system in the hub's place: an account at NGS, or at anybody who runs NATS for others.
//!
//! Only the way between the sites changes. Hosts still connect to their site's leaf as users of our account, and the
//! leaf still holds each to its own name. What one *site* may say at the hub, though, is then decided by the user
//! that was imported for it: without permissions there, every site could speak as every other.

use std::path::{Path, PathBuf};

use dunlin_lattice::permissions::Permissions;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::address::HubUrl;
use crate::directory::Credentials;
use crate::error::Error;
use crate::files::{self, Written};
use crate::secret::Secret;
use crate::{creds, names, show, token};

const NGS: &str = "tls://connect.ngs.global:7422";
const SYSTEM: &str = "system.json";
const SHARED: &str = "account.creds";

/// What to import, and where that system is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImportOptions {
    /// Where leaves find it; without any, NGS.
    pub hub: Vec<HubUrl>,
    /// The site that the user is for; without one, all sites that have none of their own.
    pub site: Option<String>,
    /// The authority of its certificate (a file); without one, those that the leaf's machine trusts.
    pub authority: Option<PathBuf>,
    /// Puts it in the place of what was imported before.
    pub replace: bool,
}

/// What was imported, and what is to be done now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// Where leaves find the system.
    pub hub: Vec<HubUrl>,
    /// The user's name there.
    pub user: String,
    /// The public key of its account there.
    pub account: String,
    /// When it ends, if it does.
    pub ends: Option<String>,
    /// Whether that system lets the user say and hear exactly what the site's leaf may.
    pub isolated: bool,
    /// Where it was written.
    pub credentials: Written,
    /// Sites whose leaves were made before and still lead elsewhere: make them anew with `replace`.
    pub stale: Vec<String>,
}

/// The system in the hub's place, as it was imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct System {
    pub(crate) hub: Vec<HubUrl>,
    authority: bool,
}

impl System {
    pub(crate) fn find(root: &Path) -> Result<Option<Self>, Error> {
        let path = names::remote(root).join(SYSTEM);
        if !path.exists() {
            return Ok(None);
        }
        let read = serde_json::from_str(&files::read(&path)?);
        read.map(Some).map_err(|error| Error::Unreadable { path, reason: error.to_string() })
    }

    pub(crate) fn authority(&self, root: &Path) -> Result<Option<String>, Error> {
        let path = names::remote(root).join(names::AUTHORITY);
        self.authority.then(|| files::read(&path)).transpose()
    }

    /// The credentials with which a site's leaf connects.
    pub(crate) fn credentials(&self, root: &Path, site: &str) -> Result<Secret, Error> {
        let found = [site_file(root, site), names::remote(root).join(SHARED)];
        let path = found.iter().find(|path| path.exists());
        files::read_secret(path.ok_or_else(|| Error::NotImported { site: site.to_owned() })?)
    }
}

fn site_file(root: &Path, site: &str) -> PathBuf {
    names::remote(root).join("sites").join(format!("{site}.creds"))
}

impl Credentials {
    /// Puts a user's account at another system in the hub's place.
    ///
    /// # Errors
    /// The file is no user's credentials, or they have ended; something else was imported before, and
    /// `options.replace` is not set; or the directory cannot be written.
    pub fn import(&self, file: &Path, options: &ImportOptions) -> Result<Imported, Error> {
        let unreadable = |reason| Error::Unreadable { path: file.to_owned(), reason };
        if let Some(site) = &options.site {
            names::check("site", site)?;
        }
        let text = files::read_secret(file)?;
        let claims = creds::read(&text).map_err(unreadable)?;
        if let Some(ends) = claims.ends.filter(|ends| *ends <= token::now()) {
            return Err(unreadable(format!("ended {}; ask that system for others", show::moment(ends))));
        }
        let authority = options.authority.as_deref().map(show::certificates).transpose()?;
        let hub = if options.hub.is_empty() { vec![NGS.parse()?] } else { options.hub.clone() };
        let system = System { hub: hub.clone(), authority: authority.is_some() };

        let folder = names::remote(&self.root);
        files::create_directory(&folder.join("sites"))?;
        let written = match &options.site {
            Some(site) => site_file(&self.root, site),
            None => folder.join(SHARED),
        };
        let credentials = files::write_same(&written, text.expose(), options.replace)?;
        if let Some(authority) = authority {
            files::write_same(&folder.join(names::AUTHORITY), &authority, options.replace)?;
        }
        // Last, because it is what makes leaves use the rest.
        let facts = serde_json::to_string_pretty(&system).unwrap_or_default();
        files::write_same(&folder.join(SYSTEM), &format!("{facts}\n"), options.replace)?;
        let isolated = match &options.site {
            Some(site) => isolates(&claims.nats, &Permissions::site(&self.subjects()?, site)),
            None => false,
        };
        Ok(Imported {
            hub,
            user: claims.name,
            account: account(&claims.nats).unwrap_or(claims.issuer),
            ends: claims.ends.map(show::moment),
            isolated,
            credentials,
            stale: self.stale()?,
        })
    }

    /// What a user for the leaf of `site` must be allowed at the remote system so that the site can only speak as
    /// itself, as arguments of `nsc add user`.
    ///
    /// # Errors
    /// The site's name cannot be one.
    pub fn remote_user(&self, site: &str) -> Result<String, Error> {
        names::check("site", site)?;
        let Permissions { publish, subscribe } = Permissions::site(&self.subjects()?, site);
        let (publish, subscribe) = (publish.join(","), subscribe.join(","));
        Ok(format!("--name {}-{site} --allow-pub '{publish}' --allow-sub '{subscribe}'", self.lattice()))
    }

    /// Sites whose leaf has other credentials than it would get now.
    fn stale(&self) -> Result<Vec<String>, Error> {
        let Some(system) = System::find(&self.root)? else { return Ok(Vec::new()) };
        let mut stale = self.sites()?;
        stale.retain(|site| {
            let has = files::read_secret(&names::leaf(&self.root, site).join(names::HUB_CREDS));
            match (has, system.credentials(&self.root, site)) {
                (Ok(has), Ok(gets)) => has.expose() != gets.expose(),
                _ => true,
            }
        });
        Ok(stale)
    }
}

/// The account of a user that a signing key of the account signed.
fn account(nats: &Value) -> Option<String> {
    nats.get("issuer_account").and_then(Value::as_str).map(str::to_owned)
}

fn isolates(nats: &Value, wanted: &Permissions) -> bool {
    let allowed = |way: &str| {
        let mut subjects = show::subjects(nats, way, "allow");
        subjects.sort();
        subjects
    };
    let sorted = |subjects: &[String]| {
        let mut subjects = subjects.to_vec();
        subjects.sort();
        subjects
    };
    allowed("pub") == sorted(&wanted.publish) && allowed("sub") == sorted(&wanted.subscribe)
}
