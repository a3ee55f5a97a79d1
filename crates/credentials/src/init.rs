//! Making everything that a lattice begins with, at once or not at all.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::account::{self, Revoked};
use crate::address::HubUrl;
use crate::directory::{Credentials, Facts, VERSION};
use crate::error::Error;
use crate::hub::HubOptions;
use crate::key::{Key, Kind};
use crate::leaf::LeafOptions;
use crate::{authority, files, names};

/// What to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitOptions {
    /// The lattice's name.
    pub lattice: String,
    /// Where leaves find the hub; its certificate has these names too.
    pub hub_urls: Vec<HubUrl>,
    /// How the hub listens.
    pub hub: HubOptions,
    /// Sites whose leaves to make right away.
    pub sites: Vec<String>,
    /// How each of those leaves listens.
    pub leaf: LeafOptions,
}

impl InitOptions {
    /// A hub that listens at all addresses, for leaves at the port of `hub`.
    #[must_use]
    pub fn new(lattice: impl Into<String>, hub: HubUrl) -> Self {
        let mut options = HubOptions::default();
        options.leaves.set_port(hub.port());
        Self {
            lattice: lattice.into(),
            hub_urls: vec![hub],
            hub: options,
            sites: Vec::new(),
            leaf: LeafOptions::default(),
        }
    }
}

/// What [`Credentials::init`] found or made.
#[derive(Debug, Clone)]
pub struct Initialised {
    /// The credentials.
    pub credentials: Credentials,
    /// Whether they are new; if not, nothing was written.
    pub created: bool,
}

impl Credentials {
    /// Makes the credentials of a lattice in `directory`, or opens them if they are there.
    ///
    /// They appear complete: everything is made beside `directory` and renamed. What is there is never changed.
    ///
    /// # Errors
    /// The directory holds something else or the credentials of another lattice; a name, an address or a path cannot
    /// be used; or the directory cannot be written.
    pub fn init(directory: &Path, options: &InitOptions) -> Result<Initialised, Error> {
        check(options)?;
        if directory.join(names::FACTS).exists() {
            return Self::reopen(directory, options);
        }
        let failed = |action, path: &Path| {
            let path = path.to_owned();
            move |source| Error::File { action, path, source }
        };
        if directory.exists() && directory.read_dir().map_err(failed("read", directory))?.next().is_some() {
            return Err(Error::Foreign { path: directory.to_owned() });
        }
        let named = resolve(directory)?;
        let parent = named.parent().unwrap_or(Path::new("/"));
        // Made with mode 0700, removed when something fails.
        let unfinished = tempfile::Builder::new()
            .prefix(".dunlin-credentials-")
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700))
            .tempdir_in(parent)
            .map_err(failed("make a directory in", parent))?;
        let facts =
            Facts { version: VERSION, lattice: options.lattice.clone(), hub: options.hub_urls.clone() };
        let mut credentials = Self { root: unfinished.path().to_owned(), named: named.clone(), facts };
        credentials.fill(options)?;
        // Only an empty directory gives way to another one.
        std::fs::rename(unfinished.path(), &named).map_err(failed("put the credentials in", &named))?;
        let _ = unfinished.keep();
        files::sync_directory(parent)?;
        credentials.root = named;
        Ok(Initialised { credentials, created: true })
    }

    fn reopen(directory: &Path, options: &InitOptions) -> Result<Initialised, Error> {
        let credentials = Self::open(directory)?;
        let other = |what, found: String, asked: String| {
            Err(Error::Other { path: directory.to_owned(), what, found, asked })
        };
        if credentials.facts.lattice != options.lattice {
            return other("the lattice", credentials.facts.lattice, options.lattice.clone());
        }
        if credentials.facts.hub != options.hub_urls {
            return other("the hub", urls(&credentials.facts.hub), urls(&options.hub_urls));
        }
        Ok(Initialised { credentials, created: false })
    }

    fn fill(&self, options: &InitOptions) -> Result<(), Error> {
        let (root, lattice) = (&self.root, &self.facts.lattice);
        let new = |path: PathBuf, text: &str| files::write(&path, text, false).map(drop);
        // So that no careless `git add` publishes it.
        new(root.join(".gitignore"), "*\n")?;
        let keys = names::keys(root);
        files::create_directory(&keys)?;
        let (operator, system, account) =
            (Key::generate(Kind::Operator), Key::generate(Kind::Account), Key::generate(Kind::Account));
        for (key, file) in [
            (&operator, names::OPERATOR_SEED),
            (&system, names::SYSTEM_SEED),
            (&account, names::ACCOUNT_SEED),
        ] {
            new(keys.join(file), &format!("{}\n", key.seed()?.expose()))?;
        }
        let none = Revoked::new();
        for (token, file) in [
            (account::operator(lattice, &operator, &system.public())?, names::OPERATOR_TOKEN),
            (account::account("system", &system.public(), &operator, &none)?, names::SYSTEM_TOKEN),
            (account::account(lattice, &account.public(), &operator, &none)?, names::ACCOUNT_TOKEN),
        ] {
            new(root.join(file), &format!("{token}\n"))?;
        }
        let authority = authority::generate(lattice)?;
        new(keys.join(names::AUTHORITY_KEY), authority.key.expose())?;
        new(root.join(names::AUTHORITY), &authority.certificate)?;
        self.hub(&options.hub)?;
        for site in &options.sites {
            self.leaf(site, &options.leaf)?;
        }
        let facts = serde_json::to_string_pretty(&self.facts).unwrap_or_default();
        new(root.join(names::FACTS), &format!("{facts}\n"))
    }
}

fn check(options: &InitOptions) -> Result<(), Error> {
    names::check("lattice", &options.lattice)?;
    for site in &options.sites {
        names::check("site", site)?;
    }
    if options.hub_urls.is_empty() {
        return Err(Error::HubAddress { found: String::new(), reason: "there is none" });
    }
    options.hub.server.names(&[]).map(drop)
}

fn urls(urls: &[HubUrl]) -> String {
    urls.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The absolute path of a directory that need not exist, with links resolved; makes those above it.
fn resolve(directory: &Path) -> Result<PathBuf, Error> {
    let failed = |action, path: &Path| {
        let path = path.to_owned();
        move |source| Error::File { action, path, source }
    };
    let absolute = std::path::absolute(directory).map_err(failed("find", directory))?;
    if absolute.exists() {
        return std::fs::canonicalize(&absolute).map_err(failed("find", &absolute));
    }
    let parent = absolute.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(parent).map_err(failed("make the directory", parent))?;
    let parent = std::fs::canonicalize(parent).map_err(failed("find", parent))?;
    Ok(parent.join(absolute.file_name().unwrap_or(OsStr::new("credentials"))))
}
