//! What hub and leaf have in common: where they listen, their certificate, the files that their configuration names.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::address::certificate_name;
use crate::authority;
use crate::error::Error;
use crate::files::{self, Outcome, Written};
use crate::{names, show};

/// How a server listens and what its certificate and files are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerOptions {
    /// Where clients connect: `0.0.0.0:4222` unless told otherwise.
    pub listen: SocketAddr,
    /// Where the server tells of itself over HTTP, without TLS and to everybody: nowhere unless told otherwise.
    pub monitor: Option<SocketAddr>,
    /// DNS names and IP addresses of the certificate, besides `localhost` and the loopback addresses.
    pub addresses: Vec<String>,
    /// The directory in which the server will find its files, such as the place where a Kubernetes secret is
    /// mounted; without it, where they are now.
    pub paths_as: Option<PathBuf>,
    /// Writes certificate, keys and configuration anew although they are there.
    pub replace: bool,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 4222)),
            monitor: None,
            addresses: Vec::new(),
            paths_as: None,
            replace: false,
        }
    }
}

impl ServerOptions {
    /// The path by which the server will read `file`, which now is in `folder`. Absolute, because nats-server takes
    /// paths from the directory that it was started in, not from where its configuration is.
    pub(crate) fn place(&self, folder: &Path, file: &str) -> Result<PathBuf, Error> {
        let path = self.paths_as.as_deref().unwrap_or(folder).join(file);
        let wrong = |reason| Err(Error::Path { path: path.clone(), reason });
        match path.to_str() {
            None => wrong("it is not UTF-8"),
            Some(text) if text.chars().any(char::is_control) => wrong("it contains a control character"),
            Some(_) if !path.is_absolute() => wrong("it is not absolute"),
            Some(_) => Ok(path),
        }
    }

    /// All names of the certificate, each once.
    pub(crate) fn names(&self, more: &[&str]) -> Result<Vec<String>, Error> {
        let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
        for address in more.iter().copied().chain(self.addresses.iter().map(String::as_str)) {
            let name = certificate_name(address)?;
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Ok(names)
    }
}

/// A server's certificate and key.
pub(crate) struct Certified {
    pub(crate) certificate: Written,
    pub(crate) key: Written,
}

/// Gives a server its certificate, unless it has one with these names.
pub(crate) fn certify(
    root: &Path,
    folder: &Path,
    common_name: &str,
    server: &[String],
    replace: bool,
) -> Result<Certified, Error> {
    let (certificate, key) = (folder.join(names::CERTIFICATE), folder.join(names::CERTIFICATE_KEY));
    let kept = |path: &Path| Written { path: path.to_owned(), outcome: Outcome::Kept };
    if certificate.exists() && key.exists() && !replace {
        if !show::certificate_names(&certificate)?.iter().eq(server.iter()) {
            return Err(Error::Differs { path: certificate });
        }
        return Ok(Certified { certificate: kept(&certificate), key: kept(&key) });
    }
    let made = authority::sign(root, common_name, server)?;
    // A key without its certificate (a power cut between the two) is of no use: it may be replaced.
    let key = files::write(&key, made.key.expose(), replace || key.exists() != certificate.exists())?;
    let certificate = files::write(&certificate, &made.certificate, replace || certificate.exists())?;
    Ok(Certified { certificate, key })
}
