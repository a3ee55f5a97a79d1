//! What can go wrong, with what to do about it.

use std::path::PathBuf;

/// Why credentials could not be made, read or shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file system refused.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The directory holds something else.
    #[error(
        "{} is not empty and holds no credentials (there is no lattice.json); name another directory",
        path.display()
    )]
    Foreign {
        /// The directory.
        path: PathBuf,
    },
    /// Nothing was made there yet.
    #[error("there are no credentials in {}; make them with `dunlin credentials init`", path.display())]
    Missing {
        /// The directory.
        path: PathBuf,
    },
    /// The directory is of another lattice or hub.
    #[error(
        "{} holds credentials with {what} {found}, not {asked}; name another directory, nothing is overwritten",
        path.display()
    )]
    Other {
        /// The directory.
        path: PathBuf,
        /// Which property differs.
        what: &'static str,
        /// As it is there.
        found: String,
        /// As it was asked for.
        asked: String,
    },
    /// A file is there and would become another one.
    #[error("{} is there and differs; add --replace to write it anew, or remove it first", path.display())]
    Differs {
        /// The file.
        path: PathBuf,
    },
    /// A user whose time is over.
    #[error("{} ended {ended}; add --replace to make it anew", path.display())]
    Ended {
        /// Its file.
        path: PathBuf,
        /// When it ended.
        ended: String,
    },
    /// Another system stands in the hub's place, and has no user for this site.
    #[error(
        "nothing was imported for the site {site}: give it credentials of the remote system with \
         `dunlin credentials import FILE --site {site}`"
    )]
    NotImported {
        /// The site.
        site: String,
    },
    /// A file was not understood.
    #[error("{}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        reason: String,
    },
    /// A name that cannot be one.
    #[error(
        "{name:?} is no name of a {what}: 1 to 63 of a-z, 0-9 and -, with a letter or digit at both ends"
    )]
    Name {
        /// What the name was for.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A site without a leaf, most likely mistyped.
    #[error("unknown site {site:?}: {known}; a new site begins with `dunlin credentials leaf {site}`")]
    UnknownSite {
        /// The site.
        site: String,
        /// The sites that are known, in words.
        known: String,
    },
    /// An address of a hub that is none.
    #[error("{found:?} is no address of a hub: {reason}; write it as tls://hub.example.com:7422")]
    HubAddress {
        /// What was given.
        found: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A name or IP address for a certificate that is none.
    #[error(
        "{found:?} is neither a DNS name nor an IP address; a certificate takes those, without scheme and port"
    )]
    Address {
        /// What was given.
        found: String,
    },
    /// A path that cannot stand in a server's configuration.
    #[error("{} cannot stand in a server's configuration: {reason}", path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A lifetime that is none.
    #[error("{found:?} is no lifetime; write 90d, 12h or 30m")]
    Lifetime {
        /// What was given.
        found: String,
    },
    /// A certificate could not be made or signed.
    #[error("cannot make the certificate of {name}")]
    Certificate {
        /// Whose certificate.
        name: String,
        /// What the library said.
        source: rcgen::Error,
    },
    /// A key could not be read or did not sign.
    #[error("the {kind} key cannot be used: {reason}")]
    Key {
        /// Which key.
        kind: &'static str,
        /// Why.
        reason: String,
    },
}
