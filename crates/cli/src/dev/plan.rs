//! What `dunlin dev` is going to run, worked out and checked before anything starts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use dunlin_host::images::Code;
use dunlin_manifest::{Snapshot, did_you_mean, is_dns_label};

use crate::dev::folder::{self, Folder};
use crate::dev::repository::Repository;
use crate::dev::{Options, built_in};
use crate::printer::{self, WrongInput};
use crate::words::counted;

/// Sites, hosts, manifests and code.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Site names, in the order of their ports.
    pub(crate) sites: Vec<String>,
    /// Hosts in each site.
    pub(crate) hosts: usize,
    /// The first site's port; 0 for free ports.
    pub(crate) port: u16,
    /// The directory of manifests: what is followed, or with a repository the one in its working tree; empty without one.
    pub(crate) directory: PathBuf,
    /// The repository to follow instead.
    pub(crate) repository: Option<Repository>,
    /// What the manifests say at the start.
    pub(crate) snapshot: Snapshot,
    /// What is followed, in words.
    pub(crate) source_shown: String,
    /// Local builds by component.
    pub(crate) code: BTreeMap<String, Code>,
    /// Secrets as files.
    pub(crate) secrets: Option<PathBuf>,
    /// Where hosts keep what outlives them.
    pub(crate) data: PathBuf,
    /// The lattice's name.
    pub(crate) lattice: String,
    /// Real servers and processes, with this much time between a site and the hub; otherwise all in this process.
    pub(crate) real: Option<Duration>,
    /// Removed when `dunlin dev` ends.
    pub(crate) _temporary: Folder,
}

/// More hosts than this on one machine show nothing that fewer do not.
const MOST_HOSTS: usize = 64;

impl Plan {
    /// Works it out.
    ///
    /// # Errors
    /// Wrong input, each with the way out.
    pub(crate) async fn make(options: &Options) -> Result<Self> {
        match folder::sweep() {
            0 => {}
            1 => printer::note("removed the temporary folder of a `dunlin dev` that was killed"),
            more => {
                printer::note(format!("removed {more} temporary folders of `dunlin dev` that were killed"))
            }
        }
        let temporary = Folder::make()?;
        let mut code: BTreeMap<String, Code> = BTreeMap::new();
        let repository = Repository::of(options)?;
        let directory = match (&repository, &options.directory) {
            (Some(repository), _) => repository.manifests().unwrap_or_default(),
            (None, Some(directory)) => directory.clone(),
            (None, None) => {
                let directory = temporary.path().join("todo");
                built_in::write(&directory, options.sites.as_deref(), options.gives("todo"))?;
                code.extend(built_in::code());
                directory
            }
        };
        let snapshot = match &repository {
            Some(repository) => repository.read(temporary.path()).await?,
            None => read(&directory)?,
        };
        let source_shown = match &repository {
            Some(repository) => {
                code.extend(built_in::code_of(&snapshot));
                repository.shown()
            }
            None => format!("directory {}", options.directory.as_ref().unwrap_or(&directory).display()),
        };
        for (component, file) in &options.wasm {
            code.insert(component.clone(), Code::File(readable(component, file)?));
            if let Some(text) = not_there(component, file, &snapshot, &source_shown) {
                printer::note(text);
            }
        }
        let (lattice, declared) = declared_sites(&snapshot, &source_shown)?;
        let sites = chosen_sites(options.sites.as_deref(), &declared, &lattice)?;
        if options.hosts == 0 || options.hosts.saturating_mul(sites.len()) > MOST_HOSTS {
            return Err(wrong(format!(
                "{} with {} each: choose between 1 and {MOST_HOSTS} hosts in all with --hosts",
                counted(sites.len(), "site"),
                counted(options.hosts, "host")
            )));
        }
        let data = options.data.clone().unwrap_or_else(|| temporary.path().join("data"));
        let secrets = options.secrets.clone();
        let (hosts, port) = (options.hosts, options.port);
        let real = options.real.then(|| options.distance.unwrap_or_default());
        Ok(Self {
            sites,
            hosts,
            port,
            directory,
            repository,
            snapshot,
            source_shown,
            code,
            secrets,
            data,
            lattice,
            real,
            _temporary: temporary,
        })
    }
}

impl Plan {
    /// Local builds as files, which other processes can read; code inside this program is written out first.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn code_files(&self) -> Result<Vec<(String, PathBuf)>> {
        let file = |(component, code): (&String, &Code)| match code {
            Code::File(path) => Ok((component.clone(), path.clone())),
            Code::Bytes(bytes) => {
                let path = self.data.join(format!("{component}.wasm"));
                if !path.is_file() {
                    std::fs::write(&path, bytes)
                        .with_context(|| format!("cannot write {}", path.display()))?;
                }
                Ok((component.clone(), path))
            }
        };
        self.code.iter().map(file).collect()
    }
}

fn read(directory: &Path) -> Result<Snapshot> {
    let (_, reading) = dunlin_source::read_directory(directory).map_err(|error| wrong(error.to_string()))?;
    Ok(reading.snapshot)
}

fn declared_sites(snapshot: &Snapshot, shown: &str) -> Result<(String, Vec<String>)> {
    // Sites that hold data come first: their ports are the first ones.
    let holds_data =
        |site: &String| snapshot.providers.values().any(|provider| provider.spec.sites.contains_key(site));
    let declared = snapshot.lattice.as_ref().map(|lattice| {
        let mut sites: Vec<String> = lattice.spec.sites.keys().cloned().collect();
        sites.sort_by_key(|site| !holds_data(site));
        (lattice.name.clone(), sites)
    });
    declared.filter(|(_, sites)| !sites.is_empty()).ok_or_else(|| {
        wrong(format!(
            "no sites: no valid Lattice in {shown} names any; add one (`kind: Lattice`, `spec: {{ sites: {{ a: {{}} }} }}`) \
             or look at the mistakes with `dunlin validate`"
        ))
    })
}

fn chosen_sites(chosen: Option<&[String]>, declared: &[String], lattice: &str) -> Result<Vec<String>> {
    let Some(chosen) = chosen else { return Ok(declared.to_vec()) };
    if chosen.is_empty() {
        return Err(wrong("no sites: name at least one, as in --sites gcp,aws".to_owned()));
    }
    for (index, site) in chosen.iter().enumerate() {
        if !is_dns_label(site) {
            return Err(wrong(format!("{site:?} cannot name a site: use a-z, 0-9 and - (a DNS label)")));
        }
        if chosen.iter().take(index).any(|other| other == site) {
            return Err(wrong(format!("site {site:?} is named twice")));
        }
        if !declared.contains(site) {
            let declared = declared.join(", ");
            return Err(wrong(format!("unknown site {site:?}: lattice {lattice:?} has {declared}")));
        }
    }
    Ok(chosen.to_vec())
}

fn readable(component: &str, file: &Path) -> Result<PathBuf> {
    let refuse = |what: &dyn std::fmt::Display| {
        let way = "build the component first, and name the file that the build wrote";
        wrong(format!("--wasm {component}={}: {what}; {way}", file.display()))
    };
    let path = std::fs::canonicalize(file).map_err(|error| refuse(&error))?;
    if path.is_file() { Ok(path) } else { Err(refuse(&"this is no file")) }
}

/// What is odd about a local build of a component that there is not; it may come later.
fn not_there(component: &str, file: &Path, snapshot: &Snapshot, shown: &str) -> Option<String> {
    if snapshot.components.contains_key(component) {
        return None;
    }
    let hint = did_you_mean(component, snapshot.components.keys().map(String::as_str));
    let hint = hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
    let option = format!("--wasm {component}={}", file.display());
    Some(format!(
        "{option}: no valid component {component:?} in {shown} yet{hint}; the file is used once there is one"
    ))
}

fn wrong(text: String) -> anyhow::Error {
    WrongInput(text).into()
}

#[cfg(test)]
mod tests {
    use dunlin_manifest::File;

    use super::*;

    #[test]
    fn a_local_build_of_nothing_is_told() {
        let text = "apiVersion: dunlin.dev/v1alpha1\nkind: Lattice\nmetadata: { name: l }\nspec: { sites: { a: {} } }\n---\n\
                    apiVersion: dunlin.dev/v1alpha1\nkind: WasmComponent\nmetadata: { name: todo }\n\
                    spec: { image: \"todo:1\", sites: { a: {} } }\n";
        let snapshot = dunlin_manifest::read(&[File { path: "a.yaml".into(), text: text.into() }]).snapshot;
        let told = |component| not_there(component, Path::new("a.wasm"), &snapshot, "directory app");
        assert_eq!(told("todo"), None);
        assert_eq!(
            told("tood").as_deref(),
            Some(
                "--wasm tood=a.wasm: no valid component \"tood\" in directory app yet (did you mean \"todo\"?); the file is used once there is one"
            )
        );
    }
}
