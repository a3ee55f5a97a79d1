//! What lies where in the directory, and the names that people give.

use std::path::{Path, PathBuf};

use dunlin_manifest::{HostId, is_dns_label};

use crate::error::Error;

pub(crate) const FACTS: &str = "lattice.json";
pub(crate) const AUTHORITY: &str = "authority.pem";
pub(crate) const CERTIFICATE: &str = "certificate.pem";
pub(crate) const CERTIFICATE_KEY: &str = "key.pem";
pub(crate) const HUB_CREDS: &str = "hub.creds";
pub(crate) const HUB_CONFIGURATION: &str = "hub.conf";
pub(crate) const TRUST: &str = "trust.conf";
pub(crate) const OPERATOR_TOKEN: &str = "operator.jwt";
pub(crate) const ACCOUNT_TOKEN: &str = "account.jwt";
pub(crate) const SYSTEM_TOKEN: &str = "system.jwt";
pub(crate) const OPERATOR_SEED: &str = "operator.seed";
pub(crate) const ACCOUNT_SEED: &str = "account.seed";
pub(crate) const SYSTEM_SEED: &str = "system.seed";
pub(crate) const AUTHORITY_KEY: &str = "authority.key";

/// # Errors
/// The name is not a DNS label.
pub(crate) fn check(what: &'static str, name: &str) -> Result<(), Error> {
    if is_dns_label(name) { Ok(()) } else { Err(Error::Name { what, name: name.to_owned() }) }
}

pub(crate) fn keys(root: &Path) -> PathBuf {
    root.join("keys")
}

pub(crate) fn hub(root: &Path) -> PathBuf {
    root.join("hub")
}

const LEAF: &str = "leaf-";

pub(crate) fn leaf(root: &Path, site: &str) -> PathBuf {
    root.join(format!("{LEAF}{site}"))
}

pub(crate) fn leaf_configuration(site: &str) -> String {
    format!("{LEAF}{site}.conf")
}

pub(crate) fn hosts(root: &Path) -> PathBuf {
    root.join("hosts")
}

pub(crate) fn host(root: &Path, id: &HostId) -> PathBuf {
    hosts(root).join(&id.site).join(format!("{}.creds", id.host))
}

pub(crate) fn viewers(root: &Path) -> PathBuf {
    root.join("viewers")
}

pub(crate) fn viewer(root: &Path, name: &str) -> PathBuf {
    viewers(root).join(format!("{name}.creds"))
}

pub(crate) fn remote(root: &Path) -> PathBuf {
    root.join("remote")
}

/// The sites that have a leaf, by name.
///
/// # Errors
/// The directory cannot be read.
pub(crate) fn sites(root: &Path) -> Result<Vec<String>, Error> {
    let failed = |source| Error::File { action: "read", path: root.to_owned(), source };
    let mut sites = Vec::new();
    for entry in root.read_dir().map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let site = name.to_str().and_then(|name| name.strip_prefix(LEAF)).filter(|site| is_dns_label(site));
        sites.extend(site.map(str::to_owned));
    }
    sites.sort();
    Ok(sites)
}
